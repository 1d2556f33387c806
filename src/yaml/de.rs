//! Reads types from the tree. An error knows its bytes, and the path to what is to blame.

use std::fmt;
use std::ops::Range;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::node::{Key, Node, Value};

/// The name under which [`super::Spanned`] asks for its bytes.
pub(super) const SPANNED: &str = "$ssm_audit::Spanned";
/// What it asks for: the first byte, the byte after the last, and the value.
pub(super) const SPANNED_FIELDS: &[&str] = &["start", "end", "value"];

/// What is wrong.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) problem: Problem,
    /// The bytes of what is to blame; none until a caller knows them.
    pub(super) span: Option<Range<usize>>,
    /// The indices that lead to it, the innermost first.
    pub(super) path: Vec<usize>,
}

/// What is wrong, in kind.
#[derive(Debug)]
pub(super) enum Problem {
    UnknownKey { found: String, expected: &'static [&'static str] },
    UnknownValue { found: String, expected: &'static [&'static str] },
    MissingKey(&'static str),
    Other(String),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self { problem, span: None, path: Vec::new() }
    }
}

impl Error {
    /// The error, of the entry with that index and these bytes.
    fn of(mut self, index: usize, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self.path.push(index);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            Problem::UnknownKey { found, .. } => write!(formatter, "unknown key `{found}`"),
            Problem::UnknownValue { found, .. } => write!(formatter, "unknown value `{found}`"),
            Problem::MissingKey(key) => write!(formatter, "the key `{key}` is missing"),
            Problem::Other(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Problem::Other(message.to_string()).into()
    }

    fn unknown_field(found: &str, expected: &'static [&'static str]) -> Self {
        Problem::UnknownKey { found: found.to_owned(), expected }.into()
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Problem::UnknownValue { found: found.to_owned(), expected }.into()
    }

    fn missing_field(field: &'static str) -> Self {
        Problem::MissingKey(field).into()
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Problem::Other(format!("expected {}, found {}", wanted(&expected.to_string()), what(found))).into()
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

/// What is expected, in the words of a person who writes YAML.
fn wanted(expected: &str) -> String {
    match expected {
        "a string" => "text",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        structure if structure.starts_with("struct ") => "a mapping",
        other => other,
    }
    .to_owned()
}

fn what(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str(text) => format!("{text:?}"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        other => other.to_string(),
    }
}

/// Reads a type from a node of a document with this text.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) node: &'a Node,
    pub(super) text: &'a str,
}

impl<'a> Reader<'a> {
    fn at(self, node: &'a Node) -> Self {
        Self { node, ..self }
    }

    fn entries(self) -> &'a [(Key, Node)] {
        match &self.node.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// A number or truth value as it was written, where text is wanted: `012345678901` is no number.
    fn written(self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            Value::Bool(_) | Value::Integer(_) | Value::Unsigned(_) | Value::Float(_) => {
                self.text.get(self.node.span.clone()).map(str::trim)
            }
            _ => None,
        }
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Unsigned(value) => visitor.visit_u64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items { reader: self, nodes: items, next: 0 }),
            Value::Mapping(_) => visitor.visit_map(Entries { reader: self, next: 0 }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.written() {
            Some(text) => visitor.visit_str(text),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    // A key without a value is an empty list or mapping: all that stood below it is commented out.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::Null => visitor.visit_seq(Items { reader: self, nodes: &[], next: 0 }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::Null => visitor.visit_map(Entries { reader: self, next: 0 }),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == SPANNED {
            return visitor.visit_map(SpannedFields { reader: self, next: 0 });
        }
        match self.node.value {
            // Structs would take a list too, by the order of their members.
            Value::List(_) => Err(Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_map(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (&self.node.value, self.written()) {
            (_, Some(text)) => visitor.visit_enum(text.into_deserializer()),
            (Value::Mapping(entries), _) if entries.len() == 1 => visitor.visit_enum(Variant(self)),
            _ => Err(Error::custom("expected a name, or a mapping with one key")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

struct Items<'a> {
    reader: Reader<'a>,
    nodes: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(item) = self.nodes.get(self.next) else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(self.reader.at(item)).map(Some).map_err(|error| error.of(index, &item.span))
    }
}

struct Entries<'a> {
    reader: Reader<'a>,
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, _)) = self.reader.entries().get(self.next) else { return Ok(None) };
        let key_node = Node { span: key.span.clone(), value: Value::Text(key.name.clone()), damaged: false };
        seed.deserialize(self.reader.at(&key_node)).map(Some).map_err(|error| error.of(self.next, &key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((_, node)) = self.reader.entries().get(self.next) else {
            return Err(Error::custom("a value was asked for before its key"));
        };
        let index = self.next;
        self.next += 1;
        seed.deserialize(self.reader.at(node)).map_err(|error| error.of(index, &node.span))
    }
}

struct SpannedFields<'a> {
    reader: Reader<'a>,
    next: usize,
}

impl<'de> MapAccess<'de> for SpannedFields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(name) = SPANNED_FIELDS.get(self.next) else { return Ok(None) };
        self.next += 1;
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.next {
            1 => seed.deserialize(self.reader.node.span.start.into_deserializer()),
            2 => seed.deserialize(self.reader.node.span.end.into_deserializer()),
            _ => seed.deserialize(self.reader),
        }
    }
}

/// `{name: content}` as a variant of an enum.
struct Variant<'a>(Reader<'a>);

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'a>), Error> {
        let Some((key, node)) = self.0.entries().first() else { return Err(Error::custom("expected a name")) };
        let name: StrDeserializer<'_, Error> = key.name.as_str().into_deserializer();
        let variant = seed.deserialize(name).map_err(|error| error.of(0, &key.span))?;
        Ok((variant, self.0.at(node)))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        serde::Deserialize::deserialize(self).map_err(|error: Error| error.of(0, &self.node.span))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self).map_err(|error| error.of(0, &self.node.span))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor).map_err(|error| error.of(0, &self.node.span))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_struct("", &[], visitor).map_err(|error| error.of(0, &self.node.span))
    }
}
