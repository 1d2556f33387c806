//! What an expression gives: a value, or why there is none. Three-valued: what only AWS will know, or nobody told,
//! is a [`UnknownValue`], and a text with holes in it keeps what is known of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use iam_policy::is_symbol;
use serde_json::Value as Json;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use super::budget::{Budget, TEXT};
use super::instance::Instance;
use super::module::Module;
use super::unify::of_one_type;
use crate::model::{Gap, GapKind, symbol};

/// A value of Terraform's language.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    /// A text; private-use characters in it are symbols of holes.
    Text(Arc<str>),
    List(Elements),
    /// Sorted, each once.
    Set(Elements),
    /// A map or an object.
    Map(Members),
    /// A value that must not be shown: neither null nor unknown, nor itself of this kind.
    Sensitive(Rc<Value>),
    /// A resource or a data source: its attributes are looked up when they are read.
    Instance(Rc<Instance>),
    /// A child module: its outputs are evaluated when they are read.
    Module(Rc<Module>),
    Unknown(Rc<UnknownValue>),
}

/// The elements of a list or a set.
#[derive(Clone)]
pub(crate) struct Elements {
    items: Rc<[Value]>,
    nature: Nested,
}

/// The members of a map or an object.
#[derive(Clone)]
pub(crate) struct Members {
    members: Rc<BTreeMap<Arc<str>, Value>>,
    nature: Nested,
}

/// What a collection holds, told once so that nobody needs to look at all of it.
#[derive(Clone, Copy)]
struct Nested {
    /// How deep collections lie in each other.
    depth: u16,
    /// Whether something in it is sensitive.
    is_sensitive: bool,
}

/// How deep collections may lie in each other. Evaluation goes down as far.
const DEEPEST: u16 = 200;

/// The longest key of a map, and of what `for_each` repeats. Keys are compared and copied with all that they lead to.
pub(super) const LONGEST_KEY: usize = 4_096;

impl Nested {
    fn of_one(value: &Value) -> Self {
        match value {
            Value::List(items) | Value::Set(items) => items.nature,
            Value::Map(members) => members.nature,
            Value::Sensitive(value) => Self { is_sensitive: true, ..Self::of_one(value) },
            _ => Self { depth: 0, is_sensitive: false },
        }
    }

    fn of<'v>(values: impl Iterator<Item = &'v Value>) -> Self {
        let mut all = Self { depth: 0, is_sensitive: false };
        for value in values {
            let one = Self::of_one(value);
            all.depth = all.depth.max(one.depth);
            all.is_sensitive |= one.is_sensitive;
        }
        Self { depth: all.depth + 1, ..all }
    }

    /// The collection, if it is not too deep.
    fn bounded(self, value: impl FnOnce(Self) -> Value) -> Value {
        if self.depth <= DEEPEST {
            return value(self);
        }
        let gap = Gap::because(GapKind::Unresolved, "the value is nested too deep");
        Value::Unknown(UnknownValue::new(Arc::new(gap), Nature::Open))
    }
}

impl Deref for Elements {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.items
    }
}

impl Deref for Members {
    type Target = BTreeMap<Arc<str>, Value>;

    fn deref(&self) -> &BTreeMap<Arc<str>, Value> {
        &self.members
    }
}

/// A value that is not known. Clones of the `Rc` are one and the same value, whatever it will be.
pub(crate) struct UnknownValue {
    /// Why.
    pub(crate) gap: Arc<Gap>,
    /// What it is beyond that.
    pub(crate) nature: Nature,
    /// The character that stands for it in texts, once it has one.
    symbol: Cell<Option<char>>,
}

/// What is known of something that is not known.
#[derive(Debug, Clone)]
pub(crate) enum Nature {
    /// Nothing: it may be empty or null, too.
    Open,
    /// As little, but that it comes from outside: it is no attribute of what is declared here.
    Outside,
    /// A text that is not empty, such as an ARN that AWS will give: the attribute of the resource.
    Attribute(Rc<Instance>, Arc<str>),
    /// As little as `Open`: the attribute of what a data source looks up.
    LookedUp(Rc<Instance>, Arc<str>),
    /// The value is sensitive, and known where nothing of it is shown; whether it is a text that is not empty.
    Sensitive(bool),
    /// A text that is not empty, of the account or region that is deployed to.
    SourceEntry,
    /// The expression is wrong: it has no value, which `try` may catch.
    Wrong,
}

impl UnknownValue {
    pub(crate) fn new(gap: Arc<Gap>, nature: Nature) -> Rc<Self> {
        Rc::new(Self { gap, nature, symbol: Cell::new(None) })
    }

    /// Gives it a character of its own choosing.
    pub(super) fn stand_for(&self, symbol: &str) {
        self.symbol.set(symbol.chars().next());
    }

    /// Whether it surely is a text that is not empty.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.nature, Nature::Attribute(..) | Nature::SourceEntry | Nature::Sensitive(true))
    }

    /// What stands for a sensitive value where values are shown.
    fn sensitive(value: &Value) -> Rc<Self> {
        let is_text = matches!(value, Value::Text(text) if !text.is_empty());
        Self::new(Arc::new(Gap::sensitive()), Nature::Sensitive(is_text))
    }
}

impl fmt::Debug for UnknownValue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hole({})", self.gap)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("null"),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Number(value) => write!(formatter, "{value}"),
            Self::Text(value) => write!(formatter, "{value:?}"),
            Self::List(items) | Self::Set(items) => formatter.debug_list().entries(items.iter()).finish(),
            Self::Map(members) => formatter.debug_map().entries(members.iter()).finish(),
            Self::Instance(instance) => write!(formatter, "{}", instance.address),
            Self::Module(module) => write!(formatter, "{}", module.address),
            Self::Sensitive(_) => formatter.write_str("(sensitive value)"),
            Self::Unknown(hole) => write!(formatter, "{hole:?}"),
        }
    }
}

impl Value {
    /// A text that is known, in the normal form in which Terraform keeps texts.
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        Self::Text(if is_nfc(&text) { text } else { text.nfc().collect::<String>().into() })
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        let nature = Nested::of(items.iter());
        nature.bounded(|nature| Self::List(Elements { items: items.into(), nature }))
    }

    pub(crate) fn map(members: BTreeMap<Arc<str>, Self>) -> Self {
        if members.keys().any(|key| key.len() > LONGEST_KEY) {
            let gap = Gap::because(GapKind::Unresolved, format!("a key has more than {LONGEST_KEY} bytes"));
            return Self::Unknown(UnknownValue::new(Arc::new(gap), Nature::Open));
        }
        let nature = Nested::of(members.values());
        nature.bounded(|nature| Self::Map(Members { members: Rc::new(members), nature }))
    }

    /// A set of these, if it is known how they compare.
    pub(crate) fn set(items: Vec<Self>, budget: &Budget) -> Result<Self, Rc<UnknownValue>> {
        // Each text is compared with some others.
        let texts = items.iter().map(|item| if let Self::Text(text) = item { text.len() } else { 0 });
        if !budget.elements(items.len()) || !budget.spend(texts.sum::<usize>() / TEXT, 0) {
            return Err(too_much());
        }
        let mut distinct: Vec<Self> = Vec::with_capacity(items.len());
        // Texts and numbers, as sets have them, are sorted; others come behind them in the order in which they stand.
        let mut sorted = of_one_type(items, budget);
        let rank = |value: &Self| match value {
            Self::Text(_) => 0,
            Self::Number(_) => 1,
            _ => 2,
        };
        sorted.sort_by(|one, other| match (one, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            _ => rank(one).cmp(&rank(other)),
        });
        let plain = sorted.iter().all(|item| matches!(item, Self::Text(_)));
        for item in sorted {
            if plain {
                if let (Some(Self::Text(last)), Self::Text(text)) = (distinct.last(), &item)
                    && last == text
                {
                    continue;
                }
            } else {
                let mut known = false;
                for other in &distinct {
                    known |= item.equals_within(other, budget)?;
                }
                if known {
                    continue;
                }
            }
            distinct.push(item);
        }
        let nature = Nested::of(distinct.iter());
        Ok(nature.bounded(|nature| Self::Set(Elements { items: distinct.into(), nature })))
    }

    /// Returns `true` for a list, set, map or object.
    pub(super) fn is_collection(&self) -> bool {
        match self {
            Self::Sensitive(value) => value.is_collection(),
            value => matches!(value, Self::List(_) | Self::Set(_) | Self::Map(_)),
        }
    }

    /// What it is, in Terraform's words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Map(_) | Self::Instance(_) | Self::Module(_) => "object",
            Self::Sensitive(value) => value.kind(),
            Self::Unknown(_) => "unknown",
        }
    }

    /// The elements of a list or set.
    pub(crate) fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) | Self::Set(items) => Some(items),
            _ => None,
        }
    }

    /// The hole that keeps the value, or a part of it, from being known.
    pub(crate) fn hole(&self) -> Option<&Rc<UnknownValue>> {
        fn find<'v>(value: &'v Value, budget: &Budget) -> Option<&'v Rc<UnknownValue>> {
            // Where it takes too long to find one, there may be none.
            if !budget.spend(1, 0) {
                return None;
            }
            match value {
                Value::Unknown(hole) => Some(hole),
                Value::Sensitive(value) => find(value, budget),
                Value::List(items) | Value::Set(items) => items.iter().find_map(|item| find(item, budget)),
                Value::Map(members) => members.values().find_map(|member| find(member, budget)),
                _ => None,
            }
        }
        find(self, &Budget::small())
    }

    /// The value as one that must not be shown. What is not known shows nothing.
    #[must_use]
    pub(super) fn into_sensitive(self) -> Self {
        match self {
            Self::Null | Self::Unknown(_) | Self::Sensitive(_) => self,
            value => Self::Sensitive(Rc::new(value)),
        }
    }

    /// Whether something of it is sensitive.
    pub(crate) fn is_sensitive(&self) -> bool {
        match self {
            Self::Sensitive(_) => true,
            Self::List(items) | Self::Set(items) => items.nature.is_sensitive,
            Self::Map(members) => members.nature.is_sensitive,
            _ => false,
        }
    }

    /// The value with something else in place of each sensitive part.
    fn replaced(&self, replace: &dyn Fn(&Self) -> Self, budget: &Budget) -> Self {
        if !self.is_sensitive() {
            return self.clone();
        }
        let each =
            |items: &Elements| -> Vec<Self> { items.iter().map(|item| item.replaced(replace, budget)).collect() };
        match self {
            Self::Sensitive(value) => replace(value),
            Self::List(items) | Self::Set(items) if !budget.elements(items.len()) => Self::Unknown(too_much()),
            Self::Map(members) if !budget.elements(members.len()) => Self::Unknown(too_much()),
            Self::List(items) => Self::list(each(items)),
            Self::Set(items) => Self::set(each(items), budget).unwrap_or_else(Self::Unknown),
            Self::Map(members) => Self::map(
                members.iter().map(|(name, value)| (Arc::clone(name), value.replaced(replace, budget))).collect(),
            ),
            other => other.clone(),
        }
    }

    /// The value with nothing in it marked as sensitive.
    pub(super) fn unmarked(&self, budget: &Budget) -> Self {
        self.replaced(&|value| value.unmarked(budget), budget)
    }

    /// The value as it may be shown: a hole in place of each sensitive part.
    pub(crate) fn hidden(&self, budget: &Budget) -> Self {
        self.replaced(&|value| Self::Unknown(UnknownValue::sensitive(value)), budget)
    }

    /// Whether two small values are equal. A hole equals itself; against anything else it is undecided.
    pub(crate) fn equals(&self, other: &Self) -> Result<bool, Rc<UnknownValue>> {
        self.equals_within(other, &Budget::small())
    }

    /// Whether the two are equal, if that is decided within the budget.
    pub(super) fn equals_within(&self, other: &Self, budget: &Budget) -> Result<bool, Rc<UnknownValue>> {
        if !budget.spend(1, 0) {
            return Err(too_much());
        }
        match (self, other) {
            (Self::Sensitive(value), other) | (other, Self::Sensitive(value)) => value.equals_within(other, budget),
            (Self::Unknown(one), Self::Unknown(other)) if Rc::ptr_eq(one, other) => Ok(true),
            (Self::Unknown(hole), Self::Null) | (Self::Null, Self::Unknown(hole)) if hole.is_text() => Ok(false),
            (Self::Unknown(hole), Self::Text(text)) | (Self::Text(text), Self::Unknown(hole))
                if hole.is_text() && text.is_empty() =>
            {
                Ok(false)
            }
            (Self::Unknown(hole), _) | (_, Self::Unknown(hole)) => Err(Rc::clone(hole)),
            (Self::Text(one), Self::Text(other)) => {
                if !budget.spend(one.len().min(other.len()) / TEXT, 0) {
                    return Err(too_much());
                }
                texts_equal(one, other)
            }
            (Self::Null, Self::Null) => Ok(true),
            (Self::Bool(one), Self::Bool(other)) => Ok(one == other),
            #[expect(clippy::float_cmp, reason = "Terraform compares numbers exactly")]
            (Self::Number(one), Self::Number(other)) => Ok(one == other),
            (Self::List(one) | Self::Set(one), Self::List(other) | Self::Set(other)) => {
                if one.len() != other.len() {
                    return Ok(false);
                }
                all_equal(one.iter().zip(other.iter()), budget)
            }
            (Self::Map(one), Self::Map(other)) => {
                if !one.keys().eq(other.keys()) {
                    return Ok(false);
                }
                all_equal(one.values().zip(other.values()), budget)
            }
            (Self::Instance(one), Self::Instance(other)) => Ok(Rc::ptr_eq(one, other)),
            (Self::Module(one), Self::Module(other)) => Ok(Rc::ptr_eq(one, other)),
            _ => Ok(false),
        }
    }
}

/// The hole of what takes too much.
pub(super) fn too_much() -> Rc<UnknownValue> {
    UnknownValue::new(Arc::new(Gap::because(GapKind::Unresolved, "it takes too much to evaluate it")), Nature::Open)
}

/// Whether two texts are equal, with what they have of holes.
fn texts_equal(one: &str, other: &str) -> Result<bool, Rc<UnknownValue>> {
    let empty_or_not = one.is_empty() || other.is_empty();
    if one == other || (!one.contains(is_symbol) && !other.contains(is_symbol)) {
        return Ok(one == other);
    }
    if empty_or_not && one.chars().chain(other.chars()).any(|character| !is_symbol(character)) {
        return Ok(false);
    }
    let gap = Gap::because(GapKind::Unresolved, "a text in the comparison is not known in full");
    Err(UnknownValue::new(Arc::new(gap), Nature::Open))
}

/// Whether all pairs are equal: one that is not decides, whatever is unknown.
fn all_equal<'v>(
    pairs: impl Iterator<Item = (&'v Value, &'v Value)>,
    budget: &Budget,
) -> Result<bool, Rc<UnknownValue>> {
    // Before, so that nothing is left to do where there is no more of it.
    if !budget.spend(pairs.size_hint().0, 0) {
        return Err(too_much());
    }
    let mut undecided = None;
    for (one, other) in pairs {
        match one.equals_within(other, budget) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(hole) => undecided = Some(hole),
        }
    }
    undecided.map_or(Ok(true), Err)
}

/// A number as Terraform writes it in a text.
pub(super) fn number_text(number: f64) -> String {
    const WHOLE: f64 = 1e18;
    if number.fract() == 0.0 && number.abs() < WHOLE {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
        let whole = number as i64;
        whole.to_string()
    } else {
        number.to_string()
    }
}

/// A number as JSON.
pub(crate) fn number_json(number: f64) -> Json {
    number_text(number).parse::<i64>().map_or_else(|_| number.into(), Into::into)
}

/// The largest number up to which all whole numbers are exact here. Terraform counts exactly further than this.
pub(crate) const LARGEST: f64 = 9_007_199_254_740_992.0;

/// Returns `true` if the number is surely what Terraform has: a whole number or a binary fraction. Terraform's numbers
/// have 512 bits: another one is rounded here, and what is computed from it may differ.
pub(super) fn is_exact(number: f64) -> bool {
    const PARTS: f64 = 1_024.0;
    number.abs() <= LARGEST && (number * PARTS).fract() == 0.0
}

/// Returns `true` if the number has the same digits in Terraform: it is exact, or as short as a person writes it.
pub(super) fn has_known_digits(number: f64) -> bool {
    const DIGITS: usize = 15;
    let text = number_text(number);
    let digits = text.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
    is_exact(number) || digits <= DIGITS
}

/// The hole of a number that has more digits than are computed here.
pub(super) fn too_many_digits() -> Rc<UnknownValue> {
    let gap = Gap::because(GapKind::Unresolved, "the number has more digits than are computed here");
    UnknownValue::new(Arc::new(gap), Nature::Open)
}

/// The characters that stand for holes, and the holes.
#[derive(Default)]
pub(crate) struct Symbols {
    holes: std::cell::RefCell<std::collections::HashMap<char, Rc<UnknownValue>>>,
    next: Cell<u32>,
}

impl Symbols {
    /// Forgets all holes.
    pub(crate) fn release(&self) {
        self.holes.borrow_mut().clear();
    }

    /// The character of this hole; none where there are more holes than characters.
    pub(crate) fn of(&self, hole: &Rc<UnknownValue>) -> Option<char> {
        if let Some(symbol) = hole.symbol.get() {
            self.holes.borrow_mut().entry(symbol).or_insert_with(|| Rc::clone(hole));
            return Some(symbol);
        }
        let index = symbol::FIRST + self.next.get();
        // The areas lie apart.
        let point = match index {
            0..=0xF8FF => index,
            0xF900..=0x1_F8FD => index - 0xF900 + 0xF_0000,
            0x1_F8FE..=0x2_F8FB => index - 0x1_F8FE + 0x10_0000,
            _ => return None,
        };
        let symbol = char::from_u32(point).filter(|character| is_symbol(*character))?;
        self.next.set(self.next.get() + 1);
        hole.symbol.set(Some(symbol));
        self.holes.borrow_mut().insert(symbol, Rc::clone(hole));
        Some(symbol)
    }

    /// The hole that the character stands for.
    pub(crate) fn hole(&self, symbol: char) -> Option<Rc<UnknownValue>> {
        self.holes.borrow().get(&symbol).cloned()
    }

    /// What each character stands for.
    pub(crate) fn names(&self) -> BTreeMap<char, String> {
        let holes = self.holes.borrow();
        let name = |hole: &Rc<UnknownValue>| {
            let gap = &hole.gap;
            gap.expression.clone().or_else(|| gap.message.clone()).unwrap_or_else(|| "unknown".to_owned())
        };
        let mut names: BTreeMap<char, String> = BTreeMap::new();
        let mut symbols: Vec<char> = holes.keys().copied().collect();
        symbols.sort_unstable();
        for symbol in symbols {
            if let Some(hole) = holes.get(&symbol) {
                names.insert(symbol, name(hole));
            }
        }
        let always = [(symbol::ACCOUNT, "account"), (symbol::REGION, "region"), (symbol::PERHAPS, "perhaps")];
        for (symbol, name) in always {
            names.extend(symbol.chars().map(|character| (character, name.to_owned())));
        }
        names
    }

    /// The first hole in a text.
    pub(crate) fn hole_in(&self, text: &str) -> Option<Rc<UnknownValue>> {
        text.chars().filter(|character| is_symbol(*character)).find_map(|symbol| self.hole(symbol))
    }
}
