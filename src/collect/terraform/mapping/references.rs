//! What a value refers to: a resource that the code declares, one that it only names, or not known.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use iam_policy::is_symbol;

use super::super::instance::Instance;
use super::super::value::{Nature, UnknownValue, Value};
use super::{Mapper, fact};
use crate::collect::terraform::computed_attributes;
use crate::model::Gap;

/// The resources of a type by all that they are known by: id, name, ARN. Each comes with the attribute that it is
/// known by; one name may be that of several resources, in different regions or accounts.
pub(crate) type Named = HashMap<Arc<str>, Vec<(&'static str, Rc<Instance>)>>;

/// What a value refers to.
pub(crate) enum Reference {
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
    matches!(
        attribute,
        "id" | "arn" | "name" | "bucket" | "key_id" | "primary_network_interface_id" | "security_group_rule_id"
    )
}

/// How far a name goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    Everywhere,
    Account,
    Region,
}

impl Sharing {
    /// The reach of an attribute that a resource is known by. ARNs name account and region, buckets share one space of
    /// names, and ids that AWS makes up are those of one resource.
    fn of(kind: &str, attribute: &str, is_known: bool) -> Self {
        match (kind, attribute) {
            (_, "arn") => Self::Everywhere,
            (kind, _) if kind.starts_with("aws_s3_") => Self::Everywhere,
            // An id that is written as a text may be a name, one that AWS makes up is none.
            (kind, "id" | "key_id" | "primary_network_interface_id")
                if !is_known && !computed_attributes::id_is_name(kind) =>
            {
                Self::Everywhere
            }
            (kind, _) if kind.starts_with("aws_iam_") => Self::Account,
            _ => Self::Region,
        }
    }
}

/// Whether a name of the first resource reaches the second: both are in one account, and in one region.
pub(crate) fn reaches(of: &Rc<Instance>, by: &Rc<Instance>, reach: Sharing) -> Result<bool, Rc<UnknownValue>> {
    let same_account = || of.account_value().equals(&by.account_value());
    match reach {
        Sharing::Everywhere => Ok(true),
        Sharing::Account => same_account(),
        Sharing::Region => match (of.region_value().equals(&by.region_value()), same_account()) {
            (Ok(false), _) | (_, Ok(false)) => Ok(false),
            (Err(hole), _) | (_, Err(hole)) => Err(hole),
            (Ok(true), Ok(true)) => Ok(true),
        },
    }
}

/// The most resources of a name that are compared with each other.
const MOST_NAMESAKES: usize = 32;

impl Mapper {
    /// What a value of the resource `by` refers to among the resources of these types: those that its name reaches.
    pub(crate) fn target(&self, value: &Value, kinds: &[&'static str], by: &Rc<Instance>) -> Reference {
        match value {
            Value::Null => Reference::None,
            Value::Text(text) if text.is_empty() => Reference::None,
            Value::Unknown(hole) => match &hole.nature {
                Nature::Attribute(instance, name) if kinds.contains(&&*instance.kind) && identifies(name) => {
                    self.declared(instance, name, by)
                }
                _ if fact::is_outside(hole) => Reference::Outside(Arc::clone(&hole.gap)),
                _ => Reference::Unknown(Arc::clone(&hole.gap)),
            },
            Value::Text(text) => self.named(text, kinds, by),
            other => Reference::Unknown(Arc::new(Gap::because(
                crate::model::GapKind::Unresolved,
                format!("a reference is wanted, not {}", other.kind()),
            ))),
        }
    }

    /// The resource that an attribute refers to which only AWS will tell.
    fn declared(&self, instance: &Rc<Instance>, attribute: &str, by: &Rc<Instance>) -> Reference {
        match reaches(instance, by, Sharing::of(&instance.kind, attribute, false)) {
            Ok(true) => Reference::Declared(Rc::clone(instance)),
            Ok(false) => Reference::Outside(
                self.context.gap(by.block.span, format!("{} is in another account or region", instance.address)),
            ),
            Err(_) => Reference::Unknown(self.elsewhere(instance, by)),
        }
    }

    /// The gap of a name that may be that of a resource in another account or region.
    pub(crate) fn elsewhere(&self, instance: &Rc<Instance>, by: &Rc<Instance>) -> Arc<Gap> {
        let message = format!("{} may be in another account or region than {}", instance.address, by.address);
        self.context.gap(by.block.span, message)
    }

    fn named(&self, text: &Arc<str>, kinds: &[&'static str], by: &Rc<Instance>) -> Reference {
        let mut found: Vec<Rc<Instance>> = Vec::new();
        let mut undecided = None;
        for kind in kinds {
            for (attribute, instance) in self.names_of(kind).get(text).into_iter().flatten() {
                if found.len() > MOST_NAMESAKES || !self.context.afford(1) {
                    let message = format!("too many resources have the name of {}", instance.address);
                    return Reference::Unknown(self.context.gap(by.block.span, message));
                }
                match reaches(instance, by, Sharing::of(kind, attribute, true)) {
                    Ok(true) if found.iter().any(|other| Rc::ptr_eq(other, instance)) => {}
                    Ok(true) => found.push(Rc::clone(instance)),
                    Ok(false) => {}
                    Err(_) if undecided.is_some() => {}
                    Err(_) => undecided = Some(self.elsewhere(instance, by)),
                }
            }
        }
        if found.len() > 1 {
            // Two of one name cannot both be there: the one that surely is.
            let certain: Vec<_> = found.iter().filter(|instance| instance.uncertain.is_none()).cloned().collect();
            if certain.len() != 1 {
                let addresses: Vec<&str> = found.iter().map(|instance| instance.address.as_str()).collect();
                let message = format!("{} have the same name", addresses.join(" and "));
                return Reference::Unknown(self.context.gap(by.block.span, message));
            }
            found = certain;
        }
        match (found.pop(), undecided) {
            (Some(instance), _) => return Reference::Declared(instance),
            (None, Some(gap)) => return Reference::Unknown(gap),
            (None, None) => {}
        }
        if !text.contains(is_symbol) {
            return Reference::Named(Arc::clone(text));
        }
        let holes: Vec<_> = text.chars().filter_map(|symbol| self.context.symbols.hole(symbol)).collect();
        // A text with one hole may be the character of it.
        if let ([hole], true) = (holes.as_slice(), text.chars().count() == 1)
            && let Nature::Attribute(instance, name) = &hole.nature
            && kinds.contains(&&*instance.kind)
            && identifies(name)
        {
            return self.declared(instance, name, by);
        }
        let gap = holes.first().map_or_else(Gap::not_collected, |hole| Arc::clone(&hole.gap));
        if holes.iter().all(|hole| fact::is_outside(hole)) { Reference::Outside(gap) } else { Reference::Unknown(gap) }
    }

    fn names_of(&self, kind: &'static str) -> Rc<Named> {
        if let Some(named) = self.named.borrow().get(kind) {
            return Rc::clone(named);
        }
        // Evaluated first: it may ask for the same.
        let mut named = Named::new();
        for instance in self.everywhere(kind) {
            for attribute in ["arn", "id", "name", "bucket", "key_id"] {
                let known = instance.block.body.attribute(attribute).is_some() || matches!(attribute, "id" | "arn");
                if !known {
                    continue;
                }
                if let Value::Text(text) = instance.attribute(attribute) {
                    named.entry(text).or_default().push((attribute, Rc::clone(&instance)));
                }
            }
        }
        let named = Rc::new(named);
        self.named.borrow_mut().insert(kind, Rc::clone(&named));
        named
    }
}
