//! Terraform's functions, by subject. A call of a function that is not implemented results in an unknown
//! value.
//! <https://developer.hashicorp.com/terraform/language/functions>

mod collection;
mod conversion;
mod encoding;
mod file;
mod format;
mod glob;
mod hash;
mod network;
mod number;
mod pattern;
mod template;
mod text;
mod time;
mod yaml;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use iam_policy::is_symbol;

use super::eval_context::EvalContext;
use super::evaluate::{Scope, append_value, blurred, evaluate, number as number_of};
use super::file::Span;
use super::syntax::{Call, Expression};
use super::types::as_bool;
use super::value::{Nature, UnknownValue, Value};

/// Value of a function call, or the unknown value that prevents its evaluation.
type Answer = Result<Value, Rc<UnknownValue>>;

/// Implementation of a function.
type Function = fn(&Arguments<'_>) -> Answer;

/// The functions of one file, by name.
type Table = &'static [(&'static str, Function)];

static TABLES: &[Table] = &[
    collection::TABLE,
    conversion::TABLE,
    encoding::TABLE,
    file::TABLE,
    format::TABLE,
    hash::TABLE,
    network::TABLE,
    number::TABLE,
    pattern::TABLE,
    template::TABLE,
    text::TABLE,
    time::TABLE,
    yaml::TABLE,
];

/// The names of the functions.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().flat_map(|table| table.iter()).map(|(name, _)| *name)
}

/// The value of a call.
pub(crate) fn call(call: &Call, span: Span, scope: &Scope<'_>) -> Value {
    match &*call.name {
        "try" => return attempt(&call.arguments, span, scope),
        "can" => return can(&call.arguments, span, scope),
        _ => {}
    }
    let context = scope.context();
    let mut values: Vec<Value> = call.arguments.iter().map(|argument| evaluate(argument, scope)).collect();
    if call.expands {
        match values.pop().map(|last| context.open(last)) {
            Some(Value::List(items) | Value::Set(items)) => values.extend(items.iter().cloned()),
            Some(Value::Unknown(hole)) => return blurred(&hole),
            _ => return context.wrong(span, "only a list can be taken apart into arguments"),
        }
    }
    let found = TABLES.iter().flat_map(|table| table.iter()).find(|(name, _)| *name == &*call.name);
    let Some((_, function)) = found else {
        return context.unknown(span, format!("the value of {}() is not known", call.name));
    };
    // Reading and copying the arguments is paid for in advance: few functions do more than one pass over all
    // arguments.
    let affords = values.iter().all(|value| match value {
        Value::List(items) | Value::Set(items) => context.afford(items.len()),
        Value::Map(members) => context.afford(members.len()),
        Value::Text(text) => context.afford_text(text.len()),
        _ => true,
    });
    if !affords {
        return context.unknown(span, format!("{}: there is too much of it", call.name));
    }
    let is_marked = values.iter().any(Value::is_sensitive);
    if is_marked && !conversion::MARKS.contains(&&*call.name) {
        let is_structural = collection::STRUCTURAL.contains(&&*call.name);
        let open = |value| if is_structural { context.open(value) } else { context.open_all(value) };
        values = values.into_iter().map(open).collect();
    }
    match function(&Arguments { values: &values, name: &call.name, span, scope }) {
        Ok(value) => value,
        // The message of an error may contain the value of an argument.
        Err(hole) if is_marked && matches!(hole.nature, Nature::Wrong) => {
            context.wrong(span, format!("{}: an argument cannot be used", call.name))
        }
        Err(_) if is_marked => {
            context.unknown(span, format!("{}: it is not known for a sensitive argument", call.name))
        }
        Err(hole) => blurred(&hole),
    }
}

/// `try`: the first argument that has a value.
fn attempt(arguments: &[Expression], span: Span, scope: &Scope<'_>) -> Value {
    for argument in arguments {
        let (value, uncertain) = scope.context().watching_uncertain(|| evaluate(argument, scope));
        match value {
            Value::Unknown(hole) if matches!(hole.nature, Nature::Wrong) => {}
            _ if uncertain => return scope.context().unknown(span, "it depends on whether a resource is there"),
            value => return value,
        }
    }
    scope.context().wrong(span, "no argument of try has a value")
}

/// `can`: `true` if the argument has a value.
fn can(arguments: &[Expression], span: Span, scope: &Scope<'_>) -> Value {
    let [argument] = arguments else { return scope.context().wrong(span, "can takes one argument") };
    let (value, uncertain) = scope.context().watching_uncertain(|| evaluate(argument, scope));
    match value {
        Value::Unknown(hole) if matches!(hole.nature, Nature::Wrong) => Value::Bool(false),
        Value::Unknown(hole) if !hole.is_text() || uncertain => blurred(&hole),
        _ if uncertain => scope.context().unknown(span, "it depends on whether a resource is there"),
        _ => Value::Bool(true),
    }
}

/// The arguments of a call.
struct Arguments<'a> {
    values: &'a [Value],
    name: &'a str,
    span: Span,
    scope: &'a Scope<'a>,
}

impl<'a> Arguments<'a> {
    fn context(&self) -> &'a EvalContext {
        self.scope.context()
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    /// Fails: the call is invalid.
    fn wrong<T>(&self, message: impl Into<String>) -> Result<T, Rc<UnknownValue>> {
        let message = format!("{}: {}", self.name, message.into());
        Err(UnknownValue::new(self.context().gap(self.span, message), Nature::Wrong))
    }

    /// Fails: the value of the call is unknown.
    fn unknown<T>(&self, message: impl Into<String>) -> Result<T, Rc<UnknownValue>> {
        let message = format!("{}: {}", self.name, message.into());
        Err(UnknownValue::new(self.context().gap(self.span, message), Nature::Open))
    }

    fn any(&self, index: usize) -> Result<&'a Value, Rc<UnknownValue>> {
        match self.values.get(index) {
            Some(value) => Ok(value),
            None => self.wrong("too few arguments"),
        }
    }

    /// The argument, which is neither null nor unknown.
    fn present(&self, index: usize) -> Result<&'a Value, Rc<UnknownValue>> {
        match self.any(index)? {
            Value::Unknown(hole) => Err(Rc::clone(hole)),
            Value::Null => self.wrong("an argument is null"),
            value => Ok(value),
        }
    }

    /// A text, with the characters of unknown values in it.
    fn text_with_holes(&self, index: usize) -> Result<String, Rc<UnknownValue>> {
        self.text_of(self.any(index)?)
    }

    fn text_of(&self, value: &Value) -> Result<String, Rc<UnknownValue>> {
        let mut text = String::new();
        append_value(value, &mut text, self.span, self.context())?;
        Ok(text)
    }

    /// A text that is known completely.
    fn text(&self, index: usize) -> Result<String, Rc<UnknownValue>> {
        self.known_text(self.any(index)?)
    }

    fn known_text(&self, value: &Value) -> Result<String, Rc<UnknownValue>> {
        let text = self.text_of(value)?;
        if !text.contains(is_symbol) {
            return Ok(text);
        }
        match self.context().symbols.hole_in(&text) {
            Some(hole) => Err(hole),
            None => self.unknown("the text is not known"),
        }
    }

    fn number(&self, index: usize) -> Result<f64, Rc<UnknownValue>> {
        self.number_of(self.any(index)?)
    }

    fn number_of(&self, value: &Value) -> Result<f64, Rc<UnknownValue>> {
        match number_of(value, self.context()) {
            Ok(number) => Ok(number),
            Err(Ok(Value::Unknown(hole))) => Err(hole),
            Err(Ok(_)) => self.wrong("an argument is null"),
            Err(Err(wanted)) => self.wrong(wanted),
        }
    }

    /// A whole number.
    fn whole(&self, index: usize) -> Result<i64, Rc<UnknownValue>> {
        let number = self.number(index)?;
        if number.fract() == 0.0 && number.abs() < 1e15 {
            #[expect(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
            return Ok(number as i64);
        }
        self.wrong("a whole number is wanted")
    }

    fn flag(&self, value: &Value) -> Result<bool, Rc<UnknownValue>> {
        match as_bool(self.context().open(value.clone())) {
            Ok(Value::Bool(flag)) => Ok(flag),
            Ok(Value::Unknown(hole)) => Err(hole),
            Ok(_) => self.wrong("an argument is null"),
            Err(wanted) => self.wrong(wanted),
        }
    }

    /// The elements of a list or set.
    fn elements(&self, index: usize) -> Result<&'a [Value], Rc<UnknownValue>> {
        self.elements_of(self.present(index)?)
    }

    fn elements_of(&self, value: &'a Value) -> Result<&'a [Value], Rc<UnknownValue>> {
        match value {
            Value::List(items) | Value::Set(items) => Ok(items),
            Value::Unknown(hole) => Err(Rc::clone(hole)),
            Value::Instance(_) | Value::Module(_) => self.unknown("how many there are is not known"),
            other => self.wrong(format!("a list is wanted, not {}", other.kind())),
        }
    }

    fn members(&self, index: usize) -> Result<&'a BTreeMap<Arc<str>, Value>, Rc<UnknownValue>> {
        match self.present(index)? {
            Value::Map(members) => Ok(members),
            Value::Instance(_) | Value::Module(_) => self.unknown("which attributes there are is not known"),
            other => self.wrong(format!("a map is wanted, not {}", other.kind())),
        }
    }

    /// Continues only if the cost `is_afforded` by the budget.
    fn within(&self, is_afforded: bool) -> Result<(), Rc<UnknownValue>> {
        if is_afforded { Ok(()) } else { self.unknown("there is too much of it") }
    }

    /// The value, if the budget suffices for this number of elements or bytes.
    fn made(&self, size: usize, value: impl FnOnce() -> Value) -> Answer {
        self.within(self.context().afford(size)).map(|()| value())
    }

    /// The text, if the budget suffices for this number of bytes.
    fn made_text(&self, size: usize, text: impl FnOnce() -> String) -> Answer {
        self.within(self.context().afford_text(size)).map(|()| Value::text(text()))
    }

    fn texts(&self, values: Vec<String>) -> Answer {
        let size = values.iter().map(String::len).sum::<usize>();
        self.within(self.context().afford_text(size))?;
        self.made(values.len(), || Value::list(values.into_iter().map(Value::text).collect()))
    }
}
