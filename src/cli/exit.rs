//! Exit codes. They never depend on the format of the report.

use std::process::ExitCode;

use crate::model::{FailOn, Report, Verdict};

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

impl FailOn {
    /// How a scan with this report ends.
    pub fn exit(self, report: &Report) -> Exit {
        let least = self.least();
        let any =
            |verdict| report.findings.iter().any(|finding| finding.verdict == verdict && finding.severity >= least);
        self.of(any(Verdict::Fail), any(Verdict::Unknown) || report.scopes.iter().any(|scope| !scope.read))
    }

    /// How a scan ends in which something at or over the threshold fails, or is not known.
    pub fn of(self, fails: bool, unknown: bool) -> Exit {
        if self != Self::Never && fails {
            Exit::Failed
        } else if unknown {
            Exit::Unknown
        } else {
            Exit::Success
        }
    }
}
