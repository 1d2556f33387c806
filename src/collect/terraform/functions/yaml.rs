//! `yamldecode` and `yamlencode`.

use super::Table;
use crate::collect::terraform::value::Value;
use crate::collect::terraform::yaml::{Mistake, decode, encode};

pub(crate) const TABLE: Table = &[
    ("yamldecode", |call| {
        let text = call.text(0)?;
        match decode(&text, &|amount| call.context().afford(amount)) {
            Ok(value) => Ok(value),
            Err(Mistake::Wrong(why)) => call.wrong(why),
            Err(Mistake::Unknown(why)) => call.unknown(why),
        }
    }),
    ("yamlencode", |call| {
        let value = call.any(0)?;
        match encode(value, call.context()) {
            Ok(text) => call.made(text.len(), || Value::text(text)),
            Err(Ok(hole)) => Err(hole),
            Err(Err(why)) => call.unknown(why),
        }
    }),
];
