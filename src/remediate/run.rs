//! A run as others read it: its steps with what came of them, every call, and what the rules say after it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value as Json;

use super::journal::{CallRecord, Run, RunState, Status};
use super::plan::{Extent, LeftOut, Purpose, Step};
use super::verify::Verified;
use crate::model::AccountId;
use crate::model::finding::Tool;

/// What a run did.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Run")]
pub(crate) struct RunReport {
    /// `ssm-audit/run`
    kind: &'static str,
    /// 1
    schema_version: u32,
    /// What made the plan.
    tool: Tool,
    /// The id of the run, and of its plan.
    pub(crate) id: String,
    /// What it was for.
    pub(crate) purpose: Purpose,
    /// How far it is.
    pub(crate) state: RunState,
    /// When the plan was made, RFC 3339.
    created_at: String,
    /// When it began, RFC 3339.
    pub(crate) started_at: String,
    /// When it came to its end, RFC 3339.
    pub(crate) finished_at: Option<String>,
    /// The accounts that were looked at.
    scopes: BTreeMap<AccountId, Extent>,
    /// The rules of its findings, each with the parameters that it was held with.
    rules: BTreeMap<String, BTreeMap<String, Json>>,
    /// Its steps.
    pub(crate) steps: Vec<RunStep>,
    /// What came of the findings that it was to make right.
    pub(crate) findings: Vec<Verified>,
    /// What it did not do, and why.
    pub(crate) left_out: Vec<LeftOut>,
}

/// A step and what came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunStep {
    #[serde(flatten)]
    pub(crate) step: Step,
    /// How far it is.
    pub(crate) status: Status,
    /// What was seen after it.
    left: Json,
    /// What went wrong.
    pub(crate) problem: Option<String>,
    /// The calls that were made, in order.
    pub(crate) calls: Vec<CallRecord>,
}

impl RunReport {
    /// The `kind` that every one begins with.
    pub(crate) const KIND: &'static str = "ssm-audit/run";
    /// The version of the form.
    pub(crate) const SCHEMA_VERSION: u32 = 1;

    /// What the journal says of a run.
    pub(crate) fn new(run: Run, calls: Vec<CallRecord>) -> Self {
        let mut by_step: BTreeMap<usize, Vec<CallRecord>> = BTreeMap::new();
        for call in calls {
            by_step.entry(call.step).or_default().push(call);
        }
        let mut records = run.records;
        let plan = run.plan;
        let steps = plan.steps.into_iter().map(|step| {
            let record = records.remove(&step.number).unwrap_or_default();
            let calls = by_step.remove(&step.number).unwrap_or_default();
            RunStep { step, status: record.status, left: record.left, problem: record.problem, calls }
        });
        Self {
            kind: Self::KIND,
            schema_version: Self::SCHEMA_VERSION,
            tool: plan.tool,
            id: plan.id,
            purpose: plan.purpose,
            state: run.state,
            created_at: plan.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            scopes: plan.scopes,
            rules: plan.rules,
            steps: steps.collect(),
            findings: run.verified.unwrap_or_else(|| plan.findings.iter().map(Verified::not_yet).collect()),
            left_out: plan.left_out,
        }
    }
}

/// The runs of a journal.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Runs")]
pub(crate) struct RunList {
    /// `ssm-audit/runs`
    kind: &'static str,
    /// 1
    schema_version: u32,
    /// The runs, the latest last.
    pub(crate) runs: Vec<RunSummary>,
}

/// A run, in short.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RunSummary {
    /// Its id.
    pub(crate) id: String,
    /// What it was for.
    pub(crate) purpose: Purpose,
    /// How far it is.
    pub(crate) state: RunState,
    /// Whether a process is at it now; one that is open and not under way was cut off.
    pub(crate) under_way: bool,
    /// When it began, RFC 3339.
    pub(crate) started_at: String,
    /// When it came to its end, RFC 3339.
    pub(crate) finished_at: Option<String>,
    /// The accounts that it changes.
    pub(crate) accounts: Vec<AccountId>,
    /// How many steps it has.
    pub(crate) steps: usize,
    /// How many of them are done.
    pub(crate) done: usize,
}

impl RunList {
    /// These runs, each with whether a process is at it.
    pub(crate) fn new<'a>(runs: impl IntoIterator<Item = (&'a Run, bool)>) -> Self {
        let runs = runs.into_iter().map(|(run, under_way)| RunSummary {
            id: run.plan.id.clone(),
            purpose: run.plan.purpose.clone(),
            state: run.state,
            under_way,
            started_at: run.started_at.clone(),
            finished_at: run.finished_at.clone(),
            accounts: run.plan.accounts().into_iter().cloned().collect(),
            steps: run.plan.steps.len(),
            done: run.records.values().filter(|record| record.status.holds()).count(),
        });
        Self { kind: "ssm-audit/runs", schema_version: 1, runs: runs.collect() }
    }
}
