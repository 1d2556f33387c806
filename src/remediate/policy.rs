//! Policies as text: statements are added, and everything else stays byte for byte.

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
    let policy: Json = serde_json::from_str(text).ok()?;
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

/// The policy without the statements of these Sids, as JSON.
pub(crate) fn statements_but(text: &str, sids: &[&str]) -> Vec<Json> {
    let policy: Json = serde_json::from_str(text).unwrap_or_default();
    let statements = match policy.get("Statement") {
        Some(Json::Array(statements)) => statements.clone(),
        Some(statement @ Json::Object(_)) => vec![statement.clone()],
        _ => Vec::new(),
    };
    let other = |statement: &Json| statement["Sid"].as_str().is_none_or(|sid| !sids.contains(&sid));
    statements.into_iter().filter(other).collect()
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
        assert_eq!(with_statements("not json", &added), None);
    }
}
