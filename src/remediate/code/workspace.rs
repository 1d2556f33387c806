//! The files of the code while they are edited: what a fix needs to find in them, and the edits that are the same for
//! all resources. A fix is taken as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, TraversalOperator};
use serde_json::Value as Json;

use super::document::{Document, Found, Spot};
use crate::iam::is_symbol;
use crate::model::gap::SENSITIVE;
use crate::model::{Finding, Inventory, Key, Partition, ResourceType, Source};
use crate::remediate::settings::Settings;
use crate::source::terraform::{Place, Places};

/// The inventory of code that deploys to no account.
static NOTHING: LazyLock<Inventory> =
    LazyLock::new(|| Inventory::new(Source::Terraform, None, Partition::Aws, String::new()));

/// Why something is not changed in code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// In words.
    pub(super) reason: String,
    /// The file and line that it is about.
    pub(super) place: Option<(String, usize)>,
}

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), place: None }
    }
}

/// What comes of an edit.
pub(super) type Edited = Result<(), Refusal>;

/// What a value is to be.
#[derive(Debug, Clone)]
pub(super) enum New {
    /// A value that stands for itself.
    Literal(String),
    /// An expression, with the text that says the same where no expression may stand, such as a name.
    Expression(String, Option<String>),
}

impl New {
    /// A value as HCL writes it.
    pub(super) fn of(json: &Json) -> Self {
        Self::Literal(literal(json))
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Expression(text, _) => text,
        }
    }

    /// As the default of a variable.
    fn constant(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Expression(_, constant) => constant.as_deref(),
        }
    }
}

/// A value as HCL writes it.
pub(super) fn literal(json: &Json) -> String {
    match json {
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A text in quotes, in which nothing is a template.
pub(super) fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

/// The files while they are edited.
pub(super) struct Workspace<'a> {
    /// That of the account of the finding at hand.
    pub(super) inventory: &'a Inventory,
    inventories: &'a [Inventory],
    pub(super) places: &'a Places,
    pub(super) settings: &'a Settings,
    root: PathBuf,
    originals: BTreeMap<String, Document>,
    changed: BTreeMap<String, Document>,
    /// What the fix at hand has changed so far.
    draft: BTreeMap<String, Document>,
    /// Why the fix at hand is not safe.
    hazards: BTreeSet<String>,
}

impl<'a> Workspace<'a> {
    pub(super) fn new(root: &Path, inventories: &'a [Inventory], places: &'a Places, settings: &'a Settings) -> Self {
        let files = places.files().iter().filter(|file| is_native(file.source().name()));
        let originals = files.map(|file| (file.source().name().to_owned(), Document::new(file.source().text())));
        Self {
            inventory: inventories.first().unwrap_or(&NOTHING),
            inventories,
            places,
            settings,
            root: root.components().filter(|part| !matches!(part, Component::CurDir)).collect(),
            originals: originals.collect(),
            changed: BTreeMap::new(),
            draft: BTreeMap::new(),
            hazards: BTreeSet::new(),
        }
    }

    /// Begins the fix of a finding.
    pub(super) fn begin(&mut self, finding: &Finding) {
        let resource = &finding.resource;
        let has = |inventory: &&Inventory| {
            let mut of_type = inventory.entries(resource.resource_type).into_iter();
            of_type.any(|(key, entry)| *key.id == *resource.id && entry.in_scope)
        };
        self.inventory = self.inventories.iter().find(has).unwrap_or(self.inventory);
        self.draft.clear();
        self.hazards.clear();
    }

    /// Whether the fix at hand changes anything.
    pub(super) fn changes(&self) -> bool {
        self.draft.iter().any(|(name, draft)| self.before(name).is_some_and(|before| before.text() != draft.text()))
    }

    /// What makes the fix at hand unsafe.
    pub(super) fn hazards(&self) -> impl Iterator<Item = &str> {
        self.hazards.iter().map(String::as_str)
    }

    /// The fix at hand replaces, interrupts or cuts something.
    pub(super) fn hazard(&mut self, why: impl Into<String>) {
        self.hazards.insert(why.into());
    }

    /// Takes the fix at hand.
    pub(super) fn commit(&mut self) {
        self.changed.append(&mut self.draft);
    }

    /// Returns `true` if the fix at hand would write what stands for a value that is not known or not shown.
    pub(super) fn writes_stand_ins(&self) -> bool {
        let stands_in = |text: &str| text.contains(is_symbol) || text.contains(SENSITIVE);
        self.draft.iter().any(|(name, draft)| {
            let before = self.before(name).map(Document::text).unwrap_or_default();
            stands_in(&draft.text()) && !stands_in(&before)
        })
    }

    /// What all fixes since the beginning changed, with the texts before and after; it is as if they were not made.
    pub(super) fn take_back(&mut self) -> Vec<(String, String, String)> {
        let texts = self.texts();
        self.changed.clear();
        let before = |name: &str| self.originals.get(name).map(Document::text).unwrap_or_default();
        texts.into_iter().map(|(name, after)| (name.clone(), before(&name), after)).collect()
    }

    /// The texts of the files that have changed, by name.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let texts = self.changed.iter().map(|(name, document)| (name.clone(), document.text()));
        texts.filter(|(name, text)| self.originals.get(name).is_none_or(|before| before.text() != *text)).collect()
    }

    fn before(&self, name: &str) -> Option<&Document> {
        self.changed.get(name).or_else(|| self.originals.get(name))
    }

    pub(super) fn document(&self, name: &str) -> Option<&Document> {
        self.draft.get(name).or_else(|| self.before(name))
    }

    /// The document, to edit it.
    pub(super) fn edit(&mut self, name: &str) -> Result<&mut Document, Refusal> {
        if name.contains(".terraform/") {
            return Err(Refusal::new(format!("{name} belongs to a module that was fetched")));
        }
        let Some(document) = self.document(name).cloned() else {
            return Err(Refusal::new(format!("{name} is not written in Terraform's own syntax")));
        };
        if let Err(refusal) = self.places.check_writable(name) {
            return Err(Refusal::new(format!("{name} cannot be written: {refusal}")));
        }
        let uses = self.places.uses(Path::new(name));
        if uses > 1 {
            self.hazard(format!("the module of {name} is used {uses} times"));
        }
        if !self.is_inside(name) {
            self.hazard(format!("{name} lies outside of the folder, and others may use it"));
        }
        Ok(self.draft.entry(name.to_owned()).or_insert(document))
    }

    fn is_inside(&self, name: &str) -> bool {
        let path = Path::new(name);
        path.strip_prefix(&self.root)
            .is_ok_and(|below| below.components().all(|component| !matches!(component, Component::ParentDir)))
    }

    /// The place of a resource, and the block that it is.
    pub(super) fn spot(&self, resource_type: ResourceType, key: &Key) -> Result<(&'a Place, Spot), Refusal> {
        let place = self
            .places
            .of(resource_type, key)
            .ok_or_else(|| Refusal::new(format!("{} is not declared in this code, or not by itself", key.id)))?;
        match self.found(place.block) {
            Some(Found::Block(spot)) => Ok((place, spot)),
            _ => Err(Refusal::new(format!("{} is not written in Terraform's own syntax", place.address))),
        }
    }

    /// What stands at a place of the code.
    pub(super) fn found(&self, span: crate::source::terraform::Span) -> Option<Found> {
        let file = self.places.file(span)?;
        let name = file.source().name();
        self.originals.get(name)?.find(name, &span.bytes())
    }

    /// A refusal about an attribute, with its place in the text as it is on disk.
    pub(super) fn refuse(&self, spot: &Spot, name: &str, reason: impl Into<String>) -> Refusal {
        let document = self.originals.get(&spot.file);
        let line = document.and_then(|document| {
            let value = document.value(spot, name).and_then(|value| value.span());
            Some(document.line(value.or_else(|| document.span(spot))?.start))
        });
        Refusal { reason: reason.into(), place: line.map(|line| (spot.file.clone(), line)) }
    }

    /// The value of an attribute as it is written now.
    pub(super) fn value(&self, spot: &Spot, name: &str) -> Option<Expression> {
        self.document(&spot.file)?.value(spot, name)
    }

    /// How an expression is written now.
    pub(super) fn source(&self, file: &str, expression: &Expression) -> String {
        let span = expression.span();
        span.and_then(|span| Some(self.document(file)?.source(&span).to_owned())).unwrap_or_default()
    }

    /// Sets an attribute of a block: where it is written, there; else as a new one.
    pub(super) fn set(&mut self, spot: &Spot, name: &str, new: &New) -> Edited {
        if let Some(value) = self.value(spot, name) {
            return self.assign(spot, name, &value, new);
        }
        let added = self.edit(&spot.file)?.add_attribute(spot, name, new.text());
        added.ok_or_else(|| self.refuse(spot, name, "the block is not written in a way that is understood"))
    }

    /// Sets an attribute of a nested block, which is made where there is none.
    pub(super) fn set_nested(&mut self, spot: &Spot, blocks: &[&str], name: &str, new: &New) -> Edited {
        let Some((block, rest)) = blocks.split_first() else { return self.set(spot, name, new) };
        if self.value(spot, block).is_some() {
            return Err(self.refuse(spot, block, format!("{block} is assigned a value, and is not a block")));
        }
        let nested = self.document(&spot.file).map(|document| document.nested(spot, block)).unwrap_or_default();
        match nested.as_slice() {
            [] => {
                let mut content = format!("{name} = {}", new.text());
                for block in rest.iter().rev() {
                    content = format!("{block} {{\n{}\n}}", super::document::indented(&content, "  "));
                }
                let added = self.edit(&spot.file)?.add_block(spot, block, &content);
                added.ok_or_else(|| self.refuse(spot, block, "the block is not written in a way that is understood"))
            }
            [one] => self.set_nested(&one.clone(), rest, name, new),
            _ => Err(self.refuse(spot, block, format!("there are several blocks {block}"))),
        }
    }

    /// Gives an expression another value where the value comes from. What it belongs to is an attribute of the block.
    pub(super) fn assign(&mut self, spot: &Spot, name: &str, value: &Expression, new: &New) -> Edited {
        match value {
            Expression::Null(_)
            | Expression::Bool(_)
            | Expression::Number(_)
            | Expression::String(_)
            // A text, with names in it, that stands here and nowhere else.
            | Expression::StringTemplate(_) => {
                let span = value.span().ok_or_else(|| self.refuse(spot, name, "its place is not known"))?;
                self.edit(&spot.file)?.replace(&span, new.text());
                Ok(())
            }
            _ => match source_of(value) {
                Some(("var", variable)) => self.set_variable(spot, name, &variable, new),
                Some(("local", local)) => self.set_local(spot, name, &local, new),
                _ => {
                    let source = self.source(&spot.file, value);
                    let source = source.lines().next().unwrap_or_default().to_owned();
                    Err(self.refuse(spot, name, format!("{name} is computed: {source}")))
                }
            },
        }
    }

    fn set_variable(&mut self, spot: &Spot, name: &str, variable: &str, new: &New) -> Edited {
        let declared =
            self.tops(&spot.file).into_iter().find(|top| top.kind() == "variable" && top.labels().0 == variable);
        let Some(declared) = declared else {
            return Err(self.refuse(spot, name, format!("var.{variable} is not declared")));
        };
        let Some(constant) = new.constant().map(str::to_owned) else {
            return Err(self.refuse(
                spot,
                name,
                format!("it comes from var.{variable}, and {} cannot be the default of a variable", new.text()),
            ));
        };
        // Of a sensitive variable the default stays unseen, and so no difference of it is made.
        if self.value(&declared, "sensitive").is_some_and(|value| value.as_bool() != Some(false)) {
            return Err(self.refuse(
                &declared,
                "sensitive",
                format!("it comes from var.{variable}, which is sensitive"),
            ));
        }
        match self.value(&declared, "default") {
            None => Err(self.refuse(
                &declared,
                "default",
                format!("it comes from var.{variable}, which has no default: what is given for it decides"),
            )),
            Some(default) => {
                self.shared(&spot.file, &format!("var.{variable}"));
                self.assign(&declared, "default", &default, &New::Literal(constant))
            }
        }
    }

    fn set_local(&mut self, spot: &Spot, name: &str, local: &str, new: &New) -> Edited {
        let declared = self.tops(&spot.file).into_iter().filter(|top| top.kind() == "locals");
        let declared = declared.into_iter().find_map(|top| Some((self.value(&top, local)?, top)));
        match declared {
            None => Err(self.refuse(spot, name, format!("local.{local} is not declared"))),
            Some((value, top)) => {
                self.shared(&spot.file, &format!("local.{local}"));
                self.assign(&top, local, &value, new)
            }
        }
    }

    /// A change of what several places use changes all of them.
    fn shared(&mut self, file: &str, name: &str) {
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        let uses = |text: &str| {
            text.match_indices(name)
                .filter(|(at, _)| !text[..*at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part))
                .count()
        };
        let files = self.folder_of(file);
        let count: usize =
            files.iter().filter_map(|file| self.document(file)).map(|document| uses(&document.text())).sum();
        if count > 1 {
            self.hazard(format!("{name} is used in {count} places"));
        }
    }

    /// The files of the folder that a file is in.
    fn folder_of(&self, file: &str) -> Vec<String> {
        let folder = |name: &str| Path::new(name).parent().map(PathBuf::from);
        let same = self.originals.keys().filter(|other| folder(other) == folder(file));
        same.cloned().collect()
    }

    /// The outermost blocks of the folder that a file is in.
    pub(super) fn tops(&self, file: &str) -> Vec<Spot> {
        let files = self.folder_of(file);
        let tops = files.iter().filter_map(|file| Some(self.document(file)?.tops(file)));
        tops.flatten().collect()
    }

    /// The resources of a type in the folder that a file is in.
    pub(super) fn resources(&self, file: &str, kind: &str) -> Vec<Spot> {
        self.tops(file).into_iter().filter(|top| top.kind() == "resource" && top.labels().0 == kind).collect()
    }

    /// Adds a resource beside another one, under a name that no other has, and says which.
    pub(super) fn add_resource(
        &mut self,
        beside: &Spot,
        kind: &str,
        name: &str,
        content: &str,
    ) -> Result<String, Refusal> {
        for repeats in ["count", "for_each"] {
            if self.value(&beside.top(), repeats).is_some() {
                let (kind, name) = beside.labels();
                let reason = format!("{kind}.{name} has {repeats}: what is added for it must have so too");
                return Err(self.refuse(&beside.top(), repeats, reason));
            }
        }
        let taken: BTreeSet<String> =
            self.resources(&beside.file, kind).iter().map(|top| top.labels().1.to_owned()).collect();
        let names = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name}_{number}")));
        let name = names.into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
        let block = format!("resource \"{kind}\" \"{name}\" {{\n{}\n}}", super::document::indented(content, "  "));
        self.add_top(beside, &block)?;
        Ok(name)
    }

    fn add_top(&mut self, beside: &Spot, block: &str) -> Edited {
        let added = self.edit(&beside.file)?.add_after(beside, block);
        added.ok_or_else(|| Refusal::new(format!("{} cannot be added to", beside.file)))
    }

    /// The name of a data source of this type, which is made where there is none.
    pub(super) fn data(&mut self, beside: &Spot, kind: &str) -> Result<String, Refusal> {
        let tops = self.tops(&beside.file);
        let own = |top: &&Spot| top.kind() == "data" && top.labels().0 == kind && self.value(top, "provider").is_none();
        if let Some(top) = tops.iter().find(own) {
            return Ok(top.labels().1.to_owned());
        }
        self.add_top(beside, &format!("data \"{kind}\" \"current\" {{}}"))?;
        Ok("current".to_owned())
    }

    /// A text of the configuration as HCL writes it: account, region and partition become references.
    pub(super) fn template(&mut self, beside: &Spot, text: &str) -> Result<String, Refusal> {
        let mut template = quoted(text);
        for (placeholder, kind, attribute) in [
            ("$${account}", "aws_caller_identity", "account_id"),
            ("$${region}", "aws_region", "name"),
            ("$${partition}", "aws_partition", "partition"),
        ] {
            if template.contains(placeholder) {
                let name = self.data(beside, kind)?;
                template = template.replace(placeholder, &format!("${{data.{kind}.{name}.{attribute}}}"));
            }
        }
        Ok(template)
    }

    /// How one resource names another one.
    pub(super) fn reference(from: &str, to: &str) -> Result<String, Refusal> {
        let ((from, _), (to, local)) = (split(from), split(to));
        if from != to {
            return Err(Refusal::new(format!("{to}{local} is in another module")));
        }
        if local.contains("[*]") {
            return Err(Refusal::new(format!("it is not known which of {local} it is")));
        }
        Ok(local.to_owned())
    }
}

/// Whether a file is written in Terraform's own syntax.
fn is_native(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "tf")
}

/// The module of an address, and the rest of it.
fn split(address: &str) -> (&str, &str) {
    let mut rest = address;
    while let Some(after) = rest.strip_prefix("module.") {
        let mut quoted = false;
        let mut bracket = false;
        let end = after.find(|character: char| {
            match character {
                '"' => quoted = !quoted,
                '[' if !quoted => bracket = true,
                ']' if !quoted => bracket = false,
                '.' => return !quoted && !bracket,
                _ => {}
            }
            false
        });
        let Some(end) = end else { break };
        rest = &after[end + 1..];
    }
    address.split_at(address.len() - rest.len())
}

/// What an expression is taken from, where it is nothing but `var.name` or `local.name`.
fn source_of(expression: &Expression) -> Option<(&'static str, String)> {
    let Expression::Traversal(traversal) = expression else { return None };
    let Expression::Variable(root) = &traversal.expr else { return None };
    let root = ["var", "local"].into_iter().find(|name| root.as_str() == *name)?;
    match traversal.operators.as_slice() {
        [only] => match only.value() {
            TraversalOperator::GetAttr(name) => Some((root, name.as_str().to_owned())),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_at_their_modules() {
        assert_eq!(split("aws_a.b"), ("", "aws_a.b"));
        assert_eq!(
            split("module.x[\"a.b]\"].module.y[0].aws_a.b[0]"),
            ("module.x[\"a.b]\"].module.y[0].", "aws_a.b[0]")
        );
        assert!(Workspace::reference("module.a.aws_x.y", "aws_x.z").is_err());
        assert_eq!(Workspace::reference("module.a.aws_x.y", "module.a.aws_x.z").as_deref(), Ok("aws_x.z"));
    }

    #[test]
    fn texts_are_quoted_so_that_nothing_in_them_is_a_template() {
        assert_eq!(quoted("a \"b\" ${c}"), "\"a \\\"b\\\" $${c}\"");
        assert_eq!(literal(&serde_json::json!(["a", 1, true])), "[\"a\", 1, true]");
    }
}
