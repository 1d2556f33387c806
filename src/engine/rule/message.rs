//! Message of a rule: text with `${resource.…}` and `${params.…}` in it; absent values are put in words.

use cel::common::ast::Expr;
use cel::common::value::Val;

use super::check::{Checker, Scope};
use super::expression::Written;
use super::params::BoundParams;
use super::path::{Path, Place};
use super::value;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::yaml::Spanned;
use serde_json::Value as Json;

/// A message, ready to be filled in.
#[derive(Debug)]
pub(crate) struct Message(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Attribute(Path),
    Param(String),
}

impl Message {
    /// Parses a message and checks the names in it.
    pub(crate) fn parse(
        file: &SourceFile,
        text: &Spanned<String>,
        checker: &mut Checker<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut parts = Vec::new();
        let mut rest = 0;
        while let Some(start) = text.value[rest..].find("${").map(|found| rest + found) {
            let Some(end) = text.value[start..].find('}').map(|found| start + found) else {
                diagnostics.push(Diagnostic::error("`${` without `}`").at(file, text.part(file, start..start + 2)));
                break;
            };
            parts.push(Part::Text(text.value[rest..start].to_owned()));
            let inner = Spanned::new(text.value[start + 2..end].to_owned(), text.part(file, start + 2..end));
            match Self::part(file, &inner, checker, diagnostics) {
                Ok(part) => parts.extend(part),
                Err(errors) => diagnostics.extend(errors),
            }
            rest = end + 1;
        }
        parts.push(Part::Text(text.value[rest..].to_owned()));
        Self(parts)
    }

    fn part(
        file: &SourceFile,
        inner: &Spanned<String>,
        checker: &mut Checker<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Option<Part>, Vec<Diagnostic>> {
        let written = Written::parse(file, inner)?;
        let before = diagnostics.len();
        let checked = written.check(checker, &Scope::absent_allowed(), diagnostics);
        if diagnostics.len() > before {
            return Ok(None);
        }
        if let Expr::Select(select) = &written.program.expression().expr
            && matches!(&select.operand.expr, Expr::Ident(name) if name == "params")
        {
            return Ok(Some(Part::Param(select.field.clone())));
        }
        match checked.path {
            Some(path) if !path.is_empty() => Ok(Some(Part::Attribute(path))),
            _ => Err(vec![
                Diagnostic::error("only an attribute or a parameter can stand in a message")
                    .at(file, inner.span.clone())
                    .help("write `${resource.NAME}` or `${params.NAME}`"),
            ]),
        }
    }

    /// Returns the message for a resource.
    pub(crate) fn fill(&self, place: Place<'_>, params: &BoundParams) -> String {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Attribute(path) => filled.push_str(&worded(&path.json(place))),
                Part::Param(name) => {
                    let value = params.value(name).and_then(|value: &dyn Val| value::to_json(value).ok());
                    filled.push_str(&worded(&value.unwrap_or(Json::Null)));
                }
            }
        }
        filled
    }
}

/// Returns a value as part of a sentence.
fn worded(value: &Json) -> String {
    match value {
        Json::Null => "not set".to_owned(),
        Json::String(text) => text.clone(),
        Json::Array(items) if items.is_empty() => "none".to_owned(),
        Json::Array(items) => items.iter().map(worded).collect::<Vec<_>>().join(", "),
        Json::Object(members) if members.contains_key(crate::model::fact::UNKNOWN) => "unknown".to_owned(),
        Json::Object(members) if members.is_empty() => "none".to_owned(),
        Json::Object(members) => members.keys().cloned().collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
