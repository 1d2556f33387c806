//! What an expression gives: a value, or why there is none. Three-valued: what only AWS will know, or nobody told,
//! is a [`Hole`], and a text with holes in it keeps what is known of it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use super::instance::Instance;
use super::module::Module;
use crate::iam::is_symbol;
use crate::model::{Gap, GapKind, symbol};

/// A value of Terraform's language.
#[derive(Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    /// A text; private-use characters in it are symbols of holes.
    Text(Arc<str>),
    List(Rc<[Value]>),
    /// Sorted, each once.
    Set(Rc<[Value]>),
    /// A map or an object.
    Map(Rc<BTreeMap<Arc<str>, Value>>),
    /// A resource or a data source: its attributes are looked up when they are read.
    Instance(Rc<Instance>),
    /// A child module: its outputs are evaluated when they are read.
    Module(Rc<Module>),
    Unknown(Rc<Hole>),
}

/// A value that is not known. Clones of the `Rc` are one and the same value, whatever it will be.
pub(super) struct Hole {
    /// Why.
    pub(super) gap: Arc<Gap>,
    /// What it is beyond that.
    pub(super) nature: Nature,
    /// The character that stands for it in texts, once it has one.
    symbol: Cell<Option<char>>,
}

/// What is known of something that is not known.
#[derive(Debug, Clone)]
pub(super) enum Nature {
    /// Nothing: it may be empty or null, too.
    Open,
    /// As little, but that it comes from outside: it is no attribute of what is declared here.
    Outside,
    /// A text that is not empty, such as an ARN that AWS will give: the attribute of the resource.
    Attribute(Rc<Instance>, Arc<str>),
    /// A text that is not empty, of the account or region that is deployed to.
    Place,
    /// The expression is wrong: it has no value, which `try` may catch.
    Wrong,
}

impl Hole {
    pub(super) fn new(gap: Arc<Gap>, nature: Nature) -> Rc<Self> {
        Rc::new(Self { gap, nature, symbol: Cell::new(None) })
    }

    /// Gives it a character of its own choosing.
    pub(super) fn stand_for(&self, symbol: &str) {
        self.symbol.set(symbol.chars().next());
    }

    /// Whether it surely is a text that is not empty.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.nature, Nature::Attribute(..) | Nature::Place)
    }
}

impl fmt::Debug for Hole {
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
            Self::Unknown(hole) => write!(formatter, "{hole:?}"),
        }
    }
}

impl Value {
    /// A text that is known.
    pub(super) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(items.into())
    }

    pub(super) fn map(members: BTreeMap<Arc<str>, Self>) -> Self {
        Self::Map(Rc::new(members))
    }

    /// A set of these, if it is known how they compare.
    pub(super) fn set(items: Vec<Self>) -> Result<Self, Rc<Hole>> {
        let mut distinct: Vec<Self> = Vec::with_capacity(items.len());
        // Texts and numbers, as sets have them, are sorted; for others the order is that in which they stand.
        let mut sorted = items;
        sorted.sort_by(|one, other| match (one, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Number(one), Self::Number(other)) => one.total_cmp(other),
            _ => std::cmp::Ordering::Equal,
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
                    known |= item.equals(other)?;
                }
                if known {
                    continue;
                }
            }
            distinct.push(item);
        }
        Ok(Self::Set(distinct.into()))
    }

    /// What it is, in Terraform's words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::Text(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Map(_) | Self::Instance(_) | Self::Module(_) => "object",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The elements of a list or set.
    pub(super) fn elements(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) | Self::Set(items) => Some(items),
            _ => None,
        }
    }

    /// The hole that keeps the value, or a part of it, from being known.
    pub(super) fn hole(&self) -> Option<&Rc<Hole>> {
        match self {
            Self::Unknown(hole) => Some(hole),
            Self::List(items) | Self::Set(items) => items.iter().find_map(Self::hole),
            Self::Map(members) => members.values().find_map(Self::hole),
            _ => None,
        }
    }

    /// Whether the two are equal. A hole equals itself; against anything else it is undecided.
    pub(super) fn equals(&self, other: &Self) -> Result<bool, Rc<Hole>> {
        match (self, other) {
            (Self::Unknown(one), Self::Unknown(other)) if Rc::ptr_eq(one, other) => Ok(true),
            (Self::Unknown(hole), Self::Null) | (Self::Null, Self::Unknown(hole)) if hole.is_text() => Ok(false),
            (Self::Unknown(hole), Self::Text(text)) | (Self::Text(text), Self::Unknown(hole))
                if hole.is_text() && text.is_empty() =>
            {
                Ok(false)
            }
            (Self::Unknown(hole), _) | (_, Self::Unknown(hole)) => Err(Rc::clone(hole)),
            (Self::Text(one), Self::Text(other)) => texts_equal(one, other),
            (Self::Null, Self::Null) => Ok(true),
            (Self::Bool(one), Self::Bool(other)) => Ok(one == other),
            #[expect(clippy::float_cmp, reason = "Terraform compares numbers exactly")]
            (Self::Number(one), Self::Number(other)) => Ok(one == other),
            (Self::List(one) | Self::Set(one), Self::List(other) | Self::Set(other)) => {
                if one.len() != other.len() {
                    return Ok(false);
                }
                all_equal(one.iter().zip(other.iter()))
            }
            (Self::Map(one), Self::Map(other)) => {
                if !one.keys().eq(other.keys()) {
                    return Ok(false);
                }
                all_equal(one.values().zip(other.values()))
            }
            (Self::Instance(one), Self::Instance(other)) => Ok(Rc::ptr_eq(one, other)),
            (Self::Module(one), Self::Module(other)) => Ok(Rc::ptr_eq(one, other)),
            _ => Ok(false),
        }
    }
}

/// Whether two texts are equal, with what they have of holes.
fn texts_equal(one: &str, other: &str) -> Result<bool, Rc<Hole>> {
    let empty_or_not = one.is_empty() || other.is_empty();
    if one == other || (!one.contains(is_symbol) && !other.contains(is_symbol)) {
        return Ok(one == other);
    }
    if empty_or_not && format!("{one}{other}").contains(|character| !is_symbol(character)) {
        return Ok(false);
    }
    let gap = Gap::because(GapKind::Unresolved, "a text in the comparison is not known in full");
    Err(Hole::new(Arc::new(gap), Nature::Open))
}

/// Whether all pairs are equal: one that is not decides, whatever is unknown.
fn all_equal<'v>(pairs: impl Iterator<Item = (&'v Value, &'v Value)>) -> Result<bool, Rc<Hole>> {
    let mut undecided = None;
    for (one, other) in pairs {
        match one.equals(other) {
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
pub(super) fn number_json(number: f64) -> Json {
    number_text(number).parse::<i64>().map_or_else(|_| number.into(), Into::into)
}

/// The characters that stand for holes, and the holes.
#[derive(Default)]
pub(super) struct Symbols {
    holes: std::cell::RefCell<std::collections::HashMap<char, Rc<Hole>>>,
    next: Cell<u32>,
}

impl Symbols {
    /// The character of this hole; none where there are more holes than characters.
    pub(super) fn of(&self, hole: &Rc<Hole>) -> Option<char> {
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
    pub(super) fn hole(&self, symbol: char) -> Option<Rc<Hole>> {
        self.holes.borrow().get(&symbol).cloned()
    }

    /// What each character stands for.
    pub(super) fn names(&self) -> BTreeMap<char, String> {
        let holes = self.holes.borrow();
        let name = |hole: &Rc<Hole>| {
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
    pub(super) fn hole_in(&self, text: &str) -> Option<Rc<Hole>> {
        text.chars().filter(|character| is_symbol(*character)).find_map(|symbol| self.hole(symbol))
    }
}
