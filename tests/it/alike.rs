//! Whether accounts are alike: what a fix made of two copies, and what an undo left of one.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::account::{Account, Run};
use crate::emulator::differences;

/// What changed between two dumps, without what is numbered anew each time: the ids of resources and of runs.
pub(crate) fn changes(account: &Account<'_>, before: &Value, after: &Value) -> Vec<String> {
    let differences = differences(&comparable(before), &comparable(after));
    let mut changes: Vec<String> = differences
        .iter()
        .map(|(path, before, after)| anonymous(&format!("{path}: {before} → {after}"), &account.id))
        .collect();
    changes.sort();
    changes
}

/// The dump without the keys that were made and are to be deleted: KMS keeps them for a while.
fn without_buried(dump: &Value) -> Value {
    let mut dump = dump.clone();
    for region in dump["regions"].as_object_mut().into_iter().flatten().map(|(_, region)| region) {
        let Some(keys) = region["keys"].as_object_mut() else { continue };
        keys.retain(|_, key| key["state"] != "PendingDeletion" || key["tags"]["ssm-audit:run"].is_null());
    }
    dump
}

/// The dump without what has no meaning: the order of the statements of a policy, and the mark of the run that made it.
fn comparable(dump: &Value) -> Value {
    let mut dump = without_buried(dump);
    simplify(&mut dump);
    dump
}

fn simplify(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| name != "ssm-audit:run" && name != "ssm-audit:plan");
            if let Some(Value::Array(statements)) = members.get_mut("Statement") {
                statements.sort_by_key(Value::to_string);
            }
            members.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        _ => {}
    }
}

/// The text with ids that no two accounts share taken out of it.
pub(crate) fn anonymous(text: &str, account: &str) -> String {
    let text = text.replace(account, "ACCOUNT");
    let part = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let mut anonymous = String::new();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(part) {
        let length = rest[start..].find(|letter| !part(letter)).unwrap_or(rest.len() - start);
        anonymous.push_str(&rest[..start]);
        let word = &rest[start..start + length];
        anonymous.push_str(if is_id(word) { "ID" } else { word });
        rest = &rest[start + length..];
    }
    anonymous + rest
}

/// Whether a word is the id of a key, of something of EC2's, or of a run.
fn is_id(word: &str) -> bool {
    let hexadecimal = |text: &str| text.chars().all(|letter| letter.is_ascii_hexdigit());
    let parts: Vec<&str> = word.split('-').collect();
    match parts[..] {
        [_, _, _, _, last] => last.len() == 12 && word.len() == 36 && parts.iter().all(|part| hexadecimal(part)),
        [time, digest] if time.len() == 16 && time.ends_with('Z') => hexadecimal(digest),
        [_, digest] | [_, _, digest] => digest.len() >= 8 && hexadecimal(digest),
        _ => false,
    }
}

/// How a dump shows what a step has changed for good, by what the step changes.
fn shown_as(aspect: &str) -> &'static [&'static str] {
    match aspect {
        "BucketVersioning" => &["versioning"],
        "BucketObjectLock" => &["object_lock"],
        "KeyPolicy" => &["policy"],
        "KeyState" => &["state", "enabled", "rotation"],
        _ => &[],
    }
}

/// What an undo may leave, as the plan said.
#[derive(Debug, Default)]
pub(crate) struct Announced {
    /// What is found in what was made and stays: the ids of resources, and of the run, with which they are tagged.
    kept: BTreeSet<String>,
    /// Resource and member of what was there and was changed for good.
    changed: BTreeSet<(String, &'static str)>,
}

/// Whether what was made to replace something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    Kept,
    Deleted,
}

impl Announced {
    pub(crate) fn of(run: &Run, replaced: Replaced) -> Self {
        let mut announced = Self::default();
        announced.add(run, replaced);
        announced
    }

    /// What the undo of this run may leave besides.
    pub(crate) fn add(&mut self, run: &Run, replaced: Replaced) {
        for step in run.planned() {
            let id = step["resource"]["id"].as_str().unwrap();
            match (step["undo"].as_object().unwrap().keys().next().unwrap().as_str(), replaced) {
                ("not", _) => {
                    let aspect = step["aspect"]["of"].as_str().unwrap();
                    let members = shown_as(aspect);
                    assert!(!members.is_empty(), "how does a dump show that {aspect} is not taken back?");
                    self.changed.extend(members.iter().map(|member| (id.to_owned(), *member)));
                }
                ("deletes", Replaced::Kept) => self.kept.extend([id.to_owned(), run.id.clone()]),
                _ => {}
            }
        }
    }

    /// What differs between these dumps, and was not announced.
    pub(crate) fn surprises(&self, before: &Value, after: &Value) -> Vec<String> {
        let mut surprises = Vec::new();
        for (path, was, is) in differences(&without_buried(before), &without_buried(after)) {
            let new = format!("{path} {is}");
            let kept = was.is_null() && self.kept.iter().any(|id| new.contains(id.as_str()));
            // Not by the parts of the path: names of log groups have slashes in them, too.
            let changed = self.changed.iter().any(|(id, member)| path.contains(&format!("/{id}/{member}")));
            if !kept && !changed {
                surprises.push(format!("{path}: {was} → {is}"));
            }
        }
        surprises
    }
}
