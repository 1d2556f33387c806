//! Types of expressions.

use std::fmt;

use super::path::target;
use crate::model::ResourceType;
use crate::model::schema::{Kind, Structure};

/// Type of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Bool,
    Int,
    Text,
    Map,
    Document,
    Node(Node),
    List(Box<Type>),
    /// The element type of `[]`.
    Any,
    /// Result of an error: compatible with every type, so that one error is reported once.
    Error,
}

/// A resource or a part of one.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) structure: &'static Structure,
    pub(crate) resource_type: Option<ResourceType>,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.structure.name == other.structure.name
    }
}

impl fmt::Display for Type {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => formatter.write_str("bool"),
            Self::Int => formatter.write_str("int"),
            Self::Text => formatter.write_str("string"),
            Self::Map => formatter.write_str("map(string, string)"),
            Self::Document => formatter.write_str("PolicyDocument"),
            Self::Node(node) => formatter.write_str(node.structure.name),
            Self::List(element) => write!(formatter, "list({element})"),
            Self::Any | Self::Error => formatter.write_str("any"),
        }
    }
}

impl Type {
    /// Returns the type of an attribute of this kind.
    pub(crate) fn of_attribute(kind: Kind) -> Self {
        let node = || {
            target(kind).map_or(Type::Error, |(structure, resource_type)| Type::Node(Node { structure, resource_type }))
        };
        match kind {
            Kind::Bool => Type::Bool,
            Kind::Int => Type::Int,
            Kind::Text => Type::Text,
            Kind::Texts => Type::List(Box::new(Type::Text)),
            Kind::Map => Type::Map,
            Kind::Document => Type::Document,
            Kind::Part(_) | Kind::Link(_) => node(),
            Kind::Parts(_) | Kind::Links(_) => Type::List(Box::new(node())),
        }
    }

    pub(crate) fn is_scalar(&self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Text | Self::Any | Self::Error)
    }

    pub(crate) fn is_comparable(&self) -> bool {
        match self {
            Self::List(element) => element.is_scalar(),
            other => other.is_scalar(),
        }
    }

    pub(crate) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Error, _) | (_, Self::Any | Self::Error) => true,
            (Self::List(own), Self::List(others)) => own.fits(others),
            (own, other) => own == other,
        }
    }
}
