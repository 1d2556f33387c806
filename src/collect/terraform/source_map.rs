//! Where in the code the resources of an inventory stand, beside the inventory: for findings, and for whoever
//! changes the code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use iam_policy::is_symbol;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::file::{File, Span};
use super::related_locations;
use crate::boundary::{Boundary, Refusal};
use crate::engine::scan::ANY;
use crate::model::finding::Location;
use crate::model::gap::SENSITIVE;
use crate::model::{Finding, Inventory, Key, ResourceRef, ResourceType};

/// How many other places a finding names.
const MOST_RELATED: usize = 10;

/// The places of all resources that code declares.
#[derive(Debug, Default)]
pub struct SourceMap {
    resources: BTreeMap<(ResourceType, Key), SourceEntry>,
    files: Vec<File>,
    /// Texts of other files that functions of the code read, by name.
    assets: BTreeMap<String, String>,
    /// The folder of the root module.
    root: String,
    /// The same as the command line has it; none for a plan without its code.
    folder: Option<Arc<str>>,
    /// How often the module of each folder is used.
    uses: BTreeMap<PathBuf, usize>,
    /// What may be read and written.
    boundary: Option<Boundary>,
    /// What the characters stand for that texts have in place of what is not known.
    symbols: BTreeMap<char, String>,
}

/// What locating asks of a rule.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The id that it had first.
    pub oldest_id: String,
    /// The paths that it reads.
    pub reads: Vec<String>,
}

/// Where a resource stands.
#[derive(Debug, Clone)]
pub struct SourceEntry {
    /// Its Terraform address.
    pub address: String,
    /// Its block.
    pub block: Span,
    /// Its attributes, by the paths that rules know them by, such as `metadata_options.http_tokens`. Some stand in
    /// other resources, as those of a bucket do.
    pub attributes: Vec<(&'static str, Span)>,
}

impl SourceMap {
    /// The place of a resource.
    pub fn of(&self, resource_type: ResourceType, key: &Key) -> Option<&SourceEntry> {
        self.resources.get(&(resource_type, key.clone()))
    }

    /// All places.
    pub fn all(&self) -> impl Iterator<Item = &SourceEntry> {
        self.resources.values()
    }

    /// The files that the places are in.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Texts of other files that functions of the code read, by name.
    pub fn assets(&self) -> &BTreeMap<String, String> {
        &self.assets
    }

    /// The file that a place is in.
    pub fn file(&self, span: Span) -> Option<&File> {
        self.files.get(span.file.0 as usize)
    }

    /// How often the module that a file belongs to is used.
    pub fn uses(&self, file: &Path) -> usize {
        file.parent().and_then(|folder| self.uses.get(folder)).copied().unwrap_or_default()
    }

    /// The module of this folder is used once more.
    pub(crate) fn used(&mut self, folder: &Path) {
        *self.uses.entry(folder.to_owned()).or_default() += 1;
    }

    pub(crate) fn put(&mut self, resource_type: ResourceType, key: Key, place: SourceEntry) {
        self.resources.entry((resource_type, key)).or_insert(place);
    }

    pub(super) fn set_files(&mut self, files: Vec<File>) {
        self.files = files;
    }

    /// Checks that a file of the code may be written.
    ///
    /// # Errors
    /// Where it is a symbolic link, or lies outside of the boundary.
    pub(crate) fn check_writable(&self, file: &str) -> Result<(), Refusal> {
        self.boundary.as_ref().ok_or(Refusal::Outside)?.check_writable(Path::new(file))
    }

    /// Writes a file of the code.
    ///
    /// # Errors
    /// Where it may not be written, or cannot be: it is left as it was then.
    pub(crate) fn write(&self, file: &str, content: &[u8]) -> Result<(), Refusal> {
        self.boundary.as_ref().ok_or(Refusal::Outside)?.replace(Path::new(file), content)
    }

    pub(super) fn set_boundary(&mut self, boundary: Boundary) {
        self.boundary = Some(boundary);
    }

    pub(super) fn set_assets(&mut self, assets: BTreeMap<String, String>) {
        self.assets = assets;
    }

    pub(super) fn set_root(&mut self, root: String) {
        self.root = root;
    }

    pub(super) fn set_folder(&mut self, folder: &Path) {
        self.folder = Some(folder.to_string_lossy().into());
    }

    pub(super) fn set_symbols(&mut self, symbols: BTreeMap<char, String>) {
        self.symbols = symbols;
    }

    fn location(&self, span: Span) -> Option<Location> {
        self.files.get(span.file.0 as usize).map(|file| file.location(span.bytes()))
    }

    /// Gives each finding its address and its location: of the attribute that its rule reads, or of the block.
    pub fn locate(&self, findings: &mut [Finding], inventories: &[Inventory], rules: &BTreeMap<&str, About>) {
        for finding in &mut *findings {
            let Some(about) = rules.get(finding.rule.as_str()) else { continue };
            finding.fingerprint = self.fingerprint(finding, about);
            finding.folder.clone_from(&self.folder);
            let resource = &mut finding.resource;
            let Some((key, place)) = self.place_of(resource) else {
                finding.location = place_of_gap(finding);
                continue;
            };
            resource.address = Some(place.address.clone());
            let span = place.attribute(&about.reads).unwrap_or(place.block);
            finding.location = self.location(span);
            // The block, where the attribute stands in another one, and what the rule reads through it.
            let block = Some(place.block).filter(|block| !block.holds(span));
            let has = |inventory: &&Inventory| {
                inventory.entry(resource.resource_type, &key).is_some_and(|entry| entry.in_scope)
            };
            let inventory = inventories.iter().find(has);
            let through = inventory
                .map(|inventory| related_locations::of(inventory, resource.resource_type, &key, &about.reads))
                .unwrap_or_default();
            let through = through.iter().filter_map(|(kind, key)| self.of(*kind, key)).map(|place| place.block);
            let related = block.into_iter().chain(through).filter_map(|span| self.location(span));
            finding.related = related.take(MOST_RELATED).collect();
        }
        for finding in findings {
            self.spell_out(finding);
        }
    }

    /// The place of the resource of a finding, with its key.
    fn place_of(&self, resource: &ResourceRef) -> Option<(Key, &SourceEntry)> {
        let keys = [
            Key { region: resource.region.clone(), id: resource.id.as_str().into() },
            Key::global(resource.id.as_str()),
        ];
        keys.into_iter().find_map(|key| Some((key.clone(), self.of(resource.resource_type, &key)?)))
    }

    /// The lines that a resource of a finding stands on, in each file, from 1: its block, and what says something of it
    /// elsewhere. None where it is not one resource of the code.
    pub fn lines(&self, resource: &ResourceRef) -> Option<Vec<Location>> {
        let (_, place) = self.place_of(resource)?;
        let spans = std::iter::once(place.block).chain(place.attributes.iter().map(|(_, span)| *span));
        Some(spans.filter_map(|span| self.location(span)).collect())
    }

    /// Where the resource of this address stands: the attribute that the rule reads, or its block.
    pub fn of_address(&self, resource_type: ResourceType, address: &str, about: &About) -> Option<Location> {
        let mut of_type = self.resources.iter().filter(|((kind, _), _)| *kind == resource_type);
        let (_, place) = of_type.find(|(_, place)| place.address == address)?;
        self.location(place.attribute(&about.reads).unwrap_or(place.block))
    }

    /// The identity of a finding over time: moved lines, another account and other values leave it as it is.
    fn fingerprint(&self, finding: &Finding, about: &About) -> String {
        let region = finding.resource.region.as_ref().filter(|_| finding.resource.id == ANY);
        let parts = [
            about.oldest_id.as_str(),
            finding.resource.resource_type.as_str(),
            &self.root,
            &finding.resource.id,
            region.map_or("", |region| region.as_str()),
        ];
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
            hasher.update([0]);
        }
        hasher.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    /// Puts the expressions in place of the characters that stand for them.
    fn spell_out(&self, finding: &mut Finding) {
        self.spell(&mut finding.message);
        for name in finding.resource.name.iter_mut().chain(&mut finding.resource.arn) {
            self.spell(name);
        }
        for evidence in &mut finding.evidence {
            self.spell_json(&mut evidence.value);
        }
        for gap in &mut finding.gaps {
            for text in gap.message.iter_mut().chain(&mut gap.expression) {
                self.spell(text);
            }
        }
    }

    fn spell_json(&self, json: &mut Json) {
        match json {
            Json::String(text) => self.spell(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.spell_json(item)),
            Json::Object(members) => members.values_mut().for_each(|member| self.spell_json(member)),
            _ => {}
        }
    }

    fn spell(&self, text: &mut String) {
        if !text.contains(is_symbol) {
            return;
        }
        let mut spelled = String::new();
        for character in text.chars() {
            match self.symbols.get(&character) {
                Some(expression) if expression == SENSITIVE => spelled.push_str(SENSITIVE),
                Some(expression) => {
                    spelled.push_str("${");
                    spelled.push_str(expression);
                    spelled.push('}');
                }
                None => spelled.push(character),
            }
        }
        *text = spelled;
    }
}

/// Where the code stands that is not understood, for a finding on resources that could not be listed.
fn place_of_gap(finding: &Finding) -> Option<Location> {
    let (file, line) = finding.gaps.iter().find_map(|gap| Some((gap.file.clone()?, gap.line?)))?;
    Some(Location { file, line, column: 1, end_line: line })
}

impl SourceEntry {
    /// The attribute that the code has, of those that these paths lead through: what a deeper path leads to says
    /// more, and of equally deep ones the first.
    fn attribute(&self, paths: &[String]) -> Option<Span> {
        let depth = |path: &str| path.matches('.').count();
        let mut best: Option<((usize, usize), Span)> = None;
        for path in paths {
            let path = path.replace("[]", "");
            let leads =
                |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            let known = self.attributes.iter().filter(|(known, _)| leads(known)).max_by_key(|(known, _)| known.len());
            let Some((known, span)) = known else { continue };
            let rank = (depth(known), depth(&path));
            if best.is_none_or(|(other, _)| other < rank) {
                best = Some((rank, *span));
            }
        }
        best.map(|(_, span)| span)
    }
}
