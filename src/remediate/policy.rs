//! Policies as text: statements are added, and everything else stays byte for byte.

use std::collections::BTreeSet;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Value as Json, json};

/// A policy of these statements.
pub(crate) fn of(statements: &[Json]) -> String {
    as_json(statements).to_string()
}

/// The same, as JSON.
pub(crate) fn as_json(statements: &[Json]) -> Json {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The policy with statements added at its end; what was there stays as it is written. None where the text is not a
/// policy.
pub(crate) fn with_statements(text: &str, statements: &[Json]) -> Option<String> {
    let policy: Json = serde_json::from_str(text).ok().filter(|_| !is_ambiguous(text))?;
    let added = statements.iter().map(Json::to_string).collect::<Vec<_>>().join(",");
    if added.is_empty() {
        return Some(text.to_owned());
    }
    let start = member(text, "Statement")?;
    let rest = &text[start..];
    let end = start + value_length(rest)?;
    let (before, value, after) = (&text[..start], &text[start..end], &text[end..]);
    let with = match policy.get("Statement")? {
        Json::Array(there) => {
            let inside = value.trim_end().strip_suffix(']')?;
            let comma = if there.is_empty() { "" } else { "," };
            format!("{before}{}{comma}{added}]{after}", inside.trim_end())
        }
        // One statement may stand there without a list.
        Json::Object(_) => format!("{before}[{value},{added}]{after}"),
        _ => return None,
    };
    // Nothing that was there has changed.
    let check: Json = serde_json::from_str(&with).ok()?;
    let there = match &policy["Statement"] {
        Json::Array(there) => there.clone(),
        one => vec![one.clone()],
    };
    let expected: Vec<Json> = there.into_iter().chain(statements.iter().cloned()).collect();
    (check["Statement"] == Json::Array(expected)).then_some(with)
}

/// Returns `true` if an object in a JSON text has two members of one name. Some readers take the first, others the last.
pub(super) fn is_ambiguous(text: &str) -> bool {
    struct Distinct;
    impl<'de> Deserialize<'de> for Distinct {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(DistinctVisitor)
        }
    }
    struct DistinctVisitor;
    impl<'de> Visitor<'de> for DistinctVisitor {
        type Value = Distinct;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("JSON")
        }

        fn visit_bool<E>(self, _: bool) -> Result<Distinct, E> {
            Ok(Distinct)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Distinct, E> {
            Ok(Distinct)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Distinct, E> {
            Ok(Distinct)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Distinct, E> {
            Ok(Distinct)
        }

        fn visit_str<E>(self, _: &str) -> Result<Distinct, E> {
            Ok(Distinct)
        }

        fn visit_unit<E>(self) -> Result<Distinct, E> {
            Ok(Distinct)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Distinct, A::Error> {
            while items.next_element::<Distinct>()?.is_some() {}
            Ok(Distinct)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Distinct, A::Error> {
            let mut names = BTreeSet::new();
            while let Some(name) = members.next_key::<String>()? {
                if !names.insert(name) {
                    return Err(A::Error::custom("a name stands twice"));
                }
                members.next_value::<Distinct>()?;
            }
            Ok(Distinct)
        }
    }
    serde_json::from_str::<Distinct>(text).is_err_and(|error| error.is_data())
}

/// The statements of a policy, as JSON.
pub(crate) fn statements(text: &str) -> Vec<Json> {
    let policy: Json = serde_json::from_str(text).unwrap_or_default();
    match policy.get("Statement") {
        Some(Json::Array(statements)) => statements.clone(),
        Some(statement @ Json::Object(_)) => vec![statement.clone()],
        _ => Vec::new(),
    }
}

/// A text, or texts, of a policy.
pub(crate) fn texts(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) => vec![text.clone()],
        Json::Array(items) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Returns a `Sid` that the text of a policy does not contain.
pub(crate) fn unused_sid(name: &str, text: &str) -> String {
    let mut candidate = name.to_owned();
    let mut number = 1;
    while text.contains(&format!("\"{candidate}\"")) {
        number += 1;
        candidate = format!("{name}{number}");
    }
    candidate
}

/// Where the value of a member of the outermost object begins.
fn member(text: &str, name: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut index = 0;
    while index < text.len() {
        match text.as_bytes()[index] {
            b'"' => {
                let length = string_length(&text[index..])?;
                let key: String = serde_json::from_str(&text[index..index + length]).ok()?;
                index += length;
                let after = text[index..].trim_start();
                if depth == 1 && key == name && after.starts_with(':') {
                    let value = after[1..].trim_start();
                    return Some(text.len() - value.len());
                }
            }
            byte => {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.checked_sub(1)?,
                    _ => {}
                }
                index += 1;
            }
        }
    }
    None
}

/// The bytes of the string that the text begins with, quotes included.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// The bytes of the list or object that the text begins with.
fn value_length(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut index = 0;
    while index < text.len() {
        match text.as_bytes()[index] {
            b'"' => index += string_length(&text[index..])?,
            byte => {
                match byte {
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.checked_sub(1)?,
                    _ => {}
                }
                index += 1;
                if depth == 0 {
                    return Some(index);
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_stands_twice_is_found_however_deep() {
        for text in ["{\"a\":1,\"a\":1}", "{\"a\":[{\"b\":{},\"c\":null,\"b\":1.5}]}", "{\"a\":1,\"\\u0061\":2}"] {
            assert!(is_ambiguous(text), "{text}");
        }
        for text in ["{\"a\":[{\"b\":1},{\"b\":-1}],\"b\":true}", "[]", "text", "{\"a\":1,"] {
            assert!(!is_ambiguous(text), "{text}");
        }
    }

    #[test]
    fn what_was_there_stays_byte_for_byte() {
        let added = [json!({"Sid": "New"})];
        for (text, expected) in [
            (
                "{ \"Statement\" : [ {\"Sid\": \"a ]\\\" \"} ] , \"Version\":\"2012-10-17\"}\n",
                "{ \"Statement\" : [ {\"Sid\": \"a ]\\\" \"},{\"Sid\":\"New\"}] , \"Version\":\"2012-10-17\"}\n",
            ),
            ("{\"Statement\":{\"Statement\":1}}", "{\"Statement\":[{\"Statement\":1},{\"Sid\":\"New\"}]}"),
            (
                "{\"Id\":{\"Statement\":[]},\"Statement\":[]}",
                "{\"Id\":{\"Statement\":[]},\"Statement\":[{\"Sid\":\"New\"}]}",
            ),
        ] {
            assert_eq!(with_statements(text, &added).as_deref(), Some(expected));
        }
        assert_eq!(with_statements("{\"Version\": 1}", &added), None);
        assert_eq!(with_statements("{\"Statement\": [], \"Statement\": []}", &added), None);
        assert_eq!(with_statements("not json", &added), None);
    }
}
