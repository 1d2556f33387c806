//! A folder of Terraform code, read from beginning to end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::engine::{Engine, form_of};
use super::eval_context::EvalContext;
use super::mapping;
use super::module::Module;
use super::module_loader::{FolderError, ModuleLoader, on_disk, shown};
use super::plan::{self, PlanError};
use super::source_map::SourceMap;
use super::variables::{self, Sources, VariableError};
use crate::boundary::Boundary;
use crate::diagnostic::Diagnostic;
use crate::model::{AccountId, Inventory, Region};
use crate::repository::Repository;

/// The stack that evaluation may use: enough for the depth that it is held to, in a build without optimisation too.
const STACK: usize = 256 << 20;

/// What is known beside the code.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The account that it is deployed to.
    pub account: Option<AccountId>,
    /// The region, where providers do not say.
    pub region: Option<Region>,
    /// `NAME=VALUE` for variables.
    pub variables: Vec<String>,
    /// Files of values for variables.
    pub variable_files: Vec<PathBuf>,
    /// Variables of the environment that begin with `TF_VAR_`, without that.
    pub environment: Vec<(String, String)>,
    /// Makes these values unknown, for code of a pull request.
    pub hides_environment: bool,
    /// The workspace, if it is known.
    pub workspace: Option<String>,
    /// The engine that runs it, if it is known.
    pub engine: Option<Engine>,
    /// When it is read, RFC 3339.
    pub collected_at: String,
    /// The folder outside of which code reads nothing, in place of the repository.
    pub root: Option<PathBuf>,
    /// Texts in place of those on disk, by the names of files: what is about to be written.
    pub edited: BTreeMap<String, String>,
}

/// What was read.
#[derive(Debug)]
pub struct Code {
    /// The resources of each account.
    pub inventories: Vec<Inventory>,
    /// Where they stand.
    pub source_map: SourceMap,
    /// What is wrong with the code, by place.
    pub problems: Vec<Diagnostic>,
    /// The engine as which it was read.
    pub engine: Engine,
    /// Whether OpenTofu reads other files than Terraform.
    pub has_tofu: bool,
    /// Whether only OpenTofu can run it.
    needs_tofu: bool,
    /// The steps of the budget that it took.
    pub(crate) steps: u64,
}

/// Whether the path is a folder, and so code, or a plan.
pub fn is_code(path: &Path) -> bool {
    path.is_dir() || plan::is_plan(path)
}

/// Returns `"state"` or `"plan"` for a file in the format in which Terraform stores it.
pub fn stored_form(path: &Path) -> Option<&'static str> {
    plan::stored_form(path)
}

/// The folder of a file of code that was given in place of the folder.
pub fn folder_of_file(path: &Path) -> Option<&Path> {
    let name = path.file_name()?.to_str()?;
    let is_code = form_of(name).is_some() || name.ends_with(".tfvars");
    (is_code && path.is_file())
        .then(|| path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// Why there is nothing to scan.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The values of variables.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// Terraform and OpenTofu read other files.
    #[error("{} has files of OpenTofu beside those of Terraform; name the engine with --engine", .0.display())]
    Engine(PathBuf),
    /// No thread to evaluate in.
    #[error("failed to start: {0}")]
    Start(std::io::Error),
}

/// Reads the code of a root module.
///
/// # Errors
/// Where the folder has no code, or a value that is given for a variable cannot be used.
pub fn read(root: &Path, options: &Options) -> Result<Code, CodeError> {
    with_room(|| evaluate(root, options))?
}

/// Evaluates in a thread of its own, for the stack. What evaluation shares does not leave it.
pub(super) fn with_room<T: Send>(evaluate: impl FnOnce() -> T + Send) -> Result<T, CodeError> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("terraform".to_owned()).stack_size(STACK);
        let thread = builder.spawn_scoped(scope, evaluate).map_err(CodeError::Start)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// How often folders are read again, since the source of a module in one of them leads to another.
const ROUNDS: usize = 8;

/// The root module, with everything that it calls, before anything of it is evaluated.
pub(crate) fn open(root: &Path, options: &Options) -> Result<Rc<Module>, CodeError> {
    let mut more = BTreeSet::new();
    let mut module = open_with(root, options, &more)?;
    for _ in 0..ROUNDS {
        let computed = module.context.folders.has_computed_sources();
        let found = if computed { module.missing_folders() } else { BTreeSet::new() };
        if found.is_subset(&more) {
            break;
        }
        more.extend(found);
        // The budget that finding them took is not given back.
        let (steps, bytes) = module.context.budget.spent();
        module.release();
        module = open_with(root, options, &more)?;
        module.context.budget.take(steps, bytes);
    }
    Ok(module)
}

fn open_with(root: &Path, options: &Options, more: &BTreeSet<PathBuf>) -> Result<Rc<Module>, CodeError> {
    let mut root = shown(root);
    let (mut account, mut region) = (options.account.clone(), options.region.clone());
    let folder = if root.is_file() { root.parent().unwrap_or(Path::new("")) } else { &root };
    let boundary = Boundary::of(folder, options.root.as_deref())
        .map_err(|source| FolderError::Unreadable { path: root.clone(), source })?;
    let engine = options.engine.unwrap_or_default();
    let mut folders = if root.is_file() {
        let plan = plan::read(&root, &boundary, engine)?;
        account = account.or(plan.account);
        region = region.or(plan.region);
        root = plan.root;
        plan.folders
    } else {
        ModuleLoader::read(&root, &options.edited, boundary, engine, more)?
    };
    let sources = Sources {
        environment: &options.environment,
        hides_environment: options.hides_environment,
        values: &options.variables,
        files: &options.variable_files,
    };
    let given = variables::given(&root, &sources, &mut folders)?;
    let Some(folder) = folders.at(&root) else { return Err(FolderError::empty(&root).into()) };
    let context = EvalContext::new(account, region, options.workspace.as_deref(), folders);
    Ok(Module::root(Rc::new(context), folder, given))
}

/// Reads the code as each engine has it that may run it: the one that is stated, or both where they read other files.
///
/// # Errors
/// As [`read`].
pub fn read_each(root: &Path, options: &Options) -> Result<Vec<Code>, CodeError> {
    let of = |engine| read(root, &Options { engine: Some(engine), ..options.clone() });
    // A plan was made by one of them.
    if options.engine.is_some() || !root.is_dir() {
        return Ok(vec![read(root, options)?]);
    }
    match of(Engine::Terraform) {
        Ok(code) if !code.has_tofu => Ok(vec![code]),
        // A module that has no files of Terraform is none that Terraform can run.
        Ok(code) if code.needs_tofu => Ok(vec![of(Engine::Tofu)?]),
        Ok(code) => Ok(vec![code, of(Engine::Tofu)?]),
        Err(error @ CodeError::Folder(FolderError::Empty { .. })) => {
            of(Engine::Tofu).map(|code| vec![code]).or(Err(error))
        }
        Err(error) => Err(error),
    }
}

fn evaluate(root: &Path, options: &Options) -> Result<Code, CodeError> {
    let module = open(root, options)?;
    let context = Rc::clone(&module.context);
    let (mut inventories, mut source_map) = mapping::map(&module, &options.collected_at);
    if context.has_let_go() {
        context.hide();
        let (hidden, _) = mapping::map(&module, &options.collected_at);
        show(&mut inventories, hidden);
    }
    let mut problems: Vec<Diagnostic> = context.folders.problems().iter().map(|(_, problem)| problem.clone()).collect();
    problems.extend(context.problems());
    source_map.set_root(name_of(root));
    source_map.set_boundary(context.folders.boundary.clone());
    let folder = if root.is_file() { root.parent().unwrap_or(Path::new("")) } else { root };
    if context.folders.at(folder).is_some() {
        source_map.set_folder(on_disk(&shown(folder)));
    }
    source_map.set_files(context.folders.files().to_vec());
    source_map.set_assets(context.assets());
    source_map.set_symbols(context.symbols.names());
    let ModuleLoader { has_tofu, needs_tofu, .. } = context.folders;
    let (steps, _) = context.budget.spent();
    module.release();
    Ok(Code {
        engine: options.engine.unwrap_or_default(),
        has_tofu,
        needs_tofu,
        steps,
        inventories,
        source_map,
        problems,
    })
}

/// Has each inventory shown as the one of the same place in which nothing sensitive stands. Where there is none of that
/// place, nothing of it is shown.
fn show(inventories: &mut [Inventory], hidden: Vec<Inventory>) {
    let same = inventories.len() == hidden.len();
    let mut hidden = hidden.into_iter();
    for inventory in inventories {
        let place = |inventory: &Inventory| (inventory.account.clone(), inventory.partition);
        let shown = hidden.next().filter(|shown| same && place(shown) == place(inventory));
        let nothing = || {
            let account = inventory.account.clone();
            Inventory::new(inventory.source, account, inventory.partition, inventory.collected_at.clone())
        };
        inventory.shown = Some(Box::new(shown.unwrap_or_else(nothing)));
    }
}

/// What the root module is known by: its path in the repository, or else its name.
fn name_of(root: &Path) -> String {
    let real = std::fs::canonicalize(on_disk(root)).unwrap_or_else(|_| root.to_owned());
    let repository = Repository::above(&real);
    let above = repository.as_ref().map(Repository::top).or_else(|| real.parent());
    above.and_then(|above| real.strip_prefix(above).ok()).unwrap_or(&real).to_string_lossy().into_owned()
}
