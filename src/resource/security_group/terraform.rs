//! Security groups: `aws_security_group`, `aws_default_security_group`, with their rules, inline or each in a resource
//! of its own.

use std::rc::Rc;
use std::sync::Arc;

use super::schema::{SecurityGroup, SecurityGroupRule};
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::associations::set_twice;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::{Nature, Value};
use crate::model::{Entry, Fact, Gap, Key, Link, ResourceType};

/// The types that are groups.
pub(crate) const GROUPS: &[&str] = &["aws_security_group", "aws_default_security_group"];

/// Which way a rule lets traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Self::In => "ingress",
            Self::Out => "egress",
        }
    }

    /// The type of a resource that is one rule.
    fn kind(self) -> &'static str {
        match self {
            Self::In => "aws_vpc_security_group_ingress_rule",
            Self::Out => "aws_vpc_security_group_egress_rule",
        }
    }
}

impl Mapper {
    /// The group that a value names, by id or name. One that is not known is one of which nothing is.
    pub(crate) fn group_link(&mut self, value: &Value, by: &Rc<Instance>, index: usize) -> Option<Link<SecurityGroup>> {
        if let Some(vpc) = self.vpc_of_default_group(value) {
            return Some(self.default_group(by, &vpc));
        }
        if let Some(group) = self.looked_up_group(value, by, index) {
            return Some(group);
        }
        match self.target(value, GROUPS, by) {
            Reference::None => None,
            Reference::Declared(group) => Some(Link::to(self.put_group(&group, Judged::Yes))),
            Reference::Named(id) => Some(self.put_named(Key { region: by.region(), id }, by)),
            target @ (Reference::Unknown(_) | Reference::Outside(_)) => {
                let link: Option<Fact<Option<Link<SecurityGroup>>>> = self.no_link(&target, by, Judged::Yes);
                let gap = link.as_ref().and_then(|link| link.gap()).map_or_else(Gap::not_collected, Arc::clone);
                let id = format!("{}/security_groups[{index}]", by.address);
                let key = Key { region: by.region(), id: id.into() };
                let entry = Entry { in_scope: false, ..Entry::unread(&gap) };
                self.inventory.security_groups.insert(key.clone(), entry);
                Some(Link::to(key))
            }
        }
    }

    /// The group that a data source looks up by its name: of what is not in this code, the name alone is known.
    fn looked_up_group(&mut self, value: &Value, by: &Rc<Instance>, index: usize) -> Option<Link<SecurityGroup>> {
        let Value::Unknown(hole) = value else { return None };
        let Nature::LookedUp(source, attribute) = &hole.nature else { return None };
        if &*source.kind != "aws_security_group" || **attribute != *"id" {
            return None;
        }
        let name = name_looked_up(source)?;
        let id = format!("{}/security_groups[{index}]", by.address);
        let key = Key { region: by.region(), id: id.into() };
        let unread: Entry<SecurityGroup> = Entry::unread(&hole.gap);
        let attributes =
            SecurityGroup { name: fact::or(fact::text(&self.context, &name), String::new), ..unread.attributes };
        let entry = Entry { exists: Fact::Known(true), in_scope: false, attributes };
        self.inventory.security_groups.insert(key.clone(), entry);
        Some(Link::to(key))
    }

    /// The group that an instance has where the code names none: the default one of its VPC.
    pub(crate) fn default_group(&mut self, by: &Rc<Instance>, vpc: &Value) -> Link<SecurityGroup> {
        let vpc_of = |group: &Rc<Instance>| {
            let own = group.attribute("vpc_id");
            own.equals(vpc).is_ok_and(|same| same)
        };
        let declared = self.all("aws_default_security_group");
        let declared: Vec<&Rc<Instance>> = declared.iter().filter(|group| vpc_of(group)).collect();
        if let [group] = declared.as_slice() {
            return Link::to(self.put_group(group, Judged::Yes));
        }
        let key = Key { region: by.region(), id: format!("{}/default_security_group", by.address).into() };
        let gap = match declared.as_slice() {
            [first, second, ..] => set_twice(first, second),
            _ => Self::not_told("the default security group of the VPC is not declared in this code"),
        };
        let unread: Entry<SecurityGroup> = Entry::unread(&gap);
        let mut attributes = SecurityGroup { name: Fact::Known("default".to_owned()), ..unread.attributes };
        if let Reference::Declared(vpc) = self.target(vpc, &["aws_vpc"], by)
            && declared.is_empty()
            && !self.changes_default_group(&vpc)
        {
            (attributes.ingress, attributes.egress) = default_rules(&vpc);
        }
        let entry = Entry { exists: Fact::Known(true), in_scope: false, attributes };
        self.inventory.security_groups.insert(key.clone(), entry);
        Link::to(key)
    }

    /// Returns the VPC whose default group a value is.
    pub(crate) fn vpc_of_default_group(&self, value: &Value) -> Option<Value> {
        let hole = match value {
            Value::Unknown(hole) => Rc::clone(hole),
            Value::Text(text) => {
                let mut characters = text.chars();
                let hole = self.context.symbols.hole(characters.next()?)?;
                characters.next().is_none().then_some(hole)?
            }
            _ => return None,
        };
        match &hole.nature {
            Nature::Attribute(vpc, name)
                if matches!(&*vpc.kind, "aws_vpc" | "aws_default_vpc") && **name == *"default_security_group_id" =>
            {
                Some(vpc.attribute("id"))
            }
            _ => None,
        }
    }

    /// Returns `true` if a rule of its own may be one of the default group of the VPC.
    fn changes_default_group(&self, vpc: &Rc<Instance>) -> bool {
        let kinds = ["aws_security_group_rule", Direction::In.kind(), Direction::Out.kind(), EXCLUSIVE];
        let groups =
            kinds.iter().flat_map(|kind| self.everywhere(kind)).map(|rule| rule.attribute("security_group_id"));
        let of_default = |group: Value| match self.vpc_of_default_group(&group) {
            Some(of) => of.equals(&vpc.attribute("id")).unwrap_or(true),
            None => false,
        };
        self.unread.is_some() || self.given_away.contains_key(&vpc.address) || groups.into_iter().any(of_default)
    }

    pub(crate) fn put_group(&mut self, group: &Rc<Instance>, judged: Judged) -> Key {
        let key = Self::key_of(ResourceType::SecurityGroup, group);
        if self.seen::<SecurityGroup>(&key, judged) {
            return key;
        }
        let view = group.view();
        let mut mapped: Mapped<SecurityGroup> = Mapped::new();
        mapped.at("name", view.span_of("name"));
        let egress = self.group_rules(group, Direction::Out, &mut mapped);
        let ingress = self.group_rules(group, Direction::In, &mut mapped);
        mapped.resource = SecurityGroup {
            arn: self.told(group, "arn"),
            name: match &*group.kind {
                "aws_default_security_group" => Fact::Known("default".to_owned()),
                _ => self.told(group, "name"),
            },
            vpc_id: fact::text(&self.context, &view.get("vpc_id")),
            egress: egress.into(),
            ingress: ingress.into(),
            tags: self.tags(&view),
        };
        self.put(key.clone(), group, mapped, judged);
        key
    }

    /// What the group lets through. The provider takes away the rule that AWS gives to a new group.
    fn group_rules(
        &mut self,
        group: &Rc<Instance>,
        direction: Direction,
        mapped: &mut Mapped<SecurityGroup>,
    ) -> Result<Vec<SecurityGroupRule>, Arc<Gap>> {
        let inline = group.view().blocks(direction.word())?;
        let only = self.exclusive_rules(group, direction)?;
        let mut rules = Vec::new();
        let mut perhaps = only.as_ref().and_then(|only| only.undeclared.clone());
        for view in &inline {
            mapped.at(direction.word(), Some(view.span()));
            match only.as_ref().filter(|_| self.is_written(group)) {
                Some(only) => perhaps = Some(only.takes_away(view)),
                None => self.add_rules(view, &INLINE, &mut rules)?,
            }
        }
        // <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/security_group>
        let is_list = matches!(group.attribute(direction.word()), Value::List(_) | Value::Set(_));
        let owns_all = self.is_written(group) && (is_list || !inline.is_empty());
        for (rule, words) in self.rule_resources(group, direction)? {
            mapped.at(direction.word(), Some(rule.block.span));
            if owns_all {
                let word = direction.word();
                let why = format!(
                    "{word} of {} takes rules away that resources of their own add: which of them are there depends on \
                     the last apply",
                    group.address
                );
                perhaps = Some(fact::left_open(&rule.view(), &why));
            } else if let Some(only) = only.as_ref().filter(|only| !only.has(&rule)) {
                perhaps = Some(only.takes_away(&rule.view()));
            } else {
                self.add_rules(&rule.view(), words, &mut rules)?;
            }
        }
        match perhaps {
            None => Ok(rules),
            Some(gap) if rules.is_empty() => Err(gap),
            Some(gap) => {
                rules.push(unread_rule(&gap));
                Ok(rules)
            }
        }
    }

    /// The rules of the group that are resources of their own.
    fn rule_resources(
        &self,
        group: &Rc<Instance>,
        direction: Direction,
    ) -> Result<Vec<(Rc<Instance>, &'static Words)>, Arc<Gap>> {
        let mut resources = Vec::new();
        for rule in self.associations("aws_security_group_rule", "security_group_id", group, GROUPS)? {
            match rule.attribute("type") {
                Value::Text(kind) if *kind == *direction.word() => resources.push((rule, &RESOURCE)),
                Value::Text(_) => {}
                Value::Unknown(hole) => return Err(Arc::clone(&hole.gap)),
                _ => return Err(fact::left_open(&rule.view(), "the rule has no type")),
            }
        }
        let single = self.associations(direction.kind(), "security_group_id", group, GROUPS)?;
        resources.extend(single.into_iter().map(|rule| (rule, &SINGLE)));
        Ok(resources)
    }

    /// The rules that a resource names as all that the group has; none where no resource does.
    /// <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/vpc_security_group_rules_exclusive>
    fn exclusive_rules(&self, group: &Rc<Instance>, direction: Direction) -> Result<Option<Exclusive>, Arc<Gap>> {
        let Some(by) = self.association(EXCLUSIVE, "security_group_id", group, GROUPS)? else { return Ok(None) };
        let view = by.view();
        let ids = values(&view.get(&format!("{}_rule_ids", direction.word())))?;
        let mut only = Exclusive { by, declared: Vec::new(), undeclared: None };
        for id in ids {
            match self.target(&id, &[direction.kind(), "aws_security_group_rule"], &only.by) {
                Reference::None => {}
                Reference::Declared(rule) => only.declared.push(rule),
                Reference::Named(id) => {
                    let why = format!("the rule {id} is not declared in this code");
                    only.undeclared = Some(fact::left_open(&view, &why));
                }
                Reference::Unknown(gap) | Reference::Outside(gap) => only.undeclared = Some(gap),
            }
        }
        Ok(Some(only))
    }

    /// One rule for each peer.
    fn add_rules(
        &mut self,
        view: &BlockView,
        words: &Words,
        rules: &mut Vec<SecurityGroupRule>,
    ) -> Result<(), Arc<Gap>> {
        let context = Rc::clone(&self.context);
        let text = |name: &str| fact::text(&context, &view.get(name)).map(|text| text.filter(|text| !text.is_empty()));
        let protocol = text(words.protocol).map(|protocol| normal_protocol(protocol.as_deref().unwrap_or("-1")));
        let without_ports = protocol == Fact::Known("-1".to_owned());
        let port = |name: &str| {
            if without_ports { Fact::Known(None) } else { fact::whole(&context, &view.get(name)) }
        };
        let blank = SecurityGroupRule {
            from_port: port("from_port"),
            to_port: port("to_port"),
            ip_protocol: protocol,
            description: text("description"),
            cidr_ipv4: Fact::Known(None),
            cidr_ipv6: Fact::Known(None),
            prefix_list: Fact::Known(None),
            referenced_security_group_id: Fact::Known(None),
        };
        let before = rules.len();
        for (name, peer) in words.peers {
            for value in values(&view.get(name))? {
                if !context.afford(RULE) {
                    return Err(fact::left_open(view, "it takes too much to evaluate all rules of the group"));
                }
                let fact = fact::text(&context, &value);
                if matches!(&fact, Fact::Known(None)) {
                    continue;
                }
                let mut rule = blank.clone();
                match peer {
                    Peer::Ipv4 => rule.cidr_ipv4 = fact,
                    Peer::Ipv6 => rule.cidr_ipv6 = fact,
                    Peer::Group => rule.referenced_security_group_id = fact,
                    Peer::PrefixList => rule.prefix_list = self.prefix_list_link(&value, &view.instance),
                }
                rules.push(rule);
            }
        }
        match fact::flag(&view.get("self")) {
            Fact::Known(Some(true)) => {
                // The group itself, by its id.
                let id = match view.get("security_group_id") {
                    Value::Null => view.instance.attribute("id"),
                    group => group,
                };
                let id = fact::text(&context, &id);
                rules.push(SecurityGroupRule { referenced_security_group_id: id, ..blank.clone() });
            }
            Fact::Unknown(gap) => return Err(gap),
            Fact::Known(_) => {}
        }
        if rules.len() == before && words.whole {
            return Err(fact::left_open(view, "the rule names no peer"));
        }
        Ok(())
    }
}

/// The resource that names all rules that a group has.
const EXCLUSIVE: &str = "aws_vpc_security_group_rules_exclusive";

/// The rules of one way that a group has exclusively.
struct Exclusive {
    /// The resource that names them.
    by: Rc<Instance>,
    declared: Vec<Rc<Instance>>,
    /// Why some of them are not known.
    undeclared: Option<Arc<Gap>>,
}

impl Exclusive {
    fn has(&self, rule: &Rc<Instance>) -> bool {
        self.declared.iter().any(|declared| Rc::ptr_eq(declared, rule))
    }

    fn takes_away(&self, rule: &BlockView) -> Arc<Gap> {
        let why = format!("{} takes the rule away again: it is there until the next apply", self.by.address);
        fact::left_open(rule, &why)
    }
}

/// The name that a data source looks a group up by.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html>
fn name_looked_up(source: &Rc<Instance>) -> Option<Value> {
    match source.attribute("name") {
        name @ Value::Text(_) => return Some(name),
        // No text is written there: it is a name that AWS tells.
        Value::Unknown(hole) if matches!(hole.nature, Nature::LookedUp(..)) => {}
        _ => return None,
    }
    let by_name = |view: &BlockView| matches!(view.get("name"), Value::Text(text) if *text == *"group-name");
    let filters = source.view().blocks("filter").ok()?;
    let values = filters.iter().find(|view| by_name(view))?.get("values");
    match &values {
        Value::List(items) | Value::Set(items) => match items.to_vec().as_slice() {
            // Filters know wildcards.
            [one @ Value::Text(text)] if !text.contains(['*', '?']) => Some(one.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// The rules that AWS gives to the default group of a VPC: in from the group itself, and out to everywhere.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html>
fn default_rules(vpc: &Rc<Instance>) -> (Fact<Vec<SecurityGroupRule>>, Fact<Vec<SecurityGroupRule>>) {
    let rule = || SecurityGroupRule {
        ip_protocol: Fact::Known("-1".to_owned()),
        from_port: Fact::Known(None),
        to_port: Fact::Known(None),
        cidr_ipv4: Fact::Known(None),
        cidr_ipv6: Fact::Known(None),
        prefix_list: Fact::Known(None),
        referenced_security_group_id: Fact::Known(None),
        description: Fact::Known(None),
    };
    let group = fact::text(&vpc.module.context, &vpc.told_by_aws("default_security_group_id"));
    let from_itself = SecurityGroupRule { referenced_security_group_id: group, ..rule() };
    let to_everywhere = SecurityGroupRule { cidr_ipv4: Fact::Known(Some("0.0.0.0/0".to_owned())), ..rule() };
    (Fact::Known(vec![from_itself]), Fact::Known(vec![to_everywhere]))
}
/// Returns a rule of which nothing is known.
fn unread_rule(gap: &Arc<Gap>) -> SecurityGroupRule {
    SecurityGroupRule {
        ip_protocol: Fact::Unknown(Arc::clone(gap)),
        from_port: Fact::Unknown(Arc::clone(gap)),
        to_port: Fact::Unknown(Arc::clone(gap)),
        cidr_ipv4: Fact::Unknown(Arc::clone(gap)),
        cidr_ipv6: Fact::Unknown(Arc::clone(gap)),
        prefix_list: Fact::Unknown(Arc::clone(gap)),
        referenced_security_group_id: Fact::Unknown(Arc::clone(gap)),
        description: Fact::Unknown(Arc::clone(gap)),
    }
}

/// What a rule costs, in elements of collections.
const RULE: usize = 16;

/// What is named in a rule.
#[derive(Clone, Copy)]
enum Peer {
    Ipv4,
    Ipv6,
    Group,
    PrefixList,
}

/// The words of one form of rule.
struct Words {
    protocol: &'static str,
    peers: &'static [(&'static str, Peer)],
    /// Whether it is a resource that must name a peer.
    whole: bool,
}

static INLINE: Words = Words {
    protocol: "protocol",
    peers: &[
        ("cidr_blocks", Peer::Ipv4),
        ("ipv6_cidr_blocks", Peer::Ipv6),
        ("prefix_list_ids", Peer::PrefixList),
        ("security_groups", Peer::Group),
    ],
    whole: false,
};

static RESOURCE: Words = Words {
    protocol: "protocol",
    peers: &[
        ("cidr_blocks", Peer::Ipv4),
        ("ipv6_cidr_blocks", Peer::Ipv6),
        ("prefix_list_ids", Peer::PrefixList),
        ("source_security_group_id", Peer::Group),
    ],
    whole: true,
};

static SINGLE: Words = Words {
    protocol: "ip_protocol",
    peers: &[
        ("cidr_ipv4", Peer::Ipv4),
        ("cidr_ipv6", Peer::Ipv6),
        ("prefix_list_id", Peer::PrefixList),
        ("referenced_security_group_id", Peer::Group),
    ],
    whole: true,
};

/// One value, or each of a list.
///
/// # Errors
/// Where it is not known how many there are.
fn values(value: &Value) -> Result<Vec<Value>, Arc<Gap>> {
    match value {
        Value::List(items) | Value::Set(items) => Ok(items.to_vec()),
        Value::Null => Ok(Vec::new()),
        Value::Unknown(hole) if !hole.is_text() => Err(Arc::clone(&hole.gap)),
        one => Ok(vec![one.clone()]),
    }
}

/// AWS knows some protocols by name, whichever way they are written.
pub(crate) fn normal_protocol(protocol: &str) -> String {
    let protocol = protocol.to_ascii_lowercase();
    match protocol.as_str() {
        "all" | "-1" => "-1".to_owned(),
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        _ => protocol,
    }
}
