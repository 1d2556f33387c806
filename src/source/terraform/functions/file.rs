//! Functions that read files. They read what lies with the code, and nothing else of the machine.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::{Answer, Arguments, Table};
use crate::iam::is_symbol;
use crate::source::terraform::evaluate::{Frame, Scope, evaluate};
use crate::source::terraform::folders::{on_disk, text_of};
use crate::source::terraform::parse;
use crate::source::terraform::syntax::Expression;
use crate::source::terraform::value::{Hole, Value};

pub(super) const TABLE: Table = &[
    ("abspath", |call| call.unknown("it depends on the machine")),
    ("basename", |call| {
        let path = call.text(0)?;
        Ok(Value::text(path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()))
    }),
    ("dirname", |call| {
        let path = call.text(0)?;
        Ok(Value::text(path.rsplit_once('/').map_or(".", |(folder, _)| folder)))
    }),
    ("file", |call| {
        let text = read(call)?.1;
        call.made(text.len(), || Value::text(text))
    }),
    ("fileexists", |call| match located(call)? {
        Some(path) => Ok(Value::Bool(path.is_file())),
        None => Ok(Value::Bool(false)),
    }),
    ("templatefile", template_file),
];

/// Where the file is, if it is; only below the folder that holds the code.
fn located(call: &Arguments<'_>) -> Result<Option<PathBuf>, Rc<Hole>> {
    // Terraform runs in the folder of the root module.
    let path = call.scope.module.top().folder.path.join(call.text(0)?);
    let Ok(real) = std::fs::canonicalize(on_disk(&path)) else { return Ok(None) };
    if real.starts_with(&call.world().boundary) {
        Ok(Some(real))
    } else {
        call.unknown(format!("{} lies outside of the code", path.display()))
    }
}

fn read(call: &Arguments<'_>) -> Result<(PathBuf, String), Rc<Hole>> {
    let Some(path) = located(call)? else { return call.wrong("there is no such file") };
    let text = match text_of(&path) {
        Ok(text) => text,
        Err(why) => return call.unknown(why),
    };
    if text.contains(is_symbol) {
        return call.unknown("the file has private-use characters");
    }
    Ok((PathBuf::from(call.text(0)?), text))
}

/// The file as a template, in which only the given names mean something.
fn template_file(call: &Arguments<'_>) -> Answer {
    let (path, text) = read(call)?;
    let variables = call.members(1)?;
    let world = call.world();
    let (file, id) = world.add_file(Path::new(&path), text);
    let template = match parse::template(&file, id) {
        Ok(template) => template,
        Err(problem) => return call.unknown(problem.message.clone()),
    };
    // Names of the module mean nothing in it, and none of its names looks like a reference.
    let names: Vec<(&Arc<str>, &Value)> = variables.iter().collect();
    if names.len() > MOST_NAMES {
        return call.unknown("there are too many names");
    }
    Ok(bind(&names, &Scope::of(call.scope.module), &template))
}

/// The most names that a template may be given.
const MOST_NAMES: usize = 200;

fn bind(names: &[(&Arc<str>, &Value)], scope: &Scope<'_>, template: &Expression) -> Value {
    match names.split_first() {
        None => evaluate(template, scope),
        Some(((name, value), rest)) => {
            let frame = Frame { name, value: (*value).clone(), outer: scope.frame };
            bind(rest, &Scope { frame: Some(&frame), ..*scope }, template)
        }
    }
}
