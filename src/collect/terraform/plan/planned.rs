//! One value of a plan as an expression: known, a reference, or why it is neither.

use std::borrow::Cow;

use iam_policy::is_symbol;
use serde_json::{Value as Json, json};

use super::NOTHING;
use crate::collect::terraform::file::{FileId, Span};
use crate::collect::terraform::syntax::{Call, Expression, Name, Node};
use crate::collect::terraform::value::LARGEST;

/// The attributes that name other resources: of these alone a reference can stand for the value.
const REFERENCES: &[&str] = &[
    "arn",
    "bucket",
    "iam_instance_profile",
    "id",
    "key_arn",
    "key_id",
    "kms_key_id",
    "kms_master_key_id",
    "name",
    "network_interface_id",
    "permissions_boundary",
    "policy_arn",
    "prefix_list_id",
    "primary_key_arn",
    "referenced_security_group_id",
    "role",
    "roles",
    "security_group_id",
    "security_group_ids",
    "security_groups",
    "source_security_group_id",
    "subnet_id",
    "target_bucket",
    "target_key_id",
    "vpc_endpoint_id",
    "vpc_id",
    "vpc_security_group_ids",
];

/// The references that are lists.
const LISTS: &[&str] = &["roles", "security_group_ids", "security_groups", "vpc_security_group_ids"];

/// Nested blocks that the provider never fills itself: where one is unknown, a `dynamic` block wrote it. The
/// configuration in a plan leaves out `dynamic` blocks.
const NEVER_COMPUTED: &[&str] = &[
    "apply_server_side_encryption_by_default",
    "block_device_mappings",
    "default_retention",
    "ebs",
    "entry",
    "launch_template",
    "launch_template_specification",
    "mixed_instances_policy",
    "network_interfaces",
    "principals",
    "rule",
    "statement",
    "tag",
    "tag_specifications",
];

/// Nested blocks of launch templates that are attributes of instances, which the provider fills.
const OF_TEMPLATES: &[&str] = &["iam_instance_profile", "monitoring"];

/// Nested blocks that a plan sorts: an element does not stand where it is written.
const SORTED: &[&str] = &["egress", "entry", "ingress", "statement", "tag"];

/// Why a value of a plan is not known.
const KNOWN_AFTER: &str = "known only after the plan is applied: scan the folder of the code, which says more than \
                           the plan, or keep the plan in that folder";

/// Why there may be more in a list than its one reference.
const HIDDEN: &str = "a plan does not show what the list holds beside the reference: scan the folder of the code, or \
                      keep the plan in that folder";

/// What a plan says of a value.
pub(crate) struct Planned<'j> {
    /// The type of the resource.
    pub(crate) kind: &'j str,
    pub(crate) value: &'j Json,
    pub(crate) unknown: &'j Json,
    pub(crate) sensitive: &'j Json,
    /// The expression of the configuration; null where it has none.
    pub(crate) written: Cow<'j, Json>,
    /// Whether the configuration shows the block that the value stands in: it does not where that is `dynamic`.
    pub(crate) shown: bool,
}

impl<'j> Planned<'j> {
    /// Returns an element of a list.
    fn item(&self, name: &str, index: usize) -> Planned<'j> {
        let count = self.value.as_array().map_or(0, Vec::len);
        let written = match &*self.written {
            Json::Array(written) => Cow::Owned(block_written(name, written, index, count)),
            Json::Null => Cow::Borrowed(&NOTHING),
            // The one element that is not known is what the expression refers to.
            expression
                if self.unknown.as_array().is_some_and(|all| all.iter().filter(|one| has_true(one)).count() == 1) =>
            {
                Cow::Owned(expression.clone())
            }
            _ => Cow::Borrowed(&NOTHING),
        };
        Planned {
            kind: self.kind,
            value: &self.value[index],
            unknown: &self.unknown[index],
            sensitive: &self.sensitive[index],
            shown: self.shown && !written.is_null(),
            written,
        }
    }

    /// Returns a member of a nested block.
    fn member(&self, name: &str) -> Planned<'j> {
        Planned {
            kind: self.kind,
            value: &self.value[name],
            unknown: &self.unknown[name],
            sensitive: &self.sensitive[name],
            written: Cow::Owned(self.written[name].clone()),
            shown: self.shown && self.written.is_object(),
        }
    }

    /// Returns `true` if AWS or the provider chooses the value, and nothing is written for it: the same as in code.
    pub(super) fn is_left_to_aws(&self, name: &str) -> bool {
        let is_block =
            NEVER_COMPUTED.contains(&name) || (self.kind == "aws_launch_template" && OF_TEMPLATES.contains(&name));
        *self.unknown == Json::Bool(true) && self.written.is_null() && self.shown && !is_block
    }

    /// Returns `true` if the value, or a part of it that somebody wrote, is known only after the plan is applied.
    pub(crate) fn is_open(&self, name: &str) -> bool {
        match self.unknown {
            Json::Bool(true) => !self.is_left_to_aws(name),
            Json::Array(items) => (0..items.len()).any(|index| self.item(name, index).is_open(name)),
            Json::Object(members) => members.keys().any(|name| self.member(name).is_open(name)),
            _ => false,
        }
    }

    /// Returns the value, or what stands for it.
    pub(crate) fn node(&self, name: &str, span: Span) -> Node {
        if *self.sensitive == Json::Bool(true) && *self.unknown != Json::Bool(true) {
            return marked(self.value, self.sensitive, span);
        }
        if *self.unknown == Json::Bool(true) {
            return match reference(&self.written, span).filter(|_| REFERENCES.contains(&name)) {
                Some(reference) if LISTS.contains(&name) && !self.value.is_string() => {
                    Node::List(vec![reference, Expression { node: Node::Outside(HIDDEN), span }])
                }
                Some(reference) => reference.node,
                None => Node::Unusable(KNOWN_AFTER),
            };
        }
        match self.value {
            Json::Array(items) => Node::List(
                (0..items.len())
                    .map(|index| Expression { node: self.item(name, index).element(name, span), span })
                    .collect(),
            ),
            Json::Object(object) => {
                let mut names: Vec<&String> = object.keys().collect();
                let others = self.unknown.as_object().into_iter().flat_map(serde_json::Map::keys);
                names.extend(others.filter(|name| !object.contains_key(*name)));
                let member = |name: &String| {
                    let inner = self.member(name);
                    let key = Expression { node: Node::Text(name.as_str().into()), span };
                    (!inner.is_left_to_aws(name)).then(|| (key, Expression { node: inner.node(name, span), span }))
                };
                Node::Object(names.into_iter().filter_map(member).collect())
            }
            scalar => literal(scalar),
        }
    }

    /// Returns an element of a list: a reference that stands for it is one, and not a list of one.
    fn element(&self, name: &str, span: Span) -> Node {
        match (self.unknown, reference(&self.written, span)) {
            (Json::Bool(true), Some(reference)) if REFERENCES.contains(&name) => reference.node,
            _ => self.node(name, span),
        }
    }
}

/// Returns what the configuration has for one of several blocks of a kind. Where it is not told which of them is
/// which, only that counts in which all agree.
fn block_written(name: &str, written: &[Json], index: usize, count: usize) -> Json {
    if written.len() == count && (count == 1 || !SORTED.contains(&name)) {
        return written.get(index).cloned().unwrap_or(Json::Null);
    }
    let mut merged = serde_json::Map::new();
    for (name, value) in written.iter().filter_map(Json::as_object).flatten() {
        let alike = written.len() <= count && written.iter().all(|other| other.get(name) == Some(value));
        // An expression that is there and not told.
        merged.insert(name.clone(), if alike { value.clone() } else { json!({ "references": [] }) });
    }
    if written.len() < count {
        // The others are of a `dynamic` block: nothing of this one is certain.
        return Json::Null;
    }
    Json::Object(merged)
}

/// Returns `true` if a part of what is not known is true.
pub(super) fn has_true(json: &Json) -> bool {
    match json {
        Json::Bool(value) => *value,
        Json::Array(items) => items.iter().any(has_true),
        Json::Object(members) => members.values().any(has_true),
        _ => false,
    }
}

/// Returns a value, each part of which stays as sensitive as it is.
pub(crate) fn marked(value: &Json, sensitive: &Json, span: Span) -> Node {
    let inner = |value, sensitive| Expression { node: marked(value, sensitive, span), span };
    match (value, sensitive) {
        (value, Json::Bool(true)) => {
            let arguments = vec![Expression { node: literal(value), span }];
            Node::Call(Box::new(Call { name: "sensitive".into(), arguments, expands: false }))
        }
        (Json::Array(items), Json::Array(_)) => {
            Node::List((0..items.len()).map(|index| inner(&value[index], &sensitive[index])).collect())
        }
        (Json::Object(members), Json::Object(_)) => {
            let key = |name: &String| Expression { node: Node::Text(name.as_str().into()), span };
            let member = |(name, value)| (key(name), inner(value, &sensitive[name.as_str()]));
            Node::Object(members.iter().map(member).collect())
        }
        (value, _) => literal(value),
    }
}

/// Returns what is sensitive by either of two descriptions, each of the form of the value or `true` for all of it.
pub(super) fn either(one: &Json, other: &Json) -> Json {
    match (one, other) {
        (Json::Bool(true), _) | (_, Json::Bool(true)) => Json::Bool(true),
        (Json::Object(members), Json::Object(others)) => {
            let names = members.keys().chain(others.keys());
            names.map(|name| (name.clone(), either(&one[name.as_str()], &other[name.as_str()]))).collect()
        }
        (Json::Array(items), Json::Array(others)) => {
            (0..items.len().max(others.len())).map(|index| either(&one[index], &other[index])).collect()
        }
        (Json::Object(_) | Json::Array(_), _) => one.clone(),
        (_, other) => other.clone(),
    }
}

/// Returns an expression of the configuration, as far as it is told.
pub(crate) fn expression(written: &Json, span: Span) -> Expression {
    if let Some(value) = written.get("constant_value") {
        return Expression { node: literal(value), span };
    }
    reference(written, span)
        .unwrap_or(Expression { node: Node::Unusable("a plan does not tell the whole expression"), span })
}

/// Returns the one thing that an expression refers to: each comes with all that leads to it.
fn reference(written: &Json, span: Span) -> Option<Expression> {
    let references: Vec<&str> = written["references"].as_array()?.iter().filter_map(Json::as_str).collect();
    let first = references.first()?;
    if !references.iter().all(|other| first.starts_with(other)) {
        return None;
    }
    let mut steps = split(first).into_iter();
    let root = Expression { node: Node::Root(steps.next()?), span };
    let member = |of, name| Expression { node: Node::Member(Box::new(of), name), span };
    Some(steps.fold(root, member))
}

/// Returns the steps of a reference; an index belongs to the name before it, as in labels.
fn split(reference: &str) -> Vec<Name> {
    let mut steps = Vec::new();
    let (mut start, mut depth, mut quoted) = (0, 0, false);
    for (index, character) in reference.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '[' if !quoted => depth += 1,
            ']' if !quoted => depth -= 1,
            '.' if depth == 0 => {
                steps.push(reference[start..index].into());
                start = index + 1;
            }
            _ => {}
        }
    }
    steps.push(reference[start..].into());
    steps
}

/// Returns a value of JSON as an expression.
pub(crate) fn literal(value: &Json) -> Node {
    let at = Span::new(FileId(u32::MAX), &(0..0));
    let expression = |value| Expression { node: literal(value), span: at };
    match value {
        Json::Null => Node::Null,
        Json::Bool(value) => Node::Bool(*value),
        Json::Number(number) => match number.as_f64().filter(|number| number.abs() <= LARGEST) {
            Some(number) => Node::Number(number),
            None => Node::Unusable("the number is too large"),
        },
        Json::String(text) if text.contains(is_symbol) => Node::Unusable("the text has private-use characters"),
        Json::String(text) => Node::Text(text.as_str().into()),
        Json::Array(items) => Node::List(items.iter().map(expression).collect()),
        Json::Object(members) => Node::Object(
            members
                .iter()
                .map(|(name, value)| {
                    (Expression { node: Node::Text(name.as_str().into()), span: at }, expression(value))
                })
                .collect(),
        ),
    }
}
