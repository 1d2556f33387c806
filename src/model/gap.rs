//! Why a fact is unknown.

use std::fmt;
use std::sync::{Arc, LazyLock};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reason for which something could not be known. It holds nothing that changes between two
/// identical scans (no request ids, no times).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// What kind of failure it was.
    pub kind: GapKind,
    /// The AWS call that would have given the fact, as `service:Operation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The expression that could not be resolved, for code and for rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The error code of the service, e.g. `AccessDeniedException`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The rest of what there is to say, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The file in which the expression stands, for code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Whether the value is known and must not be shown.
    #[serde(skip)]
    pub is_sensitive: bool,
    /// For code, what is known of the text that is not: private-use characters in it are texts that only AWS will
    /// know. It means something within one inventory only.
    #[serde(skip)]
    pub symbol: Option<Arc<str>>,
}

/// What is shown in place of a sensitive value, as Terraform has it.
pub const SENSITIVE: &str = "(sensitive value)";

/// What kind of failure left a fact unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// The caller may not make the call.
    Denied,
    /// The service kept answering that there were too many calls.
    Throttled,
    /// No answer came in time.
    Timeout,
    /// The call failed otherwise, or its answer could not be understood.
    Failed,
    /// The value is decided elsewhere: a variable without a value, a condition that depends on the request.
    Unresolved,
    /// Nobody asked for it.
    NotCollected,
    /// The rule could not be evaluated.
    RuleError,
}

impl GapKind {
    /// The word in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::Unresolved => "unresolved",
            Self::NotCollected => "not_collected",
            Self::RuleError => "rule_error",
        }
    }
}

impl fmt::Display for GapKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Gap {
    /// A gap that a failed AWS call left, `call` being `service:Operation`.
    pub fn of_call(kind: GapKind, call: impl Into<String>) -> Self {
        Self { call: Some(call.into()), ..Self::of_kind(kind) }
    }

    /// A gap that no call is to blame for.
    pub fn because(kind: GapKind, message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), ..Self::of_kind(kind) }
    }

    fn of_kind(kind: GapKind) -> Self {
        Self {
            kind,
            call: None,
            expression: None,
            code: None,
            message: None,
            file: None,
            line: None,
            is_sensitive: false,
            symbol: None,
        }
    }

    /// The gap of a value that is known and must not be shown.
    pub fn sensitive() -> Self {
        Self { is_sensitive: true, ..Self::because(GapKind::Unresolved, SENSITIVE) }
    }

    /// The gap of a fact that nobody asked for.
    pub fn not_collected() -> Arc<Self> {
        static NOT_COLLECTED: LazyLock<Arc<Gap>> = LazyLock::new(|| Arc::new(Gap::of_kind(GapKind::NotCollected)));
        Arc::clone(&NOT_COLLECTED)
    }

    /// Whether this is the gap of a fact that nobody asked for.
    pub fn is_not_collected(&self) -> bool {
        self.kind == GapKind::NotCollected
    }

    /// The same with the service's error code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same, at this line of a file.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: usize) -> Self {
        self.file = Some(file.into());
        self.line = u32::try_from(line).ok();
        self
    }

    /// The same with a message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.kind {
            GapKind::NotCollected => "not collected",
            GapKind::RuleError => "rule error",
            kind => kind.as_str(),
        })?;
        if let Some(call) = self.call.as_deref().or(self.expression.as_deref()) {
            write!(formatter, ": {call}")?;
        }
        if let Some(code) = &self.code {
            write!(formatter, " ({code})")?;
        }
        match (&self.file, self.line) {
            (Some(file), Some(line)) => write!(formatter, ": {file}:{line}")?,
            (Some(file), None) => write!(formatter, ": {file}")?,
            (None, _) => {}
        }
        if let Some(message) = &self.message {
            write!(formatter, ": {message}")?;
        }
        Ok(())
    }
}
