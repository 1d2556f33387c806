//! `aws_iam_policy_document`: blocks to JSON, as the provider makes it.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_policy_document>

use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::block_view::BlockView;
use super::instance::Instance;
use super::value::{Nature, UnknownValue, Value};
use crate::model::Gap;

/// The document, with the characters of holes in its texts.
pub(crate) fn json(instance: &Rc<Instance>) -> Value {
    match document(&instance.view()) {
        Ok(document) => Value::text(document.to_string()),
        Err(gap) => Value::Unknown(UnknownValue::new(gap, Nature::Open)),
    }
}

fn document(view: &BlockView) -> Result<Json, Arc<Gap>> {
    let mut statements = Vec::new();
    for source in sources(view, "source_policy_documents", "source_json")? {
        statements.extend(source);
    }
    for block in view.blocks("statement")? {
        let statement = statement(&block)?;
        replace_or_add(&mut statements, statement);
    }
    for change in sources(view, "override_policy_documents", "override_json")? {
        for statement in change {
            replace_or_add(&mut statements, statement);
        }
    }
    let version = text(view, "version")?.unwrap_or_else(|| "2012-10-17".to_owned());
    let mut document = Map::new();
    document.insert("Version".to_owned(), version.into());
    if let Some(id) = text(view, "policy_id")? {
        document.insert("Id".to_owned(), id.into());
    }
    document.insert("Statement".to_owned(), statements.into());
    Ok(Json::Object(document))
}

/// A statement takes the place of one of the same `Sid`.
fn replace_or_add(statements: &mut Vec<Json>, statement: Json) {
    let sid = |statement: &Json| statement.get("Sid").and_then(Json::as_str).map(str::to_owned);
    let own = sid(&statement).filter(|sid| !sid.is_empty());
    match statements.iter_mut().find(|other| own.is_some() && sid(other) == own) {
        Some(other) => *other = statement,
        None => statements.push(statement),
    }
}

/// The statements of other documents.
fn sources(view: &BlockView, many: &str, one: &str) -> Result<Vec<Vec<Json>>, Arc<Gap>> {
    let mut texts = Vec::new();
    for value in [view.get(one), view.get(many)] {
        match value {
            Value::List(items) | Value::Set(items) => texts.extend(items.iter().cloned()),
            Value::Null => {}
            value => texts.push(value),
        }
    }
    texts.iter().map(|text| statements_of(view, text)).collect()
}

fn statements_of(view: &BlockView, value: &Value) -> Result<Vec<Json>, Arc<Gap>> {
    let text = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Text(text) => text,
        Value::Unknown(hole) => return Err(Arc::clone(&hole.gap)),
        _ => return Err(gap(view, "a source document is not a text")),
    };
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let document: Json = serde_json::from_str(text).map_err(|_not_json| gap(view, "a source document is not JSON"))?;
    match document.get("Statement") {
        Some(Json::Array(statements)) => Ok(statements.clone()),
        Some(statement @ Json::Object(_)) => Ok(vec![statement.clone()]),
        None => Ok(Vec::new()),
        Some(_) => Err(gap(view, "the statements of a source document are not known")),
    }
}

fn gap(view: &BlockView, message: &str) -> Arc<Gap> {
    view.instance.module.context.gap(view.span(), message)
}

fn statement(view: &BlockView) -> Result<Json, Arc<Gap>> {
    let mut statement = Map::new();
    if let Some(sid) = text(view, "sid")? {
        statement.insert("Sid".to_owned(), sid.into());
    }
    statement.insert("Effect".to_owned(), text(view, "effect")?.unwrap_or_else(|| "Allow".to_owned()).into());
    let lists = [
        ("actions", "Action"),
        ("not_actions", "NotAction"),
        ("resources", "Resource"),
        ("not_resources", "NotResource"),
    ];
    for (name, member) in lists {
        if let Some(texts) = texts(view, name)? {
            statement.insert(member.to_owned(), texts);
        }
    }
    for (name, member) in [("principals", "Principal"), ("not_principals", "NotPrincipal")] {
        if let Some(principals) = principals(view, name)? {
            statement.insert(member.to_owned(), principals);
        }
    }
    let mut conditions: Map<String, Json> = Map::new();
    for block in view.blocks("condition")? {
        let (Some(test), Some(variable)) = (text(&block, "test")?, text(&block, "variable")?) else {
            return Err(gap(&block, "the condition has no test or no variable"));
        };
        let values = texts(&block, "values")?.unwrap_or_else(|| json!([]));
        if let Json::Object(variables) = conditions.entry(test).or_insert_with(|| json!({})) {
            add(variables, &variable, values);
        }
    }
    if !conditions.is_empty() {
        statement.insert("Condition".to_owned(), conditions.into());
    }
    Ok(statement.into())
}

fn principals(view: &BlockView, name: &str) -> Result<Option<Json>, Arc<Gap>> {
    let mut principals = Map::new();
    for block in view.blocks(name)? {
        let Some(kind) = text(&block, "type")? else { return Err(gap(&block, "the principals have no type")) };
        let identifiers = texts(&block, "identifiers")?.unwrap_or_else(|| json!([]));
        if kind == "*" {
            return Ok(Some("*".into()));
        }
        add(&mut principals, &kind, identifiers);
    }
    Ok((!principals.is_empty()).then(|| principals.into()))
}

/// Adds to what stands there already.
fn add(members: &mut Map<String, Json>, name: &str, values: Json) {
    match (members.get_mut(name), values) {
        (Some(Json::Array(there)), Json::Array(more)) => there.extend(more),
        (Some(Json::Array(there)), one) => there.push(one),
        (Some(there), values) => *there = json!([there.take(), values]),
        (None, values) => {
            members.insert(name.to_owned(), values);
        }
    }
}

/// A text that is written, with the characters of holes.
fn text(view: &BlockView, name: &str) -> Result<Option<String>, Arc<Gap>> {
    match view.get(name) {
        Value::Null => Ok(None),
        value => written(view, &value).map(Some),
    }
}

/// A list of texts. One that is not known is a text that is not known: to the evaluator of policies both are
/// anything or nothing.
fn texts(view: &BlockView, name: &str) -> Result<Option<Json>, Arc<Gap>> {
    match view.get(name) {
        Value::Null => Ok(None),
        Value::List(items) | Value::Set(items) => Ok(Some(
            items.iter().map(|item| written(view, item).map(Json::from)).collect::<Result<Vec<_>, _>>()?.into(),
        )),
        value => Ok(Some(json!([written(view, &value)?]))),
    }
}

/// `&{…}` is a variable of IAM, which Terraform would take for its own.
fn written(view: &BlockView, value: &Value) -> Result<String, Arc<Gap>> {
    let mut text = String::new();
    let context = &view.instance.module.context;
    super::evaluate::append_value(value, &mut text, view.span(), context).map_err(|hole| Arc::clone(&hole.gap))?;
    Ok(text.replace("&{", "${"))
}
