//! Outbound traffic that the security groups of an interface allow.

use std::collections::BTreeSet;
use std::net::IpAddr;

use iam_policy::is_symbol;
use ipnet::IpNet;

use super::super::path::{Followed, Place};
use super::super::value::Argument;
use super::{Answer, Arguments, Receiver, Undecided};
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
        // Of code, the range that will contain the address.
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

pub(super) fn allows_egress_to_hidden_endpoints(
    receiver: &Receiver<'_>,
    arguments: &[Argument],
) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let peers = Peers::of(receiver, arguments.text(0)?, arguments.int(1)?)?;
    let wanted = arguments.texts(2)?.iter().map(|text| range(text)).collect::<Result<Vec<_>, _>>()?;
    if wanted.is_empty() {
        return match peers.private(receiver)? {
            Some(peer) => Err(Undecided(format!(
                "traffic may go to {peer}, where endpoints may be that the account does not show; name the ranges of \
                 such endpoints under `network.endpoint_cidrs` in the configuration"
            ))),
            None => peers.answer(false),
        };
    }
    if wanted.iter().all(|wanted| peers.cover(*wanted)) {
        return Ok(Answer::Bool(true));
    }
    let touches = |range: &IpNet| wanted.iter().any(|wanted| overlap(range, wanted));
    if peers.ranges.iter().any(touches) || !peers.groups.is_empty() {
        return Err(Undecided(
            "traffic may go to some addresses of `network.endpoint_cidrs`, and not to all".to_owned(),
        ));
    }
    peers.answer(false)
}

/// Parses a range; an address is a range of one.
fn range(text: &str) -> Result<IpNet, Undecided> {
    text.parse::<IpAddr>().map_or_else(|_| parse(text), |address| Ok(IpNet::from(address)))
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

/// IPv4 ranges of private networks: <https://www.rfc-editor.org/rfc/rfc1918>, <https://www.rfc-editor.org/rfc/rfc6598>.
const PRIVATE: &[&str] = &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"];

fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Undecided> {
    text.parse().map_err(|error| {
        Undecided(if text.contains(is_symbol) {
            format!("{text} is known to AWS only")
        } else {
            format!("{text:?}: {error}")
        })
    })
}

/// Maximum number of rules that all groups of an interface can have together, of IPv4 and of IPv6, with the entries of
/// prefix lists.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html#vpc-limits-security-groups>
const MOST_RULES: usize = 2_000;

/// Destinations that the groups allow, and the unknown facts that may add destinations.
struct Peers {
    ranges: Vec<IpNet>,
    groups: BTreeSet<String>,
    undecided: Option<Undecided>,
    /// Number of rules read so far.
    rules: usize,
}

impl Peers {
    fn of(receiver: &Receiver<'_>, protocol: &str, port: i64) -> Result<Self, Undecided> {
        let Receiver::Place(place) = receiver else {
            return Err(Undecided("not a network interface".to_owned()));
        };
        let mut peers = Self { ranges: Vec::new(), groups: BTreeSet::new(), undecided: None, rules: 0 };
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
                    self.rules += 1;
                    if self.rules.max(self.ranges.len()) > MOST_RULES {
                        let message = format!("there are more than {MOST_RULES} rules, which AWS does not allow");
                        self.undecided = Some(Undecided(message));
                        return;
                    }
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

    /// Returns a destination that may be in a private network: a security group, or a range with private addresses. Any
    /// IPv6 range may be one if the interface has no IPv4 address.
    fn private(&self, receiver: &Receiver<'_>) -> Result<Option<String>, Undecided> {
        let Receiver::Place(place) = receiver else { return Ok(None) };
        let has_ipv4 = match place.node.view("private_ips") {
            Some(View::Texts(addresses)) => Some(!addresses.is_empty()),
            _ => None,
        };
        let private = PRIVATE.iter().map(|text| parse(text)).collect::<Result<Vec<IpNet>, _>>()?;
        let may_be = |range: &&IpNet| match range {
            IpNet::V4(_) => has_ipv4 != Some(false) && private.iter().any(|private| overlap(range, private)),
            IpNet::V6(_) => has_ipv4 != Some(true),
        };
        let ranges = self.ranges.iter().filter(may_be).map(ToString::to_string);
        let groups = self.groups.iter().map(|group| format!("the security group {group}"));
        Ok(ranges.chain(groups).next())
    }

    /// Returns `true` if the ranges together contain every address of this range.
    fn cover(&self, wanted: IpNet) -> bool {
        IpNet::aggregate(&self.ranges).iter().any(|range| range.contains(&wanted))
    }

    /// Returns `true` if the ranges together contain some address of this range.
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
        // Of code, the id of a group that AWS has yet to create is known to be an id.
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
