//! One attribute of a resource: known, or unknown with the reason.
//!
//! Absent is known: `Known(None)`. A fact that nobody asked for is unknown too
//! (`not_collected`), so a forgotten read can never look like a value.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::gap::Gap;

/// The member that marks an unknown value in JSON: `{"$unknown": {"kind": …}}`.
pub const UNKNOWN: &str = "$unknown";

/// One attribute: `Known(value)`, or `Unknown(gap)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// Read. `Known(None)` says that the attribute is known to be absent.
    Known(T),
    /// Not read, and why. Shared: one failed call leaves many unknown facts.
    Unknown(Arc<Gap>),
}

impl<T> Fact<T> {
    /// The value, where it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The reason, where it is not.
    pub fn gap(&self) -> Option<&Arc<Gap>> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(gap) => Some(gap),
        }
    }

    /// Whether nobody asked for this fact. Such facts are left out of snapshots.
    pub fn is_not_collected(&self) -> bool {
        matches!(self, Self::Unknown(gap) if gap.is_not_collected())
    }

    /// The fact about something computed from the value.
    pub fn map<U>(self, compute: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(compute(value)),
            Self::Unknown(gap) => Fact::Unknown(gap),
        }
    }

    /// A fact that borrows from this one.
    pub fn as_ref(&self) -> Fact<&T> {
        match self {
            Self::Known(value) => Fact::Known(value),
            Self::Unknown(gap) => Fact::Unknown(Arc::clone(gap)),
        }
    }
}

impl Fact<String> {
    /// The text; of code also one of which a part is a symbol.
    ///
    /// # Errors
    /// The gap, where there is no text.
    pub fn text(&self) -> Result<&str, &Arc<Gap>> {
        match self {
            Self::Known(text) => Ok(text),
            Self::Unknown(gap) => gap.symbol.as_deref().ok_or(gap),
        }
    }
}

impl Fact<Option<String>> {
    /// The text, if there is one; of code also one of which a part is a symbol.
    ///
    /// # Errors
    /// The gap, where it is not known.
    pub fn text(&self) -> Result<Option<&str>, &Arc<Gap>> {
        match self {
            Self::Known(text) => Ok(text.as_deref()),
            Self::Unknown(gap) => gap.symbol.as_deref().map(Some).ok_or(gap),
        }
    }
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self::Unknown(Gap::not_collected())
    }
}

impl<T> From<Result<T, Arc<Gap>>> for Fact<T> {
    fn from(result: Result<T, Arc<Gap>>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(gap) => Self::Unknown(gap),
        }
    }
}

impl<T: Serialize> Serialize for Fact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(value) => value.serialize(serializer),
            Self::Unknown(gap) => serializer.collect_map(std::iter::once((UNKNOWN, gap.as_ref()))),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Fact<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FactVisitor(PhantomData))
    }
}

/// Tells `{"$unknown": gap}` from a value without buffering the value, so that errors keep their
/// place in the file and a large snapshot is read in one pass.
struct FactVisitor<T>(PhantomData<T>);

macro_rules! visit_scalar {
    ($($visit:ident: $kind:ty),*) => {
        $(fn $visit<E: serde::de::Error>(self, value: $kind) -> Result<Self::Value, E> {
            T::deserialize(Present(value.into_deserializer())).map(Fact::Known)
        })*
    };
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for FactVisitor<T> {
    type Value = Fact<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a value, or {{\"{UNKNOWN}\": …}}")
    }

    visit_scalar!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_string: String);

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        T::deserialize(().into_deserializer()).map(Fact::Known)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        T::deserialize(Present(SeqAccessDeserializer::new(items))).map(Fact::Known)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let first: Option<String> = members.next_key()?;
        if first.as_deref() == Some(UNKNOWN) {
            let gap: Gap = members.next_value()?;
            if members.next_key::<String>()?.is_some() {
                return Err(serde::de::Error::custom(format!("{UNKNOWN} stands alone in its object")));
            }
            return Ok(Fact::Unknown(Arc::new(gap)));
        }
        T::deserialize(Present(MapAccessDeserializer::new(FirstKeyAgain { first, members }))).map(Fact::Known)
    }
}

/// A value that is there: to an optional type, `Some` of it.
struct Present<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Present<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_some(self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A map whose first key was taken already, to look at it.
struct FirstKeyAgain<A> {
    first: Option<String>,
    members: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for FirstKeyAgain<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        match self.first.take() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => self.members.next_key_seed(seed),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.members.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::gap::GapKind;
    use std::collections::BTreeMap;

    fn round_trip<T>(fact: &Fact<T>, json: &str)
    where
        T: Serialize + for<'de> Deserialize<'de> + PartialEq + fmt::Debug,
    {
        assert_eq!(serde_json::to_string(fact).expect("serialises"), json);
        assert_eq!(&serde_json::from_str::<Fact<T>>(json).expect("reads back"), fact);
    }

    #[test]
    fn known_stands_bare_absent_is_null_and_unknown_is_marked() {
        round_trip(&Fact::Known(7_i64), "7");
        round_trip(&Fact::Known(Some("x".to_owned())), "\"x\"");
        round_trip(&Fact::Known(None::<String>), "null");
        round_trip(&Fact::Known(vec![true, false]), "[true,false]");
        round_trip(&Fact::Known(BTreeMap::from([("a".to_owned(), "b".to_owned())])), "{\"a\":\"b\"}");
        let gap = Gap::of_call(GapKind::Denied, "kms:DescribeKey").with_code("AccessDenied");
        round_trip(
            &Fact::<i64>::Unknown(Arc::new(gap)),
            "{\"$unknown\":{\"kind\":\"denied\",\"call\":\"kms:DescribeKey\",\"code\":\"AccessDenied\"}}",
        );
    }

    #[test]
    fn an_empty_object_is_an_empty_map_and_not_unknown() {
        round_trip(&Fact::Known(BTreeMap::<String, String>::new()), "{}");
    }
}
