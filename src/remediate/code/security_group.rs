//! Security groups: rules in blocks of the group, or each in a resource of its own.

use hcl_edit::expr::Expression;

use super::document::Spot;
use super::task::{Task, undone};
use super::workspace::{Edited, New, Refusal, Workspace};

const PURPOSE: &str = "HTTPS, for Session Manager";

pub(super) fn carry_out(name: &str, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    match name {
        "describe-rules" => describe(task, work),
        "remove-ingress" => remove(Way::In, task, work),
        "restrict-egress" => remove(Way::Out, task, work),
        name => Err(undone(name)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

impl Way {
    fn block(self) -> &'static str {
        match self {
            Self::In => "ingress",
            Self::Out => "egress",
        }
    }

    fn resource(self) -> &'static str {
        match self {
            Self::In => "aws_vpc_security_group_ingress_rule",
            Self::Out => "aws_vpc_security_group_egress_rule",
        }
    }
}

/// The rules of a group that stand where they can be changed: its blocks, and the resources that name it.
fn rules(way: Way, task: &Task<'_>, work: &Workspace<'_>) -> Result<Vec<Spot>, Refusal> {
    if work.value(&task.spot, way.block()).is_some() {
        let reason = format!("{} is assigned a value, and is not a block", way.block());
        return Err(work.refuse(&task.spot, way.block(), reason));
    }
    let nested = work.document(&task.spot.file).map(|document| document.nested(&task.spot, way.block()));
    let mut rules = nested.unwrap_or_default();
    let (kind, name) = task.spot.labels();
    let group = format!("{kind}.{name}");
    let names_group = |spot: &Spot| {
        let value = work.value(spot, "security_group_id").map(|value| work.source(&spot.file, &value));
        value.is_some_and(|value| value.strip_prefix(&group).is_some_and(|rest| rest.starts_with(['.', '['])))
    };
    rules.extend(work.resources(&task.spot.file, way.resource()).into_iter().filter(names_group));
    let of_way = |spot: &Spot| text(work.value(spot, "type").as_ref()) == Some(way.block().to_owned());
    let single = work.resources(&task.spot.file, "aws_security_group_rule");
    rules.extend(single.into_iter().filter(|spot| names_group(spot) && of_way(spot)));
    Ok(rules)
}

fn text(value: Option<&Expression>) -> Option<String> {
    match value {
        Some(Expression::String(text)) => Some(text.value().clone()),
        Some(Expression::Number(number)) => Some(number.value().to_string()),
        _ => None,
    }
}

/// Says of each rule that has no description what it lets through.
fn describe(task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    for way in [Way::In, Way::Out] {
        for rule in rules(way, task, work)? {
            let silent = match work.value(&rule, "description") {
                None | Some(Expression::Null(_)) => true,
                Some(Expression::String(text)) => text.value().is_empty(),
                Some(_) => false,
            };
            if silent {
                let description = words(way, &rule, work);
                work.set(&rule, "description", &New::Literal(super::workspace::quoted(&description)))?;
            }
        }
    }
    Ok(())
}

/// What a rule lets through, in words.
fn words(way: Way, rule: &Spot, work: &Workspace<'_>) -> String {
    let of = |name: &str| text(work.value(rule, name).as_ref());
    let protocol = match of("protocol").or_else(|| of("ip_protocol")).as_deref() {
        Some("-1" | "all") => "Everything".to_owned(),
        Some("6") => "TCP".to_owned(),
        Some("17") => "UDP".to_owned(),
        Some(name) => name.to_uppercase(),
        None => "Traffic".to_owned(),
    };
    let ports = match (of("from_port"), of("to_port")) {
        _ if protocol == "Everything" => String::new(),
        (Some(from), Some(to)) if from == to => format!(" port {from}"),
        (Some(from), Some(to)) => format!(" ports {from} to {to}"),
        _ => String::new(),
    };
    let way = if way == Way::In { "in" } else { "out" };
    format!("{protocol}{ports} {way}")
}

/// Takes rules away: all that let something in, or all that let out anything but HTTPS.
fn remove(way: Way, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let all = rules(way, task, work)?;
    let mut stay = 0;
    // From the last on: those that follow are counted from the ones before.
    for rule in all.iter().rev() {
        if way == Way::Out && is_https(rule, work) == Some(true) {
            stay += 1;
            continue;
        }
        if rule.kind() == "content" {
            return Err(work.refuse(rule, "from_port", "the rules are made by a dynamic block"));
        }
        if way == Way::Out && is_https(rule, work).is_none() {
            return Err(work.refuse(rule, "from_port", "what the rule lets out is computed"));
        }
        let removed = work.edit(&rule.file)?.remove(rule);
        removed.ok_or_else(|| work.refuse(rule, "from_port", "the rule shares its lines with something else"))?;
    }
    if way == Way::Out && stay == 0 {
        return allow_https(&task.spot, &task.place.address, work);
    }
    Ok(())
}

/// Whether a rule lets out HTTPS and nothing else; none where that is computed.
fn is_https(rule: &Spot, work: &Workspace<'_>) -> Option<bool> {
    let of = |name: &str| text(work.value(rule, name).as_ref());
    let protocol = of("protocol").or_else(|| of("ip_protocol"))?.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "6") {
        return Some(false);
    }
    Some(of("from_port")? == "443" && of("to_port")? == "443")
}

/// Adds the rule that lets HTTPS out, in the way in which the group has its rules.
pub(super) fn allow_https(group: &Spot, address: &str, work: &mut Workspace<'_>) -> Edited {
    let inline = work
        .document(&group.file)
        .is_some_and(|document| ["ingress", "egress"].into_iter().any(|kind| !document.nested(group, kind).is_empty()));
    let description = super::workspace::quoted(PURPOSE);
    if inline {
        let content = format!(
            "description = {description}\nfrom_port = 443\nto_port = 443\nprotocol = \"tcp\"\ncidr_blocks = [\"0.0.0.0/0\"]"
        );
        let added = work.edit(&group.file)?.add_block(group, "egress", &content);
        return added
            .ok_or_else(|| work.refuse(group, "egress", "the group is not written in a way that is understood"));
    }
    let reference = Workspace::reference(address, address)?;
    let content = format!(
        "security_group_id = {reference}.id\ndescription = {description}\nip_protocol = \"tcp\"\nfrom_port = 443\n\
         to_port = 443\ncidr_ipv4 = \"0.0.0.0/0\""
    );
    work.add_resource(group, Way::Out.resource(), &format!("{}_https", group.labels().1), &content).map(|_| ())
}
