//! Conversions between types.

use super::{Answer, Arguments, Table};
use crate::collect::terraform::types::{as_bool, as_text};
use crate::collect::terraform::unify::of_one_type;
use crate::collect::terraform::value::Value;

/// The functions of sensitivity itself: their arguments keep their sensitivity marks.
pub(super) const MARKS: &[&str] = &["ephemeralasnull", "issensitive", "nonsensitive", "sensitive"];

pub(crate) const TABLE: Table = &[
    ("issensitive", |call| Ok(Value::Bool(matches!(call.any(0)?, Value::Sensitive(_))))),
    ("nonsensitive", |call| match call.any(0)? {
        Value::Sensitive(value) => Ok(value.as_ref().clone()),
        value => Ok(value.clone()),
    }),
    ("sensitive", |call| Ok(call.any(0)?.clone().into_sensitive())),
    // It is unknown here whether a sensitive value is also ephemeral.
    ("ephemeralasnull", |call| match call.any(0)? {
        value if value.is_sensitive() => call.unknown("the argument may be ephemeral"),
        value => Ok(value.clone()),
    }),
    ("tobool", |call| converted(call, as_bool)),
    ("tolist", |call| match call.any(0)? {
        Value::Null => Ok(Value::Null),
        _ => Ok(Value::list(of_one_type(call.elements(0)?.to_vec(), &call.context().budget))),
    }),
    ("tomap", |call| match call.any(0)? {
        Value::Null => Ok(Value::Null),
        _ => call.members(0).map(|members| {
            let values = of_one_type(members.values().cloned().collect(), &call.context().budget);
            Value::map(members.keys().cloned().zip(values).collect())
        }),
    }),
    ("tonumber", |call| match call.any(0)? {
        Value::Null => Ok(Value::Null),
        _ => call.number(0).map(Value::Number),
    }),
    ("toset", |call| match call.any(0)? {
        Value::Null => Ok(Value::Null),
        _ => Value::set(call.elements(0)?.to_vec(), &call.context().budget),
    }),
    ("tostring", |call| converted(call, as_text)),
];

fn converted(call: &Arguments<'_>, convert: fn(Value) -> Result<Value, String>) -> Answer {
    match call.any(0)? {
        Value::Unknown(hole) if !hole.is_text() => Ok(Value::Unknown(hole.clone())),
        value => convert(value.clone()).or_else(|wanted| call.wrong(wanted)),
    }
}
