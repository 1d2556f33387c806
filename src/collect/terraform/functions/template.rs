//! `templatestring`. <https://developer.hashicorp.com/terraform/language/functions/templatestring>

use std::path::Path;
use std::sync::Arc;

use super::file::{MOST_NAMES, bind};
use super::{Answer, Arguments, Table};
use crate::collect::terraform::evaluate::Scope;
use crate::collect::terraform::parse;
use crate::collect::terraform::value::Value;

pub(crate) const TABLE: Table = &[("templatestring", template_string)];

/// A text as a template, in which only the names of the second argument are defined.
fn template_string(call: &Arguments<'_>) -> Answer {
    if call.scope.is_template {
        return call.wrong("a template cannot call templatestring");
    }
    let (text, variables) = (call.text(0)?, call.members(1)?);
    call.within(call.context().afford(text.len()))?;
    if variables.len() > MOST_NAMES {
        return call.unknown("there are too many names");
    }
    let (file, id) = call.context().add_file(Path::new("a template in a text"), text);
    let template = match parse::template(&file, id) {
        Ok(template) => template,
        Err(problem) => return call.wrong(problem.message.clone()),
    };
    let names: Vec<(&Arc<str>, &Value)> = variables.iter().collect();
    Ok(bind(&names, &Scope { is_template: true, ..Scope::of(call.scope.module) }, &template))
}
