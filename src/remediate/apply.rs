//! Carries out a plan: steps side by side as far as they do not need each other, each written down before and after.
//!
//! A step that fails stops those that need it and no others. Where it belongs to a unit, what the unit has done is taken
//! back at once. The same machinery applies a plan, goes on with one that was cut off, and takes one back: an undo is a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde_json::Value as Json;

use super::account_clients::AccountClients;
use super::journal::{Journal, JournalError, Record, Status};
use super::plan::{Plan, Step, Subject, Undo};
use super::step_executor::{Log, Outcome, Transition};
use super::{preflight, step_output};
use crate::collect::Shutdown;
use crate::model::AccountId;

/// Is told of each step.
pub(crate) trait Observer: Sync {
    /// A step has been begun.
    fn began(&self, step: usize);
    /// A step has come to this state.
    fn ended(&self, step: usize, state: &str, problem: Option<&str>);
}

/// A plan being carried out.
pub(crate) struct Apply<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) journal: &'a Journal,
    pub(crate) accounts: &'a BTreeMap<AccountId, AccountClients>,
    /// How many steps may run at once.
    pub(crate) concurrency: NonZeroUsize,
    /// Lets no further step begin.
    pub(crate) shutdown: &'a Shutdown,
    pub(crate) observer: &'a dyn Observer,
}

impl Apply<'_> {
    /// Carries out what is left to do after these records.
    ///
    /// # Errors
    /// Where the journal cannot be written: then nothing more is done.
    pub(crate) async fn run(
        &self,
        mut records: BTreeMap<usize, Record>,
    ) -> Result<BTreeMap<usize, Record>, JournalError> {
        let resumed: BTreeSet<usize> =
            records.iter().filter(|(_, record)| record.status == Status::Intended).map(|(number, _)| *number).collect();
        let mut running = FuturesUnordered::new();
        let mut begun = BTreeSet::new();
        let mut under_way = BTreeSet::new();
        loop {
            for step in self.ready(&records, &begun, &under_way) {
                if running.len() >= self.concurrency.get() || self.shutdown.is_requested() {
                    break;
                }
                begun.insert(step.number);
                under_way.insert(step.number);
                self.observer.began(step.number);
                let unit = self.to_rehearse(step, &records);
                running.push(self.perform(step, unit, left(&records), resumed.contains(&step.number)));
            }
            let Some(finished) = running.next().await else { break };
            let came_of_it: Vec<(usize, Record)> = finished?;
            for (number, record) in came_of_it {
                under_way.remove(&number);
                // What is left for later keeps waiting what needs it.
                let failed = !record.status.holds() && record.status != Status::Pending;
                self.note(&mut records, number, record)?;
                if failed {
                    self.stop_what_needs(number, &mut records)?;
                }
            }
        }
        self.take_back_units(&mut records).await?;
        Ok(records)
    }

    /// The steps that can begin: not begun, all that they need is there, and nothing else is under way on what they
    /// change. So what a step leaves is never mixed with what another does, and an instance is not asked for something
    /// while it stops.
    fn ready(
        &self,
        records: &BTreeMap<usize, Record>,
        begun: &BTreeSet<usize>,
        under_way: &BTreeSet<usize>,
    ) -> Vec<&Step> {
        let status = |number: &usize| records.get(number).map_or(Status::Pending, |record| record.status);
        let open = |step: &Step| matches!(status(&step.number), Status::Pending | Status::Intended);
        let busy = self.plan.steps.iter().filter(|step| under_way.contains(&step.number) && open(step));
        let mut busy: BTreeSet<&Subject> = busy.map(|step| &step.resource).collect();
        let steps = self.plan.steps.iter().filter(|step| !begun.contains(&step.number) && open(step));
        steps
            .filter(|step| step.needs.iter().all(|needed| status(needed).holds()))
            .filter(|step| busy.insert(&step.resource))
            .collect()
    }

    fn note(&self, records: &mut BTreeMap<usize, Record>, number: usize, record: Record) -> Result<(), JournalError> {
        self.journal.record(&self.plan.id, number, &record)?;
        self.observer.ended(number, record.status.as_str(), record.problem.as_deref());
        records.insert(number, record);
        Ok(())
    }

    /// Stops everything that needs a step which was not done.
    fn stop_what_needs(&self, failed: usize, records: &mut BTreeMap<usize, Record>) -> Result<(), JournalError> {
        let mut missed = vec![failed];
        while let Some(missing) = missed.pop() {
            for step in self.plan.steps.iter().filter(|step| step.needs.contains(&missing)) {
                if records.get(&step.number).is_none_or(|record| record.status == Status::Pending) {
                    let record = stopped(format!("step {missing}, which it needs, was not done"));
                    self.note(records, step.number, record)?;
                    missed.push(step.number);
                }
            }
        }
        Ok(())
    }

    /// The steps of its unit that are to be rehearsed before this one, the first of them, is begun. What was cut off in the
    /// middle goes on: there is no way back without calls, either.
    fn to_rehearse(&self, step: &Step, records: &BTreeMap<usize, Record>) -> Vec<&Step> {
        let Some(unit) = &step.unit else { return Vec::new() };
        let mates = || self.plan.steps.iter().filter(|other| other.unit.as_ref() == Some(unit));
        let pending = |step: &Step| records.get(&step.number).is_none_or(|record| record.status == Status::Pending);
        if mates().all(pending) { mates().filter(|mate| mate.rehearsal.is_some()).collect() } else { Vec::new() }
    }

    /// Performs a step, after a rehearsal of these; what came of it, and of those that would not be done.
    async fn perform(
        &self,
        step: &Step,
        unit: Vec<&Step>,
        left: BTreeMap<usize, Json>,
        resumed: bool,
    ) -> Result<Vec<(usize, Record)>, JournalError> {
        let transition = match self.forward(step, &left, resumed) {
            Ok(transition) => transition,
            Err(problem) => return Ok(vec![(step.number, failed(problem))]),
        };
        let refusals = preflight::refusals(&unit, transition.place.account_clients).await;
        if let Some(first) = refusals.keys().next().copied() {
            let mut records: BTreeMap<usize, Record> =
                refusals.into_iter().map(|(number, problem)| (number, failed(problem))).collect();
            records.entry(step.number).or_insert_with(|| stopped(format!("step {first} would not be done")));
            return Ok(records.into_iter().rev().collect());
        }
        let outcome = transition.make(self.log(step.number)).await?;
        Ok(vec![(step.number, record_of(outcome))])
    }

    fn log(&self, step: usize) -> Log<'_> {
        Log { journal: self.journal, run: &self.plan.id, step }
    }

    fn forward(&self, step: &Step, left: &BTreeMap<usize, Json>, resumed: bool) -> Result<Transition<'_>, String> {
        let dangling = |problem: step_output::Dangling| problem.to_string();
        Ok(Transition {
            place: self.account_clients(step)?.place(step.resource.region.as_ref()),
            aspect: step.aspect.clone(),
            before: step.before_in(left).map_err(dangling)?,
            after: step.after_in(left).map_err(dangling)?,
            operation: step_output::resolve(&step.call, left).map_err(dangling)?,
            resumed,
            builds_on_new: !step.needs.is_empty(),
        })
    }

    fn account_clients(&self, step: &Step) -> Result<&AccountClients, String> {
        let account = &step.resource.account;
        self.accounts.get(account).ok_or_else(|| format!("account {account} is not reached"))
    }

    /// Takes back what units have done of which a step was not done. What was taken back before a run was cut off is
    /// found so.
    async fn take_back_units(&self, records: &mut BTreeMap<usize, Record>) -> Result<(), JournalError> {
        let units: BTreeSet<&String> = self
            .plan
            .steps
            .iter()
            .filter(|step| {
                let status = records.get(&step.number).map_or(Status::Pending, |record| record.status);
                matches!(status, Status::Failed | Status::Refused | Status::Stopped)
            })
            .filter_map(|step| step.unit.as_ref())
            .collect();
        for unit in units {
            let steps = self.plan.steps.iter().rev().filter(|step| step.unit.as_ref() == Some(unit));
            // What could not be taken back may still need what was made before it; everything else goes back all the same,
            // each only where it finds what it expects.
            let mut stuck = false;
            for step in steps {
                if stuck && step.creates {
                    continue;
                }
                let Some(record) = records.get(&step.number).filter(|record| record.status == Status::Done) else {
                    continue;
                };
                let (Undo::By(operation) | Undo::Deletes(operation)) = &step.undo else { continue };
                let back = back(step, operation, record, &left(records));
                let outcome = match (back, self.account_clients(step)) {
                    (Ok((before, operation)), Ok(account_clients)) => {
                        let transition = Transition {
                            place: account_clients.place(step.resource.region.as_ref()),
                            aspect: step.aspect.clone(),
                            before: record.left.clone(),
                            after: before,
                            operation,
                            resumed: false,
                            // What is missing for good is not waited for.
                            builds_on_new: !stuck,
                        };
                        transition.make(self.log(step.number)).await?
                    }
                    (Err(problem), _) => Outcome::Failed(problem.to_string()),
                    (_, Err(problem)) => Outcome::Failed(problem),
                };
                match outcome {
                    Outcome::Done(left) | Outcome::Found(left) => {
                        self.note(records, step.number, Record { status: Status::TakenBack, left, problem: None })?;
                    }
                    Outcome::Refused(problem) | Outcome::Failed(problem) | Outcome::Left(problem) => {
                        let problem = Some(format!("it could not be taken back: {problem}"));
                        let left = record.left.clone();
                        self.note(records, step.number, Record { status: Status::Done, left, problem })?;
                        stuck = true;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What takes a step back: what there was before, and the call.
pub(crate) fn back(
    step: &Step,
    operation: &super::operation::Operation,
    record: &Record,
    left: &BTreeMap<usize, Json>,
) -> Result<(Json, super::operation::Operation), step_output::Dangling> {
    let mut left = left.clone();
    left.insert(step.number, record.left.clone());
    Ok((step.before_in(&left)?, step_output::resolve(operation, &left)?))
}

fn left(records: &BTreeMap<usize, Record>) -> BTreeMap<usize, Json> {
    let holding = records.iter().filter(|(_, record)| record.status.holds());
    holding.map(|(number, record)| (*number, record.left.clone())).collect()
}

fn failed(problem: String) -> Record {
    Record { status: Status::Failed, left: Json::Null, problem: Some(problem) }
}

fn stopped(problem: String) -> Record {
    Record { status: Status::Stopped, left: Json::Null, problem: Some(problem) }
}

fn record_of(outcome: Outcome) -> Record {
    match outcome {
        Outcome::Done(left) => Record { status: Status::Done, left, problem: None },
        Outcome::Found(left) => Record { status: Status::Found, left, problem: None },
        Outcome::Refused(problem) => Record {
            status: Status::Refused,
            left: Json::Null,
            problem: Some(format!("it has changed since the plan: {problem}")),
        },
        Outcome::Failed(problem) => failed(problem),
        Outcome::Left(problem) => Record { status: Status::Pending, left: Json::Null, problem: Some(problem) },
    }
}
