//! Remediations: one file each, `remediations/<id>.yaml`, loaded and checked. A remediation says what a resource is to be
//! like, not how it is made so.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::plan::Disruption;
use super::setters;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::engine::rule::{Library, Remediation};
use crate::model::ResourceType;
use crate::model::schema::{Attribute, Kind};
use crate::yaml::{self, Spanned, nearest};

include!(concat!(env!("OUT_DIR"), "/embedded_remediations.rs"));

/// How a finding is made right.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "ssm-audit remediation", rename = "Remediation")]
struct RemedyFile {
    /// Its id, the stem of the file: lower-case words with hyphens.
    #[schemars(with = "String")]
    id: Spanned<String>,
    /// What it does, in a line.
    title: String,
    /// The type of resource that it makes right.
    #[schemars(with = "String")]
    resource: Spanned<String>,
    /// Attributes, by their paths, and the values that they are to have: a value, or `${params.NAME}` of the rule.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Json>")]
    set: BTreeMap<Spanned<String>, Spanned<Json>>,
    /// What is made where it is missing; what is there is used.
    #[schemars(with = "Option<String>")]
    ensure: Option<Spanned<String>>,
    /// What is done that is more than setting attributes.
    #[schemars(with = "Option<String>")]
    procedure: Option<Spanned<String>>,
    /// What it interrupts.
    #[serde(default)]
    disruption: Disruption,
    /// Whether the resource must be named to change it.
    #[serde(default)]
    by_name: bool,
    /// What to know before it is done.
    warn: Option<String>,
    /// The settings under `fix` that must be given.
    #[serde(default)]
    needs: Vec<String>,
    /// What is otherwise where Terraform makes the change.
    #[serde(default)]
    in_code: InCode,
}

/// What is otherwise where Terraform makes the change.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InCode {
    /// What it does, in a line.
    title: Option<String>,
    /// Whether the change must be allowed with `--unsafe-fixes`.
    #[serde(default)]
    by_name: bool,
    /// What to know before it is done.
    warn: Option<String>,
}

/// A remediation.
#[derive(Debug)]
pub(crate) struct RemediationSpec {
    /// Its id, the stem of its file.
    pub(crate) id: String,
    /// What it does, in a line.
    pub(crate) title: String,
    /// The type of resource that it makes right.
    pub(crate) resource_type: ResourceType,
    /// What it asks for.
    pub(crate) action: Action,
    /// What it interrupts.
    pub(crate) disruption: Disruption,
    /// Whether the resource must be named to change it.
    pub(crate) by_name: bool,
    /// What to know before it is done.
    pub(crate) warn: Option<String>,
    /// The settings under `fix` that must be given.
    pub(crate) needs: Vec<String>,
    in_code: InCode,
}

impl RemediationSpec {
    /// What it does in code, in a line.
    pub(crate) fn title_in_code(&self) -> &str {
        self.in_code.title.as_deref().unwrap_or(&self.title)
    }

    /// Whether the change of code must be allowed.
    pub(crate) fn by_name_in_code(&self) -> bool {
        self.by_name || self.in_code.by_name
    }

    /// What to know before the code is changed.
    pub(crate) fn warn_in_code(&self) -> Option<&str> {
        self.in_code.warn.as_deref().or(self.warn.as_deref()).map(str::trim)
    }
}

/// What a remediation asks for.
#[derive(Debug)]
pub(crate) enum Action {
    /// Attributes with these values.
    Set(BTreeMap<String, DesiredValue>),
    /// This to be done, or to be there.
    Do(String),
}

/// The value that an attribute is to have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DesiredValue {
    /// This one.
    Value(Json),
    /// That of the rule's parameter.
    Param(String),
}

/// Remediations, by id.
pub(crate) type RemediationSpecs = BTreeMap<String, RemediationSpec>;

/// The JSON Schema of a remediation's file.
pub(crate) fn file_schema() -> schemars::Schema {
    schemars::schema_for!(RemedyFile)
}

/// The remediations that come with the tool.
///
/// # Errors
/// Everything that is wrong with them, and with what the rules say of them.
pub(crate) fn embedded(library: &Library) -> Result<RemediationSpecs, Vec<Diagnostic>> {
    let mut remedies = RemediationSpecs::new();
    let mut diagnostics = Vec::new();
    for (name, text) in EMBEDDED {
        match load(&SourceFile::new(*name, *text)) {
            Ok(remedy) => {
                remedies.insert(remedy.id.clone(), remedy);
            }
            Err(errors) => diagnostics.extend(errors),
        }
    }
    diagnostics.extend(library.rules().filter_map(|rule| {
        let Some(Remediation::Id(id)) = &rule.remediation else { return None };
        let problem = match remedies.get(id) {
            None => Some(format!("there is no remediation `{id}`")),
            Some(remedy) if remedy.resource_type != rule.resource_type => Some(format!(
                "the remediation `{id}` is for {}, and the rule for {}",
                remedy.resource_type, rule.resource_type
            )),
            Some(remedy) => remedy.params().find(|name| !rule.params.contains_key(*name)).map(|name| {
                format!("the remediation `{id}` takes the parameter `{name}`, which the rule does not have")
            }),
        };
        let error = Diagnostic::error(problem?).of(&rule.file);
        Some(match nearest(id, remedies.keys().map(String::as_str)) {
            Some(near) if near != id => error.help(format!("did you mean `{near}`?")),
            _ => error,
        })
    }));
    if diagnostics.is_empty() { Ok(remedies) } else { Err(diagnostics) }
}

impl RemediationSpec {
    /// The parameters of the rule that it takes values from.
    fn params(&self) -> impl Iterator<Item = &str> {
        let wishes = match &self.action {
            Action::Set(wishes) => Some(wishes.values()),
            Action::Do(_) => None,
        };
        wishes.into_iter().flatten().filter_map(|wish| match wish {
            DesiredValue::Param(name) => Some(name.as_str()),
            DesiredValue::Value(_) => None,
        })
    }
}

fn load(file: &SourceFile) -> Result<RemediationSpec, Vec<Diagnostic>> {
    let written: RemedyFile = yaml::parse(file)?;
    let mut diagnostics = Vec::new();
    let stem = FilePath::new(file.name()).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if *written.id != stem {
        let error = Diagnostic::error(format!("the id is `{}`, and the file is named `{stem}`", *written.id));
        diagnostics.push(error.at(file, written.id.span.clone()));
    }
    let Some(resource_type) = ResourceType::from_label(&written.resource) else {
        let error = Diagnostic::error(format!("there is no resource type `{}`", *written.resource));
        diagnostics.push(error.at(file, written.resource.span.clone()));
        return Err(diagnostics);
    };
    let named = written.ensure.as_ref().or(written.procedure.as_ref());
    let action = match (written.set.is_empty(), named) {
        (false, None) => Action::Set(wishes(file, &written.set, resource_type, &mut diagnostics)),
        (true, Some(name)) if written.ensure.is_none() || written.procedure.is_none() => {
            if !setters::does(resource_type, name) {
                let error = Diagnostic::error(format!("nothing does `{}` to {resource_type}", **name));
                let error = error.at(file, name.span.clone());
                diagnostics.push(match nearest(name, setters::procedures(resource_type)) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error,
                });
            }
            Action::Do(name.value.clone())
        }
        _ => {
            let error = Diagnostic::error("a remediation has one of `set`, `ensure` and `procedure`");
            diagnostics.push(error.at(file, written.id.span.clone()));
            Action::Set(BTreeMap::new())
        }
    };
    if !diagnostics.is_empty() {
        return Err(diagnostics);
    }
    Ok(RemediationSpec {
        id: written.id.value,
        title: written.title,
        resource_type,
        action,
        disruption: written.disruption,
        by_name: written.by_name,
        warn: written.warn.map(|warning| warning.trim().to_owned()),
        needs: written.needs,
        in_code: written.in_code,
    })
}

/// The values of attributes, checked against the schema and against what can be set.
fn wishes(
    file: &SourceFile,
    set: &BTreeMap<Spanned<String>, Spanned<Json>>,
    resource_type: ResourceType,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, DesiredValue> {
    let mut wishes = BTreeMap::new();
    for (path, value) in set {
        let wish = match value.as_str().and_then(|text| text.strip_prefix("${params.")?.strip_suffix('}')) {
            Some(param) => DesiredValue::Param(param.to_owned()),
            None => DesiredValue::Value(value.value.clone()),
        };
        match attribute_at(resource_type, path) {
            None => diagnostics.push(
                Diagnostic::error(format!("{resource_type} has no attribute `{}`", **path))
                    .at(file, path.span.clone())
                    .help(format!("`ssm-audit rules schema {resource_type}` lists them")),
            ),
            Some(attribute) => {
                if let DesiredValue::Value(value) = &wish
                    && !fits(attribute.kind, value)
                {
                    let error = Diagnostic::error(format!("{value} is not a value of `{}`", **path));
                    diagnostics.push(error.at(file, path.span.clone()));
                }
                // What no call tells is judged, and set, in code only.
                let in_accounts = path.contains('.') || !attribute.calls.is_empty();
                if in_accounts && !setters::sets(resource_type, path) {
                    let error = Diagnostic::error(format!("nothing sets `{}` of {resource_type}", **path));
                    diagnostics.push(error.at(file, path.span.clone()).help("see src/remediate/setters/"));
                }
            }
        }
        wishes.insert(path.value.clone(), wish);
    }
    wishes
}

/// The attribute at a path.
fn attribute_at(resource_type: ResourceType, path: &str) -> Option<&'static Attribute> {
    let mut structure = resource_type.structure();
    let mut names = path.split('.').peekable();
    loop {
        let attribute = structure.attribute(names.next()?)?;
        if names.peek().is_none() {
            return Some(attribute);
        }
        let Kind::Part(part) = attribute.kind else { return None };
        structure = part();
    }
}

fn fits(kind: Kind, value: &Json) -> bool {
    match kind {
        Kind::Bool => value.is_boolean(),
        Kind::Int => value.is_i64(),
        Kind::Text => value.is_string(),
        Kind::Texts => value.as_array().is_some_and(|items| items.iter().all(Json::is_string)),
        Kind::Map => value.as_object().is_some_and(|members| members.values().all(Json::is_string)),
        _ => false,
    }
}
