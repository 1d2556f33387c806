//! What a resource's attributes are: one description, from which follow the struct member, its
//! JSON, its access from CEL, its type for the checker, its documentation and its call.

use std::collections::BTreeMap;
use std::sync::Arc;

use iam_policy::PolicyDocument;

use super::call::Call;
use super::fact::Fact;
use super::gap::Gap;
use super::ids::{Key, Link};
use super::inventory::{Resource, ResourceType};

/// A group of attributes: a resource, or a part of one.
#[derive(Debug)]
pub struct Structure {
    /// The Rust name, for messages.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static [&'static str],
    /// Its attributes, in the order in which they are declared.
    pub attributes: &'static [Attribute],
}

/// One attribute.
#[derive(Debug)]
pub struct Attribute {
    /// Its name, Terraform's where Terraform has the word.
    pub name: &'static str,
    /// Its documentation.
    pub doc: &'static [&'static str],
    /// The type of a value.
    pub kind: Kind,
    /// Whether it may be absent, so that a rule must ask with `has()` first.
    pub optional: bool,
    /// The calls that give it; none inside a part, which has those of its resource's attribute.
    pub calls: &'static [Call],
}

/// The type of an attribute's value.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// true or false
    Bool,
    /// a whole number
    Int,
    /// text
    Text,
    /// a list of texts
    Texts,
    /// texts by name, such as tags
    Map,
    /// an IAM policy document, which only host functions read
    Document,
    /// a part
    Part(fn() -> &'static Structure),
    /// a list of parts
    Parts(fn() -> &'static Structure),
    /// another resource
    Link(ResourceType),
    /// a list of other resources
    Links(ResourceType),
}

impl Structure {
    /// The attribute of that name.
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// What it is, as one text.
    pub fn documentation(&self) -> String {
        join_doc(self.doc)
    }
}

impl Attribute {
    /// Its documentation, as one text.
    pub fn documentation(&self) -> String {
        join_doc(self.doc)
    }
}

fn join_doc(lines: &[&str]) -> String {
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// The value of one attribute, borrowed.
#[derive(Debug, Clone)]
pub enum View<'a> {
    /// Not known.
    Unknown(&'a Arc<Gap>),
    /// Known to be absent.
    Absent,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(&'a str),
    /// A list of texts.
    Texts(&'a [String]),
    /// Texts by name.
    Map(&'a BTreeMap<String, String>),
    /// A policy document.
    Document(&'a PolicyDocument),
    /// A part.
    Part(&'a dyn Node),
    /// A list of parts.
    Parts(Vec<&'a dyn Node>),
    /// Another resource.
    Link(ResourceType, &'a Key),
    /// A list of other resources.
    Links(ResourceType, Vec<&'a Key>),
}

/// A group of attributes with values.
pub trait Node: std::fmt::Debug + Send + Sync {
    /// Its description.
    fn structure(&self) -> &'static Structure;

    /// The value of the attribute of that name; none if there is no such attribute.
    fn view(&self, name: &str) -> Option<View<'_>>;

    /// Marks every attribute that this call would have given.
    fn mark_unknown(&mut self, call: &Call, gap: &Arc<Gap>);
}

/// The type of an attribute in Rust: what it is for the checker, and its view.
pub trait Value {
    /// The type of a value.
    const KIND: Kind;
    /// Whether it may be absent.
    const OPTIONAL: bool = false;

    /// The value, borrowed.
    fn view(&self) -> View<'_>;
}

impl<T: Value> Fact<T> {
    /// The value, or why there is none.
    pub fn view(&self) -> View<'_> {
        match self {
            Self::Known(value) => value.view(),
            Self::Unknown(gap) => View::Unknown(gap),
        }
    }
}

impl<T: Value> Value for Option<T> {
    const KIND: Kind = T::KIND;
    const OPTIONAL: bool = true;

    fn view(&self) -> View<'_> {
        self.as_ref().map_or(View::Absent, T::view)
    }
}

macro_rules! scalar {
    ($($type:ty => $kind:ident, $this:ident => $view:expr;)*) => {$(
        impl Value for $type {
            const KIND: Kind = Kind::$kind;

            fn view(&self) -> View<'_> {
                let $this = self;
                View::$kind($view)
            }
        }
    )*};
}

scalar! {
    bool => Bool, this => *this;
    i64 => Int, this => *this;
    String => Text, this => this;
    Vec<String> => Texts, this => this;
    BTreeMap<String, String> => Map, this => this;
    PolicyDocument => Document, this => this;
}

impl<T: Resource> Value for Link<T> {
    const KIND: Kind = Kind::Link(T::TYPE);

    fn view(&self) -> View<'_> {
        View::Link(T::TYPE, &self.key)
    }
}

impl<T: Resource> Value for Vec<Link<T>> {
    const KIND: Kind = Kind::Links(T::TYPE);

    fn view(&self) -> View<'_> {
        View::Links(T::TYPE, self.iter().map(|link| &link.key).collect())
    }
}

/// Declares a group of attributes. For each: documentation, name, type, and for a resource the
/// call that gives it.
macro_rules! attributes {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $( $(#[doc = $attribute_doc:literal])+ $attribute:ident: $type:ty $(= $($call:ident)|+)?, )+
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[doc = $attribute_doc])+
                #[serde(skip_serializing_if = "Fact::is_not_collected")]
                pub $attribute: Fact<$type>,
            )+
        }

        impl $name {
            /// The description of these attributes.
            pub fn describe() -> &'static $crate::model::schema::Structure {
                use $crate::model::schema::{Attribute, Structure, Value};
                static STRUCTURE: Structure = Structure {
                    name: stringify!($name),
                    doc: &[$($doc),+],
                    attributes: &[$(Attribute {
                        name: stringify!($attribute),
                        doc: &[$($attribute_doc),+],
                        kind: <$type as Value>::KIND,
                        optional: <$type as Value>::OPTIONAL,
                        calls: &[$($($crate::model::call::$call),+)?],
                    }),+],
                };
                &STRUCTURE
            }
        }

        impl $crate::model::schema::Node for $name {
            fn structure(&self) -> &'static $crate::model::schema::Structure {
                Self::describe()
            }

            fn view(&self, name: &str) -> Option<$crate::model::schema::View<'_>> {
                match name {
                    $(stringify!($attribute) => Some(self.$attribute.view()),)+
                    _ => None,
                }
            }

            fn mark_unknown(
                &mut self,
                call: &$crate::model::call::Call,
                gap: &std::sync::Arc<$crate::model::gap::Gap>,
            ) {
                let _ = (call, gap);
                $($(
                    if [$($crate::model::call::$call),+].contains(call) {
                        self.$attribute = Fact::Unknown(std::sync::Arc::clone(gap));
                    }
                )?)+
            }
        }

        impl $crate::model::schema::Value for $name {
            const KIND: $crate::model::schema::Kind = $crate::model::schema::Kind::Part(Self::describe);

            fn view(&self) -> $crate::model::schema::View<'_> {
                $crate::model::schema::View::Part(self)
            }
        }

        impl $crate::model::schema::Value for Vec<$name> {
            const KIND: $crate::model::schema::Kind = $crate::model::schema::Kind::Parts($name::describe);

            fn view(&self) -> $crate::model::schema::View<'_> {
                $crate::model::schema::View::Parts(
                    self.iter().map(|part| part as &dyn $crate::model::schema::Node).collect(),
                )
            }
        }
    };
}

pub(crate) use attributes;
