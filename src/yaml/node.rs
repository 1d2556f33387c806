//! A YAML document as a tree in which every key and value knows its bytes.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use crate::diagnostic::{Diagnostic, SourceFile};

/// A value.
#[derive(Debug)]
pub(super) struct Node {
    /// Its bytes.
    pub(super) span: Range<usize>,
    /// What it is.
    pub(super) value: Value,
    /// Whether something in it was in error and was taken out, so that what is missing now is no news.
    pub(super) damaged: bool,
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

impl Node {
    /// Takes out what the path leads to: the indices of entries and elements, from here on. False
    /// where there is nothing to take out.
    pub(super) fn strike(&mut self, path: &[usize]) -> bool {
        let Some((index, rest)) = path.split_first() else { return false };
        self.damaged |= rest.is_empty();
        match &mut self.value {
            Value::List(items) if *index < items.len() => match rest {
                [] => {
                    items.remove(*index);
                    true
                }
                rest => items[*index].strike(rest),
            },
            Value::Mapping(entries) if *index < entries.len() => match rest {
                [] => {
                    entries.remove(*index);
                    true
                }
                rest => entries[*index].1.strike(rest),
            },
            _ => false,
        }
    }

    /// What the path leads to.
    pub(super) fn follow(&self, path: &[usize]) -> Option<&Self> {
        let Some((index, rest)) = path.split_first() else { return Some(self) };
        match &self.value {
            Value::List(items) => items.get(*index)?.follow(rest),
            Value::Mapping(entries) => entries.get(*index)?.1.follow(rest),
            _ => None,
        }
    }

    /// Finds keys that stand twice in one mapping.
    pub(super) fn duplicates(&self, file: &SourceFile, found: &mut Vec<Diagnostic>) {
        match &self.value {
            Value::List(items) => items.iter().for_each(|item| item.duplicates(file, found)),
            Value::Mapping(entries) => {
                for (index, (key, node)) in entries.iter().enumerate() {
                    if let Some((first, _)) = entries[..index].iter().find(|(other, _)| other.name == key.name) {
                        let diagnostic = Diagnostic::error(format!("the key `{}` stands here twice", key.name));
                        found.push(diagnostic.at(file, key.span.clone()).related(first.span.clone(), "first here"));
                    }
                    node.duplicates(file, found);
                }
            }
            _ => {}
        }
    }
}

/// The bytes of a location, where they are known.
pub(super) fn span_of(location: Location) -> Option<Range<usize>> {
    let start = usize::try_from(location.span().byte_offset()?).ok()?;
    let length = usize::try_from(location.span().byte_len()?).ok()?;
    Some(start..start + length)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { span: span_of(spanned.referenced).unwrap_or(0..0), value: spanned.value, damaged: false })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Unsigned(value), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut mapping = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let key = Key { name: key.value, span: span_of(key.referenced).unwrap_or(0..0) };
            mapping.push((key, entries.next_value()?));
        }
        Ok(Value::Mapping(mapping))
    }
}
