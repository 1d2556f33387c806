//! What the security groups of an interface let out.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::super::path::{Followed, Place};
use super::super::value::Argument;
use super::{Answer, Arguments, Receiver, Undecided};
use crate::iam::is_symbol;
use crate::model::schema::View;

pub(super) fn allows_egress(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let wanted: IpNet = parse(arguments.text(2)?)?;
    let peers = Peers::of(receiver, arguments.text(0)?, arguments.int(1)?)?;
    peers.answer(peers.cover(wanted))
}

pub(super) fn allows_any_egress(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let peers = Peers::of(receiver, arguments.text(0)?, arguments.int(1)?)?;
    peers.answer(!peers.ranges.is_empty() || !peers.groups.is_empty())
}

pub(super) fn allows_egress_to(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let peers = Peers::of(receiver, arguments.text(0)?, arguments.int(1)?)?;
    let by_group = arguments.texts(3)?.iter().any(|group| peers.groups.contains(group));
    if by_group {
        return Ok(Answer::Bool(true));
    }
    let mut all = !arguments.texts(2)?.is_empty();
    let mut in_part = None;
    for address in arguments.texts(2)? {
        // Of code, the range that the address will be in.
        if let Ok(range) = address.parse::<IpNet>() {
            if peers.overlap(range) && !peers.cover(range) {
                in_part = Some(Undecided(format!("which address of {range} it will be is known to AWS only")));
            } else {
                all &= peers.cover(range);
            }
            continue;
        }
        let address: std::net::IpAddr = parse(address)?;
        all &= peers.cover(IpNet::from(address));
    }
    match in_part {
        Some(undecided) if all => Err(undecided),
        _ => peers.answer(all),
    }
}

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Undecided> {
    text.parse().map_err(|error| {
        Undecided(if text.contains(is_symbol) {
            format!("{text} is known to AWS only")
        } else {
            format!("{text:?}: {error}")
        })
    })
}

/// Whom the groups let traffic out to, and what might be added to that by what is not known.
struct Peers {
    ranges: Vec<IpNet>,
    groups: BTreeSet<String>,
    undecided: Option<Undecided>,
}

impl Peers {
    fn of(receiver: &Receiver<'_>, protocol: &str, port: i64) -> Result<Self, Undecided> {
        let Receiver::Place(place) = receiver else {
            return Err(Undecided("not a network interface".to_owned()));
        };
        let mut peers = Self { ranges: Vec::new(), groups: BTreeSet::new(), undecided: None };
        match place.node.view("security_groups") {
            Some(View::Links(resource_type, keys)) => {
                for key in keys {
                    match place.follow(resource_type, key) {
                        Followed::Resource(group) => peers.add_group(group, protocol, port),
                        Followed::Missing => {}
                        Followed::Unknown(gap) => peers.undecided = Some(Undecided::from(gap.as_ref())),
                    }
                }
            }
            Some(View::Unknown(gap)) => peers.undecided = Some(Undecided::from(gap.as_ref())),
            _ => return Err(Undecided("not a network interface".to_owned())),
        }
        Ok(peers)
    }

    fn add_group(&mut self, group: Place<'_>, protocol: &str, port: i64) {
        match group.node.view("egress") {
            Some(View::Parts(rules)) => {
                for rule in rules {
                    if let Err(undecided) = self.add_rule(group.part(rule), protocol, port) {
                        self.undecided = Some(undecided);
                    }
                }
            }
            Some(View::Unknown(gap)) => self.undecided = Some(Undecided::from(gap.as_ref())),
            _ => {}
        }
    }

    fn add_rule(&mut self, rule: Place<'_>, protocol: &str, port: i64) -> Result<(), Undecided> {
        let rule_protocol = text(rule, "ip_protocol")?;
        let applies = match rule_protocol.as_deref() {
            Some("-1") => true,
            Some(own) if own == protocol => {
                number(rule, "from_port")?.is_none_or(|first| first <= port)
                    && number(rule, "to_port")?.is_none_or(|last| port <= last)
            }
            _ => false,
        };
        if !applies {
            return Ok(());
        }
        for range in ["cidr_ipv4", "cidr_ipv6"] {
            if let Some(range) = text(rule, range)? {
                self.ranges.push(parse(&range)?);
            }
        }
        self.groups.extend(text(rule, "referenced_security_group_id")?);
        match rule.node.view("prefix_list") {
            Some(View::Link(resource_type, key)) => match rule.follow(resource_type, key) {
                Followed::Resource(list) => match list.node.view("cidrs") {
                    Some(View::Texts(ranges)) => {
                        for range in ranges {
                            self.ranges.push(parse(range)?);
                        }
                        Ok(())
                    }
                    Some(View::Unknown(gap)) => Err(Undecided::from(gap.as_ref())),
                    _ => Ok(()),
                },
                Followed::Missing => Ok(()),
                Followed::Unknown(gap) => Err(Undecided::from(gap.as_ref())),
            },
            Some(View::Unknown(gap)) => Err(Undecided::from(gap.as_ref())),
            _ => Ok(()),
        }
    }

    /// Whether the ranges together hold every address of this one.
    fn cover(&self, wanted: IpNet) -> bool {
        IpNet::aggregate(&self.ranges).iter().any(|range| range.contains(&wanted))
    }

    /// Returns `true` if the ranges together hold some address of this one.
    fn overlap(&self, wanted: IpNet) -> bool {
        self.ranges.iter().any(|range| range.contains(&wanted) || wanted.contains(range))
    }

    fn answer(&self, yes: bool) -> Result<Answer, Undecided> {
        match &self.undecided {
            Some(undecided) if !yes => Err(undecided.clone()),
            _ => Ok(Answer::Bool(yes)),
        }
    }
}

fn text(place: Place<'_>, name: &str) -> Result<Option<String>, Undecided> {
    match place.node.view(name) {
        Some(View::Text(text)) => Ok(Some(text.to_owned())),
        // Of code, the id of a group that AWS has yet to make is one all the same.
        Some(View::Unknown(gap)) => {
            gap.symbol.as_deref().map(|symbol| Some(symbol.to_owned())).ok_or_else(|| Undecided::from(gap.as_ref()))
        }
        _ => Ok(None),
    }
}

fn number(place: Place<'_>, name: &str) -> Result<Option<i64>, Undecided> {
    match place.node.view(name) {
        Some(View::Int(number)) => Ok(Some(number)),
        Some(View::Unknown(gap)) => Err(Undecided::from(gap.as_ref())),
        _ => Ok(None),
    }
}
