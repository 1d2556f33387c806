//! The files of the code while they are edited: what a fix needs to find in them, and the edits that are the same for
//! all resources. A fix is taken as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;
use iam_policy::is_symbol;
use serde_json::Value as Json;

use super::hcl_file::{BlockRef, Found, HclFile};
use super::values::literal;
use crate::collect::terraform::{SourceEntry, SourceMap};
use crate::model::gap::SENSITIVE;
use crate::model::{Finding, Inventory, Key, Partition, ResourceType, Source};
use crate::remediate::settings::Settings;

/// The inventory of code that deploys to no account.
static NOTHING: LazyLock<Inventory> =
    LazyLock::new(|| Inventory::new(Source::Terraform, None, Partition::Aws, String::new()));

/// Why something is not changed in code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// In words.
    pub(crate) reason: String,
    /// The file and line that it is about.
    pub(crate) place: Option<(String, usize)>,
    /// Whether `lifecycle.ignore_changes` is the reason.
    pub(super) is_ignored: bool,
}

impl Refusal {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self::at(reason, None)
    }

    /// A refusal about a place.
    pub(crate) fn at(reason: impl Into<String>, place: Option<(String, usize)>) -> Self {
        Self { reason: reason.into(), place, is_ignored: false }
    }
}

/// What comes of an edit.
pub(crate) type Edited = Result<(), Refusal>;

/// What a value is to be.
#[derive(Debug, Clone)]
pub(crate) enum New {
    /// A value that stands for itself.
    Literal(String),
    /// An expression, with the text that says the same where no expression may stand, such as a name.
    Expression(String, Option<String>),
}

impl New {
    /// A value as HCL writes it.
    pub(crate) fn of(json: &Json) -> Self {
        Self::Literal(literal(json))
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Literal(text) | Self::Expression(text, _) => text,
        }
    }

    /// As the default of a variable.
    pub(crate) fn constant(&self) -> Option<&str> {
        match self {
            Self::Literal(text) => Some(text),
            Self::Expression(_, constant) => constant.as_deref(),
        }
    }

    /// A text of digits as a number, for what is converted to a text anyway.
    pub(crate) fn as_number(&self) -> Self {
        match self {
            Self::Literal(text) => {
                let digits = text.trim_matches('"');
                let is_number = !digits.is_empty() && digits.chars().all(|one| one.is_ascii_digit());
                Self::Literal(if is_number { digits.to_owned() } else { text.clone() })
            }
            Self::Expression(..) => self.clone(),
        }
    }
}

/// The files while they are edited.
pub(crate) struct EditSession<'a> {
    /// That of the account of the finding at hand.
    pub(crate) inventory: &'a Inventory,
    inventories: &'a [Inventory],
    pub(crate) source_map: &'a SourceMap,
    pub(crate) settings: &'a Settings,
    root: PathBuf,
    originals: BTreeMap<String, HclFile>,
    changed: BTreeMap<String, HclFile>,
    /// What the fix at hand has changed so far.
    draft: BTreeMap<String, HclFile>,
    /// Why the fix at hand is not safe.
    hazards: BTreeSet<String>,
    /// What else there is to know of the fix at hand.
    notes: BTreeSet<String>,
    /// Arguments of resources that the fix at hand changes where their values come from.
    touched: BTreeSet<(BlockRef, String)>,
}

impl<'a> EditSession<'a> {
    pub(crate) fn new(
        root: &Path,
        inventories: &'a [Inventory],
        source_map: &'a SourceMap,
        settings: &'a Settings,
    ) -> Self {
        let files = source_map.files().iter().filter(|file| is_native(file.source().name()));
        let files = files.map(|file| (file.source().name(), file.source().text()));
        let assets = source_map.assets().iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let originals = files.chain(assets).map(|(name, text)| (name.to_owned(), HclFile::new(text)));
        Self {
            inventory: inventories.first().unwrap_or(&NOTHING),
            inventories,
            source_map,
            settings,
            root: root.components().filter(|part| !matches!(part, Component::CurDir)).collect(),
            originals: originals.collect(),
            changed: BTreeMap::new(),
            draft: BTreeMap::new(),
            hazards: BTreeSet::new(),
            notes: BTreeSet::new(),
            touched: BTreeSet::new(),
        }
    }

    /// Begins the fix of a finding.
    pub(crate) fn begin(&mut self, finding: &Finding) {
        let resource = &finding.resource;
        let has = |inventory: &&Inventory| {
            let mut of_type = inventory.entries(resource.resource_type).into_iter();
            of_type.any(|(key, entry)| *key.id == *resource.id && entry.in_scope)
        };
        self.inventory = self.inventories.iter().find(has).unwrap_or(self.inventory);
        self.draft.clear();
        self.hazards.clear();
        self.notes.clear();
        self.touched.clear();
    }

    /// Reads something in a way in which edits look for it, and leaves no trace of that.
    pub(crate) fn peek<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = (self.hazards.clone(), self.notes.clone(), self.touched.clone());
        let value = read(self);
        (self.hazards, self.notes, self.touched) = before;
        value
    }

    /// The files that the fix at hand has changed so far.
    pub(super) fn drafts(&self) -> impl Iterator<Item = (&String, &HclFile)> {
        self.draft.iter()
    }

    /// The arguments of resources whose values the fix at hand changes where they come from.
    pub(crate) fn touched(&self) -> impl Iterator<Item = &(BlockRef, String)> {
        self.touched.iter()
    }

    /// The fix at hand changes the value of this attribute, wherever that is written.
    pub(crate) fn touch(&mut self, block_ref: &BlockRef, name: &str) {
        if block_ref.top().kind() == "resource" {
            self.touched.insert((block_ref.top(), block_ref.path_to(name)));
        }
    }

    /// What else there is to know of the fix at hand.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.insert(note.into());
    }

    pub(crate) fn notes(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().map(String::as_str)
    }

    /// Whether the fix at hand changes anything.
    pub(crate) fn changes(&self) -> bool {
        self.draft.iter().any(|(name, draft)| self.before(name).is_some_and(|before| before.text() != draft.text()))
    }

    /// What makes the fix at hand unsafe.
    pub(crate) fn hazards(&self) -> impl Iterator<Item = &str> {
        self.hazards.iter().map(String::as_str)
    }

    /// The fix at hand replaces, interrupts or cuts something.
    pub(crate) fn hazard(&mut self, why: impl Into<String>) {
        self.hazards.insert(why.into());
    }

    /// Takes the fix at hand.
    pub(crate) fn commit(&mut self) {
        self.changed.append(&mut self.draft);
    }

    /// Returns `true` if the fix at hand would write what stands for a value that is not known or not shown.
    pub(super) fn writes_stand_ins(&self) -> bool {
        let stands_in = |text: &str| text.contains(is_symbol) || text.contains(SENSITIVE);
        self.draft.iter().any(|(name, draft)| {
            let before = self.before(name).map(HclFile::text).unwrap_or_default();
            stands_in(&draft.text()) && !stands_in(&before)
        })
    }

    /// The bytes of the file that a place is in, with what was added to it.
    pub(crate) fn size(&self, span: crate::collect::terraform::Span) -> Option<usize> {
        let name = self.source_map.file(span)?.source().name();
        let document = self.changed.get(name).or_else(|| self.originals.get(name))?;
        Some(document.text().len())
    }

    /// A file that could not be read any more with the fix at hand.
    pub(super) fn garbled(&self) -> Option<&str> {
        let is_read = |document: &HclFile| document.body().is_some();
        let garbled = |(name, draft): &(&String, &HclFile)| {
            is_native(name) && !is_read(draft) && self.before(name).is_some_and(is_read)
        };
        self.draft.iter().find(garbled).map(|(name, _)| name.as_str())
    }

    /// What all fixes since the beginning changed, with the texts before and after; it is as if they were not made.
    pub(super) fn take_back(&mut self) -> Vec<(String, String, String)> {
        let texts = self.texts();
        self.changed.clear();
        let before = |name: &str| self.originals.get(name).map(HclFile::text).unwrap_or_default();
        texts.into_iter().map(|(name, after)| (name.clone(), before(&name), after)).collect()
    }

    /// The texts of the files that have changed, by name.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        let texts = self.changed.iter().map(|(name, document)| (name.clone(), document.text()));
        texts.filter(|(name, text)| self.originals.get(name).is_none_or(|before| before.text() != *text)).collect()
    }

    /// The file as it is on disk.
    pub(crate) fn original(&self, name: &str) -> Option<&HclFile> {
        self.originals.get(name)
    }

    /// The names of all files that can be edited.
    pub(crate) fn names(&self) -> Vec<String> {
        self.originals.keys().cloned().collect()
    }

    /// The folder of the root module.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns `true` for a file of the root module.
    pub(super) fn is_in_root(&self, name: &str) -> bool {
        Path::new(name).parent().is_some_and(|folder| folder == self.root)
    }

    /// The name and the length of a file that a function of the code read.
    pub(super) fn asset(&self, path: &Path) -> Option<(String, usize)> {
        let name = super::values::plain(path).to_string_lossy().into_owned();
        let length = self.document(&name)?.len();
        self.source_map.assets().contains_key(&name).then_some((name, length))
    }

    pub(crate) fn before(&self, name: &str) -> Option<&HclFile> {
        self.changed.get(name).or_else(|| self.originals.get(name))
    }

    pub(crate) fn document(&self, name: &str) -> Option<&HclFile> {
        self.draft.get(name).or_else(|| self.before(name))
    }

    /// The document, to edit it.
    pub(crate) fn edit(&mut self, name: &str) -> Result<&mut HclFile, Refusal> {
        if name.contains(".terraform/") {
            return Err(Refusal::new(format!("{name} belongs to a module that was fetched")));
        }
        let Some(document) = self.document(name).cloned() else {
            return Err(Refusal::new(format!("{name} is not written in Terraform's own syntax")));
        };
        if let Err(refusal) = self.source_map.check_writable(name) {
            return Err(Refusal::new(format!("{name} cannot be written: {refusal}")));
        }
        let uses = self.source_map.uses(Path::new(name));
        if uses > 1 {
            self.hazard(format!("the module of {name} is used {uses} times, and the edit changes all of them"));
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
    pub(crate) fn block_ref(
        &self,
        resource_type: ResourceType,
        key: &Key,
    ) -> Result<(&'a SourceEntry, BlockRef), Refusal> {
        let place = self
            .source_map
            .of(resource_type, key)
            .ok_or_else(|| Refusal::new(format!("{} is not declared in this code, or not by itself", key.id)))?;
        match self.found(place.block) {
            Some(Found::Block(block_ref)) => Ok((place, block_ref)),
            _ => Err(Refusal::new(format!("{} is not written in Terraform's own syntax", place.address))),
        }
    }

    /// What stands at a place of the code.
    pub(crate) fn found(&self, span: crate::collect::terraform::Span) -> Option<Found> {
        let file = self.source_map.file(span)?;
        let name = file.source().name();
        self.originals.get(name)?.find(name, &span.bytes())
    }

    /// A refusal about an attribute, with its place in the text as it is on disk.
    pub(crate) fn refuse(&self, block_ref: &BlockRef, name: &str, reason: impl Into<String>) -> Refusal {
        let document = self.originals.get(&block_ref.file);
        let line = document.and_then(|document| {
            let value = document.value(block_ref, name).and_then(|value| value.span());
            Some(document.line(value.or_else(|| document.span(block_ref))?.start))
        });
        Refusal::at(reason, line.map(|line| (block_ref.file.clone(), line)))
    }

    /// The value of an attribute as it is written now.
    pub(crate) fn value(&self, block_ref: &BlockRef, name: &str) -> Option<Expression> {
        self.document(&block_ref.file)?.value(block_ref, name)
    }

    /// How an expression is written now.
    pub(crate) fn source(&self, file: &str, expression: &Expression) -> String {
        let span = expression.span();
        span.and_then(|span| Some(self.document(file)?.source(&span).to_owned())).unwrap_or_default()
    }

    /// The files of the folder that a file is in.
    pub(crate) fn folder_of(&self, file: &str) -> Vec<String> {
        let folder = |name: &str| Path::new(name).parent().map(PathBuf::from);
        let same = self.originals.keys().filter(|other| is_native(other) && folder(other) == folder(file));
        same.cloned().collect()
    }

    /// The outermost blocks of the folder that a file is in.
    pub(crate) fn tops(&self, file: &str) -> Vec<BlockRef> {
        let files = self.folder_of(file);
        let tops = files.iter().filter_map(|file| Some(self.document(file)?.tops(file)));
        tops.flatten().collect()
    }

    /// The names and texts of the files in JSON of the folder that a file is in.
    pub(super) fn json_beside(&self, file: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let folder = Path::new(file).parent().map(Path::to_owned);
        let all = self.source_map.files().iter().map(|other| (other.source().name(), other.source().text()));
        all.filter(move |(name, _)| {
            let path = Path::new(name);
            path.extension().is_some_and(|ending| ending == "json") && path.parent() == folder.as_deref()
        })
    }

    /// A refusal where a file in JSON in the same folder names the resource.
    pub(super) fn refuse_if_named_in_json(&self, file: &str, address: &str) -> Edited {
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        for (name, text) in self.json_beside(file) {
            let found = text.match_indices(address).find(|(at, _)| !text[at + address.len()..].starts_with(is_part));
            if let Some((at, _)) = found {
                let line = text[..at].matches('\n').count() + 1;
                let reason = format!("{address} would have to be removed, and is referred to");
                return Err(Refusal::at(reason, Some((name.to_owned(), line))));
            }
        }
        Ok(())
    }

    /// The block of an override file that says this of the resource, as an attribute or a nested block: it takes the
    /// place of what the resource itself says.
    /// <https://developer.hashicorp.com/terraform/language/files/override>
    pub(crate) fn overriding(&self, block_ref: &BlockRef, name: &str) -> Option<BlockRef> {
        let is_override = |file: &String| {
            let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            stem == "override" || stem.ends_with("_override")
        };
        let files = self.folder_of(&block_ref.file);
        let says = |document: &HclFile, top: &BlockRef| {
            document.value(top, name).is_some() || !document.nested(top, name).is_empty()
        };
        let mut tops = files.iter().filter(|file| is_override(file)).filter_map(|file| {
            let document = self.document(file)?;
            let same = |top: &BlockRef| top.kind() == block_ref.kind() && top.labels() == block_ref.labels();
            document
                .tops(file)
                .into_iter()
                .rfind(|top| *block_ref == block_ref.top() && same(top) && says(document, top))
        });
        tops.next_back()
    }

    /// The resources of a type in the folder that a file is in.
    pub(crate) fn resources(&self, file: &str, kind: &str) -> Vec<BlockRef> {
        self.tops(file).into_iter().filter(|top| top.kind() == "resource" && top.labels().0 == kind).collect()
    }

    /// How one resource names another one.
    pub(crate) fn reference(from: &str, to: &str) -> Result<String, Refusal> {
        let ((from, _), (to, local)) = (split(from), split(to));
        if from != to {
            return Err(Refusal::new(format!("{to}{local} is in another module")));
        }
        if local.contains("[*]") {
            return Err(Refusal::new(format!("it is not known which of {local} it is")));
        }
        Ok(local.to_owned())
    }

    /// Returns the address of what is called so in the module of another resource.
    pub(crate) fn address(from: &str, local: &str) -> String {
        let (module, _) = split(from);
        format!("{module}{local}")
    }
}

/// Returns `true` for a file that is written in Terraform's own syntax.
fn is_native(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "tf" || ending == "tofu")
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
        assert!(EditSession::reference("module.a.aws_x.y", "aws_x.z").is_err());
        assert_eq!(EditSession::reference("module.a.aws_x.y", "module.a.aws_x.z").as_deref(), Ok("aws_x.z"));
    }
}
