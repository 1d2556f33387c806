//! Values that are given to the variables of the root module, from where Terraform takes them, the later the stronger:
//! the environment, `terraform.tfvars`, `*.auto.tfvars`, the command line.
//! <https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence>

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::Span;
use super::module::Given;
use super::module_loader::ModuleLoader;
use super::parse::{self, Form};
use crate::boundary::{LARGEST, Refusal, read_named};
use crate::diagnostic::Diagnostic;

/// Values on the command line that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VariableError {
    /// It has no `=`.
    #[error("--var {text:?}: expected NAME=VALUE")]
    Form {
        /// What was given.
        text: String,
    },
    /// A file of values that cannot be read.
    #[error("--var-file {}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What the user gives.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sources<'a> {
    /// Variables of the environment that begin with `TF_VAR_`, without that.
    pub(crate) environment: &'a [(String, String)],
    /// Makes these values sensitive.
    pub(crate) hides_environment: bool,
    /// `NAME=VALUE`
    pub(crate) values: &'a [String],
    pub(crate) files: &'a [PathBuf],
}

/// All values, by variable.
pub(crate) fn given(
    root: &Path,
    sources: &Sources<'_>,
    folders: &mut ModuleLoader,
) -> Result<HashMap<String, Given>, VariableError> {
    let of_environment =
        |value: &String| if sources.hides_environment { Given::Withheld } else { Given::Text(value.clone()) };
    let mut given: HashMap<String, Given> =
        sources.environment.iter().map(|(name, value)| (name.clone(), of_environment(value))).collect();
    for path in automatic(root, folders) {
        let text = folders.boundary.text(&path);
        if let Err((problem, span)) = add_file(&path, text, folders, &mut given) {
            folders.report(span, *problem);
        }
    }
    for path in sources.files {
        add_file(path, read_named(path, LARGEST), folders, &mut given)
            .map_err(|(problem, _)| VariableError::File { path: path.clone(), why: problem.message.clone() })?;
    }
    for text in sources.values {
        let (name, value) = text.split_once('=').ok_or_else(|| VariableError::Form { text: text.clone() })?;
        given.insert(name.trim().to_owned(), Given::Text(value.to_owned()));
    }
    Ok(given)
}

/// The files that Terraform reads unasked.
fn automatic(root: &Path, folders: &ModuleLoader) -> Vec<PathBuf> {
    // Where the folder cannot be listed, it was refused before.
    let names = folders.boundary.names(root).unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
    let standard = ["terraform.tfvars", "terraform.tfvars.json"].into_iter().filter(|name| names.contains(name));
    let is_automatic =
        |name: &&str| !name.starts_with('.') && (name.ends_with(".auto.tfvars") || name.ends_with(".auto.tfvars.json"));
    standard.chain(names.iter().copied().filter(is_automatic)).map(|name| root.join(name)).collect()
}

fn add_file(
    path: &Path,
    text: Result<String, Refusal>,
    folders: &mut ModuleLoader,
    given: &mut HashMap<String, Given>,
) -> Result<(), (Box<Diagnostic>, Span)> {
    let form = if path.extension().is_some_and(|ending| ending == "json") { Form::Json } else { Form::Native };
    let text = text.map_err(|refusal| refusal.to_string());
    let (text, failure) = match text.and_then(|text| folders.take_in(&text).map(|()| text)) {
        Ok(text) => (text, None),
        Err(why) => (String::new(), Some(why)),
    };
    let (file, id) = folders.add(path, text);
    let start = Span::new(id, &(0..0));
    if let Some(why) = failure {
        return Err((Box::new(Diagnostic::error(why).of(file.source())), start));
    }
    // Values may be secrets: the line of a mistake is named, and not shown.
    let hidden = |problem: Box<Diagnostic>| {
        let at = problem.place.as_ref().and_then(|(_, bytes)| bytes.as_ref()).map(|bytes| file.line(bytes.start));
        let line = at.map(|line| format!("line {line}: ")).unwrap_or_default();
        Box::new(Diagnostic::error(format!("{line}{}", problem.message)).of(file.source()))
    };
    let body = parse::values(&file, id, form).map_err(|problem| (hidden(problem), start))?;
    for attribute in body.attributes {
        given.insert(attribute.name.to_string(), Given::Expression(Arc::clone(&attribute.value)));
    }
    Ok(())
}
