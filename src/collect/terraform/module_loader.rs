//! The folders of a root module and of the local modules that it calls, read and parsed. Files are read side by side;
//! what is wrong with one leaves the others as they are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use super::block_view::kind_of;
use super::engine::{CodeFiles, Engine, stem};
use super::file::{File, FileId, Span};
use super::folder::Folder;
use super::parse::{self, Form};
use super::syntax::{Block, Body, Name, Node};
use crate::boundary::Boundary;
use crate::diagnostic::Diagnostic;

/// A folder that holds no code.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be listed.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no code in it.
    #[error("{} has no Terraform files (.tf, .tf.json, of OpenTofu .tofu){}", shown_or_dot(path), hint(below))]
    Empty {
        /// The folder.
        path: PathBuf,
        /// Folders below it that have.
        below: Vec<PathBuf>,
    },
}

impl FolderError {
    /// Of a folder that has no code itself.
    pub(crate) fn empty(path: &Path) -> Self {
        let mut below = Vec::new();
        let mut open = vec![path.to_owned()];
        // So far down that the usual `envs/prod` is found, and not so far that a large tree takes long.
        for _ in 0..3 {
            let inner: Vec<PathBuf> = open.iter().flat_map(|path| folders_in(path)).take(MOST_FOLDERS).collect();
            below.extend(inner.iter().filter(|path| holds_code(path)).cloned());
            open = inner;
        }
        Self::Empty { path: path.to_owned(), below }
    }
}

/// Whether there is code of any engine in the folder.
fn holds_code(path: &Path) -> bool {
    let entries = fs::read_dir(on_disk(path)).into_iter().flatten().filter_map(Result::ok);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let files = CodeFiles::among(names, Engine::Tofu);
    !files.names.is_empty()
}

/// How many folders are looked into for a hint.
const MOST_FOLDERS: usize = 200;

/// Returns the folders in a folder, without hidden ones.
pub(super) fn folders_in(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(on_disk(path)).into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let visible = folders.filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    let mut paths: Vec<PathBuf> = visible.map(|entry| path.join(entry.file_name())).collect();
    paths.sort();
    paths
}

fn shown_or_dot(path: &Path) -> std::path::Display<'_> {
    on_disk(path).display()
}

fn hint(below: &[PathBuf]) -> String {
    const SHOWN: usize = 3;
    if below.is_empty() {
        return String::new();
    }
    let names: Vec<String> = below.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
    let more = if below.len() > SHOWN { ", …" } else { "" };
    format!("; name the folder of a root module, such as {}{more}", names.join(", "))
}

/// All folders that belong to a root module.
#[derive(Debug)]
pub(crate) struct ModuleLoader {
    /// What may be read.
    pub(crate) boundary: Boundary,
    by_path: HashMap<PathBuf, Arc<Folder>>,
    files: Vec<File>,
    /// The folders that Terraform fetched modules to, by the address of the call.
    fetched: HashMap<String, PathBuf>,
    problems: Vec<(Span, Diagnostic)>,
    /// Texts in place of those on disk.
    edited: BTreeMap<String, String>,
    /// The engine whose files are read.
    engine: Engine,
    /// Whether another engine reads other files.
    pub(super) has_tofu: bool,
    /// Whether only OpenTofu can read it: a module has no files of Terraform.
    pub(super) needs_tofu: bool,
    /// How many bytes of code may still be read.
    left: u64,
    /// The size that may still be parsed, as `parse::size` counts it.
    left_to_parse: usize,
}

/// The bytes of code that are read in all. A tree takes many times the room of its text.
const MOST_CODE: u64 = 8 << 20;

/// The largest size of all code, as `parse::size` counts it: time and memory follow it more than the bytes. The largest of
/// the folders that the budget names has 63,000.
const MOST_WRITTEN: usize = 800_000;

impl ModuleLoader {
    /// Reads the folder, those of the modules that it calls, and these.
    pub(crate) fn read(
        root: &Path,
        edited: &BTreeMap<String, String>,
        boundary: Boundary,
        engine: Engine,
        more: &BTreeSet<PathBuf>,
    ) -> Result<Self, FolderError> {
        let fetched = fetched(root, &boundary);
        let mut all = Self { fetched, edited: edited.clone(), engine, ..Self::none(boundary) };
        let mut open: Vec<PathBuf> = all.fetched.values().chain(more).cloned().collect();
        open.sort();
        open.push(shown(root));
        let mut first = true;
        while let Some(path) = open.pop() {
            let identity = match all.boundary.resolve(&path) {
                Ok(identity) => identity,
                Err(refusal) if first => return Err(FolderError::Unreadable { path, source: refusal.into() }),
                // Said where the module is called.
                Err(_) => continue,
            };
            if all.by_path.contains_key(&identity) {
                continue;
            }
            let folder = match all.folder(&path) {
                Ok(folder) => folder,
                Err(error) if first => return Err(error),
                // Said where the module is called.
                Err(_) => continue,
            };
            first = false;
            let sources = folder.calls.iter().filter_map(|(_, block)| source_of(block));
            let sources = sources.filter(|source| is_local(source)).map(|source| shown(&path.join(source)));
            for source in sources {
                all.boundary.admit(&source);
                open.push(source);
            }
            all.by_path.insert(identity, Arc::new(folder));
        }
        Ok(all)
    }

    /// No folders.
    pub(crate) fn none(boundary: Boundary) -> Self {
        Self {
            boundary,
            by_path: HashMap::new(),
            files: Vec::new(),
            fetched: HashMap::new(),
            problems: Vec::new(),
            edited: BTreeMap::new(),
            engine: Engine::default(),
            has_tofu: false,
            needs_tofu: false,
            left: MOST_CODE,
            left_to_parse: MOST_WRITTEN,
        }
    }

    /// The folder at this path.
    pub(crate) fn at(&self, path: &Path) -> Option<Arc<Folder>> {
        self.by_path.get(&self.identity(path)).cloned()
    }

    /// What a folder is known by, however it is named: symbolic links resolved.
    fn identity(&self, path: &Path) -> PathBuf {
        self.boundary.resolve(path).unwrap_or_else(|_| path.to_owned())
    }

    /// The folder of a module that Terraform fetched for the call of that address.
    pub(crate) fn fetched(&self, call: &str) -> Option<Arc<Folder>> {
        self.at(self.fetched.get(call)?)
    }

    /// The text in place of the one that this file has on disk.
    pub(crate) fn edited(&self, name: &str) -> Option<String> {
        self.edited.get(name).cloned()
    }

    /// Whether a call of a module has a source that must be evaluated, as OpenTofu does.
    pub(super) fn has_computed_sources(&self) -> bool {
        self.by_path.values().any(|folder| folder.calls.iter().any(|(_, block)| source_of(block).is_none()))
    }

    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    pub(crate) fn problems(&self) -> &[(Span, Diagnostic)] {
        &self.problems
    }

    /// Adds a file that is no code of a folder: values of variables.
    pub(crate) fn add(&mut self, name: &Path, text: String) -> (File, FileId) {
        let file = File::new(name.to_string_lossy().into_owned(), text);
        self.files.push(file.clone());
        (file, FileId(u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)))
    }

    /// Adds a folder that was read elsewhere.
    pub(crate) fn insert(&mut self, path: &Path, folder: Folder) {
        self.by_path.insert(self.identity(path), Arc::new(folder));
    }

    pub(crate) fn report(&mut self, span: Span, problem: Diagnostic) {
        self.problems.push((span, problem));
    }

    /// The text of a file of code, as long as there is room for it.
    fn code_text(&mut self, name: &Path) -> Result<String, String> {
        let text = match self.edited.get(&*name.to_string_lossy()) {
            Some(edited) => edited.clone(),
            None => self.boundary.text(name).map_err(|refusal| refusal.to_string())?,
        };
        match self.left.checked_sub(text.len() as u64) {
            Some(left) => {
                self.take_in(&text)?;
                self.left = left;
                Ok(text)
            }
            None => Err(format!("it is not read: there are more than {} MiB of code", MOST_CODE >> 20)),
        }
    }

    /// Takes in a text that is about to be parsed, as long as there is room for what is written in it.
    pub(super) fn take_in(&mut self, text: &str) -> Result<(), String> {
        let left = self.left_to_parse.checked_sub(parse::size(text));
        self.left_to_parse =
            left.ok_or_else(|| format!("it is not read: there are more than {MOST_WRITTEN} values"))?;
        Ok(())
    }

    fn folder(&mut self, path: &Path) -> Result<Folder, FolderError> {
        let files = code_files(path, self.engine, &self.boundary);
        let files = files.map_err(|source| FolderError::Unreadable { path: path.to_owned(), source })?;
        self.has_tofu |= files.has_tofu;
        if files.names.is_empty() {
            self.needs_tofu |= files.has_tofu;
            return Err(FolderError::empty(path));
        }
        let first = self.files.len();
        let texts: Vec<(PathBuf, Form, Result<String, String>)> = files
            .names
            .into_iter()
            .map(|(name, form)| {
                let name = path.join(name);
                let text = self.code_text(&name);
                (name, form, text)
            })
            .collect();
        let read: Vec<(File, Result<Body, Box<Diagnostic>>)> = texts
            .into_par_iter()
            .enumerate()
            .map(|(index, (name, form, text))| {
                let id = FileId(u32::try_from(first + index).unwrap_or(u32::MAX));
                let name = name.to_string_lossy().into_owned();
                match text {
                    Ok(text) => {
                        let file = File::new(name, text);
                        let body = parse::code(&file, id, form);
                        (file, body)
                    }
                    Err(problem) => {
                        let file = File::new(name, String::new());
                        let problem = Diagnostic::error(problem).of(file.source());
                        (file, Err(Box::new(problem)))
                    }
                }
            })
            .collect();
        let mut folder = Folder::empty(path);
        let (mut blocks, mut overrides) = (Vec::new(), Vec::new());
        for (index, (file, body)) in read.into_iter().enumerate() {
            let id = FileId(u32::try_from(first + index).unwrap_or(u32::MAX));
            let start = Span::new(id, &(0..0));
            match body {
                Ok(body) if is_override(file.source().name()) => overrides.extend(body.blocks),
                Ok(body) => blocks.extend(body.blocks),
                Err(problem) => {
                    let bytes = problem.place.as_ref().and_then(|(_, bytes)| bytes.clone()).unwrap_or(0..0);
                    folder.unread.push((problem.message.clone(), Some(Span::new(id, &bytes))));
                    self.problems.push((start, *problem));
                }
            }
            self.files.push(file);
        }
        if !merge(&mut blocks, &overrides) {
            folder.unread.push(("there are too many overrides to apply all of them".to_owned(), None));
        }
        for block in blocks {
            folder.declare(block, &mut self.problems);
        }
        Ok(folder)
    }
}

/// The files of code in a folder.
fn code_files(path: &Path, engine: Engine, boundary: &Boundary) -> io::Result<CodeFiles> {
    let names = boundary.names(on_disk(path))?.into_iter().filter_map(|name| name.into_string().ok());
    Ok(CodeFiles::among(names.collect(), engine))
}

fn is_override(name: &str) -> bool {
    let stem = stem(name);
    stem == "override" || stem.ends_with("_override")
}

/// What the blocks of override files change: attributes one by one, nested blocks of a kind all together.
/// <https://developer.hashicorp.com/terraform/language/files/override>
///
/// Returns `false` where that takes too much, and some are left out.
fn merge(blocks: &mut [Arc<Block>], changes: &[Arc<Block>]) -> bool {
    // How many attributes may be copied.
    let mut left = 5_000_000_usize;
    // `locals` blocks have no labels: the change goes to the first, and counts for all.
    let mut by_name: HashMap<(Name, Vec<Name>), usize> = HashMap::new();
    for (index, block) in blocks.iter().enumerate() {
        by_name.entry((Arc::clone(&block.kind), block.labels.clone())).or_insert(index);
    }
    for change in changes {
        if let Some(index) = by_name.get(&(Arc::clone(&change.kind), change.labels.clone())) {
            let size = |block: &Block| block.body.attributes.len() + block.body.blocks.len();
            let Some(after) = left.checked_sub(size(&blocks[*index]) + size(change)) else { return false };
            left = after;
            blocks[*index] = merged(&blocks[*index], change);
        }
    }
    true
}

fn merged(block: &Block, change: &Block) -> Arc<Block> {
    let names: HashSet<&Name> = change.body.attributes.iter().map(|attribute| &attribute.name).collect();
    let kinds: HashSet<&str> = change.body.blocks.iter().map(|inner| kind_of(inner)).collect();
    let kept = block.body.attributes.iter().filter(|attribute| !names.contains(&attribute.name));
    let attributes = kept.chain(&change.body.attributes).cloned().collect();
    let inner =
        block.body.blocks.iter().filter(|inner| !kinds.contains(kind_of(inner))).chain(&change.body.blocks).cloned();
    Arc::new(Block {
        kind: Arc::clone(&block.kind),
        labels: block.labels.clone(),
        body: Body { attributes, blocks: inner.collect() },
        span: block.span,
    })
}

/// The `source` of a call of a module, which is always a plain text.
pub(crate) fn source_of(block: &Block) -> Option<&str> {
    match &block.body.attribute("source")?.value.node {
        Node::Text(text) => Some(text),
        _ => None,
    }
}

/// Whether the source is a folder beside the caller.
pub(super) fn is_local(source: &str) -> bool {
    source.starts_with("./") || source.starts_with("../") || source == "." || source == ".."
}

/// The path as the file system takes it: the folder that one is in has no name.
pub(crate) fn on_disk(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// The path without `.` and, where a name precedes it, `..`.
pub(crate) fn shown(path: &Path) -> PathBuf {
    let mut shown = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(shown.components().next_back(), Some(Component::Normal(_))) => {
                shown.pop();
            }
            part => shown.push(part),
        }
    }
    shown
}

/// Where `terraform init` put the modules that it fetched.
fn fetched(root: &Path, boundary: &Boundary) -> HashMap<String, PathBuf> {
    // Where it cannot be read, the modules are not here, and that is said where they are called.
    let Ok(text) = boundary.text(&root.join(".terraform/modules/modules.json")) else { return HashMap::new() };
    let Ok(manifest) = serde_json::from_str::<serde_json::Value>(&text) else { return HashMap::new() };
    let modules = manifest.get("Modules").and_then(|modules| modules.as_array()).into_iter().flatten();
    let text = |module: &serde_json::Value, name| module.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    modules
        .filter_map(|module| Some((text(module, "Key")?, text(module, "Source")?, text(module, "Dir")?)))
        .filter(|(key, source, _)| !key.is_empty() && !is_local(source))
        .map(|(key, _, folder)| (key, shown(&root.join(folder))))
        .collect()
}
