//! Terraform code as the evaluator reads it: blocks, attributes and expressions with their places, the same from
//! `.tf` and from `.tf.json`. Nothing here knows what a block means.

use std::collections::HashMap;
use std::sync::Arc;

use unicode_normalization::{UnicodeNormalization as _, is_nfc};

use super::file::Span;

/// A name that is written many times and compared often.
pub(crate) type Name = Arc<str>;

/// What stands between the braces of a block, or in a file.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// The attributes, in the order in which they are written.
    pub(crate) attributes: Vec<Attribute>,
    /// The blocks, in that order.
    pub(crate) blocks: Vec<Arc<Block>>,
}

impl Body {
    /// The attribute of that name.
    pub(crate) fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| *attribute.name == *name)
    }

    /// The blocks of that kind, not the dynamic ones.
    pub(super) fn blocks_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Arc<Block>> {
        self.blocks.iter().filter(move |block| *block.kind == *kind)
    }
}

/// `name = value`
#[derive(Debug, Clone)]
pub(crate) struct Attribute {
    pub(crate) name: Name,
    pub(crate) value: Arc<Expression>,
    /// From the name to the end of the value.
    pub(crate) span: Span,
}

/// `kind "label" { … }`
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) kind: Name,
    pub(crate) labels: Vec<Name>,
    pub(crate) body: Body,
    pub(crate) span: Span,
}

/// An expression and its place.
#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) node: Node,
    pub(crate) span: Span,
}

/// What an expression is.
#[derive(Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Number(f64),
    Text(Name),
    /// Something that is read and cannot be used: the words say why.
    Unusable(&'static str),
    /// Something that is not known, but refers to nothing of the code.
    Outside(&'static str),
    Template(Vec<Part>),
    List(Vec<Expression>),
    Object(Vec<(Expression, Expression)>),
    /// The first name of a reference.
    Root(Name),
    /// `of.name`
    Member(Box<Expression>, Name),
    /// `of[key]`
    Index(Box<(Expression, Expression)>),
    /// `of[*].a.b` or `of.*.a.b`: the steps are applied to a stand-in, `Node::Root(ELEMENT)`.
    Splat(Box<(Expression, Expression)>),
    Conditional(Box<[Expression; 3]>),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    Binary(Operator, Box<(Expression, Expression)>),
    Call(Box<Call>),
    For(Box<For>),
}

/// The name by which the steps of a splat know the element. No identifier has a blank.
pub(super) const ELEMENT: &str = "each element";

/// A part of a template.
#[derive(Debug)]
pub(crate) enum Part {
    Literal(Name),
    Value(Expression),
    If(Box<(Expression, Vec<Part>, Vec<Part>)>),
    For(Box<(Option<Name>, Name, Expression, Vec<Part>)>),
}

/// `name(arguments…)`
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: Name,
    pub(crate) arguments: Vec<Expression>,
    /// Whether the last argument is a list of arguments.
    pub(super) expands: bool,
}

/// `[for key, value in collection : result if condition]`
#[derive(Debug)]
pub(crate) struct For {
    pub(crate) key: Option<Name>,
    pub(crate) value: Name,
    pub(crate) collection: Expression,
    /// The key of the result, which makes it an object.
    pub(super) result_key: Option<Expression>,
    pub(crate) result: Expression,
    pub(crate) condition: Option<Expression>,
    pub(super) grouping: bool,
}

/// An operator between two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    Less,
    Greater,
    Plus,
    Minus,
    Times,
    Divided,
    Modulo,
    And,
    Or,
}

/// Names that are written often, each kept once a file.
#[derive(Debug, Default)]
pub(crate) struct Names(HashMap<Box<str>, Name>);

impl Names {
    /// The text in the normal form in which Terraform keeps texts, shared.
    pub(crate) fn text(&mut self, text: &str) -> Name {
        if is_nfc(text) { self.of(text) } else { self.of(&text.nfc().collect::<String>()) }
    }

    /// The name, shared.
    pub(crate) fn of(&mut self, text: &str) -> Name {
        if let Some(name) = self.0.get(text) {
            return Arc::clone(name);
        }
        let name: Name = text.into();
        self.0.insert(text.into(), Arc::clone(&name));
        name
    }
}
