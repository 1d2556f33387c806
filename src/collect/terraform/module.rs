//! A module with its inputs: variables, locals, outputs, resources and child modules, each evaluated when it is
//! first asked for.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use super::eval_context::{EvalContext, Memo};
use super::evaluate::{Scope, evaluate};
use super::expansion::{Binding, Cost, Expansion, binding_of, expand, keyed_label};
use super::file::Span;
use super::folder::{Folder, Mode};
use super::instance::Instance;
use super::mapping;
use super::module_loader::{is_local, shown, source_of};
use super::provider::Provider;
use super::syntax::{Block, Expression, Name};
use super::types::{Type, as_bool};
use super::value::{Nature, UnknownValue, Value};
use crate::boundary::Refusal;
use crate::diagnostic::Diagnostic;
use crate::model::{Gap, GapKind};

/// How deep modules may call modules.
const DEPTH: usize = 24;

/// What a resource costs, and one that rules judge: findings are made of it.
const INSTANCE: Cost = Cost { steps: 20, bytes: 1_024 };
const JUDGED: Cost = Cost { steps: 500, bytes: 12_288 };

/// How much is usually written in a resource.
const USUAL: usize = 50;

/// A module, as it is called once.
pub(crate) struct Module {
    pub(crate) context: Rc<EvalContext>,
    pub(crate) folder: Arc<Folder>,
    /// `module.a["b"].module.c`; empty for the root.
    pub(crate) address: String,
    /// Where it is from the root, as Terraform has it.
    pub(crate) path: PathBuf,
    /// Who calls it; none for the root.
    pub(crate) call: Option<Call>,
    /// What the variables of the root are given.
    given: HashMap<String, Given>,
    /// Why it is not known whether, or how often, it is there.
    pub(crate) uncertain: Option<Arc<Gap>>,
    depth: usize,
    variables: Vec<Memo<Value>>,
    locals: Vec<Memo<Value>>,
    outputs: Vec<Memo<Value>>,
    resources: Vec<Memo<Option<Expansion<Instance>>>>,
    children: Vec<Memo<Option<Expansion<Module>>>>,
    /// Configurations of the provider, by name and by key where there are several of a name.
    pub(crate) providers: RefCell<HashMap<ProviderName, Rc<Provider>>>,
}

/// The name of a configuration, and its key where there are several of the name.
type ProviderName = (String, Option<Arc<str>>);

/// A call of a module.
pub(crate) struct Call {
    pub(crate) by: Rc<Module>,
    pub(crate) block: Arc<Block>,
    pub(super) binding: Binding,
}

/// A value that is given to a variable from outside.
#[derive(Debug)]
pub(crate) enum Given {
    /// As text: of the type of the variable, or an expression.
    Text(String),
    /// Not at all: the value is not for the author of the code.
    Withheld,
    /// As an expression in a file of values.
    Expression(Arc<Expression>),
}

impl Module {
    /// The root module.
    pub(crate) fn root(context: Rc<EvalContext>, folder: Arc<Folder>, given: HashMap<String, Given>) -> Rc<Self> {
        Self::new(context, folder, String::new(), PathBuf::from("."), None, given, None, 0)
    }

    #[expect(clippy::too_many_arguments, reason = "it is put together here and nowhere else")]
    fn new(
        context: Rc<EvalContext>,
        folder: Arc<Folder>,
        address: String,
        path: PathBuf,
        call: Option<Call>,
        given: HashMap<String, Given>,
        uncertain: Option<Arc<Gap>>,
        depth: usize,
    ) -> Rc<Self> {
        fn memos<T>(count: usize) -> Vec<Memo<T>> {
            std::iter::repeat_with(Memo::default).take(count).collect()
        }
        Rc::new(Self {
            context,
            address,
            path,
            call,
            given,
            uncertain,
            depth,
            variables: memos(folder.variables.len()),
            locals: memos(folder.locals.len()),
            outputs: memos(folder.outputs.len()),
            resources: memos(folder.resources.len()),
            children: memos(folder.calls.len()),
            providers: RefCell::default(),
            folder,
        })
    }

    /// Returns the path of the folder from the root, for the functions that read files.
    pub(super) fn path_on_disk(self: &Rc<Self>) -> PathBuf {
        let root = self.top();
        match (&self.folder.source, &root.folder.source) {
            (Some(own), Some(root)) => match own.strip_prefix(root) {
                Ok(path) if path.as_os_str().is_empty() => PathBuf::from("."),
                Ok(path) => path.to_owned(),
                Err(_) => own.clone(),
            },
            _ => self.path.clone(),
        }
    }

    /// The module at the top.
    pub(crate) fn top(self: &Rc<Self>) -> Rc<Self> {
        self.call.as_ref().map_or_else(|| Rc::clone(self), |call| call.by.top())
    }

    fn evaluate(self: &Rc<Self>, expression: &Expression) -> Value {
        evaluate(expression, &Scope::of(self))
    }

    fn cycle(&self, span: Span, what: &str) -> Value {
        self.context.report(span, Diagnostic::error(format!("{what} depends on itself")));
        self.context.unknown(span, format!("{what} depends on itself"))
    }

    /// The value of a variable.
    pub(crate) fn variable(self: &Rc<Self>, name: &str, span: Span) -> Value {
        let Some((index, block)) = self.folder.variables.find(name) else {
            let gap = self.context.gap_of(span, &format!("var.{name}"), "the variable is not declared");
            self.context.report(span, Diagnostic::warning(format!("the variable {name} is not declared")));
            return Value::Unknown(UnknownValue::new(gap, Nature::Open));
        };
        let value = || {
            let value = self.context.marking(|| self.variable_value(name, block));
            if self.is_sensitive(block) { value.into_sensitive() } else { value }
        };
        self.variables[index].get(value, || self.cycle(block.span, &format!("var.{name}")))
    }

    /// Whether a variable or an output is declared as one that must not be shown. What is not known to be shown is not.
    fn is_sensitive(self: &Rc<Self>, block: &Block) -> bool {
        ["sensitive", "ephemeral"].iter().any(|name| {
            let declared = block.body.attribute(name);
            declared.is_some_and(|attribute| {
                let value = self.context.open(self.evaluate(&attribute.value));
                !matches!(as_bool(value), Ok(Value::Bool(false) | Value::Null))
            })
        })
    }

    fn variable_value(self: &Rc<Self>, name: &str, block: &Arc<Block>) -> Value {
        let constraint = block.body.attribute("type").map(|attribute| Type::of(&attribute.value));
        let nullable = block
            .body
            .attribute("nullable")
            .is_none_or(|attribute| !matches!(self.evaluate(&attribute.value), Value::Bool(false)));
        let given = match &self.call {
            Some(call) => call
                .block
                .body
                .attribute(name)
                .map(|attribute| evaluate(&attribute.value, &Scope::with(&call.by, &call.binding))),
            None => self.given.get(name).map(|given| self.given_value(given, constraint.as_ref())),
        };
        let default = block.body.attribute("default");
        let value = match (given, default) {
            (Some(Value::Null), Some(default)) if !nullable => self.evaluate(&default.value),
            (Some(value), _) => value,
            (None, Some(default)) => self.evaluate(&default.value),
            (None, None) => {
                let gap = self.context.gap_of(block.span, &format!("var.{name}"), "the variable has no value");
                let nature = if self.call.is_none() { Nature::Outside } else { Nature::Open };
                return Value::Unknown(UnknownValue::new(gap, nature));
            }
        };
        let Some(constraint) = constraint else { return value };
        match constraint.convert(value, &|default| self.evaluate(default), &self.context.budget) {
            Ok(value) => value,
            Err(wanted) => {
                self.context.report(block.span, Diagnostic::warning(format!("of the variable {name}, {wanted}")));
                self.context.unknown(block.span, format!("of the variable {name}, {wanted}"))
            }
        }
    }

    fn given_value(self: &Rc<Self>, given: &Given, constraint: Option<&Type<'_>>) -> Value {
        match given {
            Given::Expression(expression) => self.evaluate(expression),
            Given::Withheld => {
                let why = "its value is in the environment, which code of a pull request may not read";
                let gap = Gap::because(GapKind::Unresolved, why);
                Value::Unknown(UnknownValue::new(Arc::new(gap), Nature::Open))
            }
            Given::Text(text) if constraint.is_none_or(Type::is_plain) => {
                if text.contains(iam_policy::is_symbol) {
                    let gap = Gap::because(GapKind::Unresolved, "the text has private-use characters");
                    return Value::Unknown(UnknownValue::new(Arc::new(gap), Nature::Open));
                }
                Value::text(text.as_str())
            }
            Given::Text(text) => {
                let (file, id) = self.context.add_file(&PathBuf::from("a value of a variable"), text.clone());
                if let Ok(expression) = super::parse::expression(&file, id) {
                    self.evaluate(&expression)
                } else {
                    // What is wrong with it may be said with a part of it, and it may be a secret.
                    let gap = Gap::because(GapKind::Unresolved, "the value that is given is no expression");
                    Value::Unknown(UnknownValue::new(Arc::new(gap), Nature::Open))
                }
            }
        }
    }

    /// The value of a local.
    pub(crate) fn local(self: &Rc<Self>, name: &str, span: Span) -> Value {
        let Some((index, attribute)) = self.folder.locals.find(name) else {
            return self.undeclared(span, &format!("local.{name}"));
        };
        self.locals[index]
            .get(|| self.evaluate(&attribute.value), || self.cycle(attribute.span, &format!("local.{name}")))
    }

    /// The value of an output.
    pub(crate) fn output(self: &Rc<Self>, name: &str, span: Span) -> Value {
        let Some((index, block)) = self.folder.outputs.find(name) else {
            return self.undeclared(span, &format!("{}.{name}", self.address));
        };
        self.outputs[index].get(
            || match block.body.attribute("value") {
                Some(attribute) if self.is_sensitive(block) => self.evaluate(&attribute.value).into_sensitive(),
                Some(attribute) => self.evaluate(&attribute.value),
                None => self.context.unknown(block.span, "the output has no value"),
            },
            || self.cycle(block.span, &format!("output.{name}")),
        )
    }

    fn undeclared(&self, span: Span, what: &str) -> Value {
        let gap = self.context.gap_of(span, what, "it is not declared");
        Value::Unknown(UnknownValue::new(gap, Nature::Open))
    }

    /// A resource or data source as a value: one, or a list or map of them.
    pub(crate) fn resource(self: &Rc<Self>, mode: Mode, kind: &Name, name: &str, span: Span) -> Value {
        let Some(index) = self.folder.resource(mode, kind, name) else {
            let all = self.folder.resources.iter().enumerate();
            let of_kind = all.filter(|(_, resource)| resource.mode == mode && resource.kind == *kind);
            let instances = of_kind.filter_map(|(index, resource)| match self.instances(index) {
                Some(Expansion::One(instance)) => {
                    keyed(&resource.name, name).map(|key| (key, Value::Instance(instance)))
                }
                _ => None,
            });
            let instances = self.collection(instances.collect(), span);
            return instances.unwrap_or_else(|| self.undeclared(span, &format!("{kind}.{name}")));
        };
        match self.instances(index) {
            Some(Expansion::One(instance) | Expansion::Uncertain(instance)) => Value::Instance(instance),
            Some(Expansion::Many(instances)) => Value::list(instances.into_iter().map(Value::Instance).collect()),
            Some(Expansion::Keyed(instances)) => {
                Value::map(instances.into_iter().map(|(key, instance)| (key, Value::Instance(instance))).collect())
            }
            None => {
                let span = self.folder.resources[index].block.span;
                let message = format!("{kind}.{name} depends on itself, or takes too much to evaluate");
                self.context.report(span, Diagnostic::error(message.clone()));
                self.context.unknown(span, message)
            }
        }
    }

    /// The instances of the resource at this place of the list; none where that depends on itself.
    pub(crate) fn instances(self: &Rc<Self>, index: usize) -> Option<Expansion<Instance>> {
        let resource = &self.folder.resources[index];
        self.resources[index].get(
            || {
                let make = |suffix: &str, binding: Binding, uncertain: Option<Arc<Gap>>| {
                    let uncertain = uncertain.or_else(|| self.uncertain.clone());
                    Instance::new(self, resource, suffix, binding, uncertain)
                };
                let cost = if mapping::is_judged(&resource.kind) { JUDGED } else { INSTANCE };
                // Each attribute is looked for among all that are written: more than people write costs more.
                let written = resource.block.body.attributes.len() + resource.block.body.blocks.len();
                let cost = Cost {
                    steps: cost.steps + written.saturating_sub(USUAL).saturating_mul(64),
                    bytes: cost.bytes + self.address.len() + resource.name.len(),
                };
                if !self.context.budget.spend_on_whole(cost.steps, cost.bytes) {
                    return None;
                }
                let scope = Scope::of(self);
                if let Some(binding) = binding_of(&resource.name, &resource.block, &scope) {
                    return Some(Expansion::One(make("", binding, None)));
                }
                Some(expand(&resource.block, &scope, cost, make))
            },
            || None,
        )
    }

    /// A child module as a value.
    pub(crate) fn child(self: &Rc<Self>, name: &str, span: Span) -> Value {
        let Some((index, block)) = self.folder.calls.find(name) else {
            let calls = self.folder.calls.iter().enumerate();
            let modules = calls.filter_map(|(index, (label, _))| {
                let key = keyed(label, name)?;
                match self.modules(index) {
                    Some(Expansion::One(module)) => Some((key, Value::Module(module))),
                    _ => None,
                }
            });
            let modules = self.collection(modules.collect(), span);
            return modules.unwrap_or_else(|| self.undeclared(span, &format!("module.{name}")));
        };
        match self.modules(index) {
            Some(Expansion::One(module) | Expansion::Uncertain(module)) => Value::Module(module),
            Some(Expansion::Many(modules)) => Value::list(modules.into_iter().map(Value::Module).collect()),
            Some(Expansion::Keyed(modules)) => {
                Value::map(modules.into_iter().map(|(key, module)| (key, Value::Module(module))).collect())
            }
            None => {
                let gap = self.context.gap_of(block.span, &format!("module.{name}"), "the module could not be read");
                Value::Unknown(UnknownValue::new(gap, Nature::Open))
            }
        }
    }

    /// The modules that the call at this place of the list makes; none where its folder could not be read.
    pub(crate) fn modules(self: &Rc<Self>, index: usize) -> Option<Expansion<Module>> {
        let (name, block) = self.folder.calls.nth(index)?;
        self.children[index].get(
            || {
                let folder = self.folder_of(name, block)?;
                let declared = folder.variables.len() + folder.locals.len() + folder.outputs.len();
                // Each variable is looked for among the arguments.
                let looked = folder.variables.len().saturating_mul(block.body.attributes.len()) / 32;
                let cost = Cost {
                    steps: 10 + declared + looked,
                    bytes: 1_024 + 64 * (declared + folder.resources.len()) + 2 * (self.address.len() + name.len()),
                };
                let make = |suffix: &str, binding: Binding, uncertain: Option<Arc<Gap>>| {
                    let call = Call { by: Rc::clone(self), block: Arc::clone(block), binding };
                    let uncertain = uncertain.or_else(|| self.uncertain.clone());
                    let address = format!("{}module.{name}{suffix}", self.prefix());
                    let path = self.path_of(block, &folder);
                    let (context, folder) = (Rc::clone(&self.context), Arc::clone(&folder));
                    Self::new(context, folder, address, path, Some(call), HashMap::new(), uncertain, self.depth + 1)
                };
                if !self.context.budget.spend_on_whole(cost.steps, cost.bytes) {
                    let problem = Diagnostic::warning(format!("module {name}: it takes too much to evaluate it"));
                    self.context.report(block.span, problem);
                    return None;
                }
                let scope = Scope::of(self);
                if let Some(binding) = binding_of(name, block, &scope) {
                    return Some(Expansion::One(make("", binding, None)));
                }
                Some(expand(block, &scope, cost, make))
            },
            || None,
        )
    }

    /// Returns the instances of a plan as the list or map that code knows them by; none where there is none.
    fn collection(&self, instances: Vec<(Json, Value)>, span: Span) -> Option<Value> {
        let (first, _) = instances.first()?;
        if first.is_string() {
            let texts = instances.into_iter().filter_map(|(key, value)| Some((Arc::from(key.as_str()?), value)));
            return Some(Value::map(texts.collect()));
        }
        let mut by_index: BTreeMap<u64, Value> =
            instances.into_iter().filter_map(|(key, value)| Some((key.as_u64()?, value))).collect();
        let length = by_index.keys().next_back()?.checked_add(1)?;
        if !self.context.afford(usize::try_from(length).unwrap_or(usize::MAX)) {
            return None;
        }
        // A plan may leave some out.
        let missing = || self.context.unknown(span, "the plan does not have this instance");
        Some(Value::list((0..length).map(|index| by_index.remove(&index).unwrap_or_else(missing)).collect()))
    }

    /// Where a module that is called here is from the root.
    fn path_of(self: &Rc<Self>, block: &Block, folder: &Folder) -> PathBuf {
        if let Some(source) = self.source(block).filter(|source| is_local(source)) {
            return shown(&self.path.join(&*source));
        }
        let root = &self.top().folder.path;
        folder.path.strip_prefix(root).map_or_else(|_| folder.path.clone(), Path::to_owned)
    }

    /// Forgets all values, which refer to each other in circles and would stay in memory.
    pub(crate) fn release(&self) {
        self.children.iter().filter_map(Memo::take).flatten().for_each(|children| {
            children.all().iter().for_each(|child| child.release());
        });
        self.resources.iter().filter_map(Memo::take).flatten().for_each(|resources| {
            resources.all().iter().for_each(|instance| instance.release());
        });
        for memo in self.variables.iter().chain(&self.locals).chain(&self.outputs) {
            drop(memo.take());
        }
        self.providers.borrow_mut().clear();
        self.context.release();
    }

    /// What the addresses of all that is in it begin with.
    pub(crate) fn prefix(&self) -> String {
        if self.address.is_empty() { String::new() } else { format!("{}.", self.address) }
    }

    /// The source of a call. OpenTofu evaluates variables and locals in it.
    fn source(self: &Rc<Self>, block: &Block) -> Option<Arc<str>> {
        match source_of(block) {
            Some(source) => Some(source.into()),
            None => match self.evaluate(&block.body.attribute("source")?.value) {
                Value::Text(source) if !source.contains(iam_policy::is_symbol) => Some(source),
                _ => None,
            },
        }
    }

    /// The folders that sources of modules lead to, here and below, and that were not read.
    pub(super) fn missing_folders(self: &Rc<Self>) -> BTreeSet<PathBuf> {
        fn visit(module: &Rc<Module>) {
            for index in 0..module.folder.calls.len() {
                if let Some(expansion) = module.modules(index) {
                    expansion.all().iter().for_each(visit);
                }
            }
        }
        visit(self);
        self.context.missing.borrow().clone()
    }

    fn folder_of(self: &Rc<Self>, name: &str, block: &Block) -> Option<Arc<Folder>> {
        let context = &self.context;
        let problem = |message: String, help: &str| {
            let problem = Diagnostic::warning(message);
            context.report(block.span, if help.is_empty() { problem } else { problem.help(help) });
        };
        let Some(source) = self.source(block) else {
            problem(format!("the source of module {name} is not known"), "");
            return None;
        };
        let source = &*source;
        if self.depth >= DEPTH {
            problem(format!("module {name} is nested more than {DEPTH} deep: it may call itself"), "");
            return None;
        }
        let folder = if is_local(source) {
            let path = self.folder.path.join(source);
            let folder = context.folders.at(&path);
            if folder.is_none() {
                context.missing.borrow_mut().insert(shown(&path));
            }
            folder
        } else {
            context.folders.fetched(&self.static_address(name))
        };
        if folder.is_none() {
            let path = self.folder.path.join(source);
            if is_local(source) && matches!(context.folders.boundary.resolve(&path), Err(Refusal::Outside)) {
                problem(
                    format!("module {name}: {source} lies outside of the code that may be read"),
                    "--root DIR allows more",
                );
            } else if is_local(source) {
                problem(format!("module {name}: there is no Terraform in {source}"), "");
            } else {
                problem(
                    format!("module {name} is not here: {source}"),
                    "`terraform init` fetches it; without it, what is in it is not known",
                );
            }
        }
        folder
    }

    /// The address of a call without keys, as Terraform's list of fetched modules has it.
    fn static_address(&self, name: &str) -> String {
        let mut names = vec![name.to_owned()];
        let mut module = self;
        while let Some(call) = &module.call {
            names.push(call.block.labels.first().map(ToString::to_string).unwrap_or_default());
            module = &call.by;
        }
        names.reverse();
        names.join(".")
    }
}

/// Returns the key of the instance of this name that a label of a plan is.
fn keyed(label: &str, name: &str) -> Option<Json> {
    let (of, key) = keyed_label(label)?;
    (of == name).then_some(key)
}
