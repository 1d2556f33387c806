//! Converts values to facts. Null is absent. For a text with unknown parts, the symbol of the gap keeps the
//! known parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use iam_policy::{PolicyDocument, is_symbol};

use super::super::types::{as_bool, as_text};
use super::super::value::{Nature, UnknownValue, Value};
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::eval_context::EvalContext;
use crate::model::{Fact, Gap, GapKind, symbol};

/// A text, or none if the value is null.
pub(crate) fn text(context: &EvalContext, value: &Value) -> Fact<Option<String>> {
    match value {
        Value::Null => Fact::Known(None),
        Value::Unknown(hole) => Fact::Unknown(gap_of_text(context, hole)),
        value => match as_text(value.clone()) {
            Ok(Value::Text(text)) if text.contains(is_symbol) => Fact::Unknown(gap_in(context, &text)),
            Ok(Value::Text(text)) => copied(context, &text).map(Some),
            _ => Fact::Unknown(Arc::new(Gap::because(
                GapKind::Unresolved,
                format!("a text is wanted, not {}", value.kind()),
            ))),
        },
    }
}

/// Copies a text into the inventory. Each instance of a block has its own copy.
fn copied(context: &EvalContext, text: &str) -> Fact<String> {
    if context.budget.text(text.len()) {
        return Fact::Known(text.to_owned());
    }
    Fact::Unknown(Arc::new(Gap::because(GapKind::Unresolved, "the code has more text than is evaluated")))
}

/// The gap of an unknown value in place of a text.
fn gap_of_text(context: &EvalContext, hole: &std::rc::Rc<UnknownValue>) -> Arc<Gap> {
    match hole.is_text().then(|| context.symbols.of(hole)).flatten() {
        Some(symbol) => with_symbol(&hole.gap, &symbol.to_string()),
        None => Arc::clone(&hole.gap),
    }
}

/// The gap of a text with unknown parts.
pub(crate) fn gap_in(context: &EvalContext, text: &str) -> Arc<Gap> {
    let Some(hole) = context.symbols.hole_in(text) else { return Gap::not_collected() };
    // A text of unknown parts only may be empty.
    let mut symbols = text.chars();
    let may_be_empty = symbols.all(|symbol| context.symbols.hole(symbol).is_some_and(|hole| !hole.is_text()));
    if may_be_empty { Arc::clone(&hole.gap) } else { with_symbol(&hole.gap, text) }
}

fn with_symbol(gap: &Gap, symbol: &str) -> Arc<Gap> {
    Arc::new(Gap { symbol: Some(symbol.into()), ..gap.clone() })
}

/// A boolean, or none if the value is null.
pub(crate) fn flag(value: &Value) -> Fact<Option<bool>> {
    match as_bool(value.clone()) {
        Ok(Value::Bool(flag)) => Fact::Known(Some(flag)),
        Ok(Value::Null) => Fact::Known(None),
        Ok(Value::Unknown(hole)) => Fact::Unknown(Arc::clone(&hole.gap)),
        Ok(_) => Fact::default(),
        Err(wanted) => Fact::Unknown(Arc::new(Gap::because(GapKind::Unresolved, wanted))),
    }
}

/// A whole number, or nothing where it is null.
pub(crate) fn whole(context: &EvalContext, value: &Value) -> Fact<Option<i64>> {
    if matches!(value, Value::Null) {
        return Fact::Known(None);
    }
    let wrong = |message: String| Fact::Unknown(Arc::new(Gap::because(GapKind::Unresolved, message)));
    match super::super::evaluate::number(value, context) {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => Fact::Known(Some(number as i64)),
        Ok(number) => wrong(format!("a whole number is wanted, not {number}")),
        Err(Ok(Value::Unknown(hole))) => Fact::Unknown(Arc::clone(&hole.gap)),
        Err(Ok(_)) => Fact::Known(None),
        Err(Err(wanted)) => wrong(wanted),
    }
}

/// Texts by name, such as tags.
pub(crate) fn texts_by_name(context: &EvalContext, value: &Value) -> Fact<BTreeMap<String, String>> {
    let members = match value {
        Value::Null => return Fact::Known(BTreeMap::new()),
        Value::Unknown(hole) => return Fact::Unknown(Arc::clone(&hole.gap)),
        Value::Map(members) => members,
        other => {
            let message = format!("a map is wanted, not {}", other.kind());
            return Fact::Unknown(Arc::new(Gap::because(GapKind::Unresolved, message)));
        }
    };
    let mut texts = BTreeMap::new();
    for (name, value) in members.iter() {
        let text = match as_text(value.clone()) {
            Ok(Value::Text(text)) => match copied(context, &text) {
                Fact::Known(text) => text,
                Fact::Unknown(gap) => return Fact::Unknown(gap),
            },
            // The key is there, whatever its value will be.
            Ok(Value::Unknown(hole))
                if let Nature::Attribute(..) | Nature::SourceEntry | Nature::Sensitive(_) = hole.nature =>
            {
                match context.symbols.of(&hole) {
                    Some(symbol) => symbol.to_string(),
                    None => return Fact::Unknown(Arc::clone(&hole.gap)),
                }
            }
            // It may be null: then there is no such key. The other keys are what they are.
            Ok(Value::Unknown(_)) => symbol::PERHAPS.to_owned(),
            Ok(_) => continue,
            Err(wanted) => return Fact::Unknown(Arc::new(Gap::because(GapKind::Unresolved, wanted))),
        };
        texts.insert(name.to_string(), text);
    }
    Fact::Known(texts)
}

/// Puts texts by name over others. One that may be absent leaves what is there for sure.
pub(crate) fn overlay(texts: &mut BTreeMap<String, String>, over: BTreeMap<String, String>) {
    for (name, text) in over {
        if text != symbol::PERHAPS || !texts.contains_key(&name) {
            texts.insert(name, text);
        }
    }
}

/// The longest policy document that is read.
const LONGEST_POLICY: usize = 128 << 10;

/// A policy document.
pub(crate) fn policy(context: &EvalContext, view: &BlockView, value: &Value) -> Fact<Option<PolicyDocument>> {
    let text = match value {
        Value::Null => return Fact::Known(None),
        Value::Unknown(hole) => return Fact::Unknown(Arc::clone(&hole.gap)),
        Value::Text(text) if text.is_empty() => return Fact::Known(None),
        Value::Text(text) => text,
        other => {
            let message = format!("a policy document is wanted, not {}", other.kind());
            return Fact::Unknown(Arc::new(Gap::because(GapKind::Unresolved, message)));
        }
    };
    // A parsed document takes many times the room of its text. AWS takes none that is nearly as long.
    if text.len() > LONGEST_POLICY || !context.afford_text(text.len().saturating_mul(16)) {
        return Fact::Unknown(context.gap(view.span(), "it takes too much to read the policy document"));
    }
    match PolicyDocument::from_json(text) {
        Ok(document) => Fact::Known(Some(document)),
        Err(_) if text.contains(is_symbol) => Fact::Unknown(match context.symbols.hole_in(text) {
            Some(hole) => Arc::clone(&hole.gap),
            None => Gap::not_collected(),
        }),
        Err(error) => Fact::Unknown(context.gap(view.span(), format!("the policy document is not valid: {error}"))),
    }
}

/// The value, or what stands where the code sets none.
pub(crate) fn or<T>(fact: Fact<Option<T>>, default: impl FnOnce() -> T) -> Fact<T> {
    fact.map(|value| value.unwrap_or_else(default))
}

/// The gap of something that the code leaves to AWS or to others.
pub(crate) fn left_open(view: &BlockView, message: &str) -> Arc<Gap> {
    view.instance.module.context.gap(view.span(), message)
}

/// Whether a hole cannot be an attribute of what is declared in the code.
pub(super) fn is_outside(hole: &UnknownValue) -> bool {
    matches!(hole.nature, Nature::Outside | Nature::SourceEntry | Nature::Sensitive(_))
}
