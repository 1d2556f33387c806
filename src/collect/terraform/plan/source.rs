//! The source that a plan was made of, where it lies beside the plan or in one folder below. It has to declare what
//! the configuration in the plan declares, with the same constants; else it tells places and no values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;

use super::list;
use crate::boundary::Boundary;
use crate::collect::terraform::engine::Engine;
use crate::collect::terraform::folder::{Folder, Mode};
use crate::collect::terraform::module_loader::{ModuleLoader, folders_in, is_local, source_of};
use crate::collect::terraform::syntax::Node;

/// How many folders below that of the plan are looked into.
const MOST_FOLDERS: usize = 50;

/// What was read of the source.
pub(crate) struct Source {
    pub(crate) folders: ModuleLoader,
    /// The root module.
    pub(crate) folder: Option<Arc<Folder>>,
    /// Whether the plan was made of it, as far as that can be told.
    pub(super) agrees: bool,
}

/// The source of one module.
#[derive(Clone, Copy)]
pub(crate) struct Found<'f> {
    pub(crate) folder: &'f Arc<Folder>,
    pub(super) agrees: bool,
}

/// Finds the source of a plan.
pub(crate) fn find(plan: &Path, configuration: &Json, boundary: &Boundary, engine: Engine) -> Source {
    let beside = plan.parent().unwrap_or(Path::new(""));
    let here = read(beside, configuration, boundary, engine);
    if here.folder.is_some() {
        return here;
    }
    // A state has no configuration to compare with.
    if configuration.is_null() {
        return Source::none(boundary);
    }
    let below =
        folders_in(beside).into_iter().take(MOST_FOLDERS).map(|path| read(&path, configuration, boundary, engine));
    let mut agreeing = below.filter(|source| source.agrees);
    match (agreeing.next(), agreeing.next()) {
        (Some(one), None) => one,
        _ => Source::none(boundary),
    }
}

impl Source {
    fn none(boundary: &Boundary) -> Self {
        Self { folders: ModuleLoader::none(boundary.clone()), folder: None, agrees: false }
    }
}

fn read(path: &Path, configuration: &Json, boundary: &Boundary, engine: Engine) -> Source {
    let folders = ModuleLoader::read(path, &BTreeMap::new(), boundary.clone(), engine, &BTreeSet::new());
    let Ok(folders) = folders else { return Source::none(boundary) };
    let folder = folders.at(path);
    let agrees = folder.as_ref().is_some_and(|folder| agrees(configuration, folder));
    Source { folders, folder, agrees }
}

/// Returns the source of the module that a call leads to.
pub(crate) fn of_call(
    folders: &ModuleLoader,
    by: Found<'_>,
    address: &str,
    name: &str,
    module: &Json,
) -> Option<(Arc<Folder>, bool)> {
    let (_, block) = by.folder.calls.find(name)?;
    let source = source_of(block)?;
    let folder = if is_local(source) { folders.at(&by.folder.path.join(source)) } else { folders.fetched(address) }?;
    let agrees = by.agrees && agrees(module, &folder);
    Some((folder, agrees))
}

/// Returns `true` if the folder declares what this configuration of a module declares.
fn agrees(configuration: &Json, folder: &Folder) -> bool {
    let configured: BTreeSet<(bool, &str, &str)> = list(configuration, "resources")
        .filter_map(|resource| {
            Some((resource["mode"] == "data", resource["type"].as_str()?, resource["name"].as_str()?))
        })
        .collect();
    let declared = folder.resources.iter();
    let declared = declared.map(|resource| (resource.mode == Mode::Data, &*resource.kind, &*resource.name)).collect();
    !configured.is_empty()
        && configured == declared
        && folder.unread.is_empty()
        && list(configuration, "resources").all(|resource| constants_agree(resource, folder))
}

/// Returns `true` if the constants that the plan has of a resource are those of the source.
fn constants_agree(configured: &Json, folder: &Folder) -> bool {
    let mode = if configured["mode"] == "data" { Mode::Data } else { Mode::Managed };
    let (Some(kind), Some(name)) = (configured["type"].as_str(), configured["name"].as_str()) else { return false };
    let Some(index) = folder.resource(mode, &kind.into(), name) else { return false };
    let body = &folder.resources[index].block.body;
    super::members(configured, "expressions").all(|(name, written)| {
        let declared = body.attribute(name).map(|attribute| &attribute.value.node);
        match (declared, written.get("constant_value")) {
            (Some(Node::Text(text)), Some(constant)) => constant.as_str().is_none_or(|constant| **text == *constant),
            (Some(Node::Bool(flag)), Some(constant)) => constant.as_bool().is_none_or(|constant| *flag == constant),
            (Some(Node::Text(_) | Node::Bool(_)), None) | (None, Some(_)) => false,
            _ => true,
        }
    })
}
