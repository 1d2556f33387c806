//! Expands `count` and `for_each`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use iam_policy::is_symbol;

use super::evaluate::{Scope, evaluate};
use super::syntax::{Attribute, Block};
use super::types::{as_bool, as_number};
use super::value::{LONGEST_KEY, Nature, UnknownValue, Value};
use crate::model::Gap;

/// Maximum number of instances of one block.
const INSTANCES: f64 = 20_000.0;

/// Instances of a block.
#[derive(Debug)]
pub(crate) enum Expansion<T> {
    One(Rc<T>),
    /// By `count`.
    Many(Vec<Rc<T>>),
    /// By `for_each`.
    Keyed(BTreeMap<Arc<str>, Rc<T>>),
    /// The number of instances is unknown: this instance represents all of them.
    Uncertain(Rc<T>),
}

// Implemented by hand, since a derived implementation would require `T: Clone`.
impl<T> Clone for Expansion<T> {
    fn clone(&self) -> Self {
        match self {
            Self::One(one) => Self::One(Rc::clone(one)),
            Self::Many(all) => Self::Many(all.clone()),
            Self::Keyed(all) => Self::Keyed(all.clone()),
            Self::Uncertain(one) => Self::Uncertain(Rc::clone(one)),
        }
    }
}

impl<T> Expansion<T> {
    pub(crate) fn all(&self) -> Vec<Rc<T>> {
        match self {
            Self::One(one) | Self::Uncertain(one) => vec![Rc::clone(one)],
            Self::Many(all) => all.clone(),
            Self::Keyed(all) => all.values().cloned().collect(),
        }
    }
}

/// Values of `count` and `each` in one instance.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    pub(crate) count: Option<Value>,
    pub(crate) each: Option<(Value, Value)>,
}

/// Budget that one instance costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) steps: usize,
    pub(crate) bytes: usize,
}

/// The instances of a block. `make` receives the suffix of the address. One instance has been paid for
/// already.
pub(crate) fn expand<T>(
    block: &Block,
    scope: &Scope<'_>,
    cost: Cost,
    make: impl Fn(&str, Binding, Option<Arc<Gap>>) -> Rc<T>,
) -> Expansion<T> {
    if let Some(enabled) = enabled(block) {
        let value = evaluate(&enabled.value, scope);
        return match as_bool(value.clone()) {
            Ok(Value::Bool(true)) => Expansion::One(make("", Binding::default(), None)),
            Ok(Value::Bool(false)) => Expansion::Many(Vec::new()),
            _ => {
                let gap = match value.hole() {
                    Some(hole) => Arc::clone(&hole.gap),
                    None => scope.module.context.gap(enabled.span, "enabled is not true or false"),
                };
                Expansion::Uncertain(make("", Binding::default(), Some(gap)))
            }
        };
    }
    let budget = &scope.context().budget;
    let afford =
        |count: usize| budget.spend_on_whole(cost.steps.saturating_mul(count), cost.bytes.saturating_mul(count));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is compared first")]
    let afford_all = |number: f64| afford(number as usize);
    if let Some(count) = block.body.attribute("count") {
        // The number of instances does not reveal the values from which it was computed.
        let context = &scope.module.context;
        let value = context.open(evaluate(&count.value, scope));
        return match as_number(value.clone()) {
            Ok(Value::Number(number))
                if (0.0..=INSTANCES).contains(&number) && number.fract() == 0.0 && afford_all(number) =>
            {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
                let number = number as u32;
                let one = |index: u32| {
                    let count = Some(Value::Number(f64::from(index)));
                    make(&format!("[{index}]"), Binding { count, each: None }, None)
                };
                Expansion::Many((0..number).map(one).collect())
            }
            _ => {
                let gap = match value.hole() {
                    Some(hole) => Arc::clone(&hole.gap),
                    None => context.gap(count.span, "count is not a whole number, or makes too many"),
                };
                let index = Value::Unknown(UnknownValue::new(Arc::clone(&gap), Nature::Open));
                Expansion::Uncertain(make("[*]", Binding { count: Some(index), each: None }, Some(gap)))
            }
        };
    }
    let Some(each) = block.body.attribute("for_each") else {
        return Expansion::One(make("", Binding::default(), None));
    };
    let value = evaluate(&each.value, scope);
    let affords = |keys: &Vec<(Arc<str>, Value)>| {
        let written = keys.iter().map(|(key, _)| 2 * key.len()).sum();
        afford(keys.len()) && budget.spend_on_whole(0, written)
    };
    if let Some(keys) = keys(&value).filter(affords) {
        let one = |(key, value): (Arc<str>, Value)| {
            let suffix = format!("[{}]", serde_json::Value::from(&*key));
            let each = Some((Value::Text(Arc::clone(&key)), value));
            (key, make(&suffix, Binding { count: None, each }, None))
        };
        return Expansion::Keyed(keys.into_iter().map(one).collect());
    }
    let gap = match value.hole() {
        Some(hole) => Arc::clone(&hole.gap),
        None if value.is_sensitive() => scope.module.context.gap(each.span, "for_each is sensitive"),
        None if keys(&value).is_some() => scope.module.context.gap(each.span, "for_each makes too many"),
        None => scope.module.context.gap(each.span, "for_each is not a map or a set of strings that are known"),
    };
    let unknown = || Value::Unknown(UnknownValue::new(Arc::clone(&gap), Nature::Open));
    let binding = Binding { count: None, each: Some((unknown(), unknown())) };
    Expansion::Uncertain(make("[*]", binding, Some(gap)))
}

/// Returns the name and the key of a label that denotes one instance: labels in plans have the form
/// `node[0]`.
pub(super) fn keyed_label(label: &str) -> Option<(&str, serde_json::Value)> {
    let (name, key) = label.strip_suffix(']')?.split_once('[')?;
    Some((name, serde_json::from_str(key).ok()?))
}

/// Returns the values of `count` and `each` in the instance of a plan that has this label.
pub(super) fn binding_of(label: &str, block: &Block, scope: &Scope<'_>) -> Option<Binding> {
    let (_, key) = keyed_label(label)?;
    if let Some(index) = key.as_f64() {
        return Some(Binding { count: Some(Value::Number(index)), each: None });
    }
    let key: Arc<str> = key.as_str()?.into();
    let span = block.span;
    let value = match block.body.attribute("for_each").map(|each| evaluate(&each.value, scope)) {
        Some(Value::Map(members)) => members.get(&key).cloned(),
        Some(Value::Set(_)) => Some(Value::Text(Arc::clone(&key))),
        _ => None,
    };
    let value = value.unwrap_or_else(|| scope.module.context.unknown(span, "a plan does not tell each.value"));
    Some(Binding { count: None, each: Some((Value::Text(key), value)) })
}

/// `enabled` in `lifecycle`, with which OpenTofu leaves out a block that has neither `count` nor `for_each`.
fn enabled(block: &Block) -> Option<&Attribute> {
    block.body.blocks_of("lifecycle").find_map(|lifecycle| lifecycle.body.attribute("enabled"))
}

/// The keys and values to iterate over, if all keys are known.
pub(crate) fn keys(value: &Value) -> Option<Vec<(Arc<str>, Value)>> {
    let known = |text: &Arc<str>| text.len() <= LONGEST_KEY && !text.contains(is_symbol);
    match value {
        Value::Map(members) if members.keys().all(known) => {
            Some(members.iter().map(|(key, value)| (Arc::clone(key), value.clone())).collect())
        }
        Value::Set(items) | Value::List(items) => items
            .iter()
            .map(|item| match item {
                Value::Text(text) if known(text) => Some((Arc::clone(text), item.clone())),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}
