//! Declarations of a folder of code, by name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::Span;
use super::syntax::{Attribute, Block, Name};
use crate::diagnostic::Diagnostic;

/// The name of a resource in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Mode {
    /// `resource`
    Managed,
    /// `data`
    Data,
}

/// A resource or a data source as it is declared.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) mode: Mode,
    pub(crate) kind: Name,
    pub(crate) name: Name,
    pub(crate) block: Arc<Block>,
}

/// Declarations by name, in source order.
#[derive(Debug)]
pub(crate) struct Index<T> {
    items: Vec<(Name, T)>,
    by_name: HashMap<Name, usize>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { items: Vec::new(), by_name: HashMap::new() }
    }
}

impl<T> Index<T> {
    pub(crate) fn find(&self, name: &str) -> Option<(usize, &T)> {
        let index = *self.by_name.get(name)?;
        Some((index, &self.items[index].1))
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// The item at this place.
    pub(crate) fn nth(&self, index: usize) -> Option<(&Name, &T)> {
        self.items.get(index).map(|(name, item)| (name, item))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Name, &T)> {
        self.items.iter().map(|(name, item)| (name, item))
    }

    /// Adds a declaration. Returns `false` if the name already exists.
    fn add(&mut self, name: Name, item: T) -> bool {
        let new = !self.by_name.contains_key(&name);
        if new {
            self.by_name.insert(Arc::clone(&name), self.items.len());
            self.items.push((name, item));
        }
        new
    }
}

/// Declarations of a folder.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    /// Path of the folder as shown to users.
    pub(crate) path: PathBuf,
    /// The folder on disk from which a module of a plan was created.
    pub(crate) source: Option<PathBuf>,
    pub(crate) variables: Index<Arc<Block>>,
    pub(crate) locals: Index<Attribute>,
    pub(crate) outputs: Index<Arc<Block>>,
    pub(crate) calls: Index<Arc<Block>>,
    pub(crate) resources: Vec<Resource>,
    by_address: HashMap<(Mode, Name), HashMap<Name, usize>>,
    pub(crate) providers: Vec<Arc<Block>>,
    /// Parts that could not be read, each with its location. The folder may declare more than is known.
    pub(crate) unread: Vec<(String, Option<Span>)>,
}

impl Folder {
    /// A folder in which nothing is declared yet.
    pub(crate) fn empty(path: &Path) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// Index of the resource or data source of that type and name.
    pub(crate) fn resource(&self, mode: Mode, kind: &Name, name: &str) -> Option<usize> {
        self.by_address.get(&(mode, Arc::clone(kind)))?.get(name).copied()
    }

    pub(crate) fn declare(&mut self, block: Arc<Block>, problems: &mut Vec<(Span, Diagnostic)>) {
        let labels = block.labels.clone();
        let span = block.span;
        let new = match (&*block.kind, labels.as_slice()) {
            ("variable", [name]) => self.variables.add(Arc::clone(name), block),
            ("output", [name]) => self.outputs.add(Arc::clone(name), block),
            ("module", [name]) => self.calls.add(Arc::clone(name), block),
            ("provider", [_]) => {
                self.providers.push(block);
                true
            }
            ("resource", [kind, name]) => self.declare_resource(Mode::Managed, kind, name, block),
            ("data", [kind, name]) => self.declare_resource(Mode::Data, kind, name, block),
            ("locals", _) => {
                let mut new = true;
                for attribute in &block.body.attributes {
                    new &= self.locals.add(Arc::clone(&attribute.name), attribute.clone());
                }
                new
            }
            _ => true,
        };
        if !new {
            problems.push((span, Diagnostic::warning("it is declared twice in this folder; the first one counts")));
        }
    }

    fn declare_resource(&mut self, mode: Mode, kind: &Name, name: &Name, block: Arc<Block>) -> bool {
        let of_type = self.by_address.entry((mode, Arc::clone(kind))).or_default();
        let new = !of_type.contains_key(name);
        if new {
            of_type.insert(Arc::clone(name), self.resources.len());
            self.resources.push(Resource { mode, kind: Arc::clone(kind), name: Arc::clone(name), block });
        }
        new
    }
}
