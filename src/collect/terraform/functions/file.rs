//! Functions that read files: only files within the boundary of the code, and no other files of the machine.
//! <https://developer.hashicorp.com/terraform/language/functions/file>

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use iam_policy::is_symbol;
use sha2::Digest as _;

use super::{Answer, Arguments, Table};
use crate::boundary::{LARGEST, Refusal};
use crate::collect::terraform::evaluate::{Frame, Scope, evaluate};
use crate::collect::terraform::module_loader::shown;
use crate::collect::terraform::parse;
use crate::collect::terraform::syntax::Expression;
use crate::collect::terraform::value::{UnknownValue, Value};

pub(crate) const TABLE: Table = &[
    ("abspath", |call| call.unknown("it depends on the machine")),
    ("basename", |call| Ok(Value::text(base(&call.text(0)?)))),
    ("dirname", |call| Ok(Value::text(folder(&call.text(0)?)))),
    ("file", |call| text(call).map(Value::text)),
    ("filebase64", |call| encoded(call, |bytes| BASE64_STANDARD.encode(bytes))),
    ("filebase64sha256", |call| encoded(call, |bytes| BASE64_STANDARD.encode(sha2::Sha256::digest(bytes)))),
    ("filebase64sha512", |call| encoded(call, |bytes| BASE64_STANDARD.encode(sha2::Sha512::digest(bytes)))),
    ("fileexists", |call| {
        let path = located(call, 0)?;
        looked(call)?;
        match call.context().folders.boundary.is_file(&path) {
            Ok(exists) => Ok(Value::Bool(exists)),
            Err(refusal) => refused(call, refusal),
        }
    }),
    ("filemd5", |call| encoded(call, |bytes| hex(&<md5::Md5 as md5::Digest>::digest(bytes)))),
    ("fileset", file_set),
    ("filesha1", |call| encoded(call, |bytes| hex(&<sha1::Sha1 as sha1::Digest>::digest(bytes)))),
    ("filesha256", |call| encoded(call, |bytes| hex(&sha2::Sha256::digest(bytes)))),
    ("filesha512", |call| encoded(call, |bytes| hex(&sha2::Sha512::digest(bytes)))),
    ("pathexpand", |call| {
        let path = call.text(0)?;
        if path.starts_with('~') { call.unknown("it depends on the machine") } else { Ok(Value::text(path)) }
    }),
    ("templatefile", template_file),
];

/// The last part of a path.
fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" if path.is_empty() => ".",
        "" => "/",
        path => path.rsplit('/').next().unwrap_or_default(),
    }
}

/// A path without its last part.
fn folder(path: &str) -> String {
    let before = path.rsplit_once('/').map_or("", |(before, _)| before);
    let absolute = path.starts_with('/');
    let mut steps: Vec<&str> = Vec::new();
    for step in before.split('/').filter(|step| !matches!(*step, "" | ".")) {
        match (step, steps.last()) {
            ("..", Some(last)) if *last != ".." => {
                steps.pop();
            }
            ("..", _) if absolute => {}
            (step, _) => steps.push(step),
        }
    }
    match (absolute, steps.join("/")) {
        (true, steps) => format!("/{steps}"),
        (false, steps) if steps.is_empty() => ".".to_owned(),
        (false, steps) => steps,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Resolves the path. Terraform runs in the folder of the root module.
fn located(call: &Arguments<'_>, index: usize) -> Result<PathBuf, Rc<UnknownValue>> {
    let root = Arc::clone(&call.scope.module.top().folder);
    Ok(root.source.as_ref().unwrap_or(&root.path).join(call.text(index)?))
}

/// The result for a path that is not read. If Terraform could not read the path either, the expression has no
/// value.
fn refused<T>(call: &Arguments<'_>, refusal: Refusal) -> Result<T, Rc<UnknownValue>> {
    match refusal {
        Refusal::Missing => call.wrong("there is no such file"),
        Refusal::Outside => call.unknown(format!("{refusal}; --root DIR allows more")),
        refusal => call.unknown(refusal.to_string()),
    }
}

/// The name of a file, as used in locations.
fn name_of(path: &Path) -> String {
    shown(path).to_string_lossy().into_owned()
}

fn bytes(call: &Arguments<'_>) -> Result<Vec<u8>, Rc<UnknownValue>> {
    let path = located(call, 0)?;
    looked(call)?;
    // Pending edits count, as in code files.
    if let Some(text) = call.context().edited(&name_of(&path)) {
        return Ok(text.into_bytes());
    }
    let boundary = &call.context().folders.boundary;
    let length = boundary.length(&path).or_else(|refusal| refused(call, refusal))?;
    // Spends before reading the file, which is also kept.
    if length <= LARGEST && !call.context().afford_text(usize::try_from(length).unwrap_or(usize::MAX) * 2) {
        return call.unknown("there is too much of it");
    }
    boundary.read(&path, LARGEST).or_else(|refusal| refused(call, refusal))
}

/// Spends the cost of an access to the file system.
fn looked(call: &Arguments<'_>) -> Result<(), Rc<UnknownValue>> {
    call.within(call.context().budget.spend(LISTED, 0))
}

fn encoded(call: &Arguments<'_>, encode: fn(&[u8]) -> String) -> Answer {
    let text = encode(&bytes(call)?);
    call.made_text(text.len(), || text)
}

fn text(call: &Arguments<'_>) -> Result<String, Rc<UnknownValue>> {
    match String::from_utf8(bytes(call)?) {
        Ok(text) if text.contains(is_symbol) => call.unknown("the file has private-use characters"),
        Ok(text) => {
            call.context().add_asset(name_of(&located(call, 0)?), text.trim_start_matches('\u{FEFF}'));
            Ok(text)
        }
        Err(_) => call.wrong("the file is not UTF-8"),
    }
}

/// The file as a template, in which only the given names are defined.
fn template_file(call: &Arguments<'_>) -> Answer {
    let context = call.context();
    if call.scope.is_template {
        return call.wrong("a template cannot call templatefile");
    }
    let (path, variables) = (call.text(0)?, call.members(1)?);
    if !variables.keys().all(|name| is_name(name)) {
        return call.wrong("a name is none that a template can have");
    }
    if variables.len() > MOST_NAMES {
        return call.unknown("there are too many names");
    }
    let template = if let Some(template) = context.template(&located(call, 0)?) {
        template
    } else {
        let text = text(call)?;
        let (file, id) = context.add_file(Path::new(&path), text);
        // Its syntax errors are not reported, since the file may not be a template.
        let parsed = parse::template(&file, id).map_err(|_error| "it is not a template");
        context.add_template(located(call, 0)?, parsed)
    };
    match template.as_ref() {
        Ok(template) => {
            let names: Vec<(&Arc<str>, &Value)> = variables.iter().collect();
            Ok(bind(&names, &Scope { is_template: true, ..Scope::of(call.scope.module) }, template))
        }
        Err(why) => call.wrong(*why),
    }
}

/// Maximum number of names that a template may be given.
pub(super) const MOST_NAMES: usize = 200;

/// Returns `true` for an identifier of the language.
fn is_name(text: &str) -> bool {
    let begins = |character: char| character.is_alphabetic() || character == '_';
    text.starts_with(begins)
        && text.chars().all(|character| begins(character) || character.is_numeric() || character == '-')
}

pub(crate) fn bind(names: &[(&Arc<str>, &Value)], scope: &Scope<'_>, template: &Expression) -> Value {
    match names.split_first() {
        None => evaluate(template, scope),
        Some(((name, value), rest)) => {
            let frame = Frame { name, value: (*value).clone(), outer: scope.frame };
            bind(rest, &Scope { frame: Some(&frame), ..*scope }, template)
        }
    }
}

/// The files below a folder whose paths match a pattern.
fn file_set(call: &Arguments<'_>) -> Answer {
    let (folder, pattern) = (located(call, 0)?, call.text(1)?);
    let Some(pattern) = super::glob::Pattern::parse(&pattern) else {
        return call.unknown("this pattern is not evaluated");
    };
    let mut found = Vec::new();
    let mut open = vec![(folder, String::new(), 0)];
    while let Some((folder, path, depth)) = open.pop() {
        let boundary = &call.context().folders.boundary;
        let names = match boundary.names(&folder) {
            Ok(names) => names,
            // For a folder that does not exist, Terraform returns an empty set.
            Err(Refusal::Missing) => continue,
            Err(refusal) => return refused(call, refusal),
        };
        if !call.context().afford(names.len().saturating_mul(LISTED.max(pattern.size()))) || depth > DEEPEST {
            return call.unknown("there is too much of it");
        }
        for name in names {
            let Some(name) = name.to_str() else { return call.unknown("a name of a file is not UTF-8") };
            let inner = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            if !pattern.may_match_below(&inner) && !pattern.matches(&inner) {
                continue;
            }
            if name.contains(is_symbol) {
                return call.unknown("a name of a file has private-use characters");
            }
            let place = folder.join(name);
            match boundary.is_file(&place) {
                Ok(true) if pattern.matches(&inner) => found.push(Value::text(inner)),
                Ok(_) => {}
                Err(Refusal::NotAFile) => open.push((place, inner, depth + 1)),
                Err(refusal) => return refused(call, refusal),
            }
        }
    }
    Value::set(found, &call.context().budget)
}

/// Cost of a listed file, and maximum depth of the traversed folders.
const LISTED: usize = 100;
const DEEPEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_terraform_does() {
        for (path, last, before) in [
            ("", ".", "."),
            ("a", "a", "."),
            ("a/b.txt", "b.txt", "a"),
            ("a/b/", "b", "a/b"),
            ("/", "/", "/"),
            ("/a", "a", "/"),
            ("a/../b/c", "c", "b"),
            ("../a", "a", ".."),
            ("./a//b", "b", "a"),
        ] {
            assert_eq!((base(path), folder(path).as_str()), (last, before), "{path}");
        }
    }
}
