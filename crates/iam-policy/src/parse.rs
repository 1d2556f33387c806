//! From JSON to statements. What IAM refuses is refused here, with the place; only condition
//! operators that are not known here are let through, and decide nothing.

use super::condition::{Condition, Operator};
use super::document::{Effect, PolicyError, Principals, Selector, Sense, Statement};
use super::named::{NamedPrincipal, PrincipalKind};
use super::pattern::{Dialect, Pattern, Variables};
use serde_json::{Map, Value};

type Result<T> = std::result::Result<T, PolicyError>;

/// The statements of a document.
pub(super) fn statements(json: &Value) -> Result<Vec<Statement>> {
    let document = object(json, "document")?;
    known(document, "", &["Version", "Id", "Statement"])?;
    // "If you do not include a Version element, the value defaults to 2008-10-17."
    let variables = match document.get("Version").map(Value::as_str) {
        Some(Some("2012-10-17")) => Variables::Substituted,
        None | Some(Some("2008-10-17")) => Variables::Literal,
        Some(_) => {
            let expected = "\"2012-10-17\" or \"2008-10-17\"";
            return Err(unexpected("Version", expected, &document["Version"]));
        }
    };
    optional_text(document, "", "Id")?;
    match document.get("Statement") {
        None => Err(problem("Statement", "missing")),
        Some(Value::Array(list)) => list
            .iter()
            .enumerate()
            .map(|(index, json)| statement(json, &format!("Statement[{index}]"), variables))
            .collect(),
        Some(json) => Ok(vec![statement(json, "Statement", variables)?]),
    }
}

fn statement(json: &Value, path: &str, variables: Variables) -> Result<Statement> {
    const ELEMENTS: [&str; 9] =
        ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];
    let members = object(json, path)?;
    known(members, path, &ELEMENTS)?;
    let actions = selector(members, path, ["Action", "NotAction"], |text, at| {
        if text != "*" && !text.contains(':') {
            return Err(problem(at, &format!("no service before {text:?}")));
        }
        Ok(Pattern::new(text, Dialect::Action, Variables::Literal))
    })?;
    let resources = selector(members, path, ["Resource", "NotResource"], |text, _| {
        Ok(Pattern::new(text, Dialect::Resource, variables))
    })?;
    Ok(Statement {
        sid: optional_text(members, path, "Sid")?,
        effect: effect(members, path)?,
        principals: principals(members, path)?,
        actions: actions.ok_or_else(|| problem(path, "neither Action nor NotAction"))?,
        resources,
        conditions: conditions(members, path, variables)?,
    })
}

fn effect(members: &Map<String, Value>, path: &str) -> Result<Effect> {
    let path = join(path, "Effect");
    let effect = members.get("Effect").ok_or_else(|| problem(&path, "missing"))?;
    match effect.as_str() {
        Some("Allow") => Ok(Effect::Allow),
        Some("Deny") => Ok(Effect::Deny),
        _ => Err(unexpected(&path, "\"Allow\" or \"Deny\"", effect)),
    }
}

/// The one of two elements that a statement has; both at once are an error.
fn either<'a>(
    members: &'a Map<String, Value>,
    path: &str,
    [these, all_but]: [&'static str; 2],
) -> Result<Option<(&'a Value, String, Sense)>> {
    match (members.get(these), members.get(all_but)) {
        (Some(_), Some(_)) => Err(problem(path, &format!("both {these} and {all_but}"))),
        (Some(value), None) => Ok(Some((value, join(path, these), Sense::These))),
        (None, Some(value)) => Ok(Some((value, join(path, all_but), Sense::AllBut))),
        (None, None) => Ok(None),
    }
}

fn selector(
    members: &Map<String, Value>,
    path: &str,
    names: [&'static str; 2],
    pattern: impl Fn(&str, &str) -> Result<Pattern>,
) -> Result<Option<Selector>> {
    let Some((value, path, sense)) = either(members, path, names)? else {
        return Ok(None);
    };
    let patterns = texts(value, &path)?.into_iter().map(|text| pattern(text, &path)).collect::<Result<Vec<_>>>()?;
    Ok(Some(Selector { patterns, sense }))
}

fn principals(members: &Map<String, Value>, path: &str) -> Result<Option<Principals>> {
    let Some((value, path, sense)) = either(members, path, ["Principal", "NotPrincipal"])? else {
        return Ok(None);
    };
    let named = |kind, id: &str| NamedPrincipal { kind, id: id.to_owned() };
    if value.as_str() == Some("*") {
        let entries = vec![named(PrincipalKind::Aws, "*")];
        return Ok(Some(Principals { entries, sense }));
    }
    let Value::Object(map) = value else {
        return Err(unexpected(&path, "\"*\" or an object", value));
    };
    if map.is_empty() {
        return Err(problem(&path, "expected a principal, got none"));
    }
    let mut entries = Vec::new();
    for (name, value) in map {
        let path = join(&path, name);
        let kind = match name.as_str() {
            "AWS" => PrincipalKind::Aws,
            "Service" => PrincipalKind::Service,
            "Federated" => PrincipalKind::Federated,
            "CanonicalUser" => PrincipalKind::CanonicalUser,
            _ => return Err(problem(&path, "no such kind of principal")),
        };
        entries.extend(texts(value, &path)?.into_iter().map(|id| named(kind, id)));
    }
    Ok(Some(Principals { entries, sense }))
}

fn conditions(members: &Map<String, Value>, path: &str, variables: Variables) -> Result<Vec<Condition>> {
    let Some(value) = members.get("Condition") else {
        return Ok(Vec::new());
    };
    let path = join(path, "Condition");
    let mut conditions = Vec::new();
    for (name, keys) in object(value, &path)? {
        let path = join(&path, name);
        let operator = Operator::parse(name);
        for (key, values) in object(keys, &path)? {
            let values = scalars(values, &join(&path, key))?;
            conditions.push(Condition::new(operator.clone(), key, &values, variables));
        }
    }
    Ok(conditions)
}

/// A text, or a list of at least one.
fn texts<'a>(value: &'a Value, path: &str) -> Result<Vec<&'a str>> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(list) if !list.is_empty() => list
            .iter()
            .enumerate()
            .map(|(index, item)| item.as_str().ok_or_else(|| unexpected(&format!("{path}[{index}]"), "a string", item)))
            .collect(),
        _ => Err(unexpected(path, "a string or a list of strings", value)),
    }
}

/// The values of a condition: texts, numbers or truth values, as text.
fn scalars(value: &Value, path: &str) -> Result<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(unexpected(path, "a string, number or boolean", value)),
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        _ => Ok(vec![one(value)?]),
    }
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| unexpected(path, "an object", value))
}

fn optional_text(members: &Map<String, Value>, path: &str, name: &str) -> Result<Option<String>> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(value) => Err(unexpected(&join(path, name), "a string", value)),
    }
}

fn known(members: &Map<String, Value>, path: &str, names: &[&str]) -> Result<()> {
    match members.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(problem(&join(path, name), "no such element")),
        None => Ok(()),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn problem(path: &str, problem: &str) -> PolicyError {
    PolicyError::Element { path: path.to_owned(), problem: problem.to_owned() }
}

fn unexpected(path: &str, expected: &str, got: &Value) -> PolicyError {
    let mut got = got.to_string();
    if let Some((cut, _)) = got.char_indices().nth(60) {
        got.truncate(cut);
        got.push('…');
    }
    problem(path, &format!("expected {expected}, got {got}"))
}
