//! The plan that takes a run back: its steps that were done, in reverse, each refused where what it left has changed.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::back;
use super::journal::{Run, Status};
use super::operation::Operation;
use super::plan::{LeftOut, Made, Plan, Purpose, Step, Undo};

/// Whether what was replaced is deleted when a run is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replaced {
    /// It is kept: it may hold what was written since.
    Kept,
    /// It is deleted.
    Deleted,
}

/// What a call is about, by its parameters.
fn ids(call: &Operation) -> String {
    let parameters = call.parameters();
    let values = parameters.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
    values.fold(String::new(), |ids, value| ids + ", " + value + ",")
}

fn deletes(step: &Step) -> bool {
    matches!(step.undo, Undo::Deletes(_))
}

/// The steps that are taken back before this one: those that need it. Where one of its own unit is only deleted, that is
/// not waited for, but what needed it: an instance is started again though its snapshot cannot be deleted.
fn before_it(step: &Step, plan: &Plan) -> BTreeSet<usize> {
    let needing = plan.steps.iter().filter(|other| other.needs.contains(&step.number));
    let waits = |other: &&Step| deletes(step) || !deletes(other) || other.unit != step.unit || step.unit.is_none();
    let (waited_for, skipped): (Vec<&Step>, Vec<&Step>) = needing.partition(waits);
    let behind = skipped.into_iter().flat_map(|other| before_it(other, plan));
    waited_for.into_iter().map(|other| other.number).chain(behind).collect()
}

/// The plan that takes this run back.
pub(crate) fn plan(run: &Run, id: &str, now: &str, replaced: Replaced) -> Plan {
    let mut steps = Vec::new();
    let mut left_out = Vec::new();
    let mut numbers: BTreeMap<usize, usize> = BTreeMap::new();
    let left = run.left();
    let rule = |step: &Step| {
        let aims = run.plan.findings.iter().filter(|aim| aim.steps.contains(&step.number));
        aims.map(|aim| aim.rule.clone()).next().unwrap_or_default()
    };
    for step in run.plan.steps.iter().rev() {
        let record = run.record(step.number);
        if !matches!(record.status, Status::Done | Status::Intended) {
            continue;
        }
        let leave =
            |reason: String| LeftOut { rule: rule(step), resource: step.resource.clone(), reason, failed: false };
        let what = &step.aspect;
        let operation = match (&step.undo, replaced) {
            (Undo::By(operation), _) | (Undo::Deletes(operation), Replaced::Deleted) => operation,
            (Undo::Deletes(operation), Replaced::Kept) => {
                let id = back(step, operation, &record, &left).map(|(_, call)| ids(&call)).unwrap_or_default();
                left_out.push(leave(format!("{what}{id} is kept: delete it with --delete-replaced")));
                continue;
            }
            (Undo::Not(why), _) => {
                left_out.push(leave(format!("{what}: {why}")));
                continue;
            }
        };
        let (after, call) = match back(step, operation, &record, &left) {
            Ok(back) => back,
            Err(problem) => {
                let reason = format!("{what} could not be taken back, what became of its call is not known: {problem}");
                left_out.push(LeftOut { failed: true, ..leave(reason) });
                continue;
            }
        };
        // What was left is what must be there; of a call that was cut off, it is what it was to lead to.
        let before = match record.status {
            Status::Done => Ok(record.left.clone()),
            _ => step.after_in(&left),
        };
        let before = match before {
            Ok(before) => before,
            Err(problem) => {
                let reason = format!("{what} could not be taken back, what its call led to is not known: {problem}");
                left_out.push(LeftOut { failed: true, ..leave(reason) });
                continue;
            }
        };
        // Everything that it is about is there now. What is only deleted can wait.
        let rehearsal = step.rehearsal.as_ref().filter(|_| !deletes(step)).map(|_| call.clone());
        let number = steps.len() + 1;
        numbers.insert(step.number, number);
        steps.push(Step {
            number,
            resource: step.resource.clone(),
            aspect: step.aspect.clone(),
            before,
            after,
            made: Made::default(),
            call,
            undo: Undo::Not("take the run back by fixing again".to_owned()),
            needs: before_it(step, &run.plan).iter().filter_map(|other| numbers.get(other).copied()).collect(),
            unit: step.unit.clone(),
            rehearsal,
            disruption: step.disruption,
            shared: step.shared,
            by_name: false,
            creates: false,
            warnings: Vec::new(),
        });
    }
    Plan {
        kind: Plan::KIND.to_owned(),
        schema_version: Plan::SCHEMA_VERSION,
        tool: run.plan.tool.clone(),
        id: id.to_owned(),
        created_at: now.to_owned(),
        purpose: Purpose::Undo(run.plan.id.clone()),
        scopes: run.plan.scopes.clone(),
        rules: BTreeMap::new(),
        findings: Vec::new(),
        steps,
        left_out,
        names: run.plan.names.clone(),
        seal: None,
    }
}
