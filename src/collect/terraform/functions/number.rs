//! Functions of numbers.

use super::{Answer, Arguments, Table};
use crate::collect::terraform::evaluate::INEXACT;
use crate::collect::terraform::value::{Value, is_exact};

pub(crate) const TABLE: Table = &[
    ("abs", |call| Ok(Value::Number(call.number(0)?.abs()))),
    ("ceil", |call| Ok(Value::Number(call.number(0)?.ceil()))),
    ("floor", |call| Ok(Value::Number(call.number(0)?.floor()))),
    ("max", |call| fold(call, f64::max)),
    ("min", |call| fold(call, f64::min)),
    ("parseint", parse),
    ("pow", |call| finite(call, call.number(0)?.powf(call.number(1)?))),
    ("signum", |call| {
        let number = call.number(0)?;
        Ok(Value::Number(if number == 0.0 { 0.0 } else { number.signum() }))
    }),
    ("log", |call| finite(call, call.number(0)?.log(call.number(1)?))),
    ("sum", |call| {
        let mut sum = 0.0;
        let mut is_known = true;
        for item in call.elements(0)? {
            let number = call.number_of(item)?;
            sum += number;
            is_known &= is_exact(number) && is_exact(sum);
        }
        // A single number needs no calculation.
        if is_known || call.elements(0)?.len() == 1 { Ok(Value::Number(sum)) } else { call.unknown(INEXACT) }
    }),
];

fn fold(call: &Arguments<'_>, choose: fn(f64, f64) -> f64) -> Answer {
    let mut chosen = call.number(0)?;
    for index in 1..call.len() {
        chosen = choose(chosen, call.number(index)?);
    }
    Ok(Value::Number(chosen))
}

fn finite(call: &Arguments<'_>, number: f64) -> Answer {
    if number.is_finite() { Ok(Value::Number(number)) } else { call.wrong("the result is no number") }
}

fn parse(call: &Arguments<'_>) -> Answer {
    let (text, base) = (call.text(0)?, call.whole(1)?);
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    match base.and_then(|base| i64::from_str_radix(&text, base).ok()) {
        // Exact up to this limit.
        #[expect(clippy::cast_precision_loss, reason = "the range is checked")]
        Some(number) if number.unsigned_abs() < 1 << 53 => Ok(Value::Number(number as f64)),
        _ => call.wrong("it is not a whole number of that base"),
    }
}
