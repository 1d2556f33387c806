//! Security groups: rules in blocks of the group or in its arguments, or each in a resource of its own. The forms are
//! never mixed, since each apply would take away what the other form adds.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/security_group>

use hcl_edit::expr::{Expression, Object};

use crate::terraform_fix::about::About;
use crate::terraform_fix::edit_session::{Edited, New, Refusal, Workspace};
use crate::terraform_fix::hcl_file::{Spot, member};
use crate::terraform_fix::task::{Task, undone};
use crate::terraform_fix::values::quoted;

const PURPOSE: &str = "HTTPS, for Session Manager";

pub(crate) fn carry_out(name: &str, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    match name {
        "describe-rules" => describe(&task.spot, work),
        "remove-ingress" => remove(Way::In, &task.spot, work),
        "restrict-egress" => remove(Way::Out, &task.spot, work),
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
    blocks: Vec<Spot>,
    single: Vec<Spot>,
    one_way: Vec<Spot>,
}

impl Rules {
    fn of(way: Way, group: &Spot, work: &Workspace<'_>) -> Self {
        let nested = |of: &Spot| work.document(&of.file).map(|document| document.nested(of, way.block()));
        let overriding = work.overriding(group, way.block());
        let blocks = [Some(group), overriding.as_ref()].into_iter().flatten().filter_map(nested).flatten();
        let about = |kind: &str| {
            let is_about = |rule: &Spot| work.about(rule, ABOUT, group, "id") == About::This;
            work.resources(&group.file, kind).into_iter().filter(is_about).collect::<Vec<_>>()
        };
        let of_way = |spot: &Spot| text(work.value(spot, "type").as_ref()).as_deref() == Some(way.block());
        Self {
            argument: work.value(group, way.block()).filter(|value| !matches!(value, Expression::Null(_))),
            blocks: blocks.collect(),
            single: about(SINGLE).into_iter().filter(of_way).collect(),
            one_way: about(way.resource()),
        }
    }

    fn resources(&self) -> impl Iterator<Item = &Spot> {
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
    fn refuse_mixed(&self, way: Way, group: &Spot, work: &Workspace<'_>) -> Edited {
        match self.resources().next() {
            Some(rule) if self.is_inline() => {
                let word = way.block();
                let (kind, name) = rule.labels();
                let reason = format!(
                    "the group has {word} rules of its own, and {kind}.{name} besides: each apply takes one of them away; \
                     leave one form"
                );
                Err(work.refuse(group, word, reason))
            }
            _ => Ok(()),
        }
    }
}

/// The form of rules of which it is computed whether they are the group's: what is added has their form, and so is
/// mixed with nothing.
fn unclear_form(group: &Spot, work: &Workspace<'_>) -> Result<Option<Form>, Refusal> {
    let find = |kind: &str| work.refuse_unclear(kind, ABOUT, group, "id").err();
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
fn describe(group: &Spot, work: &mut Workspace<'_>) -> Edited {
    for way in [Way::In, Way::Out] {
        let rules = Rules::of(way, group, work);
        describe_elements(way, &rules, group, work)?;
        for rule in rules.blocks.iter().chain(rules.resources()) {
            let silent = match work.value(rule, "description") {
                None | Some(Expression::Null(_)) => true,
                Some(Expression::String(text)) => text.value().is_empty(),
                Some(_) => false,
            };
            if silent {
                let of = |name: &str| text(work.value(rule, name).as_ref());
                let description = quoted(&words(way, &of));
                work.set(rule, "description", &New::Literal(description))?;
            }
        }
    }
    Ok(())
}

/// The same for rules that are objects of the argument.
fn describe_elements(way: Way, rules: &Rules, group: &Spot, work: &mut Workspace<'_>) -> Edited {
    let Some(argument) = &rules.argument else { return Ok(()) };
    // From the last on: those before keep their places.
    for object in objects(argument, way, group, work)?.iter().rev() {
        let of = |name: &str| text(member(object, name));
        let description = New::Literal(quoted(&words(way, &of)));
        match member(object, "description") {
            Some(Expression::String(text)) if !text.value().is_empty() => {}
            Some(value) => {
                let silent = matches!(value, Expression::String(_) | Expression::Null(_));
                if silent {
                    work.assign(group, way.block(), &value.clone(), &description)?;
                }
            }
            None => {
                let added = work.edit(&group.file)?.add_member(object, "description", description.text());
                added.ok_or_else(|| work.refuse(group, way.block(), "the rule is not understood"))?;
            }
        }
    }
    Ok(())
}

/// The objects of an argument that stands for blocks.
fn objects(argument: &Expression, way: Way, group: &Spot, work: &Workspace<'_>) -> Result<Vec<Object>, Refusal> {
    let computed = || work.refuse(group, way.block(), format!("{} is computed", way.block()));
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
fn remove(way: Way, group: &Spot, work: &mut Workspace<'_>) -> Edited {
    let rules = Rules::of(way, group, work);
    rules.refuse_mixed(way, group, work)?;
    let mut stay = remove_elements(way, &rules, group, work)?;
    // From the last on: those that follow are counted from the ones before.
    for rule in rules.blocks.iter().rev() {
        if stays(way, rule, work)? {
            stay += 1;
            continue;
        }
        if rule.kind() == "content" {
            return Err(work.refuse(rule, "from_port", "the rules are made by a dynamic block"));
        }
        let removed = work.edit(&rule.file)?.remove(rule);
        removed.ok_or_else(|| work.refuse(rule, "from_port", "the rule shares its lines with something else"))?;
    }
    for rule in rules.resources() {
        if stays(way, rule, work)? {
            stay += 1;
            continue;
        }
        refuse_shared(rule, work)?;
        work.remove_resource(rule)?;
    }
    if stay > 0 {
        return Ok(());
    }
    match way {
        // Without a word on the rules, the provider leaves those that exist as they are.
        Way::In if !rules.blocks.is_empty() => work.set(group, "ingress", &New::Literal("[]".to_owned())),
        Way::In => Ok(()),
        Way::Out => {
            let form = match rules.form() {
                Some(form) => form,
                None => unclear_form(group, work)?.unwrap_or(Form::OneWay),
            };
            add_https(form, group, work)
        }
    }
}

/// Returns `true` if the rule is one that may stay.
fn stays(way: Way, rule: &Spot, work: &Workspace<'_>) -> Result<bool, Refusal> {
    if way == Way::In {
        return Ok(false);
    }
    let of = |name: &str| work.value(rule, name);
    is_https(&of).ok_or_else(|| work.refuse(rule, "from_port", "what the rule lets out is computed"))
}

/// Refuses to remove a rule that is made for several groups at once.
fn refuse_shared(rule: &Spot, work: &Workspace<'_>) -> Edited {
    let group = work.value(rule, "security_group_id").map(|value| work.source(&rule.file, &value)).unwrap_or_default();
    if work.value(rule, "for_each").is_some() && group.contains("each.") {
        return Err(work.refuse(rule, "for_each", "the rules of several groups are made together, by for_each"));
    }
    Ok(())
}

/// Takes rules out of the argument that stands for blocks; gives how many stay.
fn remove_elements(way: Way, rules: &Rules, group: &Spot, work: &mut Workspace<'_>) -> Result<usize, Refusal> {
    let Some(argument) = &rules.argument else { return Ok(0) };
    let name = way.block();
    if way == Way::In {
        let Expression::Array(_) = argument else {
            return Err(work.refuse(group, name, format!("{name} is computed")));
        };
        let span = hcl_edit::Span::span(argument).ok_or_else(|| work.refuse(group, name, "it is not understood"))?;
        work.edit(&group.file)?.replace(&span, "[]");
        return Ok(0);
    }
    let objects = objects(argument, way, group, work)?;
    let mut gone = Vec::new();
    for object in &objects {
        let https = is_https(&|name: &str| member(object, name).cloned());
        let https = https.ok_or_else(|| work.refuse(group, name, "what a rule lets out is computed"))?;
        if !https && let Some(span) = hcl_edit::Span::span(object) {
            let document = work.document(&group.file);
            gone.push(document.map(|document| document.source(&span).to_owned()).unwrap_or_default());
        }
    }
    let stay = objects.len() - gone.len();
    if !gone.is_empty() {
        let left = work.edit(&group.file)?.remove_elements(argument, |element| gone.iter().any(|one| one == element));
        left.ok_or_else(|| work.refuse(group, name, "the rules are not written in a way that is understood"))?;
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
pub(crate) fn allow_https(group: &Spot, work: &mut Workspace<'_>) -> Edited {
    let rules = Rules::of(Way::Out, group, work);
    rules.refuse_mixed(Way::Out, group, work)?;
    let is_there = |rule: &Spot| {
        let of = |name: &str| work.value(rule, name);
        is_https(&of) == Some(true) && text(of("description").as_ref()).as_deref() == Some(PURPOSE)
    };
    // Another instance of the group has led to it.
    if rules.blocks.iter().any(is_there) {
        return Ok(());
    }
    let others = Rules::of(Way::Out.other(), group, work);
    let default = if group.labels().0 == "aws_default_security_group" { Form::Inline } else { Form::OneWay };
    let form = match rules.form().or(others.form()) {
        Some(form) => form,
        None => unclear_form(group, work)?.unwrap_or(default),
    };
    add_https(form, group, work)
}

fn add_https(form: Form, group: &Spot, work: &mut Workspace<'_>) -> Edited {
    work.refuse_exclusive("aws_vpc_security_group_rules_exclusive", ABOUT, group)?;
    let description = quoted(PURPOSE);
    let range = "from_port = 443\nto_port = 443\nprotocol = \"tcp\"\ncidr_blocks = [\"0.0.0.0/0\"]";
    let name = format!("{}_https", group.labels().1);
    match form {
        Form::Inline => add_inline(group, &format!("description = {description}\n{range}"), work),
        Form::Single => {
            let content = |group: &str| {
                format!("security_group_id = {group}.id\ntype = \"egress\"\ndescription = {description}\n{range}")
            };
            work.add_companion(group, SINGLE, &name, content).map(|_| ())
        }
        Form::OneWay => {
            let content = |group: &str| {
                format!(
                    "security_group_id = {group}.id\ndescription = {description}\nip_protocol = \"tcp\"\nfrom_port = \
                     443\nto_port = 443\ncidr_ipv4 = \"0.0.0.0/0\""
                )
            };
            work.add_companion(group, Way::Out.resource(), &name, content).map(|_| ())
        }
    }
}

/// Adds an egress rule to the group itself.
fn add_inline(group: &Spot, content: &str, work: &mut Workspace<'_>) -> Edited {
    const NAME: &str = "egress";
    let misunderstood =
        |work: &Workspace<'_>| work.refuse(group, NAME, "the group is not written in a way that is understood");
    match work.value(group, NAME) {
        Some(Expression::Array(array)) if !array.is_empty() => {
            // An object in place of a block has all of its arguments.
            const REST: &str = "ipv6_cidr_blocks = []\nprefix_list_ids = []\nsecurity_groups = []\nself = false";
            let element =
                format!("{{\n{}\n}}", crate::terraform_fix::hcl_file::indented(&format!("{content}\n{REST}"), "  "));
            let list = Expression::Array(array);
            work.edit(&group.file)?.add_element(&list, &element).ok_or_else(|| misunderstood(work))
        }
        Some(Expression::Array(_) | Expression::Null(_)) => {
            let removed = work.edit(&group.file)?.remove_attribute(group, NAME);
            removed.ok_or_else(|| misunderstood(work))?;
            work.edit(&group.file)?.add_block(group, NAME, content).ok_or_else(|| misunderstood(work))
        }
        Some(_) => Err(work.refuse(group, NAME, "egress is computed")),
        None => work.edit(&group.file)?.add_block(group, NAME, content).ok_or_else(|| misunderstood(work)),
    }
}
