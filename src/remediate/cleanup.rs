//! The plan that deletes what a run has replaced and kept: the old root volume of each instance and its snapshot, where
//! the instance is as the run left it. There is no way back from that.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::account_clients::{AccountClients, RegionClients};
use super::approvals::Limits;
use super::journal::{Run, Status};
use super::observed::{AspectKind, CreateHint, ObservedAspect, satisfies};
use super::operation::{DeleteSnapshot, DeleteVolume, DetachVolume, Operation};
use super::plan::{Disruption, LeftOut, Made, Plan, Purpose, Step, Undo};
use crate::model::AccountId;

/// What was replaced of an instance.
struct Replaced<'a> {
    /// The step that took the old volume off.
    detached: &'a Step,
    old: String,
    /// What must still be so, each with how it is looked at: the new volume is attached, and the instance runs if it did.
    ends: Vec<(&'a ObservedAspect, Json)>,
    /// The snapshot: how it is looked at, and its id.
    snapshot: Option<(&'a ObservedAspect, String)>,
}

impl<'a> Replaced<'a> {
    /// What this step replaced, if everything that belongs to it was done.
    fn by(step: &'a Step, run: &'a Run) -> Option<Self> {
        let Operation::DetachVolume(DetachVolume { volume_id, .. }) = &step.call else { return None };
        let old = volume_id.plain()?;
        let unit = || run.plan.steps.iter().filter(|other| other.unit.is_some() && other.unit == step.unit);
        let done = |step: &Step| run.record(step.number).status == Status::Done;
        if !unit().all(done) {
            return None;
        }
        let left = run.left();
        let ends = unit().filter(|step| matches!(step.call, Operation::AttachVolume(_) | Operation::StartInstances(_)));
        let ends = ends.map(|step| Some((&step.aspect, step.after_in(&left).ok()?)));
        let snapshot = unit().find(|step| step.aspect.of == AspectKind::RootSnapshot);
        Some(Self {
            detached: step,
            old: old.to_owned(),
            ends: ends.collect::<Option<_>>()?,
            snapshot: snapshot
                .and_then(|step| Some((&step.aspect, left.get(&step.number)?["SnapshotId"].as_str()?.to_owned()))),
        })
    }

    /// Why nothing is to be deleted: the instance is not as it was left.
    async fn hindrance(&self, place: &RegionClients<'_>) -> Option<String> {
        for (aspect, end) in &self.ends {
            match aspect.look(place, &CreateHint::None).await {
                Ok(state) if satisfies(&state, end) => {}
                Ok(state) => return Some(format!("{aspect} is not as the run left it: {end} then, {state} now")),
                Err(failure) => return Some(format!("{aspect} could not be looked at: {}", failure.gap)),
            }
        }
        None
    }

    /// What is deleted: each with how it is looked at, what it must be like, and the call.
    fn deletions(&self) -> Vec<(ObservedAspect, Json, Operation)> {
        let volume = (
            ObservedAspect::of(AspectKind::Volume, &self.old),
            json!({"VolumeId": self.old, "State": "available"}),
            DeleteVolume { volume_id: self.old.as_str().into() }.into(),
        );
        let snapshot = self.snapshot.iter().map(|(aspect, id)| {
            let call = DeleteSnapshot { snapshot_id: id.as_str().into() };
            ((*aspect).clone(), json!({"SnapshotId": id}), call.into())
        });
        [volume].into_iter().chain(snapshot).collect()
    }
}

/// The plan that deletes what this run has replaced.
pub(crate) async fn plan(
    run: &Run,
    (id, now): (&str, &str),
    accounts: &BTreeMap<AccountId, AccountClients>,
    limits: &Limits,
) -> Plan {
    let mut plan = Plan::empty(id.to_owned(), now.to_owned(), run.plan.tool.rules_digest.clone());
    plan.purpose = Purpose::Discard(run.plan.id.clone());
    plan.scopes.clone_from(&run.plan.scopes);
    plan.names.clone_from(&run.plan.names);
    for replaced in run.plan.steps.iter().filter_map(|step| Replaced::by(step, run)) {
        let resource = &replaced.detached.resource;
        let Some(account_clients) = accounts.get(&resource.account) else { continue };
        let place = account_clients.place(resource.region.as_ref());
        let mut steps = Vec::new();
        let mut hindrance = replaced.hindrance(&place).await;
        for (aspect, before, call) in replaced.deletions() {
            match aspect.look(&place, &CreateHint::None).await {
                Ok(Json::Null) => continue,
                Ok(_) => {}
                Err(failure) => {
                    hindrance.get_or_insert(format!("{aspect} could not be looked at: {}", failure.gap));
                }
            }
            steps.push(Step {
                number: plan.steps.len() + steps.len() + 1,
                resource: resource.clone(),
                aspect,
                before,
                after: Json::Null,
                made: Made::default(),
                call,
                undo: Undo::Not("what is deleted does not come back".to_owned()),
                needs: Vec::new(),
                unit: None,
                rehearsal: None,
                disruption: Disruption::Irreversible,
                shared: false,
                by_name: true,
                creates: false,
                warnings: Vec::new(),
            });
        }
        let objection = steps.first().and_then(|step| limits.objection(&step.nature()));
        match hindrance.filter(|_| !steps.is_empty()).or(objection) {
            Some(reason) => {
                let rule = run.plan.findings.iter().find(|aim| aim.steps.contains(&replaced.detached.number));
                let rule = rule.map(|aim| aim.rule.clone()).unwrap_or_default();
                plan.left_out.push(LeftOut { rule, resource: resource.clone(), reason, failed: true });
            }
            None => plan.steps.extend(steps),
        }
    }
    plan
}
