//! Text to syntax: native syntax and JSON. A mistake comes back with its place.

mod hcl;
mod json;
mod literals;
mod preprocessor;

pub(crate) use hcl::body_of;
pub(crate) use preprocessor::comments;

use super::file::{File, FileId};
use super::syntax::{Body, Expression};
use crate::diagnostic::Diagnostic;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `.tf`, `.tfvars`
    Native,
    /// `.tf.json`, `.tfvars.json`
    Json,
}

/// The size of a text for the parser, about: the number of characters that begin, divide or end values and arguments.
pub(crate) fn size(text: &str) -> usize {
    text.bytes().filter(|byte| b"[{(,=?\n".contains(byte)).count()
}

/// The body of a file of code.
pub(crate) fn code(file: &File, id: FileId, form: Form) -> Result<Body, Box<Diagnostic>> {
    match form {
        Form::Native => hcl::body(file, id),
        Form::Json => json::code(file, id),
    }
}

/// The attributes of a file of variable values.
pub(crate) fn values(file: &File, id: FileId, form: Form) -> Result<Body, Box<Diagnostic>> {
    match form {
        Form::Native => hcl::body(file, id),
        Form::Json => json::values(file, id),
    }
}

/// An expression that stands alone, such as a value on the command line.
pub(crate) fn expression(file: &File, id: FileId) -> Result<Expression, Box<Diagnostic>> {
    hcl::expression(file, id)
}

/// A template that is a whole file.
pub(crate) fn template(file: &File, id: FileId) -> Result<Expression, Box<Diagnostic>> {
    hcl::template(file, id)
}
