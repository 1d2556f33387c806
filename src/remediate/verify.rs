//! Whether what was to be made right is right: the rules are held again, and they decide.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::{Aim, Plan};
use crate::model::{Finding, Report, Verdict};

/// What the rule says now of a finding that was to be made right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Result {
    /// The rule passes.
    Fixed,
    /// It fails as before.
    StillFailing,
    /// It is not known.
    Unknown,
    /// The rule no longer speaks of the resource, or the resource is gone.
    NotApplicable,
}

impl Result {
    /// The words for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::StillFailing => "still failing",
            Self::Unknown => "unknown",
            Self::NotApplicable => "no longer applies",
        }
    }
}

/// An aim and what came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Verified<'a> {
    #[serde(flatten)]
    pub(crate) aim: &'a Aim,
    pub(crate) result: Result,
    /// What the rule says now, where it does not pass.
    pub(crate) message: Option<String>,
}

/// What came of each aim of the plan, by a report made after it.
pub(crate) fn verify<'a>(plan: &'a Plan, report: &Report) -> Vec<Verified<'a>> {
    let now: BTreeMap<&str, &Finding> =
        report.findings.iter().map(|finding| (finding.fingerprint.as_str(), finding)).collect();
    let verified = plan.findings.iter().map(|aim| {
        let Some(finding) = now.get(aim.fingerprint.as_str()) else {
            // Where its resources could not be listed, nothing is known of any of them.
            let unlisted = report.findings.iter().find(|finding| {
                finding.rule == aim.rule
                    && finding.resource.id == crate::scan::ANY
                    && finding.resource.account.as_ref() == Some(&aim.resource.account)
            });
            return match unlisted {
                Some(finding) => Verified { aim, result: Result::Unknown, message: Some(finding.message.clone()) },
                None => Verified { aim, result: Result::NotApplicable, message: None },
            };
        };
        let verdict = finding.waiver.as_ref().map_or(finding.verdict, |waiver| waiver.verdict);
        let result = match verdict {
            Verdict::Pass => Result::Fixed,
            Verdict::Fail | Verdict::Waived => Result::StillFailing,
            Verdict::Unknown => Result::Unknown,
        };
        let message = (result != Result::Fixed).then(|| finding.message.clone());
        Verified { aim, result, message }
    });
    verified.collect()
}
