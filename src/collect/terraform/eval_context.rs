//! What all evaluation shares: what is known from outside, the holes, how much work is left, and what went wrong.

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

/// How deep evaluation may go. The stack that it has (see `read`) is enough for that.
const DEPTH: u32 = 1_000;

/// A template that was read, or why it is none.
pub(crate) type Template = Rc<Result<Expression, &'static str>>;

/// What all evaluation shares.
pub(crate) struct EvalContext {
    pub(crate) account: Option<AccountId>,
    pub(crate) region: Option<Region>,
    /// The name of the workspace.
    pub(crate) workspace: Option<Value>,
    /// Folders that sources of modules lead to and that were not read.
    pub(crate) missing: RefCell<BTreeSet<PathBuf>>,
    pub(crate) folders: ModuleLoader,
    pub(crate) symbols: Symbols,
    pub(super) budget: Budget,
    depth: Cell<u32>,
    /// Whether an instance was chosen of a resource of which it is not known how many there are.
    uncertain: Cell<bool>,
    /// Whether something sensitive was looked into.
    looked: Cell<bool>,
    /// Whether something sensitive has left evaluation, and whether it is hidden where it does.
    left: Cell<bool>,
    hides: Cell<bool>,
    problems: RefCell<BTreeMap<(Span, String), Diagnostic>>,
    account_value: Value,
    region_value: Value,
    /// Accounts and regions that are not known, by what decides which they are.
    accounts: RefCell<HashMap<String, Value>>,
    /// Templates, by the paths that they were read by.
    templates: RefCell<HashMap<PathBuf, Template>>,
    /// Files that functions read, with those of the folders before them.
    read: RefCell<Vec<File>>,
    /// The texts of files that functions read, by name.
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

    /// Forgets all holes and templates.
    pub(crate) fn release(&self) {
        self.symbols.release();
        self.accounts.borrow_mut().clear();
        self.templates.borrow_mut().clear();
    }

    /// The account that is deployed to.
    pub(crate) fn account_value(&self) -> Value {
        self.account_value.clone()
    }

    /// The region that is deployed to.
    pub(crate) fn region_value(&self) -> Value {
        self.region_value.clone()
    }

    /// The account that something decides which the code does not show: the same thing, the same account.
    pub(super) fn account_of(&self, decider: &str, span: Span, what: &str) -> Value {
        if let Some(known) = self.accounts.borrow().get(decider) {
            return known.clone();
        }
        let message = format!("the account of the provider is not known: {what} decides; allowed_account_ids names it");
        let value = Value::Unknown(UnknownValue::new(self.gap(span, message), Nature::SourceEntry));
        self.accounts.borrow_mut().insert(decider.to_owned(), value.clone());
        value
    }

    /// A place, or a hole in place of one that is sensitive: nothing tells of it, but the same one is the same hole.
    pub(crate) fn place(&self, what: &str, span: Span, evaluate: impl FnOnce() -> Value) -> Value {
        let value = match self.marking(evaluate) {
            Value::Sensitive(value) => value,
            value => return value,
        };
        let gap = self.gap(span, format!("{what} is sensitive"));
        let hole = Value::Unknown(UnknownValue::new(gap, Nature::SourceEntry));
        // A place is a text, or a list of one. Of anything else, each is another.
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

    /// The partition: that of the region, or the commercial one.
    pub(crate) fn partition(&self) -> Partition {
        self.region.as_ref().map_or(Partition::Aws, Region::partition)
    }

    /// The file.
    pub(crate) fn file(&self, id: FileId) -> Option<File> {
        let files = self.folders.files();
        let index = id.0 as usize;
        files.get(index).cloned().or_else(|| self.read.borrow().get(index - files.len()).cloned())
    }

    /// The text in place of the one that this file has on disk.
    pub(crate) fn edited(&self, name: &str) -> Option<String> {
        self.folders.edited(name)
    }

    /// A function read this text.
    pub(super) fn add_asset(&self, name: String, text: &str) {
        self.assets.borrow_mut().entry(name).or_insert_with(|| text.to_owned());
    }

    /// The texts of files that functions read, by name.
    pub(crate) fn assets(&self) -> BTreeMap<String, String> {
        self.assets.borrow().clone()
    }

    /// A file that a function read.
    pub(super) fn add_file(&self, name: &Path, text: String) -> (File, FileId) {
        let file = File::new(name.to_string_lossy().into_owned(), text);
        let mut read = self.read.borrow_mut();
        read.push(file.clone());
        let index = self.folders.files().len() + read.len() - 1;
        (file, FileId(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    /// The template of this path, if it was read before.
    pub(crate) fn template(&self, path: &Path) -> Option<Template> {
        self.templates.borrow().get(path).cloned()
    }

    /// Keeps a template, so that it is read once.
    pub(super) fn add_template(&self, path: PathBuf, parsed: Result<Expression, &'static str>) -> Template {
        let template = Rc::new(parsed);
        self.templates.borrow_mut().insert(path, Rc::clone(&template));
        template
    }

    /// Where a word stands in these bytes, to the end of its line.
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

    /// A gap at this place.
    pub(crate) fn gap(&self, span: Span, message: impl Into<String>) -> Arc<Gap> {
        let gap = Gap::because(GapKind::Unresolved, message);
        let Some(file) = self.file(span.file) else { return Arc::new(gap) };
        Arc::new(gap.at(file.source().name(), file.line(span.bytes().start)))
    }

    /// A gap at this place about the expression that stands there.
    pub(crate) fn gap_of(&self, span: Span, expression: &str, message: &str) -> Arc<Gap> {
        let gap = self.gap(span, message);
        Arc::new(Gap { expression: Some(expression.to_owned()), ..Arc::unwrap_or_clone(gap) })
    }

    /// A value that is not known.
    pub(crate) fn unknown(&self, span: Span, message: impl Into<String>) -> Value {
        Value::Unknown(UnknownValue::new(self.gap(span, message), Nature::Open))
    }

    /// An expression that has no value.
    pub(crate) fn wrong(&self, span: Span, message: impl Into<String>) -> Value {
        Value::Unknown(UnknownValue::new(self.gap(span, message), Nature::Wrong))
    }

    /// What went wrong, each once, by place.
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

    /// Whether there is still room for so many elements.
    pub(crate) fn afford(&self, elements: usize) -> bool {
        self.budget.elements(elements)
    }

    /// Whether there is still room for a text of so many bytes.
    pub(crate) fn afford_text(&self, length: usize) -> bool {
        self.budget.text(length)
    }

    /// The value, to be looked into. What follows from it is as sensitive as it is; its parts may be so, too.
    pub(crate) fn open(&self, value: Value) -> Value {
        match value {
            Value::Sensitive(value) => {
                self.looked.set(true);
                value.as_ref().clone()
            }
            value => value,
        }
    }

    /// The value with all its parts, to be looked into.
    pub(super) fn open_all(&self, value: Value) -> Value {
        if !value.is_sensitive() {
            return value;
        }
        self.looked.set(true);
        value.unmarked(&self.budget)
    }

    /// Evaluates; what comes of it is sensitive where something sensitive was looked into meanwhile.
    pub(super) fn marking(&self, evaluate: impl FnOnce() -> Value) -> Value {
        let before = self.looked.replace(false);
        let value = evaluate();
        if self.looked.replace(before) { value.into_sensitive() } else { value }
    }

    /// The value as it leaves evaluation: as it is, or with holes in place of what is sensitive.
    pub(super) fn leaving(&self, value: Value) -> Value {
        if !value.is_sensitive() {
            return value;
        }
        self.left.set(true);
        if self.hides.get() { value.hidden(&self.budget) } else { self.open_all(value) }
    }

    /// Whether something sensitive has left evaluation.
    pub(super) fn has_let_go(&self) -> bool {
        self.left.get()
    }

    /// From here on nothing sensitive leaves evaluation.
    pub(super) fn hide(&self) {
        self.hides.set(true);
    }

    /// Evaluates one level further down; none where that is too deep.
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

    /// An instance was chosen of a resource of which it is not known how many there are.
    pub(super) fn touch_uncertain(&self) {
        self.uncertain.set(true);
    }

    /// Evaluates, and says whether that was done meanwhile.
    pub(super) fn watching_uncertain<T>(&self, evaluate: impl FnOnce() -> T) -> (T, bool) {
        let before = self.uncertain.replace(false);
        let value = evaluate();
        let touched = self.uncertain.get();
        self.uncertain.set(before || touched);
        (value, touched)
    }

    /// The character of a hole; the hole itself where there are no more characters.
    pub(crate) fn symbol(&self, hole: &Rc<UnknownValue>) -> Result<char, Rc<UnknownValue>> {
        self.symbols.of(hole).ok_or_else(|| Rc::clone(hole))
    }
}

/// A value that is evaluated when it is first asked for.
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
    /// Forgets the value, and gives it.
    pub(crate) fn take(&self) -> Option<T> {
        match self.0.replace(State::Open) {
            State::Done(value) => Some(value),
            State::Open | State::Busy => None,
        }
    }
}

impl<T: Clone> Memo<T> {
    /// The value; what `cycle` gives where it is asked for while it is evaluated.
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
