//! Policy documents as they are written.
//!
//! Grammar: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.
//! A document keeps the JSON that it was read from and is written out as that. What its statements
//! match is decided in `evaluate.rs`; reading them from JSON is in `parse.rs`.

use super::condition::Condition;
use super::named::NamedPrincipal;
use super::parse;
use super::pattern::Pattern;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A policy: of an identity, a permissions boundary, a key, a bucket, or of who may assume a role.
/// Cheap to clone.
#[derive(Clone)]
pub struct PolicyDocument(Arc<Inner>);

struct Inner {
    json: Value,
    statements: Vec<Statement>,
}

/// Why a text is not a policy document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is not percent-encoded UTF-8.
    #[error("not percent-encoded text: {0}")]
    Encoding(String),
    /// It is not JSON.
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is JSON, but not in the policy language.
    #[error("{path}: {problem}")]
    Element {
        /// Where, such as `Statement[1].Effect`.
        path: String,
        /// What was expected, and what was found.
        problem: String,
    },
}

/// What a statement does to the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// `"Allow"`.
    Allow,
    /// `"Deny"`.
    Deny,
}

/// One statement.
#[derive(Debug)]
pub struct Statement {
    pub(super) sid: Option<String>,
    pub(super) effect: Effect,
    pub(super) principals: Option<Principals>,
    pub(super) actions: Selector,
    pub(super) resources: Option<Selector>,
    pub(super) conditions: Vec<Condition>,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug)]
pub(super) struct Principals {
    pub(super) entries: Vec<NamedPrincipal>,
    pub(super) sense: Sense,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug)]
pub(super) struct Selector {
    pub(super) patterns: Vec<Pattern>,
    pub(super) sense: Sense,
}

/// Whether an element lists what is meant or what is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sense {
    These,
    AllBut,
}

impl PolicyDocument {
    /// Reads a document from JSON text.
    ///
    /// # Errors
    /// When the text is not JSON, or not in the policy language.
    pub fn from_json(text: &str) -> Result<Self, PolicyError> {
        Self::from_value(serde_json::from_str(text)?)
    }

    /// Reads a document from percent-encoded JSON text, as IAM's API gives it.
    ///
    /// # Errors
    /// When the text is not percent-encoded UTF-8, not JSON, or not in the policy language.
    pub fn from_url_encoded(text: &str) -> Result<Self, PolicyError> {
        Self::from_json(&percent_decode(text)?)
    }

    /// Reads a document from JSON.
    ///
    /// # Errors
    /// When the JSON is not in the policy language.
    pub fn from_value(json: Value) -> Result<Self, PolicyError> {
        let statements = parse::statements(&json)?;
        Ok(Self(Arc::new(Inner { json, statements })))
    }

    /// The JSON that the document was read from.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0.json
    }

    /// The statements, in the order in which they are written.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.0.statements
    }
}

impl Statement {
    /// Its `Sid`.
    #[must_use]
    pub fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    /// Its `Effect`.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether it has any condition.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        !self.conditions.is_empty()
    }
}

/// The JSON text of a policy that IAM's API gives percent-encoded.
///
/// # Errors
/// When it is not percent-encoded UTF-8.
pub fn percent_decode(text: &str) -> Result<String, PolicyError> {
    let wrong = |at: usize| PolicyError::Encoding(format!("at byte {at}"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes().enumerate();
    while let Some((at, byte)) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = text.get(at + 1..at + 3).ok_or_else(|| wrong(at))?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong(at));
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_not_hex| wrong(at))?);
        rest.nth(1);
    }
    String::from_utf8(bytes).map_err(|error| wrong(error.utf8_error().valid_up_to()))
}

impl fmt::Debug for PolicyDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PolicyDocument({})", self.0.json)
    }
}

impl PartialEq for PolicyDocument {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.json == other.0.json
    }
}

impl Eq for PolicyDocument {}

impl Serialize for PolicyDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PolicyDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        Self::from_value(json).map_err(serde::de::Error::custom)
    }
}

impl std::str::FromStr for PolicyDocument {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_json(text)
    }
}

#[cfg(test)]
mod tests;
