//! The threshold from which on a failure makes a command fail.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Severity;

/// The least severity that makes a scan fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FailOn {
    /// Critical failures only
    Critical,
    /// High ones too
    High,
    /// Medium ones too
    Medium,
    /// Low ones too
    Low,
    /// Every failure
    Info,
    /// No failure; what is not known still counts
    Never,
}

impl FailOn {
    /// The threshold where none is given.
    pub const DEFAULT: Self = Self::Info;

    /// The least severity that counts.
    pub fn least(self) -> Severity {
        match self {
            Self::Critical => Severity::Critical,
            Self::High => Severity::High,
            Self::Medium => Severity::Medium,
            Self::Low => Severity::Low,
            Self::Info | Self::Never => Severity::Info,
        }
    }

    /// The word on the command line and in the configuration.
    pub fn as_str(self) -> &'static str {
        if self == Self::Never { "never" } else { self.least().as_str() }
    }
}
