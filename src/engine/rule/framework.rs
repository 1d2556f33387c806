//! Frameworks: mappings from the controls of a published standard to rules. The mapping is kept with the framework,
//! `frameworks/<name>.yaml`, so that a rule does not depend on any framework.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::yaml::{self, Spanned};

include!(concat!(env!("OUT_DIR"), "/embedded_frameworks.rs"));

/// A published standard, limited to the controls that rules cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framework {
    /// Name of the framework, the stem of its file.
    pub name: String,
    /// Title of the framework.
    pub title: String,
    /// Version that the controls were compared with.
    pub version: String,
    /// URL of the publication.
    pub reference: String,
    /// Controls of the framework, by id.
    pub controls: BTreeMap<String, Control>,
}

/// A control of a framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// Requirement of the control, in the framework's words.
    pub title: String,
    /// Rules that cover the control.
    pub rules: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FrameworkFile {
    name: Spanned<String>,
    title: String,
    version: String,
    reference: Spanned<String>,
    controls: BTreeMap<String, ControlFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlFile {
    title: String,
    rules: Vec<String>,
}

/// Returns the built-in frameworks, read once. The tests ensure that they are valid.
pub fn all() -> &'static [Framework] {
    static ALL: LazyLock<Vec<Framework>> = LazyLock::new(|| {
        let files = EMBEDDED.iter().map(|(name, text)| load(&SourceFile::new(*name, *text)));
        files.collect::<Result<_, _>>().unwrap_or_else(|errors| panic!("{errors:?}"))
    });
    &ALL
}

fn load(file: &SourceFile) -> Result<Framework, Vec<Diagnostic>> {
    let written: FrameworkFile = yaml::parse(file)?;
    let mut diagnostics = Vec::new();
    let stem = Path::new(file.name()).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if written.name.value != stem {
        diagnostics.push(
            Diagnostic::error(format!("the name is `{}`, and the file is named `{stem}`", *written.name))
                .at(file, written.name.span.clone()),
        );
    }
    if !written.reference.starts_with("https://") {
        diagnostics
            .push(Diagnostic::error("a reference is an https:// address").at(file, written.reference.span.clone()));
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let control = |(id, control): (String, ControlFile)| (id, Control { title: control.title, rules: control.rules });
    Ok(Framework {
        name: written.name.value,
        title: written.title,
        version: written.version,
        reference: written.reference.value,
        controls: written.controls.into_iter().map(control).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_framework_refers_to_rules_that_exist() {
        let library = crate::engine::rule::embedded().expect("sound rules");
        assert!(!all().is_empty());
        for framework in all() {
            for (id, control) in &framework.controls {
                assert!(!control.rules.is_empty(), "{} {id} has no rule", framework.name);
                for rule in &control.rules {
                    assert!(library.rule(rule).is_some(), "{} {id}: there is no rule `{rule}`", framework.name);
                }
            }
        }
    }
}
