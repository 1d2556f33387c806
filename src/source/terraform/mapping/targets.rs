//! What a value refers to: a resource that the code declares, one that it only names, or not known.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::super::instance::Instance;
use super::super::value::{Nature, Value};
use super::{Mapper, fact};
use crate::iam::is_symbol;
use crate::model::Gap;

/// The resources of a type by all that they are known by: id, name, ARN.
pub(super) type Named = HashMap<Arc<str>, Rc<Instance>>;

/// What a value refers to.
pub(super) enum Target {
    /// Nothing.
    None,
    /// A resource of the code.
    Declared(Rc<Instance>),
    /// Something of this name that the code does not declare.
    Named(Arc<str>),
    /// That is not known.
    Unknown(Arc<Gap>),
    /// That is not known, but it is nothing of this code.
    Outside(Arc<Gap>),
}

/// Whether an attribute tells which resource it is.
fn identifies(attribute: &str) -> bool {
    matches!(attribute, "id" | "arn" | "name" | "bucket" | "key_id" | "primary_network_interface_id")
}

impl Mapper {
    /// What the value refers to among the resources of these types.
    pub(super) fn target(&self, value: &Value, kinds: &[&'static str]) -> Target {
        match value {
            Value::Null => Target::None,
            Value::Text(text) if text.is_empty() => Target::None,
            Value::Unknown(hole) => match &hole.nature {
                Nature::Attribute(instance, name) if kinds.contains(&&*instance.kind) && identifies(name) => {
                    Target::Declared(Rc::clone(instance))
                }
                _ if fact::is_outside(hole) => Target::Outside(Arc::clone(&hole.gap)),
                _ => Target::Unknown(Arc::clone(&hole.gap)),
            },
            Value::Text(text) => self.named(text, kinds),
            other => Target::Unknown(Arc::new(Gap::because(
                crate::model::GapKind::Unresolved,
                format!("a reference is wanted, not {}", other.kind()),
            ))),
        }
    }

    fn named(&self, text: &Arc<str>, kinds: &[&'static str]) -> Target {
        for kind in kinds {
            if let Some(instance) = self.names_of(kind).get(text) {
                return Target::Declared(Rc::clone(instance));
            }
        }
        if !text.contains(is_symbol) {
            return Target::Named(Arc::clone(text));
        }
        let holes: Vec<_> = text.chars().filter_map(|symbol| self.world.symbols.hole(symbol)).collect();
        // A text with one hole may be the character of it.
        if let ([hole], true) = (holes.as_slice(), text.chars().count() == 1)
            && let Nature::Attribute(instance, name) = &hole.nature
            && kinds.contains(&&*instance.kind)
            && identifies(name)
        {
            return Target::Declared(Rc::clone(instance));
        }
        let gap = holes.first().map_or_else(Gap::not_collected, |hole| Arc::clone(&hole.gap));
        if holes.iter().all(|hole| fact::is_outside(hole)) { Target::Outside(gap) } else { Target::Unknown(gap) }
    }

    fn names_of(&self, kind: &'static str) -> Rc<Named> {
        if let Some(named) = self.named.borrow().get(kind) {
            return Rc::clone(named);
        }
        // Evaluated first: it may ask for the same.
        let mut named = Named::new();
        for instance in self.all(kind) {
            for attribute in ["id", "name", "bucket", "arn", "key_id"] {
                let known = instance.block.body.attribute(attribute).is_some() || matches!(attribute, "id" | "arn");
                if !known {
                    continue;
                }
                if let Value::Text(text) = instance.attribute(attribute) {
                    named.entry(text).or_insert_with(|| Rc::clone(&instance));
                }
            }
        }
        let named = Rc::new(named);
        self.named.borrow_mut().insert(kind, Rc::clone(&named));
        named
    }
}
