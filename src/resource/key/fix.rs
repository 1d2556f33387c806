//! Keys: rotation, state, and what their policies let the account and CloudWatch Logs do; and the key of the account's
//! sessions, where there is none.

use iam_policy::{Context, Decision, PolicyDocument, Principal, Request, Resource, resource_allows};
use serde_json::{Value as Json, json};

use crate::model::{Fact, Partition, Region, ResourceType};
use crate::remediate::observed::{AspectKind, KEY_MADE_BY, ObservedAspect, document, wanted_document};
use crate::remediate::operation::{
    CancelKeyDeletion, CreateAlias, CreateKey, DeleteAlias, DisableKey, DisableKeyRotation, EnableKey,
    EnableKeyRotation, KmsTag, PutKeyPolicy, ScheduleKeyDeletion,
};
use crate::remediate::plan::Undo;
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::policy;
use crate::remediate::setters::{Ability, Setter, seen};
use crate::remediate::step_output::{Reference, Text};
use crate::resource::session_preferences::fix_sessions::{KEY_MANAGER, KEY_SPEC, KEY_USAGE, Sessions};

/// Sets attributes of keys, and makes the key for sessions.
pub(crate) struct Keys;

const ALIAS: &str = "alias/";

static ABILITIES: &[Ability] = &[
    Ability::set(
        "enable_key_rotation",
        &[EnableKeyRotation::CALL, DisableKeyRotation::CALL],
        &[AspectKind::KeyRotation, AspectKind::KeyPrimary],
    ),
    Ability::task("enable", &[EnableKey::CALL, DisableKey::CALL, CancelKeyDeletion::CALL], &[AspectKind::KeyState]),
    Ability::task("grant-logs", &[PutKeyPolicy::CALL], &[AspectKind::KeyPolicy]),
    Ability::task("keep-account-admin", &[PutKeyPolicy::CALL], &[AspectKind::KeyPolicy]),
    Ability::task(
        "create",
        &[
            CreateKey::CALL,
            ScheduleKeyDeletion::CALL,
            CreateAlias::CALL,
            DeleteAlias::CALL,
            EnableKeyRotation::CALL,
            DisableKeyRotation::CALL,
            PutKeyPolicy::CALL,
        ],
        &[AspectKind::KeyMade, AspectKind::KeyAlias, AspectKind::KeyPolicy, AspectKind::KeyRotation],
    ),
];

impl Setter for Keys {
    fn resource_type(&self) -> ResourceType {
        ResourceType::KmsKey
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn required_reads(
        &self,
        (_, key): &ResourceId,
        _: &DesiredState,
        _: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        let kinds: &[AspectKind] = if key.id.starts_with(ALIAS) {
            &[AspectKind::KeyAlias, AspectKind::KeyPolicy]
        } else {
            &[AspectKind::KeyState, AspectKind::KeyPolicy, AspectKind::KeyRotation, AspectKind::KeyPrimary]
        };
        kinds.iter().map(|kind| (key.region.clone(), ObservedAspect::of(*kind, key.id.as_ref()))).collect()
    }

    /// An alias that leads to a key is that key.
    fn resolve_alias(&self, thing: &ResourceId, builder: &mut PlanBuilder<'_>) {
        let (_, key) = thing;
        if !key.id.starts_with(ALIAS) {
            return;
        }
        let observation = |builder: &PlanBuilder<'_>, kind| {
            builder.observation(key.region.as_ref(), &ObservedAspect::of(kind, key.id.as_ref()))
        };
        let Ok(alias) = observation(builder, AspectKind::KeyAlias) else { return };
        let Some(id) = alias["KeyId"].as_str() else { return };
        let policy = observation(builder, AspectKind::KeyPolicy);
        builder.seen.entry((key.region.clone(), ObservedAspect::of(AspectKind::KeyPolicy, id))).or_insert(policy);
        // A key that nothing names yet was not read: its ARN is known from here.
        builder
            .seen
            .entry((key.region.clone(), ObservedAspect::of(AspectKind::KeyAlias, id)))
            .or_insert(Ok(alias.clone()));
        let key = crate::model::Key { region: key.region.clone(), id: id.into() };
        builder.resolve_alias(thing, (ResourceType::KmsKey, key));
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        if thing.1.id.starts_with(ALIAS) {
            if let Some(aims) = wanted.task("create") {
                create(thing, &aims.clone(), builder);
            }
            return;
        }
        if let Some(owner) = owner(thing, builder).filter(|owner| owner != builder.account.as_str()) {
            builder.leave_out(&wanted.aims(), format!("the key belongs to account {owner}, which must change it"));
            return;
        }
        let enabled = enable(thing, wanted, builder);
        if let Some(aims) = wanted.task("create")
            && let Some(reason) = unusable(thing, enabled, builder)
        {
            builder.leave_out(aims, reason);
        }
        rotate(thing, wanted, enabled, builder);
        grant(thing, wanted, builder);
    }
}

/// Returns the reason why the key of an alias cannot encrypt sessions and their log group.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>
fn unusable(thing: &ResourceId, enabled: Option<usize>, builder: &PlanBuilder<'_>) -> Option<String> {
    let key = builder
        .observation(thing.1.region.as_ref(), &ObservedAspect::of(AspectKind::KeyAlias, thing.1.id.as_ref()))
        .ok()?;
    // A key that an earlier step enables need not be enabled now.
    let state = enabled.is_none().then_some(("KeyState", "Enabled"));
    let others = [("KeySpec", KEY_SPEC), ("KeyUsage", KEY_USAGE), ("KeyManager", KEY_MANAGER)];
    let known = |(member, wanted)| Some((member, key[member].as_str()?, wanted));
    let known = state.into_iter().chain(others).filter_map(known);
    let (member, value, wanted) = known.into_iter().find(|(_, value, wanted)| value != wanted)?;
    Some(format!(
        "the alias {} leads to the key {}, whose {member} is {value} and not {wanted}: name another one in fix.key_alias",
        builder.here(thing.1.region.as_ref()).fill(&builder.settings.key_alias),
        thing.1.id,
    ))
}

/// Returns `true` if a step needs a new key: sessions, a log group that is created, or a log group that is encrypted. A log
/// group that already exists keeps its key.
fn is_needed(thing: &ResourceId, builder: &PlanBuilder<'_>) -> bool {
    let Some(region) = &thing.1.region else { return true };
    let sessions = Sessions::of(region, builder);
    let needs = |name: &String| {
        let group = (ResourceType::LogGroup, crate::model::Key::regional(region, name.as_str()));
        let is_encrypted = builder.wanted.get(&group).is_some_and(|wanted| wanted.task("encrypt").is_some());
        is_encrypted
            || !builder
                .observation(Some(region), &ObservedAspect::of(AspectKind::LogGroup, name))
                .is_ok_and(|there| !there.is_null())
    };
    (sessions.new_key && sessions.key.as_ref() == Some(thing))
        || builder.groups_of_keys.get(thing).is_none_or(|groups| groups.iter().any(needs))
}

/// The ARN of a key, or a reference to that of the one that is made; none where there is neither.
pub(crate) fn arn(thing: &ResourceId, builder: &PlanBuilder<'_>) -> Option<Text> {
    let known = builder.identity(thing);
    if known.1.id.starts_with(ALIAS) {
        let made = builder.steps_on(|other| *other == known);
        let made = made.into_iter().find(|step| builder.changes[*step].aspect.of == AspectKind::KeyMade)?;
        return Some(Reference::to(made, "Arn").into());
    }
    let alias = builder
        .observation(thing.1.region.as_ref(), &ObservedAspect::of(AspectKind::KeyAlias, thing.1.id.as_ref()))
        .ok();
    let seen = alias.and_then(|alias| alias["Arn"].as_str().map(str::to_owned));
    seen.or_else(|| builder.inventory.keys.get(&known.1)?.attributes.arn.known().cloned()).map(Text::from)
}

fn owner(thing: &ResourceId, builder: &PlanBuilder<'_>) -> Option<String> {
    let arn = builder.inventory.keys.get(&thing.1)?.attributes.arn.known()?;
    arn.split(':').nth(4).map(str::to_owned)
}

/// Rotation can be set of a key that is enabled only, and of related multi-Region keys on their primary:
/// <https://docs.aws.amazon.com/kms/latest/developerguide/rotating-keys-enable.html>
fn rotate(thing: &ResourceId, wanted: &DesiredState, enabled: Option<usize>, builder: &mut PlanBuilder<'_>) {
    let Some((value, aims)) = wanted.set.get("enable_key_rotation") else { return };
    let key_id = thing.1.id.as_ref().to_owned();
    let aspect = ObservedAspect::of(AspectKind::KeyRotation, &key_id);
    let Some(before) = seen(builder, thing.1.region.as_ref(), &aspect, aims) else { return };
    let primary = ObservedAspect::of(AspectKind::KeyPrimary, &key_id);
    let Some(primary) = seen(builder, thing.1.region.as_ref(), &primary, aims) else { return };
    let Some(region) = primary["Region"].as_str().and_then(|region| region.parse::<Region>().ok()) else {
        return builder.leave_out(aims, "the region of its primary key is not known");
    };
    let same = |change: &Change| change.aspect == aspect && change.region.as_ref() == Some(&region);
    if let Some(there) = builder.changes.iter().position(same) {
        builder.changes[there].aims.extend(aims);
        return;
    }
    builder.add(
        Change::new(
            thing.clone(),
            aims.clone(),
            aspect,
            before,
            value.clone(),
            EnableKeyRotation { key_id: key_id.as_str().into() },
        )
        .undone_by(DisableKeyRotation { key_id: key_id.into() })
        .in_region(&region)
        .needing(enabled),
    );
}

fn enable(thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) -> Option<usize> {
    let aims = wanted.task("enable")?;
    let key_id = thing.1.id.as_ref().to_owned();
    let aspect = ObservedAspect::of(AspectKind::KeyState, &key_id);
    let mut before = seen(builder, thing.1.region.as_ref(), &aspect, aims)?;
    let mut needs = None;
    if before == json!("PendingDeletion") {
        let disabled = json!("Disabled");
        let mut cancel = Change::new(
            thing.clone(),
            aims.clone(),
            aspect.clone(),
            before,
            disabled.clone(),
            CancelKeyDeletion { key_id: key_id.clone() },
        )
        .not_undone("order the deletion of the key again, if it is to go");
        cancel.by_name = true;
        needs = Some(builder.add(cancel));
        before = disabled;
    }
    if before != json!("Disabled") {
        builder.leave_out(aims, format!("a key that is {before} cannot be enabled"));
        return None;
    }
    let call = EnableKey { key_id: key_id.clone() };
    let change = Change::new(thing.clone(), aims.clone(), aspect, before, "Enabled".into(), call)
        .undone_by(DisableKey { key_id })
        .needing(needs);
    Some(builder.add(change))
}

/// Statements that the policy of an existing key lacks, in one call.
fn grant(thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
    let mut aims = wanted.tasks(&["grant-logs", "keep-account-admin", "create"]);
    let groups = groups(thing, builder);
    if aims.is_empty() || (groups.is_empty() && wanted.task("keep-account-admin").is_none()) {
        return;
    }
    let key_id = thing.1.id.as_ref().to_owned();
    let region = thing.1.region.clone();
    let aspect = ObservedAspect::of(AspectKind::KeyPolicy, &key_id);
    let Some(before) = seen(builder, region.as_ref(), &aspect, &aims) else { return };
    let text = before["Text"].as_str().unwrap_or_default().to_owned();
    let Ok(policy) = PolicyDocument::from_json(&text) else {
        builder.leave_out(&aims, "the key policy cannot be understood");
        return;
    };
    let arn = arn(thing, builder);
    let Some(arn) = arn.as_ref().and_then(Text::plain) else {
        builder.leave_out(&aims, "the ARN of the key is not known");
        return;
    };
    let mut statements = Vec::new();
    if wanted.task("keep-account-admin").is_some() {
        statements.push(account_admin(builder));
    }
    let service = logs_service(region.as_ref(), builder.inventory.partition);
    let missing: Vec<String> = groups.into_iter().filter(|group| !grants_logs(&policy, arn, group, &service)).collect();
    if !missing.is_empty() {
        statements.extend(logs(&missing, &service, &text));
    }
    if statements.is_empty() {
        aims.retain(|aim| !builder.left_out.contains_key(aim));
        return;
    }
    let Some(with) = policy::with_statements(&text, &statements) else {
        builder.leave_out(&aims, "the key policy is not of a form to which a statement can be added");
        return;
    };
    // What denies it stays, and is for the key's owner to take away.
    let then = PolicyDocument::from_json(&with).ok();
    let granted = |group: &String| then.as_ref().is_some_and(|policy| grants_logs(policy, arn, group, &service));
    if !missing.iter().all(granted) {
        builder.leave_out(
            &aims,
            "the key policy denies CloudWatch Logs the key, or may: no statement that is added helps",
        );
        return;
    }
    let put = |policy: &str| PutKeyPolicy {
        key_id: key_id.clone(),
        policy_name: "default".to_owned(),
        policy: policy.to_owned(),
    };
    let change = Change::new(thing.clone(), aims, aspect, document(&text), wanted_document(&with), put(&with));
    builder.add(if wanted.task("keep-account-admin").is_some() {
        // <https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html>
        change.not_undone(
            "the earlier policy leaves the account out, and KMS refuses a policy that locks out whoever sets it: take \
             the statement SsmAuditAccountAdmin away yourself, if it is to go",
        )
    } else {
        change.undone_by(put(&text))
    });
}

/// The ARNs of the log groups that a key encrypts, or is to encrypt.
fn groups(thing: &ResourceId, builder: &PlanBuilder<'_>) -> Vec<String> {
    let region = thing.1.region.as_ref();
    let planned = builder.groups_of_keys.get(thing).into_iter().flatten();
    let mut arns: Vec<String> =
        planned.map(|name| crate::resource::log_group::fix::arn(name, region, builder)).collect();
    if let Some(entry) = builder.inventory.keys.get(&thing.1)
        && let Fact::Known(links) = &entry.attributes.log_groups
    {
        arns.extend(links.iter().map(|link| crate::resource::log_group::fix::arn(&link.key.id, region, builder)));
    }
    arns.sort();
    arns.dedup();
    arns
}

/// Returns the name under which CloudWatch Logs uses keys of a region.
pub(crate) fn logs_service(region: Option<&Region>, partition: Partition) -> String {
    format!("logs.{}.{}", region.map_or("", Region::as_str), partition.dns_suffix())
}

/// Returns `true` if the policy of a key lets CloudWatch Logs, by its name in the region, use the key for a log group.
/// Key and group are ARNs.
pub(crate) fn grants_logs(policy: &PolicyDocument, key: &str, group: &str, service: &str) -> bool {
    const ACTIONS: [&str; 6] = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncryptFrom",
        "kms:ReEncryptTo",
        "kms:GenerateDataKey",
        "kms:DescribeKey",
    ];
    let context = Context::new().with("aws:SecureTransport", "true").with("kms:EncryptionContext:aws:logs:arn", group);
    ACTIONS.iter().all(|action| {
        let request = Request::new(Principal::service(service), action, Resource::exactly(key));
        matches!(resource_allows(Some(policy), &request.in_context(context.clone())), Decision::Allowed)
    })
}

/// What CloudWatch Logs needs, for these groups only.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html>
fn logs(groups: &[String], service: &str, text: &str) -> Vec<Json> {
    let principal = json!({"Service": service});
    let sid = |name: &str| policy::unused_sid(name, text);
    vec![
        json!({
            "Sid": sid("SsmAuditLogsUseKey"), "Effect": "Allow", "Principal": principal,
            "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
            "Resource": "*",
            "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": groups}},
        }),
        json!({
            "Sid": sid("SsmAuditLogsDescribeKey"), "Effect": "Allow", "Principal": principal,
            "Action": "kms:DescribeKey", "Resource": "*",
        }),
    ]
}

fn account_admin(builder: &PlanBuilder<'_>) -> Json {
    let root = format!("arn:{}:iam::{}:root", builder.inventory.partition, builder.account);
    json!({
        "Sid": "SsmAuditAccountAdmin", "Effect": "Allow", "Principal": {"AWS": root},
        "Action": "kms:*", "Resource": "*",
    })
}

/// The key for sessions and their log group, with its alias.
fn create(thing: &ResourceId, aims: &Aims, builder: &mut PlanBuilder<'_>) {
    let alias = thing.1.id.as_ref().to_owned();
    let region = thing.1.region.clone();
    let aspect = ObservedAspect::of(AspectKind::KeyAlias, &alias);
    match builder.observation(region.as_ref(), &aspect) {
        Ok(Json::Null) => {}
        Ok(_) => return,
        Err(gap) => {
            builder.leave_out(aims, format!("whether {alias} exists is not known: {gap}"));
            return;
        }
    }
    if !is_needed(thing, builder) {
        return;
    }
    let mut statements = vec![account_admin(builder)];
    let groups = groups(thing, builder);
    if !groups.is_empty() {
        statements.extend(logs(&groups, &logs_service(region.as_ref(), builder.inventory.partition), ""));
    }
    let mark = format!("{}/{}/{alias}", builder.id, region.as_ref().map_or("", Region::as_str));
    let mut tags: Vec<KmsTag> =
        builder.tags().into_iter().map(|(tag_key, tag_value)| KmsTag { tag_key, tag_value }).collect();
    tags.push(KmsTag { tag_key: KEY_MADE_BY.to_owned(), tag_value: mark.clone() });
    // A key without its alias would not be found again, and another be made: they come together or not at all.
    let unit = Some(format!("{alias} in {}", region.as_ref().map_or("", Region::as_str)));
    let make = builder.changes.len();
    let key_id: Text = Reference::to(make, "KeyId").into();
    let call = CreateKey {
        description: "Session Manager: sessions and their log group".to_owned(),
        policy: policy::of(&statements),
        tags,
    };
    let mut change = Change::new(
        thing.clone(),
        aims.clone(),
        ObservedAspect::of(AspectKind::KeyMade, &alias).part(mark),
        Json::Null,
        json!({"KeyState": "Enabled"}),
        call,
    )
    .creating();
    change.undo = Undo::Deletes(ScheduleKeyDeletion { key_id: key_id.clone(), pending_window_in_days: 30 }.into());
    change.unit.clone_from(&unit);
    builder.add(change);
    let call = CreateAlias { alias_name: alias.clone(), target_key_id: key_id.clone() };
    let mut change = Change::new(thing.clone(), aims.clone(), aspect, Json::Null, json!({}), call)
        .with_made_after("KeyId", key_id.clone())
        .needing([make])
        .creating();
    change.undo = Undo::Deletes(DeleteAlias { alias_name: alias.clone() }.into());
    change.unit = unit;
    let named = builder.add(change);
    // It is looked at under the name that it has by then.
    let aspect = ObservedAspect::of(AspectKind::KeyRotation, &alias);
    let call = EnableKeyRotation { key_id: key_id.clone() };
    let mut change = Change::new(thing.clone(), aims.clone(), aspect, false.into(), true.into(), call)
        .needing([make, named])
        .creating();
    change.undo = Undo::Deletes(DisableKeyRotation { key_id }.into());
    builder.add(change);
}
