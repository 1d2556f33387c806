//! Paths of attributes that a rule reads, and the values at them. Evidence, gaps and calls all follow from the paths.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::model::call::Needs;
use crate::model::fact::UNKNOWN;
use crate::model::gap::SENSITIVE;
use crate::model::schema::{Kind, Node, Structure, View};
use crate::model::{Fact, Gap, GapKind, Inventory, Key, ResourceType};

/// A path from the resource that a rule evaluates: attribute names, and `[]` for each element of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Step>);

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Step to the attribute of that name.
    Attribute(&'static str),
    /// Step to each element.
    Each,
}

impl Path {
    /// Returns the path extended by one step.
    #[must_use]
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Returns this path followed by one written as `policies[].policy`; names that the schema does not have end it.
    #[must_use]
    pub fn join(&self, text: &'static str) -> Self {
        let mut path = self.clone();
        for name in text.split('.') {
            let (name, each) = name.strip_suffix("[]").map_or((name, false), |name| (name, true));
            path.0.push(Step::Attribute(name));
            if each {
                path.0.push(Step::Each);
            }
        }
        path
    }

    /// Returns the path of these steps.
    #[must_use]
    pub fn from_steps(steps: &[Step]) -> Self {
        Self(steps.to_vec())
    }

    /// Returns each prefix of this path, including the path itself.
    pub fn prefixes(&self) -> impl Iterator<Item = &[Step]> {
        (1..=self.0.len()).map(|length| &self.0[..length])
    }

    /// Returns `true` if the other path is a prefix of this path.
    pub fn goes_through(&self, other: &Self) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(&other.0)
    }

    /// Returns `true` if the path is that of the resource itself.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `true` if the path goes through a list.
    pub fn is_plural(&self) -> bool {
        self.0.contains(&Step::Each)
    }

    /// Adds the reads needed to know the value at this path, from a resource of this type: every attribute on the path,
    /// and the calls that list the resources on the path.
    pub fn needs(&self, resource_type: ResourceType, needs: &mut Needs) {
        let mut structure = Some(resource_type.structure());
        for step in &self.0 {
            let (Step::Attribute(name), Some(here)) = (step, structure) else { continue };
            let Some(attribute) = here.attribute(name) else { break };
            needs.add_attribute(here.name, attribute.name, attribute.calls);
            if let Kind::Link(linked) | Kind::Links(linked) = attribute.kind {
                needs.add_call(*linked.found_by());
            }
            structure = target(attribute.kind).map(|(structure, _)| structure);
        }
    }

    /// Returns every gap at this path or on the way to it.
    pub fn gaps(&self, place: Place<'_>) -> BTreeSet<Arc<Gap>> {
        let mut gaps = BTreeSet::new();
        self.visit(place, &mut |found| {
            if let Found::Unknown(gap) = found {
                gaps.insert(Arc::clone(gap));
            }
        });
        gaps
    }

    /// Returns the value at this path as JSON, for evidence and messages. If the path goes through a list, returns a list of
    /// at most 1,000 values and the number of the others.
    pub fn json(&self, place: Place<'_>) -> Json {
        const MOST: usize = 1_000;
        let (mut values, mut more) = (Vec::new(), 0_usize);
        self.visit(place, &mut |found| {
            if values.len() == MOST {
                more += 1;
                return;
            }
            values.push(match found {
                Found::Unknown(gap) => unknown_json(gap),
                Found::Absent => Json::Null,
                Found::Value(View::Document(_), owner) => owner.name().into(),
                Found::Value(view, _) => json(view),
            });
        });
        if more > 0 {
            values.push(format!("and {more} more").into());
        }
        if self.is_plural() { Json::Array(values) } else { values.into_iter().next().unwrap_or(Json::Null) }
    }

    fn visit(&self, place: Place<'_>, found: &mut dyn FnMut(Found<'_, '_>)) {
        visit(&self.0, place, found);
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if index == 0 => formatter.write_str(name)?,
                Step::Attribute(name) => write!(formatter, ".{name}")?,
                Step::Each => formatter.write_str("[]")?,
            }
        }
        Ok(())
    }
}

/// Returns the structure that an attribute of this kind leads to, and the resource type if it is another resource.
pub(crate) fn target(kind: Kind) -> Option<(&'static Structure, Option<ResourceType>)> {
    match kind {
        Kind::Part(structure) | Kind::Parts(structure) => Some((structure(), None)),
        Kind::Link(linked) | Kind::Links(linked) => Some((linked.structure(), Some(linked))),
        Kind::Bool | Kind::Int | Kind::Text | Kind::Texts | Kind::Map | Kind::Document => None,
    }
}

/// A node in its inventory, from which links can be followed.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Inventory in which links are resolved.
    pub inventory: &'a Inventory,
    /// Attributes of the node.
    pub node: &'a dyn Node,
    /// Resource that has these attributes; none for a part of a resource.
    pub identity: Option<(ResourceType, &'a Key)>,
}

/// Target of a link.
pub enum Followed<'a> {
    /// A resource that exists.
    Resource(Place<'a>),
    /// A resource that is known not to exist.
    Missing,
    /// A resource of which the existence is unknown.
    Unknown(Arc<Gap>),
}

impl<'a> Place<'a> {
    /// Follows a link.
    pub fn follow(&self, resource_type: ResourceType, key: &'a Key) -> Followed<'a> {
        match self.inventory.entry(resource_type, key) {
            None => Followed::Unknown(Arc::new(Gap::because(
                GapKind::NotCollected,
                format!("{resource_type} {} is not in the inventory", key.id),
            ))),
            Some(entry) => match entry.exists {
                Fact::Unknown(gap) => Followed::Unknown(Arc::clone(gap)),
                Fact::Known(false) => Followed::Missing,
                Fact::Known(true) => Followed::Resource(Place {
                    inventory: self.inventory,
                    node: entry.attributes,
                    identity: Some((resource_type, key)),
                }),
            },
        }
    }

    /// Returns the name of a policy document: the name of the part, or the id of the resource, that contains it.
    fn name(&self) -> String {
        match (self.node.view("name"), self.identity) {
            (Some(View::Text(name)), _) => name.to_owned(),
            (_, Some((_, key))) => key.id.as_ref().to_owned(),
            _ => "(policy)".to_owned(),
        }
    }

    /// Returns the same inventory, at a part of this resource.
    #[must_use]
    pub fn part(&self, node: &'a dyn Node) -> Self {
        Self { inventory: self.inventory, node, identity: None }
    }
}

enum Found<'v, 'g> {
    Unknown(&'g Arc<Gap>),
    Absent,
    /// A value, and the place of which it is an attribute.
    Value(View<'v>, Place<'v>),
}

fn visit<'a>(steps: &[Step], place: Place<'a>, found: &mut dyn FnMut(Found<'a, '_>)) {
    let Some((Step::Attribute(name), rest)) = steps.split_first() else { return };
    // `[]` straight after a list attribute is part of reading it.
    let after_each = rest.strip_prefix(&[Step::Each]);
    let rest = after_each.unwrap_or(rest);
    let mut follow = |resource_type, key| match place.follow(resource_type, key) {
        Followed::Resource(target) => visit(rest, target, found),
        Followed::Missing => found(Found::Absent),
        Followed::Unknown(gap) => found(Found::Unknown(&gap)),
    };
    match place.node.view(name) {
        None | Some(View::Absent) => found(Found::Absent),
        Some(View::Unknown(gap)) => found(Found::Unknown(gap)),
        Some(View::Link(resource_type, key)) if !rest.is_empty() => follow(resource_type, key),
        Some(View::Links(resource_type, keys)) if !rest.is_empty() => {
            for key in keys {
                follow(resource_type, key);
            }
        }
        // The existence of the linked resource is part of what `has()` reads.
        Some(View::Link(resource_type, key)) => match place.follow(resource_type, key) {
            Followed::Unknown(gap) => found(Found::Unknown(&gap)),
            Followed::Missing => found(Found::Absent),
            Followed::Resource(_) => found(Found::Value(View::Link(resource_type, key), place)),
        },
        Some(View::Part(part)) if !rest.is_empty() => visit(rest, place.part(part), found),
        Some(View::Parts(parts)) if !rest.is_empty() => {
            for part in parts {
                visit(rest, place.part(part), found);
            }
        }
        Some(view) => found(Found::Value(view, place)),
    }
}

fn unknown_json(gap: &Gap) -> Json {
    if gap.is_sensitive {
        return gap.symbol.as_deref().unwrap_or(SENSITIVE).into();
    }
    serde_json::json!({ UNKNOWN: gap })
}

/// Returns a value as JSON, for evidence: links as the id of their target, policies not written out.
pub(crate) fn json(view: View<'_>) -> Json {
    match view {
        View::Unknown(gap) => unknown_json(gap),
        View::Absent => Json::Null,
        View::Bool(value) => value.into(),
        View::Int(value) => value.into(),
        View::Text(value) => value.into(),
        View::Texts(values) => values.to_vec().into(),
        View::Map(values) => values.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        View::Document(_) => Json::String("(policy)".to_owned()),
        View::Part(part) => part_json(part),
        View::Parts(parts) => parts.into_iter().map(part_json).collect(),
        View::Link(_, key) => key.id.as_ref().into(),
        View::Links(_, keys) => keys.into_iter().map(|key| key.id.as_ref()).collect(),
    }
}

/// Returns a part as JSON, without absent attributes.
fn part_json(part: &dyn Node) -> Json {
    let members = part.structure().attributes.iter().filter_map(|attribute| {
        let value = json(part.view(attribute.name)?);
        (!value.is_null()).then(|| (attribute.name.to_owned(), value))
    });
    Json::Object(members.collect())
}
