//! What became of calls that a run was cut off in: what is there decides.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::aspect::{Clue, satisfies};
use super::journal::{Record, Run, Status};
use super::place::Reach;
use super::plan::Step;
use super::reference;
use super::transition::{LATE_EFFECT, look_until};
use crate::model::AccountId;

/// Looks at what the steps changed of which only the intent is known. Where that is seen to be done, or not to be
/// begun, the run's record says so; where it cannot be seen, it stays as it is.
pub(crate) async fn settle(run: &mut Run, reaches: &BTreeMap<AccountId, Reach>) {
    let intended = run.plan.steps.iter().filter(|step| run.record(step.number).status == Status::Intended);
    let steps: Vec<Step> = intended.cloned().collect();
    for step in steps {
        let Some(reach) = reaches.get(&step.resource.account) else { continue };
        let left = run.left();
        let resolved = (
            reference::resolve(&step.aspect, &left),
            reference::resolve(&step.before, &left),
            reference::resolve(&step.after, &left),
        );
        let (Ok(aspect), Ok(before), Ok(after)) = resolved else { continue };
        let place = reach.place(step.resource.region.as_ref());
        let done = |state: &Json| satisfies(state, &after);
        let Ok(state) = look_until(&aspect, &place, &Clue::None, done, LATE_EFFECT).await else { continue };
        let record = if done(&state) {
            Record { status: Status::Done, left: state, problem: None }
        } else if satisfies(&state, &before) {
            Record::default()
        } else {
            continue;
        };
        run.records.insert(step.number, record);
    }
}
