//! State shared by all evaluation: external inputs, unknown values, the remaining budget, and errors.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::budget::Budget;
use super::file::{File, FileId, Span};
use super::module_loader::ModuleLoader;
use super::syntax::Expression;
use super::value::{Nature, Symbols, UnknownValue, Value};
use crate::diagnostic::Diagnostic;
use crate::model::{AccountId, Gap, GapKind, Partition, Region, symbol};

/// Maximum depth of evaluation. The stack size (see `read`) suffices for this depth.
const DEPTH: u32 = 1_000;

/// A parsed template, or the reason why the file is not a template.
pub(crate) type Template = Rc<Result<Expression, &'static str>>;

/// State shared by all evaluation.
pub(crate) struct EvalContext {
    pub(crate) account: Option<AccountId>,
    pub(crate) region: Option<Region>,
    /// The name of the workspace.
    pub(crate) workspace: Option<Value>,
    /// Folders that module sources refer to and that were not read.
    pub(crate) missing: RefCell<BTreeSet<PathBuf>>,
    pub(crate) folders: ModuleLoader,
    pub(crate) symbols: Symbols,
    pub(super) budget: Budget,
    depth: Cell<u32>,
    /// `true` if an instance was selected from a resource with an unknown number of instances.
    uncertain: Cell<bool>,
    /// `true` if a sensitive value was inspected.
    looked: Cell<bool>,
    /// Two flags: a sensitive value has left evaluation, and sensitive values that leave evaluation are
    /// hidden.
    left: Cell<bool>,
    hides: Cell<bool>,
    problems: RefCell<BTreeMap<(Span, String), Diagnostic>>,
    account_value: Value,
    region_value: Value,
    /// Unknown accounts and regions, by the expression that determines them.
    accounts: RefCell<HashMap<String, Value>>,
    /// Templates, by the paths from which they were read.
    templates: RefCell<HashMap<PathBuf, Template>>,
    /// Files read by functions, together with the files of the folders read before them.
    read: RefCell<Vec<File>>,
    /// Contents of the files read by functions, by name.
    assets: RefCell<BTreeMap<String, String>>,
}

impl EvalContext {
    pub(crate) fn new(
        account: Option<AccountId>,
        region: Option<Region>,
        workspace: Option<&str>,
        folders: ModuleLoader,
    ) -> Self {
        let place = |what: &str, flag: &str, symbol: &str| {
            let gap = Gap::because(GapKind::Unresolved, format!("{what} is not known: name it with {flag}"));
            let hole = UnknownValue::new(Arc::new(gap), Nature::SourceEntry);
            hole.stand_for(symbol);
            Value::Unknown(hole)
        };
        let account_value = match &account {
            Some(account) => Value::text(account.as_str()),
            None => place("the account", "--account", symbol::ACCOUNT),
        };
        let region_value = match &region {
            Some(region) => Value::text(region.as_str()),
            None => place("the region", "--region", symbol::REGION),
        };
        Self {
            account,
            region,
            workspace: workspace.map(Value::text),
            missing: RefCell::default(),
            folders,
            symbols: Symbols::default(),
            budget: Budget::of_scan(),
            depth: Cell::new(0),
            uncertain: Cell::new(false),
            looked: Cell::new(false),
            left: Cell::new(false),
            hides: Cell::new(false),
            problems: RefCell::default(),
            account_value,
            region_value,
            accounts: RefCell::default(),
            templates: RefCell::default(),
            read: RefCell::default(),
            assets: RefCell::default(),
        }
    }

    /// Drops all unknown values and templates.
    pub(crate) fn release(&self) {
        self.symbols.release();
        self.accounts.borrow_mut().clear();
        self.templates.borrow_mut().clear();
    }

    /// The account to which the code is deployed.
    pub(crate) fn account_value(&self) -> Value {
        self.account_value.clone()
    }

    /// The region to which the code is deployed.
    pub(crate) fn region_value(&self) -> Value {
        self.region_value.clone()
    }

    /// The account that an expression determines and that the code does not show. The same expression always
    /// results in the same account.
    pub(super) fn account_of(&self, decider: &str, span: Span, what: &str) -> Value {
        if let Some(known) = self.accounts.borrow().get(decider) {
            return known.clone();
        }
        let message = format!("the account of the provider is not known: {what} decides; allowed_account_ids names it");
        let value = Value::Unknown(UnknownValue::new(self.gap(span, message), Nature::SourceEntry));
        self.accounts.borrow_mut().insert(decider.to_owned(), value.clone());
        value
    }

    /// An account or region, or an unknown value in place of a sensitive one. The unknown value does not
    /// reveal the sensitive one, but equal sensitive values result in the same unknown value.
    pub(crate) fn place(&self, what: &str, span: Span, evaluate: impl FnOnce() -> Value) -> Value {
        let value = match self.marking(evaluate) {
            Value::Sensitive(value) => value,
            value => return value,
        };
        let gap = self.gap(span, format!("{what} is sensitive"));
        let hole = Value::Unknown(UnknownValue::new(gap, Nature::SourceEntry));
        // An account or region is a text or a list of one text. Each value of any other type results in a new
        // unknown value.
        let text = match &*value {
            Value::Text(text) => text.to_string(),
            Value::List(items) => match &**items {
                [Value::Text(text)] => format!("[{text}]"),
                _ => return hole,
            },
            _ => return hole,
        };
        self.accounts.borrow_mut().entry(format!("{what} {text}")).or_insert(hole).clone()
    }

    /// The partition of the region, or the commercial partition if the region is unknown.
    pub(crate) fn partition(&self) -> Partition {
        self.region.as_ref().map_or(Partition::Aws, Region::partition)
    }

    /// The file.
    pub(crate) fn file(&self, id: FileId) -> Option<File> {
        let files = self.folders.files();
        let index = id.0 as usize;
        files.get(index).cloned().or_else(|| self.read.borrow().get(index - files.len()).cloned())
    }

    /// The text that replaces the contents of this file on disk, if the file has been edited.
    pub(crate) fn edited(&self, name: &str) -> Option<String> {
        self.folders.edited(name)
    }

    /// Records the contents of a file that a function read.
    pub(super) fn add_asset(&self, name: String, text: &str) {
        self.assets.borrow_mut().entry(name).or_insert_with(|| text.to_owned());
    }

    /// Contents of the files read by functions, by name.
    pub(crate) fn assets(&self) -> BTreeMap<String, String> {
        self.assets.borrow().clone()
    }

    /// Adds a file that a function read.
    pub(super) fn add_file(&self, name: &Path, text: String) -> (File, FileId) {
        let file = File::new(name.to_string_lossy().into_owned(), text);
        let mut read = self.read.borrow_mut();
        read.push(file.clone());
        let index = self.folders.files().len() + read.len() - 1;
        (file, FileId(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    /// The template at this path, if it has been read already.
    pub(crate) fn template(&self, path: &Path) -> Option<Template> {
        self.templates.borrow().get(path).cloned()
    }

    /// Caches a template, so that the file is read once.
    pub(super) fn add_template(&self, path: PathBuf, parsed: Result<Expression, &'static str>) -> Template {
        let template = Rc::new(parsed);
        self.templates.borrow_mut().insert(path, Rc::clone(&template));
        template
    }

    /// Location from the first occurrence of a word in this span to the end of the line.
    pub(crate) fn find_in(&self, span: Span, word: &str) -> Option<Span> {
        let file = self.file(span.file)?;
        let text = file.source().text().get(span.bytes())?;
        let is_part = |character: char| character.is_alphanumeric() || character == '_';
        let (start, _) = text.match_indices(word).find(|(start, _)| {
            let after = text[start + word.len()..].chars().next();
            !text[..*start].ends_with(is_part) && !after.is_some_and(is_part)
        })?;
        let line = text[start..].lines().next().unwrap_or_default().trim_end().len();
        let start = span.bytes().start + start;
        Some(Span::new(span.file, &(start..start + line)))
    }

    /// Creates a gap at this location.
    pub(crate) fn gap(&self, span: Span, message: impl Into<String>) -> Arc<Gap> {
        let gap = Gap::because(GapKind::Unresolved, message);
        let Some(file) = self.file(span.file) else { return Arc::new(gap) };
        Arc::new(gap.at(file.source().name(), file.line(span.bytes().start)))
    }

    /// Creates a gap at this location about the expression written there.
    pub(crate) fn gap_of(&self, span: Span, expression: &str, message: &str) -> Arc<Gap> {
        let gap = self.gap(span, message);
        Arc::new(Gap { expression: Some(expression.to_owned()), ..Arc::unwrap_or_clone(gap) })
    }

    /// Creates an unknown value.
    pub(crate) fn unknown(&self, span: Span, message: impl Into<String>) -> Value {
        Value::Unknown(UnknownValue::new(self.gap(span, message), Nature::Open))
    }

    /// Creates the value of an invalid expression.
    pub(crate) fn wrong(&self, span: Span, message: impl Into<String>) -> Value {
        Value::Unknown(UnknownValue::new(self.gap(span, message), Nature::Wrong))
    }

    /// Records a diagnostic. Each diagnostic is recorded once, sorted by location.
    pub(crate) fn report(&self, span: Span, problem: Diagnostic) {
        let problem = match self.file(span.file) {
            Some(file) => problem.at(file.source(), span.bytes()),
            None => problem,
        };
        self.problems.borrow_mut().entry((span, problem.message.clone())).or_insert(problem);
    }

    pub(crate) fn problems(&self) -> Vec<Diagnostic> {
        self.problems.borrow().values().cloned().collect()
    }

    /// Returns `true` if the budget suffices for this number of elements.
    pub(crate) fn afford(&self, elements: usize) -> bool {
        self.budget.elements(elements)
    }

    /// Returns `true` if the budget suffices for a text of this number of bytes.
    pub(crate) fn afford_text(&self, length: usize) -> bool {
        self.budget.text(length)
    }

    /// Removes the sensitivity mark of a value for inspection. Results computed from the value are as
    /// sensitive as the value. The parts of the value may have marks of their own.
    pub(crate) fn open(&self, value: Value) -> Value {
        match value {
            Value::Sensitive(value) => {
                self.looked.set(true);
                value.as_ref().clone()
            }
            value => value,
        }
    }

    /// Removes the sensitivity marks of a value and of all its parts for inspection.
    pub(super) fn open_all(&self, value: Value) -> Value {
        if !value.is_sensitive() {
            return value;
        }
        self.looked.set(true);
        value.unmarked(&self.budget)
    }

    /// Evaluates; the result is sensitive if a sensitive value was inspected during the evaluation.
    pub(super) fn marking(&self, evaluate: impl FnOnce() -> Value) -> Value {
        let before = self.looked.replace(false);
        let value = evaluate();
        if self.looked.replace(before) { value.into_sensitive() } else { value }
    }

    /// The value as it leaves evaluation: unchanged, or with unknown values in place of sensitive parts.
    pub(super) fn leaving(&self, value: Value) -> Value {
        if !value.is_sensitive() {
            return value;
        }
        self.left.set(true);
        if self.hides.get() { value.hidden(&self.budget) } else { self.open_all(value) }
    }

    /// Returns `true` if a sensitive value has left evaluation.
    pub(super) fn has_let_go(&self) -> bool {
        self.left.get()
    }

    /// From now on, no sensitive value leaves evaluation.
    pub(super) fn hide(&self) {
        self.hides.set(true);
    }

    /// Evaluates one level deeper; none if the maximum depth is exceeded.
    pub(crate) fn deeper<T>(&self, evaluate: impl FnOnce() -> T) -> Option<T> {
        let depth = self.depth.get();
        if depth >= DEPTH || !self.budget.spend(1, 0) {
            return None;
        }
        self.depth.set(depth + 1);
        let value = if depth == 0 { self.budget.share(evaluate) } else { evaluate() };
        self.depth.set(depth);
        Some(value)
    }

    /// Records that an instance was selected from a resource with an unknown number of instances.
    pub(super) fn touch_uncertain(&self) {
        self.uncertain.set(true);
    }

    /// Evaluates, and returns `true` with the value if an instance of such a resource was selected during the
    /// evaluation.
    pub(super) fn watching_uncertain<T>(&self, evaluate: impl FnOnce() -> T) -> (T, bool) {
        let before = self.uncertain.replace(false);
        let value = evaluate();
        let touched = self.uncertain.get();
        self.uncertain.set(before || touched);
        (value, touched)
    }

    /// The character that represents an unknown value; the unknown value itself if no characters are left.
    pub(crate) fn symbol(&self, hole: &Rc<UnknownValue>) -> Result<char, Rc<UnknownValue>> {
        self.symbols.of(hole).ok_or_else(|| Rc::clone(hole))
    }
}

/// A value that is evaluated on first use.
pub(crate) struct Memo<T>(RefCell<State<T>>);

enum State<T> {
    Open,
    Busy,
    Done(T),
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(RefCell::new(State::Open))
    }
}

impl<T> Memo<T> {
    /// Removes the cached value and returns it.
    pub(crate) fn take(&self) -> Option<T> {
        match self.0.replace(State::Open) {
            State::Done(value) => Some(value),
            State::Open | State::Busy => None,
        }
    }
}

impl<T: Clone> Memo<T> {
    /// Returns the value; the result of `cycle` if the value is requested during its own evaluation.
    pub(crate) fn get(&self, evaluate: impl FnOnce() -> T, cycle: impl FnOnce() -> T) -> T {
        match &*self.0.borrow() {
            State::Done(value) => return value.clone(),
            State::Busy => return cycle(),
            State::Open => {}
        }
        self.0.replace(State::Busy);
        let value = evaluate();
        self.0.replace(State::Done(value.clone()));
        value
    }
}
