//! What became of calls whose outcome is not known: what is there decides.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::account_clients::AccountClients;
use super::journal::{CallRecord, Record, Run, Status};
use super::observed::{CreateHint, satisfies};
use super::plan::Step;
use super::step_executor::{LATE_EFFECT, look_until};
use crate::model::AccountId;

/// Looks at what the steps changed of which only the intent is known, and those whose calls failed without a clear
/// answer: they may have taken effect late. Where that is seen to be done, or not to be begun, the run's record says so;
/// where it cannot be seen, it is not known.
pub(crate) async fn settle(run: &mut Run, calls: &[CallRecord], accounts: &BTreeMap<AccountId, AccountClients>) {
    let unclear = |step: &Step| calls.iter().any(|call| call.step == step.number && call.may_have_taken_effect());
    let unknown = run.plan.steps.iter().filter(|step| match run.record(step.number).status {
        Status::Intended => true,
        Status::Failed => unclear(step),
        _ => false,
    });
    let steps: Vec<Step> = unknown.cloned().collect();
    for step in steps {
        let record = run.record(step.number);
        run.records.insert(step.number, Record { status: Status::Intended, ..record.clone() });
        let Some(account_clients) = accounts.get(&step.resource.account) else { continue };
        let left = run.left();
        let (Ok(before), Ok(after)) = (step.before_in(&left), step.after_in(&left)) else { continue };
        let place = account_clients.place(step.resource.region.as_ref());
        let done = |state: &Json| satisfies(state, &after);
        let Ok(state) = look_until(&step.aspect, &place, &CreateHint::None, done, LATE_EFFECT).await else { continue };
        let record = if done(&state) {
            Record { status: Status::Done, left: state, problem: None }
        } else if satisfies(&state, &before) {
            if record.status == Status::Failed { record } else { Record::default() }
        } else {
            continue;
        };
        run.records.insert(step.number, record);
    }
}
