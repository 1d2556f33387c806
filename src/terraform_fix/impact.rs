//! The effects of a fix on what Terraform has made already: changes that `lifecycle` keeps it from applying, and
//! changes that destroy a resource to create another one.

use std::collections::{BTreeMap, BTreeSet};

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Body, Structure};

use super::edit_session::{EditSession, Edited, Refusal};
use super::hcl_file::{BlockRef, HclFile};

/// Arguments that the provider cannot change in place, by the type of the resource.
/// <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>
const REPLACING: &[(&str, &[&str])] = &[
    ("aws_instance", &["root_block_device.encrypted", "root_block_device.kms_key_id"]),
    ("aws_s3_bucket", &["bucket", "object_lock_enabled"]),
    ("aws_cloudwatch_log_group", &["log_group_class", "name"]),
    ("aws_security_group", &["description", "name", "vpc_id"]),
];

/// Types of which nothing can be changed in place but these arguments.
const IMMUTABLE: &[(&str, &[&str])] =
    &[("aws_launch_configuration", &[]), ("aws_spot_instance_request", &["tags", "volume_tags"])];

/// An argument of a resource that a fix changes: the names that lead to it, joined by dots.
type Path = String;

/// Returns `true` if a change of the argument replaces the resource.
fn replaces(kind: &str, path: &str) -> bool {
    let listed = |table: &[(&str, &'static [&'static str])]| {
        table.iter().find(|(known, _)| *known == kind).map(|(_, paths)| *paths)
    };
    match listed(IMMUTABLE) {
        Some(mutable) => !mutable.contains(&path) && !path.starts_with("lifecycle."),
        None => listed(REPLACING).is_some_and(|paths| paths.contains(&path)),
    }
}

/// The values of a block, each by its path and the blocks that lead to it.
fn values(document: &HclFile, body: &Body, path: &str, number: &str, all: &mut BTreeMap<(Path, String), String>) {
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    for structure in body {
        let name = match structure {
            Structure::Attribute(attribute) => attribute.key.as_str(),
            Structure::Block(block) => match (block.ident.as_str(), block.labels.first()) {
                ("dynamic", Some(label)) => label.as_str(),
                (kind, _) => kind,
            },
        };
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match structure {
            Structure::Attribute(attribute) => {
                let source = attribute.value.span().map(|span| document.source(&span)).unwrap_or_default();
                let words = source.split_whitespace().collect::<Vec<_>>().join(" ");
                all.insert((path, number.to_owned()), words);
            }
            Structure::Block(block) => {
                let count = numbers.entry(name).or_default();
                let number = format!("{number}.{count}");
                *count += 1;
                all.insert((path.clone(), number.clone()), String::new());
                values(document, &block.body, &path, &number, all);
            }
        }
    }
}

/// The arguments of a resource that differ, with the texts that they have afterwards.
fn changed(before: &HclFile, after: &HclFile, block_ref: &BlockRef) -> BTreeMap<Path, String> {
    let read = |document: &HclFile| {
        let mut all = BTreeMap::new();
        document.with(block_ref, |block| {
            values(document, &block.body, "", "", &mut all);
            Some(())
        });
        all
    };
    let (before, after) = (read(before), read(after));
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differ = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    differ.map(|key| (key.0.clone(), after.get(key).cloned().unwrap_or_default())).collect()
}

/// Returns `true` if an element of `ignore_changes` covers a change.
fn ignores(element: &str, path: &str, after: &str) -> bool {
    let element = element.trim().trim_matches('"');
    if matches!(element, "all" | "*") {
        return true;
    }
    if let Some((name, key)) = element.split_once("[\"") {
        // One member of a map: the others are applied.
        return name == path && after.contains(key.trim_end_matches("\"]"));
    }
    let names: Vec<&str> = element.split('.').map(|name| name.split('[').next().unwrap_or(name)).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !name.chars().all(|one| one.is_ascii_digit())).collect();
    let element = names.join(".");
    path == element || path.strip_prefix(&element).is_some_and(|rest| rest.starts_with('.'))
}

impl EditSession<'_> {
    /// Checks the effects of the fix at hand: a change that Terraform would not apply is refused, and a resource that it
    /// would replace is a hazard.
    pub(super) fn check_impact(&mut self) -> Edited {
        for (block_ref, changes) in self.changes_of_resources() {
            let changes: Vec<(Path, String)> = changes.into_iter().collect();
            self.refuse_if_ignored(&block_ref, &changes)?;
            let (kind, name) = block_ref.labels();
            if let Some((path, _)) = changes.iter().find(|(path, _)| replaces(kind, path)) {
                if let Some(refusal) = self.protection(&block_ref) {
                    return Err(refusal);
                }
                let (kind, name) = (kind.to_owned(), name.to_owned());
                self.hazard(format!(
                    "Terraform destroys {kind}.{name} and creates it anew, since {path} cannot be changed in place"
                ));
            }
        }
        Ok(())
    }

    /// The arguments that the fix at hand changes, by the resource.
    fn changes_of_resources(&self) -> BTreeMap<BlockRef, BTreeMap<Path, String>> {
        let mut all: BTreeMap<BlockRef, BTreeMap<Path, String>> = BTreeMap::new();
        for (name, after) in self.drafts() {
            let Some(before) = self.before(name) else { continue };
            let was: BTreeSet<(BlockRef, &str)> = before.sources(name).into_iter().collect();
            for (top, source) in after.sources(name) {
                // A block whose text is as it was has no changes.
                if top.kind() == "resource" && !was.contains(&(top.clone(), source)) && before.span(&top).is_some() {
                    let changes = changed(before, after, &top);
                    if !changes.is_empty() {
                        all.entry(top).or_default().extend(changes);
                    }
                }
            }
        }
        for (block_ref, path) in self.touched() {
            all.entry(block_ref.clone()).or_default().insert(path.clone(), String::new());
        }
        all
    }

    fn refuse_if_ignored(&self, block_ref: &BlockRef, changes: &[(Path, String)]) -> Edited {
        let same = |top: &BlockRef| top.kind() == block_ref.kind() && top.labels() == block_ref.labels();
        for top in self.tops(&block_ref.file).iter().filter(|top| same(top)) {
            let Some(document) = self.document(&top.file) else { continue };
            for lifecycle in document.nested(top, "lifecycle") {
                let Some(ignored) = self.value(&lifecycle, "ignore_changes") else { continue };
                let elements = match &ignored {
                    Expression::Array(list) => list.iter().map(|element| self.source(&top.file, element)).collect(),
                    one => vec![self.source(&top.file, one)],
                };
                for (path, after) in changes {
                    if elements.iter().any(|element| ignores(element, path, after)) {
                        let name = path.split('.').next().unwrap_or(path);
                        let (kind, label) = block_ref.labels();
                        let reason = format!(
                            "lifecycle.ignore_changes of {kind}.{label} covers {name}: Terraform does not apply the change \
                             to what exists; take it out of the list first"
                        );
                        return Err(Refusal { is_ignored: true, ..self.refuse(&lifecycle, "ignore_changes", reason) });
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_of_ignore_changes_covers_what_lies_below_it() {
        for (element, path, covered) in [
            ("metadata_options", "metadata_options.http_tokens", true),
            ("metadata_options", "metadata_options", true),
            ("metadata_options[0].http_tokens", "metadata_options.http_tokens", true),
            ("metadata_options.0.http_tokens", "metadata_options.http_tokens", true),
            ("metadata_options[0].http_endpoint", "metadata_options.http_tokens", false),
            ("metadata", "metadata_options.http_tokens", false),
            ("all", "monitoring", true),
            ("\"*\"", "monitoring", true),
            ("tags", "tags", true),
            ("tags[\"Owner\"]", "tags", false),
            ("tags[\"AppID\"]", "tags", true),
        ] {
            assert_eq!(ignores(element, path, "{ AppID = 1 }"), covered, "{element} {path}");
        }
    }

    #[test]
    fn changes_are_told_by_their_paths() {
        let before = HclFile::new("resource \"a\" \"b\" {\n  x = 1\n  c {\n    d = 1\n  }\n}\n");
        let after = HclFile::new("resource \"a\" \"b\" {\n  x    = 1\n  long = 2\n  c {\n    d = 2\n  }\n  e {}\n}\n");
        let block_ref = before.tops("main.tf").remove(0);
        let paths: Vec<String> = changed(&before, &after, &block_ref).into_keys().collect();
        assert_eq!(paths, ["c.d", "e", "long"]);
    }

    #[test]
    fn what_cannot_be_changed_in_place_replaces() {
        assert!(replaces("aws_instance", "root_block_device.encrypted"));
        assert!(!replaces("aws_instance", "metadata_options.http_tokens"));
        assert!(replaces("aws_launch_configuration", "metadata_options.http_tokens"));
        assert!(!replaces("aws_spot_instance_request", "tags"));
        assert!(replaces("aws_s3_bucket", "object_lock_enabled"));
    }
}
