//! Frameworks: which rules answer for a control of a published standard. The mapping is kept on the
//! framework's side, `frameworks/<name>.yaml`, so that a rule knows of none.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Library;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::yaml::{self, Spanned, nearest};

include!(concat!(env!("OUT_DIR"), "/embedded_frameworks.rs"));

/// A published standard, as far as rules answer for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framework {
    /// Its name, the stem of its file.
    pub name: String,
    /// What it is called.
    pub title: String,
    /// The version that the controls were compared with.
    pub version: String,
    /// Where it is published.
    pub reference: String,
    /// Its controls, by their ids.
    pub controls: BTreeMap<String, Control>,
}

/// A control of a framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// What it asks, in the framework's words.
    pub title: String,
    /// The rules that answer for it.
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
    rules: Vec<Spanned<String>>,
}

/// The frameworks that come with the tool.
///
/// # Errors
/// Everything that is wrong with them; the tests see to it that nothing is.
pub fn embedded(library: &Library) -> Result<Vec<Framework>, Vec<Diagnostic>> {
    let mut frameworks = Vec::new();
    let mut diagnostics = Vec::new();
    for (name, text) in EMBEDDED {
        match load(&SourceFile::new(*name, *text), library) {
            Ok(framework) => frameworks.push(framework),
            Err(errors) => diagnostics.extend(errors),
        }
    }
    if diagnostics.is_empty() { Ok(frameworks) } else { Err(diagnostics) }
}

/// The frameworks that come with the tool, read once. They are sound: the tests see to that.
pub fn all() -> &'static [Framework] {
    static ALL: LazyLock<Vec<Framework>> =
        LazyLock::new(|| super::embedded().and_then(|library| embedded(&library)).unwrap_or_default());
    &ALL
}

fn load(file: &SourceFile, library: &Library) -> Result<Framework, Vec<Diagnostic>> {
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
    for id in written.controls.values().flat_map(|control| &control.rules) {
        if library.rule(id).is_none() {
            let diagnostic = Diagnostic::error(format!("there is no rule `{}`", **id)).at(file, id.span.clone());
            diagnostics.push(match nearest(id, library.rules().map(|rule| rule.id.as_str())) {
                Some(near) => diagnostic.help(format!("there is `{near}`")),
                None => diagnostic,
            });
        }
    }
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    let control = |(id, control): (String, ControlFile)| {
        let rules = control.rules.into_iter().map(|rule| rule.value).collect();
        (id, Control { title: control.title, rules })
    };
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
        let library = crate::rule::embedded().expect("sound rules");
        let frameworks = embedded(&library).unwrap_or_else(|errors| panic!("{errors:?}"));
        assert!(!frameworks.is_empty());
        for framework in frameworks {
            for (id, control) in &framework.controls {
                assert!(!control.rules.is_empty(), "{} {id} has no rule", framework.name);
            }
        }
    }

    #[test]
    fn a_rule_that_does_not_exist_is_refused() {
        let library = crate::rule::embedded().expect("sound rules");
        let text = "name: x\ntitle: t\nversion: '1'\nreference: https://example.com\n\
                    controls: {A.1: {title: t, rules: [ec2-imdsv2-require]}}\n";
        let errors = load(&SourceFile::new("frameworks/x.yaml", text), &library).expect_err("refused");
        assert_eq!(errors.len(), 1);
        assert!(format!("{errors:?}").contains("ec2-imdsv2-required"), "{errors:?}");
    }
}
