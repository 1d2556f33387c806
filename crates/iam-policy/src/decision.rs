//! Answers, and why.

use super::truth::Truth;
use std::fmt;

/// Whether a request is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Surely allowed, whatever is not known.
    Allowed,
    /// Surely not allowed, whatever is not known.
    Denied(Denial),
    /// It depends on these; sorted, without duplicates, never empty.
    Undecided(Vec<Reason>),
}

/// Why a request is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// A `Deny` statement matches the request, or a part of what was asked.
    Explicit(StatementRef),
    /// Nothing in this layer allows it.
    Implicit {
        /// Which policies should have allowed it.
        layer: Layer,
        /// An `Allow` that matches a part of what was asked, if there is one.
        partly: Option<StatementRef>,
    },
}

/// The policies of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The principal's own policies.
    Identity,
    /// Its permissions boundary.
    Boundary,
    /// The resource's policy: of a key, a bucket, or a role that is to be assumed.
    Resource,
}

/// One policy document among those that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Of which kind.
    pub layer: Layer,
    /// Which one of that kind, in the order given, from 0.
    pub index: usize,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatementRef {
    /// The document.
    pub source: Source,
    /// Which statement of it, from 0.
    pub index: usize,
    /// Its `Sid`, if it has one.
    pub sid: Option<String>,
}

/// One thing that is not known and on which an answer depends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// The document in question.
    pub source: Source,
    /// The statement; none where the document itself was not read.
    pub statement: Option<StatementRef>,
    /// What is not known.
    pub cause: Cause,
}

/// What kind of thing is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The document could not be read: it may contain anything.
    Unread,
    /// The value of this condition key.
    Key(String),
    /// What this condition operator means.
    Operator(String),
    /// How this value of a condition is to be read.
    Value(String),
    /// Whether this pattern matches: a symbol, or a wildcard where ARNs have colons.
    Pattern(String),
    /// Whether this principal is the one who asks.
    Principal(String),
    /// Whether several statements, each of which matches a part, together match everything asked.
    Overlap,
    /// What a statement means without this element, or with it, in a policy of this kind.
    Element(&'static str),
}

impl Decision {
    /// Whether the request is surely allowed.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed)
    }

    /// True if allowed, false if denied.
    #[must_use]
    pub fn truth(&self) -> Truth {
        match self {
            Self::Allowed => Truth::True,
            Self::Denied(_) => Truth::False,
            Self::Undecided(_) => Truth::Unknown,
        }
    }

    /// Both are allowed. The first denial is the one kept.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (denied @ Self::Denied(_), _) | (_, denied @ Self::Denied(_)) => denied,
            (Self::Undecided(mut one), Self::Undecided(other)) => {
                one.extend(other);
                Self::undecided(one)
            }
            (undecided @ Self::Undecided(_), Self::Allowed) | (Self::Allowed, undecided @ Self::Undecided(_)) => {
                undecided
            }
            (Self::Allowed, Self::Allowed) => Self::Allowed,
        }
    }

    pub(super) fn undecided(mut reasons: Vec<Reason>) -> Self {
        reasons.sort();
        reasons.dedup();
        Self::Undecided(reasons)
    }
}

/// All are allowed.
impl FromIterator<Decision> for Decision {
    fn from_iter<I: IntoIterator<Item = Self>>(decisions: I) -> Self {
        decisions.into_iter().fold(Self::Allowed, Self::and)
    }
}

/// Whether something holds, and what it depends on if that is unknown.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) truth: Truth,
    pub(super) reasons: Vec<Reason>,
}

impl Answer {
    pub(super) fn and(self, other: Self) -> Self {
        let truth = self.truth.and(other.truth);
        self.join(other, truth)
    }

    pub(super) fn or(self, other: Self) -> Self {
        let truth = self.truth.or(other.truth);
        self.join(other, truth)
    }

    fn join(mut self, other: Self, truth: Truth) -> Self {
        if truth == Truth::Unknown {
            self.reasons.extend(other.reasons);
        } else {
            self.reasons.clear();
        }
        self.truth = truth;
        self
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Layer::Identity => write!(f, "identity policy {}", self.index + 1),
            Layer::Boundary => f.write_str("permissions boundary"),
            Layer::Resource => f.write_str("resource policy"),
        }
    }
}

impl fmt::Display for StatementRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.source)?;
        match &self.sid {
            Some(sid) => write!(f, "statement {} ({sid})", self.index + 1),
            None => write!(f, "statement {}", self.index + 1),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit(statement) => write!(f, "denied by {statement}"),
            Self::Implicit { layer, partly } => {
                f.write_str(match layer {
                    Layer::Identity => "no identity policy allows it",
                    Layer::Boundary => "the permissions boundary does not allow it",
                    Layer::Resource => "the resource policy does not allow it",
                })?;
                match partly {
                    Some(statement) => write!(f, "; {statement} allows a part"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.statement {
            Some(statement) => write!(f, "{statement}: {}", self.cause),
            None => write!(f, "{}: {}", self.source, self.cause),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread => f.write_str("it could not be read"),
            Self::Key(key) => write!(f, "the value of {key} is not known"),
            Self::Operator(name) => write!(f, "the condition operator {name} is not known"),
            Self::Value(value) => write!(f, "the condition value {value:?} is not understood"),
            Self::Pattern(text) => write!(f, "whether {text:?} matches is not known"),
            Self::Principal(id) => write!(f, "whether {id:?} is the principal is not known"),
            Self::Overlap => f.write_str("it allows a part, as others do"),
            Self::Element(name) => write!(f, "{name} is not expected in a policy of this kind"),
        }
    }
}
