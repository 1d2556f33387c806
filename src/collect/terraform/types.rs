//! Type constraints of variables, and conversion to them.
//! <https://developer.hashicorp.com/terraform/language/expressions/type-constraints>

use std::collections::BTreeMap;
use std::sync::Arc;

use super::budget::Budget;
use super::syntax::{Expression, Name, Node};
use super::unify::of_one_type;
use super::value::{LARGEST, Value, has_known_digits, number_text, too_many_digits, too_much};

/// A type constraint.
#[derive(Debug)]
pub(crate) enum Type<'e> {
    Any,
    Text,
    Number,
    Bool,
    List(Box<Type<'e>>),
    Set(Box<Type<'e>>),
    Map(Box<Type<'e>>),
    Tuple(Vec<Type<'e>>),
    Object(Vec<Member<'e>>),
}

/// An attribute of an object type.
#[derive(Debug)]
pub(crate) struct Member<'e> {
    name: Name,
    of: Type<'e>,
    optional: bool,
    default: Option<&'e Expression>,
}

impl<'e> Type<'e> {
    /// The type that the expression names; anything where it names none.
    pub(crate) fn of(expression: &'e Expression) -> Self {
        match &expression.node {
            // A text in old code.
            Node::Root(name) | Node::Text(name) => match &**name {
                "string" => Self::Text,
                "number" => Self::Number,
                "bool" => Self::Bool,
                "list" => Self::List(Box::new(Self::Any)),
                "set" => Self::Set(Box::new(Self::Any)),
                "map" => Self::Map(Box::new(Self::Any)),
                _ => Self::Any,
            },
            Node::Call(call) => match (&*call.name, call.arguments.as_slice()) {
                ("list", [inner]) => Self::List(Box::new(Self::of(inner))),
                ("set", [inner]) => Self::Set(Box::new(Self::of(inner))),
                ("map", [inner]) => Self::Map(Box::new(Self::of(inner))),
                ("tuple", [Expression { node: Node::List(items), .. }]) => {
                    Self::Tuple(items.iter().map(Self::of).collect())
                }
                ("object", [Expression { node: Node::Object(members), .. }]) => {
                    Self::Object(members.iter().filter_map(|(name, of)| Member::of(name, of)).collect())
                }
                _ => Self::Any,
            },
            _ => Self::Any,
        }
    }

    /// Whether a value on the command line or in the environment is taken as it is written.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Text | Self::Number | Self::Bool)
    }

    /// The value in this type; an error where it cannot be.
    pub(crate) fn convert(
        &self,
        value: Value,
        default: &dyn Fn(&Expression) -> Value,
        budget: &Budget,
    ) -> Result<Value, String> {
        let value = match value {
            Value::Null | Value::Unknown(_) => return Ok(value),
            Value::Sensitive(value) => {
                return Ok(self.convert(value.as_ref().clone(), default, budget)?.into_sensitive());
            }
            value => value,
        };
        let length = match &value {
            Value::List(items) | Value::Set(items) => items.len(),
            Value::Map(members) => members.len(),
            _ => 0,
        };
        if !budget.elements(length) {
            return Ok(Value::Unknown(too_much()));
        }
        let items = |value: &Value| value.elements().map(<[Value]>::to_vec);
        let each = |inner: &Self, items: Vec<Value>| -> Result<Vec<Value>, String> {
            let items: Result<Vec<Value>, String> =
                items.into_iter().map(|item| inner.convert(item, default, budget)).collect();
            if matches!(inner, Self::Any) { Ok(of_one_type(items?, budget)) } else { items }
        };
        match self {
            Self::Any => Ok(value),
            Self::Text => as_text(value),
            Self::Number => as_number(value),
            Self::Bool => as_bool(value),
            Self::List(inner) => match items(&value) {
                Some(items) => Ok(Value::list(each(inner, items)?)),
                None => Err(expected("a list", &value)),
            },
            Self::Set(inner) => match items(&value) {
                Some(items) => Value::set(each(inner, items)?, budget).or_else(|hole| Ok(Value::Unknown(hole))),
                None => Err(expected("a set", &value)),
            },
            Self::Map(inner) => match &value {
                Value::Map(members) => {
                    let values = each(inner, members.values().cloned().collect())?;
                    Ok(Value::map(members.keys().cloned().zip(values).collect()))
                }
                Value::Instance(_) | Value::Module(_) => Ok(value),
                value => Err(expected("a map", value)),
            },
            Self::Tuple(types) => match items(&value) {
                Some(items) if items.len() == types.len() => {
                    let items = items.into_iter().zip(types);
                    Ok(Value::list(
                        items.map(|(item, of)| of.convert(item, default, budget)).collect::<Result<_, _>>()?,
                    ))
                }
                _ => Err(expected("a tuple", &value)),
            },
            Self::Object(members) => match &value {
                Value::Map(given) => {
                    let mut converted = BTreeMap::new();
                    for member in members {
                        converted.insert(
                            Arc::clone(&member.name),
                            member.convert(given.get(&member.name), default, budget)?,
                        );
                    }
                    Ok(Value::map(converted))
                }
                Value::Instance(_) | Value::Module(_) => Ok(value),
                value => Err(expected("an object", value)),
            },
        }
    }
}

impl<'e> Member<'e> {
    fn of(name: &'e Expression, of: &'e Expression) -> Option<Self> {
        let Node::Text(name) = &name.node else { return None };
        let name = Arc::clone(name);
        if let Node::Call(call) = &of.node
            && *call.name == *"optional"
            && let Some(inner) = call.arguments.first()
        {
            return Some(Self { name, of: Type::of(inner), optional: true, default: call.arguments.get(1) });
        }
        Some(Self { name, of: Type::of(of), optional: false, default: None })
    }

    fn convert(
        &self,
        given: Option<&Value>,
        default: &dyn Fn(&Expression) -> Value,
        budget: &Budget,
    ) -> Result<Value, String> {
        let value = match (given, self.default) {
            (None | Some(Value::Null), Some(expression)) if self.optional => default(expression),
            (None, _) if self.optional => Value::Null,
            (None, _) => return Err(format!("the attribute {} is wanted", self.name)),
            (Some(value), _) => value.clone(),
        };
        self.of.convert(value, default, budget)
    }
}

fn expected(what: &str, found: &Value) -> String {
    format!("{what} is wanted, not {}", found.kind())
}

/// The value as a text.
pub(super) fn as_text(value: Value) -> Result<Value, String> {
    match value {
        Value::Text(_) | Value::Null | Value::Unknown(_) => Ok(value),
        Value::Bool(value) => Ok(Value::text(if value { "true" } else { "false" })),
        Value::Number(value) if has_known_digits(value) => Ok(Value::text(number_text(value))),
        Value::Number(_) => Ok(Value::Unknown(too_many_digits())),
        other => Err(expected("a string", &other)),
    }
}

/// The value as a number.
pub(crate) fn as_number(value: Value) -> Result<Value, String> {
    match &value {
        Value::Number(_) | Value::Null | Value::Unknown(_) => Ok(value),
        Value::Text(text) => match text.parse::<f64>() {
            Ok(number) if number.abs() <= LARGEST => Ok(Value::Number(number)),
            Ok(number) if number.is_finite() => Ok(Value::Unknown(too_many_digits())),
            // The text may be sensitive.
            _ => Err("a number is wanted, and the text is none".to_owned()),
        },
        other => Err(expected("a number", other)),
    }
}

/// The value as true or false.
pub(crate) fn as_bool(value: Value) -> Result<Value, String> {
    match &value {
        Value::Bool(_) | Value::Null | Value::Unknown(_) => Ok(value),
        Value::Text(text) if matches!(&**text, "true" | "1") => Ok(Value::Bool(true)),
        Value::Text(text) if matches!(&**text, "false" | "0") => Ok(Value::Bool(false)),
        other => Err(expected("true or false", other)),
    }
}
