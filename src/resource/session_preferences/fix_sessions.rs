//! What the sessions of a region use when a plan is done: the names in the preferences, and what the plan puts there.

use std::sync::Arc;

use super::schema::{PREFERENCES_DOCUMENT, SessionInputs, SessionPreferences};
use crate::engine::rule::params::ParamValue;
use crate::model::{Entry, Fact, Key, Region, ResourceType};
use crate::remediate::plan_builder::{DesiredState, PlanBuilder, ResourceId};
use crate::resource::key::schema::KmsKey;
use crate::resource::log_group;

/// The only keys that encrypt sessions: symmetric ones of customers.
pub(crate) const KEY_SPEC: &str = "SYMMETRIC_DEFAULT";
pub(crate) const KEY_USAGE: &str = "ENCRYPT_DECRYPT";
pub(crate) const KEY_MANAGER: &str = "CUSTOMER";

/// The names that the sessions of a region use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sessions {
    pub(crate) bucket: Option<String>,
    pub(crate) prefix: Fact<Option<String>>,
    pub(crate) log_group: Option<String>,
    /// The key, by its id or by the alias under which it is made.
    pub(crate) key: Option<ResourceId>,
    /// Whether the bucket, the group and the key are to be put there.
    pub(super) new_bucket: bool,
    pub(super) new_log_group: bool,
    pub(crate) new_key: bool,
}

/// The preferences of a region.
pub(crate) fn preferences(region: &Region) -> ResourceId {
    (ResourceType::SessionPreferences, Key::regional(region, PREFERENCES_DOCUMENT))
}

impl Sessions {
    /// What the sessions of this region will use.
    pub(crate) fn of(region: &Region, builder: &PlanBuilder<'_>) -> Self {
        let thing = preferences(region);
        let wanted = builder.wanted.get(&thing).cloned().unwrap_or_default();
        let entry = builder.inventory.session_preferences.get(&thing.1);
        let asked = |task: &str| live(&wanted, task, builder);
        let create = asked("create");
        let input = |read: fn(&SessionInputs) -> &Fact<Option<String>>| input(entry, read);
        let bucket = there(entry, |entry| &entry.s3_bucket, &builder.inventory.buckets);
        let log_group = there(entry, |entry| &entry.log_group, &builder.inventory.log_groups);
        let key = there(entry, |entry| &entry.kms_key, &builder.inventory.keys);
        let key = key.filter(|_| !is_of_no_use(entry, region, builder));
        let here = builder.here(Some(region));
        let new_bucket = bucket.is_none() && (create || asked("log-to-s3"));
        let new_log_group = log_group.is_none() && (create || asked("log-to-cloudwatch"));
        let new_key = key.is_none() && !builder.keyless.contains(region) && (create || asked("encrypt-sessions"));
        let named_group = input(|inputs| &inputs.cloud_watch_log_group_name);
        let prefix = match wanted.set.get("inputs.s3_key_prefix") {
            Some((value, _)) => Fact::Known(value.as_str().map(str::to_owned)),
            None if new_bucket => {
                let named = input(|inputs| &inputs.s3_key_prefix);
                Fact::Known(Some(named.unwrap_or_else(|| standard_prefix(region, builder))))
            }
            None => given(entry, |inputs| &inputs.s3_key_prefix),
        };
        Self {
            bucket: bucket.or_else(|| new_bucket.then(|| here.fill(&builder.settings.bucket))),
            prefix,
            log_group: log_group.or_else(|| {
                new_log_group.then(|| named_group.unwrap_or_else(|| here.fill(&builder.settings.log_group)))
            }),
            key: match key {
                Some(id) => Some((ResourceType::KmsKey, Key::regional(region, id))),
                None => new_key.then(|| log_group::fix::session_key(region, builder)),
            },
            new_bucket,
            new_log_group,
            new_key,
        }
    }
}

/// Whether a task is asked for, for something that is not left out.
pub(crate) fn live(wanted: &DesiredState, task: &str, builder: &PlanBuilder<'_>) -> bool {
    wanted.task(task).is_some_and(|aims| aims.iter().any(|aim| !builder.left_out.contains_key(aim)))
}

/// The prefix of session logs, by the rule that asks for one.
fn standard_prefix(region: &Region, builder: &PlanBuilder<'_>) -> String {
    let prefix = match builder.param("ssm-s3-key-prefix", "prefix") {
        Some(ParamValue::Text(prefix)) => prefix.as_str(),
        _ => "AWSLogs/${account}/ssm_session_logs",
    };
    builder.here(Some(region)).fill(prefix)
}

/// An input of the preferences, if it is known.
fn input(
    entry: Option<&Entry<SessionPreferences>>,
    read: fn(&SessionInputs) -> &Fact<Option<String>>,
) -> Option<String> {
    given(entry, read).known()?.clone()
}

fn given(
    entry: Option<&Entry<SessionPreferences>>,
    read: fn(&SessionInputs) -> &Fact<Option<String>>,
) -> Fact<Option<String>> {
    match entry.map(|entry| &entry.attributes.inputs) {
        None => Fact::Known(None),
        Some(Fact::Known(inputs)) => read(inputs).clone(),
        Some(Fact::Unknown(gap)) => Fact::Unknown(Arc::clone(gap)),
    }
}

/// Whether no session can use the key that the preferences name, as `ssm-session-key-set` judges it.
fn is_of_no_use(entry: Option<&Entry<SessionPreferences>>, region: &Region, builder: &PlanBuilder<'_>) -> bool {
    let key = entry.and_then(|entry| entry.attributes.kms_key.known()?.as_ref());
    let Some(key) = key.and_then(|link| builder.inventory.keys.get(&link.key)) else { return false };
    let KmsKey { region: of_key, key_spec, key_usage, key_manager, .. } = &key.attributes;
    let wanted = [(of_key, region.as_str()), (key_spec, KEY_SPEC), (key_usage, KEY_USAGE), (key_manager, KEY_MANAGER)];
    wanted.iter().any(|(fact, wanted)| fact.known().is_some_and(|known| known != wanted))
}

/// The id of what the preferences name, where it exists.
fn there<T>(
    entry: Option<&Entry<SessionPreferences>>,
    link: fn(&SessionPreferences) -> &Fact<Option<crate::model::Link<T>>>,
    table: &crate::model::Table<T>,
) -> Option<String> {
    let link = link(&entry?.attributes).known()?.as_ref()?;
    let exists = !matches!(table.get(&link.key)?.exists, Fact::Known(false));
    exists.then(|| link.key.id.as_ref().to_owned())
}
