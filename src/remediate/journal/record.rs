//! What stands in the journal: runs, their steps, and the calls that they made.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use crate::remediate::plan::Plan;
use crate::remediate::verify::Verified;

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// Nothing was done.
    Pending,
    /// The call is about to be sent, or was sent: its outcome is not known.
    Intended,
    /// It is done, by this run.
    Done,
    /// What it is to do was so already.
    Found,
    /// It could not be done.
    Failed,
    /// The resource is not as the plan has it.
    Refused,
    /// A step that it needs was not done.
    Stopped,
    /// It was done, and taken back since another step of its unit failed.
    TakenBack,
}

const STATUSES: [(Status, &str); 8] = [
    (Status::Pending, "pending"),
    (Status::Intended, "intended"),
    (Status::Done, "done"),
    (Status::Found, "found"),
    (Status::Failed, "failed"),
    (Status::Refused, "refused"),
    (Status::Stopped, "stopped"),
    (Status::TakenBack, "taken_back"),
];

impl Status {
    /// The word in the journal.
    pub(crate) fn as_str(self) -> &'static str {
        STATUSES.iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        STATUSES.iter().find(|(_, known)| *known == word).map(|(status, _)| *status)
    }

    /// Whether what the step wants is there.
    pub(crate) fn holds(self) -> bool {
        matches!(self, Self::Done | Self::Found)
    }
}

/// What the journal says of a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) status: Status,
    /// What was seen after it.
    pub(crate) left: Json,
    /// What went wrong.
    pub(crate) problem: Option<String>,
}

impl Default for Record {
    fn default() -> Self {
        Self { status: Status::Pending, left: Json::Null, problem: None }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunState {
    /// It is going on, or was cut off.
    Open,
    /// It came to its end.
    Finished,
    /// It was taken back.
    Undone,
}

impl RunState {
    /// The word in the journal.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Undone => "undone",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Finished, Self::Undone].into_iter().find(|state| state.as_str() == word)
    }
}

/// A run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) state: RunState,
    pub(crate) started_at: String,
    pub(crate) finished_at: Option<String>,
    pub(crate) records: BTreeMap<usize, Record>,
    /// What the rules said after it; none where they were not held.
    pub(crate) verified: Option<Vec<Verified>>,
}

impl Run {
    /// What the journal says of a step.
    pub(crate) fn record(&self, step: usize) -> Record {
        self.records.get(&step).cloned().unwrap_or_default()
    }

    /// What its steps left, by number.
    pub(crate) fn left(&self) -> BTreeMap<usize, Json> {
        let holding = self.records.iter().filter(|(_, record)| record.status.holds());
        holding.map(|(number, record)| (*number, record.left.clone())).collect()
    }
}

/// How the outcome of a call begins that failed, and may have taken effect all the same.
const UNCLEAR: &str = "it may have taken effect: ";

/// A call as it was made.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "SentCall")]
pub(crate) struct CallRecord {
    /// The step that it is part of.
    pub(crate) step: usize,
    /// The account.
    pub(crate) account: String,
    /// The region that it was sent to.
    pub(crate) region: Option<String>,
    /// `service:Operation`
    pub(crate) call: String,
    /// Its parameters, by the API's names.
    pub(crate) parameters: Json,
    /// When it was about to be sent, RFC 3339.
    pub(crate) sent_at: String,
    /// When its outcome was known, RFC 3339.
    pub(crate) answered_at: Option<String>,
    /// `answered`, or why there was no answer; null where the process ended first.
    pub(crate) outcome: Option<String>,
    /// The service's id of the request, for its support.
    pub(crate) request_id: Option<String>,
}

impl CallRecord {
    /// The outcome of a call that failed so, and may have taken effect all the same.
    pub(crate) fn unclear(problem: &str) -> String {
        format!("{UNCLEAR}{problem}")
    }

    /// Whether it may have changed something.
    pub(crate) fn may_have_taken_effect(&self) -> bool {
        let outcome = self.outcome.as_deref();
        outcome.is_none_or(|outcome| outcome == Self::ANSWERED || outcome.starts_with(UNCLEAR))
    }

    /// The outcome of a call that was answered.
    pub(crate) const ANSWERED: &str = "answered";
}
