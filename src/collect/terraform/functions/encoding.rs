//! Functions that write and read encodings.

use std::rc::Rc;
use std::sync::Arc;

use iam_policy::is_symbol;
use serde_json::Value as Json;

use super::{Answer, Arguments, Table};
use crate::collect::terraform::value::{LARGEST, UnknownValue, Value, has_known_digits, number_json};

pub(crate) const TABLE: Table = &[
    ("base64decode", |call| {
        let text = call.text(0)?;
        match decode(&text).and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(text) if text.contains(is_symbol) => call.unknown("the text has private-use characters"),
            Some(text) => Ok(Value::text(text)),
            None => call.wrong("it is not base64 of a text"),
        }
    }),
    ("base64encode", |call| {
        let text = call.text(0)?;
        call.made_text(text.len().saturating_mul(2), || encode(text.as_bytes()))
    }),
    ("csvdecode", csv_decode),
    ("jsondecode", json_decode),
    ("jsonencode", |call| {
        let json = to_json(call, call.any(0)?, 0)?;
        let text = escaped(&json.to_string());
        call.made_text(text.len(), || text)
    }),
    ("textdecodebase64", |call| {
        let text = call.text(0)?;
        let Some(bytes) = decode(&text) else { return call.wrong("it is not base64") };
        match from_encoding(&bytes, &call.text(1)?) {
            Ok(Some(text)) if text.contains(is_symbol) => call.unknown("the text has private-use characters"),
            Ok(Some(text)) => call.made(text.len(), || Value::text(text)),
            Ok(None) => call.wrong("the text is not of that encoding"),
            Err(UnknownEncoding) => call.unknown("this encoding is not known here"),
        }
    }),
    ("textencodebase64", |call| {
        let text = call.text(0)?;
        match in_encoding(&text, &call.text(1)?) {
            Ok(Some(bytes)) => call.made(bytes.len().saturating_mul(2), || Value::text(encode(&bytes))),
            Ok(None) => call.wrong("the encoding has not all characters of the text"),
            Err(UnknownEncoding) => call.unknown("this encoding is not known here"),
        }
    }),
    // OpenTofu only.
    ("urldecode", |call| match from_percent(&call.text(0)?) {
        Some(text) if text.contains(is_symbol) => call.unknown("the text has private-use characters"),
        Some(text) => call.made(text.len(), || Value::text(text)),
        None => call.wrong("it is not URL-encoded text"),
    }),
    ("urlencode", |call| {
        let text = call.text(0)?;
        Ok(Value::text(percent(&text)))
    }),
];

/// One object for each line after the first; the first line names the members.
fn csv_decode(call: &Arguments<'_>) -> Answer {
    let text = call.text(0)?;
    call.within(call.context().afford(text.len().saturating_mul(4)))?;
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let Ok(names) = reader.headers().cloned() else { return call.wrong("it is not CSV") };
    if names.is_empty() {
        return call.wrong("there is no line of names");
    }
    let distinct: std::collections::BTreeSet<&str> = names.iter().collect();
    if distinct.len() < names.len() {
        return call.wrong("a name stands twice");
    }
    let names: Vec<Arc<str>> = names.iter().map(Arc::from).collect();
    let mut rows = Vec::new();
    for record in reader.records() {
        let Ok(record) = record else { return call.wrong("it is not CSV, or its lines are not equally long") };
        call.within(call.context().afford(names.len()))?;
        let members = names.iter().zip(&record).map(|(name, field)| (Arc::clone(name), Value::text(field)));
        rows.push(Value::map(members.collect()));
    }
    Ok(Value::list(rows))
}

/// Error: an encoding of this name is not supported.
struct UnknownEncoding;

/// The bytes of a text in an encoding with this IANA name; none if the encoding lacks some of the characters.
fn in_encoding(text: &str, name: &str) -> Result<Option<Vec<u8>>, UnknownEncoding> {
    Ok(match &*name.to_ascii_uppercase() {
        "UTF-8" => Some(text.as_bytes().to_vec()),
        "UTF-16LE" => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "UTF-16BE" => Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        "ISO-8859-1" => text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect(),
        _ => return Err(UnknownEncoding),
    })
}

/// Decodes bytes in an encoding with this name; none if the bytes are invalid in the encoding.
fn from_encoding(bytes: &[u8], name: &str) -> Result<Option<String>, UnknownEncoding> {
    let units = |unit: fn([u8; 2]) -> u16| -> Option<String> {
        let (pairs, []) = bytes.as_chunks::<2>() else { return None };
        String::from_utf16(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>()).ok()
    };
    Ok(match &*name.to_ascii_uppercase() {
        "UTF-8" => String::from_utf8(bytes.to_vec()).ok(),
        "UTF-16LE" => units(u16::from_le_bytes),
        "UTF-16BE" => units(u16::from_be_bytes),
        "ISO-8859-1" => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        _ => return Err(UnknownEncoding),
    })
}

fn from_percent(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The value as JSON. An unknown value becomes a string of its character.
fn to_json(call: &Arguments<'_>, value: &Value, depth: usize) -> Result<Json, Rc<UnknownValue>> {
    const DEEPEST: usize = 100;
    call.within(depth <= DEEPEST && call.context().afford(1))?;
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(value) => {
            let json = number_json(*value);
            // Terraform writes JSON numbers without exponent.
            if !has_known_digits(*value) || json.to_string().contains('e') {
                return call.unknown("a number in it has more digits than are computed here");
            }
            json
        }
        Value::Text(text) => {
            call.within(call.context().afford_text(text.len()))?;
            text.as_ref().into()
        }
        Value::List(items) | Value::Set(items) => {
            items.iter().map(|item| to_json(call, item, depth + 1)).collect::<Result<Vec<_>, _>>()?.into()
        }
        Value::Map(members) => {
            let member = |(name, value): (&Arc<str>, &Value)| {
                call.within(call.context().afford_text(name.len()))?;
                Ok((name.to_string(), to_json(call, value, depth + 1)?))
            };
            Json::Object(members.iter().map(member).collect::<Result<_, Rc<UnknownValue>>>()?)
        }
        Value::Sensitive(value) => to_json(call, value, depth)?,
        Value::Unknown(hole) => {
            if matches!(hole.nature, crate::collect::terraform::value::Nature::Wrong) {
                return Err(Rc::clone(hole));
            }
            call.context().symbol(hole)?.to_string().into()
        }
        Value::Instance(_) | Value::Module(_) => return call.unknown("which attributes there are is not known"),
    })
}

/// Escapes the characters that Terraform escapes so that the text can be embedded in HTML.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            character => text.push(character),
        }
    }
    text
}

fn json_decode(call: &Arguments<'_>) -> Answer {
    fn value(json: &Json) -> Option<Value> {
        Some(match json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Number(number.as_f64().filter(|number| number.abs() <= LARGEST)?),
            Json::String(text) if text.contains(is_symbol) => return None,
            Json::String(text) => Value::text(text.as_str()),
            Json::Array(items) => Value::list(items.iter().map(value).collect::<Option<_>>()?),
            Json::Object(members) => Value::map(
                members.iter().map(|(name, json)| Some((name.as_str().into(), value(json)?))).collect::<Option<_>>()?,
            ),
        })
    }
    let text = call.text(0)?;
    // A parsed tree takes many times the memory of its text.
    call.within(call.context().afford_text(text.len().saturating_mul(16)))?;
    match serde_json::from_str::<Json>(&text) {
        Ok(json) => value(&json).map_or_else(|| call.unknown("it has texts or numbers that cannot be kept"), Ok),
        Err(_) => call.wrong("it is not JSON"),
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for index in 0..4 {
            let sextet = (bits >> (18 - 6 * index) & 63) as usize;
            text.push(if index <= group.len() { char::from(ALPHABET[sextet]) } else { '=' });
        }
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes() {
        let sextet = ALPHABET.iter().position(|known| *known == byte)?;
        bits = bits << 6 | u32::try_from(sextet).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 255).try_into().ok()?);
        }
    }
    Some(bytes)
}

fn percent(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            byte => {
                // Writing to a string does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_goes_both_ways() {
        for (plain, coded) in [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("größe", "Z3LDtsOfZQ==")] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).as_deref(), Some(plain.as_bytes()));
        }
        assert_eq!(decode("a*"), None);
    }
}
