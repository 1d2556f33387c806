//! Security groups: rules in blocks of the group or in its arguments, or each in a resource of its own. The forms are
//! never mixed, since each apply would take away what the other form adds.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/security_group>

use hcl_edit::expr::{Expression, Object};

use crate::terraform_fix::about::About;
use crate::terraform_fix::edit_session::{EditSession, Edited, New, Refusal};
use crate::terraform_fix::hcl_file::{BlockRef, member};
use crate::terraform_fix::task::{Task, undone};
use crate::terraform_fix::values::quoted;

const PURPOSE: &str = "HTTPS, for Session Manager";

pub(crate) fn carry_out(name: &str, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    match name {
        "describe-rules" => describe(&task.block_ref, session),
        "remove-ingress" => remove(Way::In, &task.block_ref, session),
        "restrict-egress" => remove(Way::Out, &task.block_ref, session),
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

    fn other(self) -> Self {
        match self {
            Self::In => Self::Out,
            Self::Out => Self::In,
        }
    }
}

/// A resource with a rule of either way.
const SINGLE: &str = "aws_security_group_rule";

/// The form in which a group has its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// In blocks of the group, or in the argument of the same name.
    Inline,
    /// In resources for rules of either way.
    Single,
    /// In resources for rules of one way.
    OneWay,
}

/// The rules of one way that a group has, by their form.
struct Rules {
    /// The argument in place of blocks.
    argument: Option<Expression>,
    blocks: Vec<BlockRef>,
    single: Vec<BlockRef>,
    one_way: Vec<BlockRef>,
}

impl Rules {
    fn of(way: Way, group: &BlockRef, session: &EditSession<'_>) -> Self {
        let nested = |of: &BlockRef| session.document(&of.file).map(|document| document.nested(of, way.block()));
        let overriding = session.overriding(group, way.block());
        let blocks = [Some(group), overriding.as_ref()].into_iter().flatten().filter_map(nested).flatten();
        let about = |kind: &str| {
            let is_about = |rule: &BlockRef| session.about(rule, ABOUT, group, "id") == About::This;
            session.resources(&group.file, kind).into_iter().filter(is_about).collect::<Vec<_>>()
        };
        let of_way =
            |block_ref: &BlockRef| text(session.value(block_ref, "type").as_ref()).as_deref() == Some(way.block());
        Self {
            argument: session.value(group, way.block()).filter(|value| !matches!(value, Expression::Null(_))),
            blocks: blocks.collect(),
            single: about(SINGLE).into_iter().filter(of_way).collect(),
            one_way: about(way.resource()),
        }
    }

    fn resources(&self) -> impl Iterator<Item = &BlockRef> {
        self.single.iter().chain(&self.one_way)
    }

    fn is_inline(&self) -> bool {
        self.argument.is_some() || !self.blocks.is_empty()
    }

    fn form(&self) -> Option<Form> {
        if self.is_inline() {
            Some(Form::Inline)
        } else if !self.single.is_empty() {
            Some(Form::Single)
        } else if !self.one_way.is_empty() {
            Some(Form::OneWay)
        } else {
            None
        }
    }

    /// Refuses what Terraform itself keeps changing to and fro.
    fn refuse_mixed(&self, way: Way, group: &BlockRef, session: &EditSession<'_>) -> Edited {
        match self.resources().next() {
            Some(rule) if self.is_inline() => {
                let word = way.block();
                let (kind, name) = rule.labels();
                let reason = format!(
                    "the group has {word} rules of its own, and {kind}.{name} besides: each apply takes one of them away; \
                     leave one form"
                );
                Err(session.refuse(group, word, reason))
            }
            _ => Ok(()),
        }
    }
}

/// The form of rules of which it is computed whether they are the group's: what is added has their form, and so is
/// mixed with nothing.
fn unclear_form(group: &BlockRef, session: &EditSession<'_>) -> Result<Option<Form>, Refusal> {
    let find = |kind: &str| session.refuse_unclear(kind, ABOUT, group, "id").err();
    let single = find(SINGLE);
    let one_way = find(Way::In.resource()).or_else(|| find(Way::Out.resource()));
    match (single, one_way) {
        (Some(refusal), Some(_)) => Err(refusal),
        (Some(_), None) => Ok(Some(Form::Single)),
        (None, Some(_)) => Ok(Some(Form::OneWay)),
        (None, None) => Ok(None),
    }
}

/// The argument of a rule that names its group.
const ABOUT: &str = "security_group_id";

fn text(value: Option<&Expression>) -> Option<String> {
    match value {
        Some(Expression::String(text)) => Some(text.value().clone()),
        Some(Expression::Number(number)) => Some(number.value().to_string()),
        _ => None,
    }
}

/// Says of each rule that has no description what it lets through.
fn describe(group: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    for way in [Way::In, Way::Out] {
        let rules = Rules::of(way, group, session);
        describe_elements(way, &rules, group, session)?;
        for rule in rules.blocks.iter().chain(rules.resources()) {
            let silent = match session.value(rule, "description") {
                None | Some(Expression::Null(_)) => true,
                Some(Expression::String(text)) => text.value().is_empty(),
                Some(_) => false,
            };
            if silent {
                let of = |name: &str| text(session.value(rule, name).as_ref());
                let description = quoted(&words(way, &of));
                session.set(rule, "description", &New::Literal(description))?;
            }
        }
    }
    Ok(())
}

/// The same for rules that are objects of the argument.
fn describe_elements(way: Way, rules: &Rules, group: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    let Some(argument) = &rules.argument else { return Ok(()) };
    // From the last on: those before keep their places.
    for object in objects(argument, way, group, session)?.iter().rev() {
        let of = |name: &str| text(member(object, name));
        let description = New::Literal(quoted(&words(way, &of)));
        match member(object, "description") {
            Some(Expression::String(text)) if !text.value().is_empty() => {}
            Some(value) => {
                let silent = matches!(value, Expression::String(_) | Expression::Null(_));
                if silent {
                    session.assign(group, way.block(), &value.clone(), &description)?;
                }
            }
            None => {
                let added = session.edit(&group.file)?.add_member(object, "description", description.text());
                added.ok_or_else(|| session.refuse(group, way.block(), "the rule is not understood"))?;
            }
        }
    }
    Ok(())
}

/// The objects of an argument that stands for blocks.
fn objects(
    argument: &Expression,
    way: Way,
    group: &BlockRef,
    session: &EditSession<'_>,
) -> Result<Vec<Object>, Refusal> {
    let computed = || session.refuse(group, way.block(), format!("{} is computed", way.block()));
    let Expression::Array(array) = argument else { return Err(computed()) };
    let object = |element: &Expression| match element {
        Expression::Object(object) => Ok(object.clone()),
        _ => Err(computed()),
    };
    array.iter().map(object).collect()
}

/// What a rule lets through, in words.
fn words(way: Way, of: &dyn Fn(&str) -> Option<String>) -> String {
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
fn remove(way: Way, group: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    let rules = Rules::of(way, group, session);
    rules.refuse_mixed(way, group, session)?;
    let mut stay = remove_elements(way, &rules, group, session)?;
    // From the last on: those that follow are counted from the ones before.
    for rule in rules.blocks.iter().rev() {
        if stays(way, rule, session)? {
            stay += 1;
            continue;
        }
        if rule.kind() == "content" {
            return Err(session.refuse(rule, "from_port", "the rules are made by a dynamic block"));
        }
        let removed = session.edit(&rule.file)?.remove(rule);
        removed.ok_or_else(|| session.refuse(rule, "from_port", "the rule shares its lines with something else"))?;
    }
    for rule in rules.resources() {
        if stays(way, rule, session)? {
            stay += 1;
            continue;
        }
        refuse_shared(rule, session)?;
        session.remove_resource(rule)?;
    }
    if stay > 0 {
        return Ok(());
    }
    match way {
        // Without a word on the rules, the provider leaves those that exist as they are.
        Way::In if !rules.blocks.is_empty() => session.set(group, "ingress", &New::Literal("[]".to_owned())),
        Way::In => Ok(()),
        Way::Out => {
            let form = match rules.form() {
                Some(form) => form,
                None => unclear_form(group, session)?.unwrap_or(Form::OneWay),
            };
            add_https(form, group, session)
        }
    }
}

/// Returns `true` if the rule is one that may stay.
fn stays(way: Way, rule: &BlockRef, session: &EditSession<'_>) -> Result<bool, Refusal> {
    if way == Way::In {
        return Ok(false);
    }
    let of = |name: &str| session.value(rule, name);
    is_https(&of).ok_or_else(|| session.refuse(rule, "from_port", "what the rule lets out is computed"))
}

/// Refuses to remove a rule that is made for several groups at once.
fn refuse_shared(rule: &BlockRef, session: &EditSession<'_>) -> Edited {
    let group =
        session.value(rule, "security_group_id").map(|value| session.source(&rule.file, &value)).unwrap_or_default();
    if session.value(rule, "for_each").is_some() && group.contains("each.") {
        return Err(session.refuse(rule, "for_each", "the rules of several groups are made together, by for_each"));
    }
    Ok(())
}

/// Takes rules out of the argument that stands for blocks; gives how many stay.
fn remove_elements(way: Way, rules: &Rules, group: &BlockRef, session: &mut EditSession<'_>) -> Result<usize, Refusal> {
    let Some(argument) = &rules.argument else { return Ok(0) };
    let name = way.block();
    if way == Way::In {
        let Expression::Array(_) = argument else {
            return Err(session.refuse(group, name, format!("{name} is computed")));
        };
        let span = hcl_edit::Span::span(argument).ok_or_else(|| session.refuse(group, name, "it is not understood"))?;
        session.edit(&group.file)?.replace(&span, "[]");
        return Ok(0);
    }
    let objects = objects(argument, way, group, session)?;
    let mut gone = Vec::new();
    for object in &objects {
        let https = is_https(&|name: &str| member(object, name).cloned());
        let https = https.ok_or_else(|| session.refuse(group, name, "what a rule lets out is computed"))?;
        if !https && let Some(span) = hcl_edit::Span::span(object) {
            let document = session.document(&group.file);
            gone.push(document.map(|document| document.source(&span).to_owned()).unwrap_or_default());
        }
    }
    let stay = objects.len() - gone.len();
    if !gone.is_empty() {
        let left =
            session.edit(&group.file)?.remove_elements(argument, |element| gone.iter().any(|one| one == element));
        left.ok_or_else(|| session.refuse(group, name, "the rules are not written in a way that is understood"))?;
    }
    Ok(stay)
}

/// Whether a rule lets out HTTPS and nothing else; none where that is computed.
fn is_https(of: &dyn Fn(&str) -> Option<Expression>) -> Option<bool> {
    let of = |name: &str| text(of(name).as_ref());
    let protocol = of("protocol").or_else(|| of("ip_protocol"))?.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "6") {
        return Some(false);
    }
    Some(of("from_port")? == "443" && of("to_port")? == "443")
}

/// Adds the rule that lets HTTPS out, in the form in which the group has its rules.
pub(crate) fn allow_https(group: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    let rules = Rules::of(Way::Out, group, session);
    rules.refuse_mixed(Way::Out, group, session)?;
    let is_there = |rule: &BlockRef| {
        let of = |name: &str| session.value(rule, name);
        is_https(&of) == Some(true) && text(of("description").as_ref()).as_deref() == Some(PURPOSE)
    };
    // Another instance of the group has led to it.
    if rules.blocks.iter().any(is_there) {
        return Ok(());
    }
    let others = Rules::of(Way::Out.other(), group, session);
    let default = if group.labels().0 == "aws_default_security_group" { Form::Inline } else { Form::OneWay };
    let form = match rules.form().or(others.form()) {
        Some(form) => form,
        None => unclear_form(group, session)?.unwrap_or(default),
    };
    add_https(form, group, session)
}

fn add_https(form: Form, group: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    session.refuse_exclusive("aws_vpc_security_group_rules_exclusive", ABOUT, group)?;
    let description = quoted(PURPOSE);
    let range = "from_port = 443\nto_port = 443\nprotocol = \"tcp\"\ncidr_blocks = [\"0.0.0.0/0\"]";
    let name = format!("{}_https", group.labels().1);
    match form {
        Form::Inline => add_inline(group, &format!("description = {description}\n{range}"), session),
        Form::Single => {
            let content = |group: &str| {
                format!("security_group_id = {group}.id\ntype = \"egress\"\ndescription = {description}\n{range}")
            };
            session.add_companion(group, SINGLE, &name, content).map(|_| ())
        }
        Form::OneWay => {
            let content = |group: &str| {
                format!(
                    "security_group_id = {group}.id\ndescription = {description}\nip_protocol = \"tcp\"\nfrom_port = \
                     443\nto_port = 443\ncidr_ipv4 = \"0.0.0.0/0\""
                )
            };
            session.add_companion(group, Way::Out.resource(), &name, content).map(|_| ())
        }
    }
}

/// Adds an egress rule to the group itself.
fn add_inline(group: &BlockRef, content: &str, session: &mut EditSession<'_>) -> Edited {
    const NAME: &str = "egress";
    let misunderstood =
        |session: &EditSession<'_>| session.refuse(group, NAME, "the group is not written in a way that is understood");
    match session.value(group, NAME) {
        Some(Expression::Array(array)) if !array.is_empty() => {
            // An object in place of a block has all of its arguments.
            const REST: &str = "ipv6_cidr_blocks = []\nprefix_list_ids = []\nsecurity_groups = []\nself = false";
            let element =
                format!("{{\n{}\n}}", crate::terraform_fix::hcl_file::indented(&format!("{content}\n{REST}"), "  "));
            let list = Expression::Array(array);
            session.edit(&group.file)?.add_element(&list, &element).ok_or_else(|| misunderstood(session))
        }
        Some(Expression::Array(_) | Expression::Null(_)) => {
            let removed = session.edit(&group.file)?.remove_attribute(group, NAME);
            removed.ok_or_else(|| misunderstood(session))?;
            session.edit(&group.file)?.add_block(group, NAME, content).ok_or_else(|| misunderstood(session))
        }
        Some(_) => Err(session.refuse(group, NAME, "egress is computed")),
        None => session.edit(&group.file)?.add_block(group, NAME, content).ok_or_else(|| misunderstood(session)),
    }
}
