//! Exit codes. They never depend on the format of the report.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::model::{Report, Severity, Verdict};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything holds, or the command did what it was asked to.
    Success = 0,
    /// A rule fails at or over the threshold, and no waiver accepts it.
    Failed = 1,
    /// There is no result: usage, configuration, a broken rule, no credentials, an output that could not be written.
    NoResult = 2,
    /// Otherwise: something at or over the threshold is not known, or an account or region was not read.
    Unknown = 3,
    /// The user interrupted it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The least severity that makes a scan fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
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
    /// How a scan with this report ends.
    pub fn exit(self, report: &Report) -> Exit {
        let least = match self {
            Self::Critical => Severity::Critical,
            Self::High => Severity::High,
            Self::Medium => Severity::Medium,
            Self::Low => Severity::Low,
            Self::Info | Self::Never => Severity::Info,
        };
        let any =
            |verdict| report.findings.iter().any(|finding| finding.verdict == verdict && finding.severity >= least);
        if self != Self::Never && any(Verdict::Fail) {
            Exit::Failed
        } else if any(Verdict::Unknown) || report.scopes.iter().any(|scope| !scope.read) {
            Exit::Unknown
        } else {
            Exit::Success
        }
    }
}
