//! Whether what was to be made right is right: the rules are held again, and they decide.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::{Aim, Plan};
use crate::model::{Evidence, Finding, Report, Verdict};

/// What the rule says now of a finding that was to be made right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Result")]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Verified {
    #[serde(flatten)]
    pub(crate) aim: Aim,
    /// What the rule says now; null where it was not held again.
    pub(crate) result: Option<Result>,
    /// What it says in words, where it does not pass.
    pub(crate) message: Option<String>,
    /// The attributes that it read.
    pub(crate) evidence: Vec<Evidence>,
}

impl Verified {
    /// An aim of which nothing is known yet.
    pub(crate) fn not_yet(aim: &Aim) -> Self {
        Self { aim: aim.clone(), result: None, message: None, evidence: Vec::new() }
    }

    fn new(aim: &Aim, result: Result, finding: Option<&Finding>) -> Self {
        Self {
            aim: aim.clone(),
            result: Some(result),
            message: finding.filter(|_| result != Result::Fixed).map(|finding| finding.message.clone()),
            evidence: finding.map(|finding| finding.evidence.clone()).unwrap_or_default(),
        }
    }
}

/// What came of each aim of the plan, by a report made after it.
pub(crate) fn verify(plan: &Plan, report: &Report) -> Vec<Verified> {
    let now: BTreeMap<&str, &Finding> =
        report.findings.iter().map(|finding| (finding.fingerprint.as_str(), finding)).collect();
    let verified = plan.findings.iter().map(|aim| {
        let Some(finding) = now.get(aim.fingerprint.as_str()) else {
            // Where its resources could not be listed, nothing is known of any of them.
            let unlisted = report.findings.iter().find(|finding| {
                finding.rule == aim.rule
                    && finding.resource.id == crate::engine::scan::ANY
                    && finding.resource.account.as_ref() == Some(&aim.resource.account)
            });
            let result = if unlisted.is_some() { Result::Unknown } else { Result::NotApplicable };
            return Verified::new(aim, result, unlisted);
        };
        let verdict = finding.waiver.as_ref().map_or(finding.verdict, |waiver| waiver.verdict);
        let result = match verdict {
            Verdict::Pass => Result::Fixed,
            Verdict::Fail | Verdict::Waived => Result::StillFailing,
            Verdict::Unknown => Result::Unknown,
        };
        Verified::new(aim, result, Some(finding))
    });
    verified.collect()
}
