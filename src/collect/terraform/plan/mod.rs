//! Plans and states, as `terraform show -json` writes them: put back into blocks, so that all else is as with code.
//! A value that is known after planning stands as it is. One that is not is taken from the source that the plan was
//! made of, where that lies beside the plan; else it is the reference that the configuration has there, if it is one.
//! <https://developer.hashicorp.com/terraform/internals/json-format>

mod builder;
mod inherited;
mod planned;
mod providers;
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::engine::Engine;
use super::file::Span;
use super::module_loader::ModuleLoader;
use crate::boundary::{Boundary, read_named_json};
use crate::model::{AccountId, Region};
use builder::Builder;
use source::Source;

/// The value of a member that the JSON does not have.
static NOTHING: Json = Json::Null;

/// A file that is no plan.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct PlanError {
    path: PathBuf,
    why: String,
}

/// A plan, as the folders that evaluation takes.
pub(crate) struct Plan {
    pub(crate) folders: ModuleLoader,
    pub(crate) root: PathBuf,
    pub(crate) account: Option<AccountId>,
    pub(crate) region: Option<Region>,
}

/// The path of the root module of a plan; those of its children go on from there.
const ROOT: &str = "plan:";

/// Returns `true` if a file begins as a plan does.
pub(super) fn is_plan(path: &Path) -> bool {
    let text = beginning(path);
    text.trim_start().starts_with('{') && text.contains("\"format_version\"")
}

/// Returns what a file in a format of Terraform's own is: one that `terraform show -json` puts into the format that is
/// read here.
pub(crate) fn stored_form(path: &Path) -> Option<&'static str> {
    let text = beginning(path);
    if text.trim_start().starts_with('{') && text.contains("\"terraform_version\"") && text.contains("\"version\"") {
        return Some("state");
    }
    // A plan is an archive, the first file of which is the plan itself.
    (text.starts_with("PK\u{3}\u{4}") && text.contains("tfplan")).then_some("plan")
}

/// Returns the first bytes of a file; nothing where it cannot be read.
fn beginning(path: &Path) -> String {
    use std::io::Read as _;
    const BEGINNING: u64 = 512;
    let Ok(file) = std::fs::File::open(path) else { return String::new() };
    let mut beginning = Vec::new();
    let read = file.take(BEGINNING).read_to_end(&mut beginning);
    if read.is_ok() { String::from_utf8_lossy(&beginning).into_owned() } else { String::new() }
}

/// Reads a plan, or a state.
pub(crate) fn read(path: &Path, boundary: &Boundary, engine: Engine) -> Result<Plan, PlanError> {
    let wrong = |why: String| PlanError { path: path.to_owned(), why };
    let text = read_named_json(path).map_err(|refusal| wrong(refusal.to_string()))?;
    let json: Json = serde_json::from_str(&text).map_err(|error| wrong(format!("not JSON: {error}")))?;
    let Some(resulting) = ["/planned_values/root_module", "/values/root_module"].iter().find_map(|at| json.pointer(at))
    else {
        return Err(wrong(
            "there are no planned values in it, and no state: `terraform show -json` of a plan has them".to_owned(),
        ));
    };
    let part = |pointer: &str| json.pointer(pointer).unwrap_or(&NOTHING);
    let configuration = part("/configuration/root_module");
    let Source { mut folders, folder, agrees } = source::find(path, configuration, boundary, engine);
    let (_, file) = folders.add(path, String::new());
    let mut builder = Builder::new(folders, file, &json);
    let root = PathBuf::from(ROOT);
    let found = folder.as_ref().map(|folder| source::Found { folder, agrees });
    let mut body = builder.module(&root, resulting, part("/prior_state/values/root_module"), configuration, found);
    body.blocks.extend(builder.variables(part("/variables"), configuration));
    builder.declare(&root, body, folder.as_deref(), incomplete(&json));
    Ok(Plan {
        folders: builder.into_folders(),
        root,
        account: providers::account(&json),
        region: providers::region(&json, Span::new(file, &(0..0))),
    })
}

/// Returns why resources that the code declares may be missing in the plan.
fn incomplete(plan: &Json) -> Option<String> {
    let is = |name: &str, value: bool| plan[name] == Json::Bool(value);
    let deferred = plan["deferred_changes"].as_array().map_or(0, Vec::len);
    if is("errored", true) {
        Some("planning failed, so the plan has only a part of the resources: plan again without errors".to_owned())
    } else if deferred > 0 {
        Some(format!("the plan defers {deferred} changes to a later plan: apply it and plan again"))
    } else if is("complete", false) {
        Some("the plan is not complete, as with -target: plan without it, or scan the folder of the code".to_owned())
    } else {
        None
    }
}

/// Returns the changes of resources. Those of deposed objects, which have the address of their successor, are left out.
fn changes(plan: &Json) -> impl Iterator<Item = &Json> {
    list(plan, "resource_changes").filter(|change| change["deposed"].is_null())
}

/// Returns the addresses of resources that a plan takes out of Terraform and leaves as they are, as `removed` blocks do:
/// a plan still names them, without values.
fn forgotten(plan: &Json) -> BTreeSet<&str> {
    let forgotten = changes(plan).filter(|change| change["change"]["actions"] == serde_json::json!(["forget"]));
    forgotten.filter_map(|change| change["address"].as_str()).collect()
}

/// Returns the elements of a member that is a list.
fn list<'j>(of: &'j Json, name: &str) -> impl Iterator<Item = &'j Json> {
    of.get(name).and_then(Json::as_array).into_iter().flatten()
}

/// Returns the members of a member that is an object.
fn members<'j>(of: &'j Json, name: &str) -> impl Iterator<Item = (&'j String, &'j Json)> {
    of.get(name).and_then(Json::as_object).into_iter().flatten()
}

/// Returns all resources of a module of values, and of the modules in it.
fn resources(module: &Json) -> Vec<&Json> {
    let children = list(module, "child_modules").flat_map(resources);
    list(module, "resources").chain(children).collect()
}
