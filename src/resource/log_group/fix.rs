//! Log groups: retention, the key; and the group for sessions, where there is none.

use serde_json::{Value as Json, json};

use crate::engine::rule::params::ParamValue;
use crate::model::{Key, Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::operation::{
    AssociateKmsKey, CreateLogGroup, DeleteLogGroup, DeleteRetentionPolicy, DisassociateKmsKey, PutRetentionPolicy,
};
use crate::remediate::plan::{Disruption, Undo};
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::setters::{Ability, Setter, seen};
use crate::resource::key;

/// Sets attributes of log groups, and makes the group for sessions.
pub(crate) struct LogGroups;

static ABILITIES: &[Ability] = &[
    Ability::set(
        "retention_in_days",
        &[PutRetentionPolicy::CALL, DeleteRetentionPolicy::CALL],
        &[AspectKind::LogGroupRetention],
    ),
    Ability::task("encrypt", &[AssociateKmsKey::CALL, DisassociateKmsKey::CALL], &[AspectKind::LogGroupKey])
        .asking(&[(ResourceType::KmsKey, "create")]),
    Ability::task(
        "create",
        &[CreateLogGroup::CALL, DeleteLogGroup::CALL, PutRetentionPolicy::CALL, DeleteRetentionPolicy::CALL],
        &[AspectKind::LogGroup, AspectKind::LogGroupRetention],
    )
    .asking(&[(ResourceType::KmsKey, "create")]),
];

/// The numbers of days that CloudWatch Logs takes.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>
const DAYS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The retention of a group that is made, where no rule asks for more.
const GUIDE: i64 = 30;

impl Setter for LogGroups {
    fn resource_type(&self) -> ResourceType {
        ResourceType::LogGroup
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn propagate(&self, (_, key): &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let aims = wanted.tasks(&["encrypt", "create"]);
        if let (Some(region), false) = (&key.region, aims.is_empty()) {
            let session_key = session_key(region, builder);
            builder.ask(&session_key, "create", &aims);
            builder.groups_of_keys.entry(session_key).or_default().insert(key.id.as_ref().to_owned());
        }
    }

    fn required_reads(
        &self,
        (_, key): &ResourceId,
        _: &DesiredState,
        _: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        let kinds = [AspectKind::LogGroup, AspectKind::LogGroupRetention, AspectKind::LogGroupKey];
        kinds.iter().map(|kind| (key.region.clone(), ObservedAspect::of(*kind, key.id.as_ref()))).collect()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        if let Some(aims) = wanted.task("create") {
            match builder
                .observation(thing.1.region.as_ref(), &ObservedAspect::of(AspectKind::LogGroup, thing.1.id.as_ref()))
            {
                Ok(Json::Null) => {
                    create(thing, aims, builder);
                    return;
                }
                Ok(_) => retain_at_once(thing, aims, builder),
                Err(gap) => {
                    builder.leave_out(aims, format!("whether {} exists is not known: {gap}", thing.1.id));
                    return;
                }
            }
        }
        retain(thing, wanted, builder);
        encrypt(thing, wanted, builder);
    }
}

/// The key for sessions and their log group in a region.
pub(crate) fn session_key(region: &Region, builder: &PlanBuilder<'_>) -> ResourceId {
    let alias = builder.here(Some(region)).fill(&builder.settings.key_alias);
    let alias = if alias.starts_with("alias/") { alias } else { format!("alias/{alias}") };
    (ResourceType::KmsKey, Key::regional(region, alias))
}

/// The ARN of a log group of the account.
pub(crate) fn arn(name: &str, region: Option<&Region>, builder: &PlanBuilder<'_>) -> String {
    let region = region.map_or("", Region::as_str);
    format!("arn:{}:logs:{region}:{}:log-group:{name}", builder.inventory.partition, builder.account)
}

/// The fewest days that can be set and are enough.
fn enough(days: i64) -> Option<i64> {
    DAYS.into_iter().find(|possible| *possible >= days)
}

fn put(name: &str, days: i64) -> PutRetentionPolicy {
    PutRetentionPolicy { log_group_name: name.to_owned(), retention_in_days: i32::try_from(days).unwrap_or(i32::MAX) }
}

fn create(thing: &ResourceId, aims: &Aims, builder: &mut PlanBuilder<'_>) {
    let name = thing.1.id.as_ref().to_owned();
    let region = thing.1.region.clone();
    let session_key = region.as_ref().map(|region| session_key(region, builder));
    let Some((session_key, kms_key_id)) =
        session_key.and_then(|key| Some((key.clone(), key::fix::arn(&key, builder)?)))
    else {
        builder.leave_out(aims, format!("{name} needs a key, and there is none"));
        return;
    };
    let needs = builder.steps_of(&session_key);
    let call = CreateLogGroup { log_group_name: name.clone(), kms_key_id: Some(kms_key_id), tags: builder.tags() };
    let mut change = Change::new(
        thing.clone(),
        aims.clone(),
        ObservedAspect::of(AspectKind::LogGroup, &name),
        Json::Null,
        json!({"Name": name}),
        call,
    )
    .needing(needs)
    .creating();
    change.undo = Undo::Deletes(DeleteLogGroup { log_group_name: name.clone() }.into());
    let made = builder.add(change);
    let asked = match builder.param("logs-retention-set", "min_days") {
        Some(ParamValue::Int(days)) => *days,
        _ => GUIDE,
    };
    let days = enough(asked).unwrap_or(GUIDE);
    let aspect = ObservedAspect::of(AspectKind::LogGroupRetention, &name);
    let mut change = Change::new(
        thing.clone(),
        aims.clone(),
        aspect,
        json!({"RetentionInDays": null}),
        json!({"RetentionInDays": days}),
        put(&name, days),
    )
    .needing([made])
    .creating();
    change.undo = Undo::Deletes(DeleteRetentionPolicy { log_group_name: name }.into());
    builder.add(change);
}

fn retain(thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
    let Some((value, aims)) = wanted.set.get("retention_in_days") else { return };
    let name = thing.1.id.as_ref().to_owned();
    let aspect = ObservedAspect::of(AspectKind::LogGroupRetention, &name);
    let Some(before) = seen(builder, thing.1.region.as_ref(), &aspect, aims) else { return };
    let class = builder.inventory.log_groups.get(&thing.1).and_then(|entry| entry.attributes.log_group_class.known());
    if class.is_some_and(|class| class == "DELIVERY") {
        let reason = "a group of the class DELIVERY keeps events for a day or two: log to one of another class";
        builder.leave_out(aims, reason);
        return;
    }
    if let Some(policy) = before["RetentionPolicyName"].as_str() {
        builder.leave_out(aims, format!("the account-level retention policy {policy} decides: change that"));
        return;
    }
    let Some(days) = value.as_i64().and_then(enough) else {
        builder.leave_out(aims, format!("CloudWatch Logs keeps events for at most {} days, or for ever", DAYS[21]));
        return;
    };
    let back: crate::remediate::operation::Operation = match before["RetentionInDays"].as_i64() {
        Some(current) if current >= days => {
            builder.leave_out(aims, format!("it keeps events for {current} days already"));
            return;
        }
        Some(current) => put(&name, current).into(),
        None => DeleteRetentionPolicy { log_group_name: name.clone() }.into(),
    };
    let forever = before["RetentionInDays"].is_null();
    let after = json!({"RetentionInDays": days});
    let change = Change::new(thing.clone(), aims.clone(), aspect, before, after, put(&name, days)).undone_by(back);
    builder.add(if forever { losing_events(change, days) } else { change });
}

/// A group that kept events for ever loses those that are older.
fn losing_events(mut change: Change, days: i64) -> Change {
    change.disruption = Disruption::Irreversible;
    change.by_name = true;
    change.warning(format!("events older than {days} days are deleted, and do not come back"))
}

/// What the rule will ask of a group that is there already, as soon as sessions use it: it is done at once, where it is
/// allowed. An earlier run may have made it and got no further.
fn retain_at_once(thing: &ResourceId, aims: &Aims, builder: &mut PlanBuilder<'_>) {
    let name = thing.1.id.as_ref();
    let aspect = ObservedAspect::of(AspectKind::LogGroupRetention, name);
    let Some(ParamValue::Int(asked)) = builder.param("logs-retention-set", "min_days") else { return };
    let (Some(days), Ok(before)) = (enough(*asked), builder.observation(thing.1.region.as_ref(), &aspect)) else {
        return;
    };
    if !before.is_object() || !before["RetentionInDays"].is_null() || !before["RetentionPolicyName"].is_null() {
        return;
    }
    let after = json!({"RetentionInDays": days});
    let back = DeleteRetentionPolicy { log_group_name: name.to_owned() };
    let change = Change::new(thing.clone(), aims.clone(), aspect, before, after, put(name, days)).undone_by(back);
    let change = losing_events(change, days);
    if builder.objection(&change).is_none() {
        builder.add(change);
    }
}

fn encrypt(thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
    let aims = wanted.tasks(&["encrypt"]);
    let Some(region) = thing.1.region.clone().filter(|_| !aims.is_empty()) else { return };
    let name = thing.1.id.as_ref().to_owned();
    let aspect = ObservedAspect::of(AspectKind::LogGroupKey, &name);
    let Some(before) = seen(builder, Some(&region), &aspect, &aims) else { return };
    let session_key = session_key(&region, builder);
    let Some(kms_key_id) = key::fix::arn(&session_key, builder) else {
        builder.leave_out(&aims, "there is no key for it");
        return;
    };
    let needs = builder.steps_of(&session_key);
    let former = before["KmsKeyId"].as_str().map(str::to_owned);
    let call = AssociateKmsKey { log_group_name: name.clone(), kms_key_id: kms_key_id.clone() };
    let change = Change::new(thing.clone(), aims, aspect, before, json!({}), call)
        .with_made_after("KmsKeyId", kms_key_id)
        .needing(needs);
    builder.add(match former {
        None => change.undone_by(DisassociateKmsKey { log_group_name: name }),
        // CloudWatch Logs takes no key that cannot be used.
        Some(key) => change.not_undone(format!("its former key {key} cannot be used, and cannot be associated again")),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_that_can_be_set_and_are_enough() {
        assert_eq!(
            [1, 2, 30, 31, 366, 3653, 3654].map(enough),
            [Some(1), Some(3), Some(30), Some(60), Some(400), Some(3653), None]
        );
    }
}
