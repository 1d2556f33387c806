//! Where a configuration comes from, and what it sets, for the provenance of reports.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::FILE_NAME;
use super::edit::Lines;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::model::provenance::{ConfigurationFile, Setting};
use crate::yaml;

/// Members whose values are not shown.
const SECRET: &[&str] = &["external_id"];

/// Where a configuration is looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lookup<'a> {
    /// The file that the user named.
    pub named: Option<&'a Path>,
    /// What named it.
    pub named_by: &'a str,
    /// Whether none is used.
    pub none: bool,
    /// The folder that stands for the working folder.
    pub base: Option<&'a Path>,
}

/// A configuration file that was found.
pub(super) struct Found {
    pub(super) path: PathBuf,
    /// The folder that paths in it are relative to.
    pub(super) folder: PathBuf,
    /// Its path as people know it.
    pub(super) name: String,
    /// How it was chosen.
    pub(super) origin: String,
    /// Whether it was found by search, and not named.
    pub(super) is_searched: bool,
}

impl Lookup<'_> {
    /// Finds the file.
    pub(super) fn find(&self) -> Option<Found> {
        if self.none {
            return None;
        }
        if let Some(named) = self.named {
            let path = under(self.base, named);
            return Some(Found {
                folder: path.parent().unwrap_or(Path::new("")).to_owned(),
                path,
                name: named.display().to_string(),
                origin: self.named_by.to_owned(),
                is_searched: false,
            });
        }
        let searched = |path: PathBuf, folder: &Path, name: String| Found {
            path,
            folder: folder.to_owned(),
            name,
            origin: "found".to_owned(),
            is_searched: true,
        };
        if let Some(base) = self.base {
            // Not above it: the base is a checkout, and what lies around it is nobody's choice.
            let path = base.join(FILE_NAME);
            return path.is_file().then(|| searched(path, base, FILE_NAME.to_owned()));
        }
        let here = std::env::current_dir().unwrap_or_default();
        let path = super::above(&here)?;
        let shown = path.strip_prefix(&here).unwrap_or(&path).to_owned();
        Some(searched(path, shown.parent().unwrap_or(Path::new("")), shown.display().to_string()))
    }
}

/// A path that is relative to the base, where there is one.
pub fn under(base: Option<&Path>, path: &Path) -> PathBuf {
    base.map_or_else(|| path.to_owned(), |base| base.join(path))
}

/// What reports say of the file.
pub(super) fn file(found: &Found, base: Option<&Path>, text: &str) -> ConfigurationFile {
    ConfigurationFile {
        file: found.name.clone(),
        origin: found.origin.clone(),
        base: base.map(|base| base.display().to_string()),
        digest: digest([text]),
    }
}

/// `sha256:` and the digest of the texts.
pub fn digest<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.finalize().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// Every key that is set, whatever it is called: a key that is new is named without being listed here.
pub(super) fn settings(source: &SourceFile, origin: &str) -> Result<Vec<Setting>, Vec<Diagnostic>> {
    let Json::Object(members) = yaml::parse::<Json>(source)? else { return Ok(Vec::new()) };
    let set = members.into_iter().filter(|(_, value)| !value.is_null());
    let setting = |(key, value): (String, Json)| Setting { value: shown(&key, value), key, origin: origin.to_owned() };
    Ok(set.map(setting).collect())
}

/// A value of the file, with the keys that lead to it and the line that it stands in.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The keys, such as `fix.bucket`; of a waiver `waivers` and its number.
    pub key: String,
    /// The value, without secrets.
    pub value: Json,
    /// The line, from 1.
    pub line: Option<usize>,
}

/// Every value of the file, in its order.
pub(super) fn values(source: &SourceFile) -> Vec<Value> {
    let json = yaml::parse::<Json>(source).unwrap_or_default();
    let lines = Lines::of(source.text());
    let mut values = Vec::new();
    flatten(&mut Vec::new(), without_secrets(json), &lines, &mut values);
    values
}

/// Adds the values below a path: each member of a mapping on its own, but a waiver as one.
fn flatten(path: &mut Vec<String>, json: Json, lines: &Lines<'_>, values: &mut Vec<Value>) {
    let is_list_of_waivers = path.as_slice() == ["waivers"];
    match json {
        Json::Null => {}
        Json::Object(members) if !is_waiver(path) && !members.is_empty() => {
            for (name, value) in members {
                path.push(name);
                flatten(path, value, lines, values);
                path.pop();
            }
        }
        Json::Array(items) if is_list_of_waivers => {
            for (number, item) in items.into_iter().enumerate() {
                path.push(number.to_string());
                flatten(path, item, lines, values);
                path.pop();
            }
        }
        value => {
            let parts: Vec<&str> = path.iter().map(String::as_str).collect();
            let line = lines.line(&parts);
            values.push(Value { key: parts.join("."), value, line });
        }
    }
}

fn is_waiver(path: &[String]) -> bool {
    path.len() == 2 && path[0] == "waivers"
}

/// The value without secrets, and the number of waivers in place of them.
fn shown(key: &str, value: Json) -> Json {
    match value {
        Json::Array(waivers) if key == "waivers" => waivers.len().into(),
        value => without_secrets(value),
    }
}

fn without_secrets(value: Json) -> Json {
    match value {
        Json::Object(members) => members
            .into_iter()
            .map(|(name, value)| {
                let shown = if SECRET.contains(&name.as_str()) { "(not shown)".into() } else { without_secrets(value) };
                (name, shown)
            })
            .collect(),
        Json::Array(items) => items.into_iter().map(without_secrets).collect(),
        plain => plain,
    }
}
