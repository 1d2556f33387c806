//! Before and after: what is short beside each other, what is long (policies, documents) as a difference of lines.

use serde_json::Value as Json;
use similar::{ChangeTag, TextDiff};

use super::{AFTER, BEFORE, DIM, Look, MARGIN};
use crate::terminal::{harmless, width, wrap};

/// How many lines that stay are shown around those that change.
const CONTEXT: usize = 2;

/// The difference, member by member; what stays is left out.
pub(crate) fn lines(before: &Json, after: &Json, look: Look) -> Vec<String> {
    let look = Look { width: look.width.saturating_sub(MARGIN), ..look };
    let none = serde_json::Map::new();
    let (before, after) = match (before, after) {
        (Json::Object(before), Json::Object(after)) => (before, after),
        (Json::Null, Json::Object(after)) => (&none, after),
        (before, after) => return value("", 0, before, after, look),
    };
    let differing: Vec<_> = after
        .iter()
        .map(|(name, after)| (name, before.get(name).unwrap_or(&Json::Null), after))
        .filter(|(_, before, after)| before != after)
        .collect();
    let longest = differing.iter().map(|(name, ..)| width(name)).max().unwrap_or_default();
    differing.into_iter().flat_map(|(name, before, after)| value(name, longest, before, after, look)).collect()
}

/// The difference of a member: in a line where it fits, in lines of its own otherwise.
fn value(name: &str, longest: usize, before: &Json, after: &Json, look: Look) -> Vec<String> {
    let label = if name.is_empty() { String::new() } else { format!("{name:longest$}  ") };
    let (short, shorter) = (shown(before), shown(after));
    let (was, is) = (look.paint.paint(BEFORE, &short), look.paint.paint(AFTER, &shorter));
    // What was not there needs no mention where something is made with it.
    let line = if before.is_null() && !after.is_null() {
        (width(&shorter), is)
    } else {
        (width(&short) + 3 + width(&shorter), format!("{was} → {is}"))
    };
    if width(&label) + line.0 <= look.width {
        return vec![format!("{label}{}", line.1)];
    }
    let heading = (!name.is_empty()).then(|| format!("{}:", harmless(name)));
    let indent = if name.is_empty() { "" } else { "  " };
    let look = Look { width: look.width.saturating_sub(indent.len()), ..look };
    let changed = changed(&text(before, look.width), &text(after, look.width), look);
    heading.into_iter().chain(changed.into_iter().map(|line| format!("{indent}{line}"))).collect()
}

/// The lines that differ, with some around them.
fn changed(before: &str, after: &str, look: Look) -> Vec<String> {
    let difference = TextDiff::from_lines(before, after);
    let mut lines = Vec::new();
    for (index, group) in difference.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            lines.push(look.paint.paint(DIM, "…"));
        }
        for change in group.iter().flat_map(|operation| difference.iter_changes(operation)) {
            let (sign, style) = match change.tag() {
                ChangeTag::Delete => ("- ", BEFORE),
                ChangeTag::Insert => ("+ ", AFTER),
                ChangeTag::Equal => ("  ", DIM),
            };
            let text = change.value().trim_end_matches('\n');
            let indent = text.len() - text.trim_start().len();
            let columns = look.width.saturating_sub(2 + indent);
            for (part, line) in wrap(&harmless(text.trim_start()), columns).iter().enumerate() {
                let sign = if part == 0 { sign } else { "  " };
                lines.push(look.paint.paint(style, &format!("{sign}{:indent$}{line}", "")));
            }
        }
    }
    lines
}

/// The value in a line.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::String(text) => harmless(text).into_owned(),
        value => harmless(&value.to_string()).into_owned(),
    }
}

/// The value in lines; text that holds JSON, as policies are sent, as that JSON.
fn text(value: &Json, columns: usize) -> String {
    let parsed = value.as_str().and_then(|text| serde_json::from_str::<Json>(text).ok());
    let mut text = match parsed.as_ref().filter(|parsed| parsed.is_object() || parsed.is_array()).unwrap_or(value) {
        Json::Null => return String::new(),
        Json::String(text) => text.clone(),
        value => pretty(value, columns.saturating_sub(2)),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// JSON in lines; a list of plain values in one line where it fits.
pub(super) fn pretty(value: &Json, columns: usize) -> String {
    let mut text = String::new();
    lay_out(value, 0, columns, &mut text);
    text
}

fn lay_out(value: &Json, depth: usize, columns: usize, text: &mut String) {
    let is_plain = |value: &Json| !value.is_object() && !value.is_array();
    let (open, close, members): (_, _, Vec<(String, &Json)>) = match value {
        Json::Array(items) => ('[', ']', items.iter().map(|item| (String::new(), item)).collect()),
        Json::Object(members) => (
            '{',
            '}',
            members.iter().map(|(name, value)| (format!("{}: ", Json::from(name.as_str())), value)).collect(),
        ),
        plain => return text.push_str(&plain.to_string()),
    };
    let line: Vec<String> = members.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let line = format!("{open}{}{close}", line.join(", "));
    // Some room is left for the name that it stands behind.
    let fits = value.is_array() && depth + width(&line) + 16 <= columns;
    if members.is_empty() || (fits && members.iter().all(|(_, value)| is_plain(value))) {
        return text.push_str(&line);
    }
    text.push(open);
    for (index, (name, value)) in members.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(depth + 2));
        text.push_str(name);
        lay_out(value, depth + 2, columns, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(depth));
    text.push(close);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::terminal::Paint;

    fn shown_at(width: usize, before: &Json, after: &Json) -> String {
        lines(before, after, Look { paint: Paint::Plain, width, all: false }).join("\n")
    }

    #[test]
    fn what_is_short_stands_in_a_line_and_what_stays_is_left_out() {
        let before = json!({"HttpTokens": "optional", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 2});
        let after = json!({"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"});
        let shown = shown_at(80, &before, &after);
        assert_eq!(shown, "HttpTokens               optional → required\nHttpPutResponseHopLimit  2 → 1");
        assert_eq!(shown_at(80, &json!("disabled"), &json!("enabled")), "disabled → enabled");
        assert_eq!(shown_at(80, &json!("x"), &Json::Null), "x → nothing");
        assert_eq!(shown_at(80, &Json::Null, &json!({"Name": "new"})), "Name  new");
    }

    #[test]
    fn a_policy_is_a_difference_of_lines() {
        let statement = |sid: &str| json!({"Sid": sid, "Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"});
        let policy = |statements: Vec<Json>| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let before = json!({"Policy": policy(vec![statement("admin")])});
        let after = json!({"Policy": policy(vec![statement("admin"), statement("logs")])});
        insta::assert_snapshot!(shown_at(80, &before, &after));
    }

    #[test]
    fn no_line_is_wider_than_there_is_room() {
        let long = json!({"Policy": format!("{{\"Resource\": \"arn:aws:s3:::{}\"}}", "bucket-".repeat(30))});
        let shown = shown_at(60, &Json::Null, &long);
        assert!(shown.lines().all(|line| width(line) <= 60 - MARGIN), "{shown}");
    }
}
