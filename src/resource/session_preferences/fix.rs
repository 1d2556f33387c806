//! Session preferences: one new version of the document for everything that is wanted of it, and that version as the one
//! that sessions use. What the document says and nobody speaks of stays.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::document::{INPUTS as KNOWN, MEMBERS, SHELL_PROFILE};
use super::fix_sessions::{Sessions, live};
use crate::model::{Fact, Key, Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect, sorted};
use crate::remediate::operation::{
    CreateDocument, DeleteDocument, SsmTag, UpdateDocument, UpdateDocumentDefaultVersion,
};
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::setters::{Ability, Setter};
use crate::remediate::step_output::{Reference, Text};
use crate::resource::{key, role};
use crate::yaml::nearest;

/// Sets the inputs of session preferences, and makes the document.
pub(crate) struct Preferences;

/// The inputs that are set, by our name and by the document's.
pub(crate) const INPUTS: &[(&str, &str)] = &[
    ("inputs.s3_key_prefix", "s3KeyPrefix"),
    ("inputs.s3_encryption_enabled", "s3EncryptionEnabled"),
    ("inputs.cloud_watch_encryption_enabled", "cloudWatchEncryptionEnabled"),
    ("inputs.cloud_watch_streaming_enabled", "cloudWatchStreamingEnabled"),
    ("inputs.idle_session_timeout", "idleSessionTimeout"),
    ("inputs.max_session_duration", "maxSessionDuration"),
];

/// All inputs that there are, with their types.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-schema.html>
const TEXTS: &[&str] = &[
    "s3BucketName",
    "s3KeyPrefix",
    "cloudWatchLogGroupName",
    "kmsKeyId",
    "runAsDefaultUser",
    "idleSessionTimeout",
    "maxSessionDuration",
];
const FLAGS: &[&str] =
    &["s3EncryptionEnabled", "cloudWatchEncryptionEnabled", "cloudWatchStreamingEnabled", "runAsEnabled"];

/// What makes the bucket, the group, the key, and lets the roles use them.
const ASKS: &[(ResourceType, &str)] = &[
    (ResourceType::Bucket, "create"),
    (ResourceType::LogGroup, "create"),
    (ResourceType::KmsKey, "create"),
    (ResourceType::Role, "write-s3"),
    (ResourceType::Role, "write-cloudwatch"),
    (ResourceType::Role, "use-session-key"),
];

const fn input(name: &'static str) -> Ability {
    Ability::set(
        name,
        &[UpdateDocument::CALL, UpdateDocumentDefaultVersion::CALL, DeleteDocument::CALL],
        &[AspectKind::PreferencesLatest, AspectKind::PreferencesDefault],
    )
}

const fn task(name: &'static str, asks: &'static [(ResourceType, &'static str)]) -> Ability {
    Ability::task(
        name,
        &[CreateDocument::CALL, UpdateDocument::CALL, UpdateDocumentDefaultVersion::CALL, DeleteDocument::CALL],
        &[AspectKind::PreferencesLatest, AspectKind::PreferencesDefault],
    )
    .asking(asks)
}

const ENCRYPTION: &[(ResourceType, &str)] = &[
    (ResourceType::Bucket, "sse_algorithm"),
    (ResourceType::LogGroup, "encrypt"),
    (ResourceType::Role, "see-encryption"),
];

static ABILITIES: &[Ability] = &[
    input("inputs.s3_key_prefix").asking(&[(ResourceType::Role, "write-s3")]),
    input("inputs.s3_encryption_enabled").asking(ENCRYPTION),
    input("inputs.cloud_watch_encryption_enabled").asking(ENCRYPTION),
    input("inputs.cloud_watch_streaming_enabled"),
    input("inputs.idle_session_timeout"),
    input("inputs.max_session_duration"),
    task("create", ASKS),
    task("rewrite", &[]),
    task("log-to-s3", &[(ResourceType::Bucket, "create"), (ResourceType::Role, "write-s3")]),
    task("log-to-cloudwatch", &[(ResourceType::LogGroup, "create"), (ResourceType::Role, "write-cloudwatch")]),
    task("encrypt-sessions", &[(ResourceType::KmsKey, "create"), (ResourceType::Role, "use-session-key")]),
    // The document stays as it is: what it asks for is made so.
    Ability::task("satisfy-encryption-flags", &[], &[]).asking(ENCRYPTION),
];

impl Setter for Preferences {
    fn resource_type(&self) -> ResourceType {
        ResourceType::SessionPreferences
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn propagate(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let Some(region) = thing.1.region.clone() else { return };
        let sessions = Sessions::of(&region, builder);
        let roles = roles(thing, builder);
        let ask_roles = |task: &str, aims: &Aims, builder: &mut PlanBuilder<'_>| {
            for role in roles.iter().flatten() {
                builder.ask(&(ResourceType::Role, role.clone()), task, aims);
            }
        };
        if let Some(bucket) = sessions.bucket.as_ref().filter(|_| sessions.new_bucket) {
            let aims = wanted.tasks(&["create", "log-to-s3"]);
            builder.ask(&(ResourceType::Bucket, Key::global(bucket.as_str())), "create", &aims);
            ask_roles("write-s3", &aims, builder);
        }
        if let Some(group) = sessions.log_group.as_ref().filter(|_| sessions.new_log_group) {
            let aims = wanted.tasks(&["create", "log-to-cloudwatch"]);
            builder.ask(&(ResourceType::LogGroup, Key::regional(&region, group.as_str())), "create", &aims);
            ask_roles("write-cloudwatch", &aims, builder);
        }
        if let Some(session_key) = sessions.key.as_ref().filter(|_| sessions.new_key) {
            let aims = wanted.tasks(&["create", "encrypt-sessions"]);
            builder.ask(session_key, "create", &aims);
            ask_roles("use-session-key", &aims, builder);
        }
        // Another prefix is another place that the roles must be able to write to.
        if let Some((_, aims)) = wanted.set.get("inputs.s3_key_prefix") {
            ask_roles("write-s3", aims, builder);
        }
        spread_encryption(thing, wanted, &sessions, &ask_roles, builder);
    }

    fn required_reads(
        &self,
        (_, key): &ResourceId,
        _: &DesiredState,
        _: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        let kinds = [AspectKind::PreferencesLatest, AspectKind::PreferencesDefault];
        kinds.iter().map(|kind| (key.region.clone(), ObservedAspect::of(*kind, key.id.as_ref()))).collect()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let Some(region) = thing.1.region.clone() else { return };
        refuse_keys_that_lock_out(thing, wanted, &region, builder);
        let mut aims = wanted.aims();
        aims.retain(|aim| !builder.left_out.contains_key(aim));
        let only_encryption =
            wanted.set.is_empty() && wanted.tasks.keys().all(|task| task == "satisfy-encryption-flags");
        if aims.is_empty() || only_encryption {
            return;
        }
        if let Some(kind) = other_type(thing, builder) {
            let reason =
                format!("the document is of type {kind}, which it keeps: delete it, and make one of type Session");
            builder.leave_out(&aims, reason);
            return;
        }
        let observation = |builder: &PlanBuilder<'_>, kind| {
            builder.observation(Some(&region), &ObservedAspect::of(kind, thing.1.id.as_ref()))
        };
        let (latest, default) = match (
            observation(builder, AspectKind::PreferencesLatest),
            observation(builder, AspectKind::PreferencesDefault),
        ) {
            (Ok(latest), Ok(default)) => (latest, default),
            (Err(gap), _) | (_, Err(gap)) => {
                builder.leave_out(&aims, format!("the preferences could not be read: {gap}"));
                return;
            }
        };
        if let Some(rewrite) = wanted.task("rewrite")
            && let Some(reason) = undecided(default["Text"].as_str())
        {
            builder.leave_out(rewrite, reason);
            aims.retain(|aim| !builder.left_out.contains_key(aim));
            if aims.is_empty() {
                return;
            }
        }
        let content = content(default["Text"].as_str(), wanted, &region, builder);
        let needs = needs(thing, wanted, &region, builder);
        if latest.is_null() {
            create(thing, &aims, &content, needs, builder);
        } else {
            update(thing, &aims, &content, (latest, default), needs, builder);
        }
    }
}

/// The type of a document that is none of sessions.
fn other_type(thing: &ResourceId, builder: &PlanBuilder<'_>) -> Option<String> {
    let preferences = &builder.inventory.session_preferences.get(&thing.1)?.attributes;
    preferences.document_type.known().cloned().flatten().filter(|kind| kind != "Session")
}

/// What the two flags for encryption ask of the bucket, the group and the roles.
fn spread_encryption(
    thing: &ResourceId,
    wanted: &DesiredState,
    sessions: &Sessions,
    ask_roles: &dyn Fn(&str, &Aims, &mut PlanBuilder<'_>),
    builder: &mut PlanBuilder<'_>,
) {
    let entry = builder.inventory.session_preferences.get(&thing.1);
    let inputs = entry.and_then(|entry| entry.attributes.inputs.known());
    let set = |attribute: &str| {
        let asked = wanted.set.get(attribute).filter(|(value, _)| *value == json!(true));
        asked.map(|(_, aims)| aims.clone()).unwrap_or_default()
    };
    let flags = wanted.tasks(&["satisfy-encryption-flags"]);
    let on = |flag: Option<&Fact<Option<bool>>>| matches!(flag, Some(Fact::Known(Some(true))));
    let mut s3 = set("inputs.s3_encryption_enabled");
    if on(inputs.map(|inputs| &inputs.s3_encryption_enabled)) {
        s3.extend(&flags);
    }
    let mut logs = set("inputs.cloud_watch_encryption_enabled");
    if on(inputs.map(|inputs| &inputs.cloud_watch_encryption_enabled)) {
        logs.extend(&flags);
    }
    if let Some(bucket) = sessions.bucket.as_ref().filter(|_| !s3.is_empty()) {
        let bucket = (ResourceType::Bucket, Key::global(bucket.as_str()));
        if !sessions.new_bucket {
            encrypt_bucket(&bucket, &s3, builder);
        }
        ask_roles("see-encryption", &s3, builder);
    }
    if let (Some(group), Some(region)) = (sessions.log_group.as_ref().filter(|_| !logs.is_empty()), &thing.1.region) {
        let group = (ResourceType::LogGroup, Key::regional(region, group.as_str()));
        if !sessions.new_log_group {
            encrypt_group(&group, &logs, builder);
        }
        ask_roles("see-encryption", &logs, builder);
    }
}

/// Gives a bucket default encryption that SSM Agent accepts: SSE-S3 or SSE-KMS. A bucket with a key keeps the key.
fn encrypt_bucket(bucket: &ResourceId, aims: &Aims, builder: &mut PlanBuilder<'_>) {
    let entry = builder.inventory.buckets.get(&bucket.1);
    let algorithm = match entry.map(|entry| entry.attributes.sse_algorithm.clone()).unwrap_or_default() {
        Fact::Known(Some(algorithm)) if algorithm == "AES256" || algorithm == "aws:kms" => return,
        Fact::Known(Some(other)) if other.starts_with("aws:kms") => "aws:kms",
        Fact::Known(_) => "AES256",
        Fact::Unknown(gap) => {
            let reason = format!("the encryption of the bucket {} could not be read: {gap}", bucket.1.id);
            return builder.leave_out(aims, reason);
        }
    };
    builder.want(bucket, "sse_algorithm", algorithm.into(), aims);
}

/// Gives a log group a key, unless the log group has one.
fn encrypt_group(group: &ResourceId, aims: &Aims, builder: &mut PlanBuilder<'_>) {
    let entry = builder.inventory.log_groups.get(&group.1);
    match entry.map(|entry| entry.attributes.kms_key.clone()).unwrap_or_default() {
        Fact::Known(None) => builder.ask(group, "encrypt", aims),
        Fact::Known(Some(_)) => {}
        Fact::Unknown(gap) => {
            builder.leave_out(aims, format!("the key of the log group {} could not be read: {gap}", group.1.id));
        }
    }
}

/// The regions whose preferences name this bucket, or are to.
pub(crate) fn regions_with_bucket(bucket: &str, builder: &PlanBuilder<'_>) -> Vec<Region> {
    let regions = builder.inventory.session_preferences.keys().filter_map(|key| key.region.clone());
    regions.filter(|region| Sessions::of(region, builder).bucket.as_deref() == Some(bucket)).collect()
}

/// The roles of the region's nodes, and of those that get one; none where they are not known.
fn roles(thing: &ResourceId, builder: &PlanBuilder<'_>) -> Option<Vec<Key>> {
    let entry = builder.inventory.session_preferences.get(&thing.1)?;
    Some(entry.attributes.roles.known()?.iter().map(|link| link.key.clone()).collect())
}

/// With a key, the agent refuses each session whose data key it cannot decrypt: every role must be able to.
fn refuse_keys_that_lock_out(
    thing: &ResourceId,
    wanted: &DesiredState,
    region: &Region,
    builder: &mut PlanBuilder<'_>,
) {
    let aims = wanted.tasks(&["encrypt-sessions"]);
    let sessions = Sessions::of(region, builder);
    let Some(session_key) = sessions.key.filter(|_| sessions.new_key) else { return };
    // Who starts sessions is not read: that they may use the key is for a person to say.
    let id = thing.1.id.as_ref();
    let asks = builder.limits.asks_for_names && !aims.is_empty();
    if !asks && !builder.limits.named.contains(id) {
        let reason = format!(
            "who starts sessions needs kms:GenerateDataKey with the key, or is locked out, and who that is was not \
             read: it is done only by name: allow it with --resource {id}"
        );
        builder.leave_out(&aims, reason);
        builder.keyless.insert(region.clone());
        return;
    }
    let problem = match roles(thing, builder) {
        None => Some("which roles the region's nodes use is not known".to_owned()),
        Some(roles) => roles.iter().find_map(|role| role::fix::cannot_decrypt(role, &session_key, builder)),
    };
    if let Some(problem) = problem {
        builder.leave_out(&aims, format!("{problem}: its nodes would refuse all sessions"));
        builder.keyless.insert(region.clone());
    }
}

/// The document as it is to be: what it says, and the places in it of what earlier steps make.
struct Content {
    document: Json,
    made: BTreeMap<String, Text>,
}

impl Content {
    fn written(&self) -> Text {
        Text::of_json(&self.document, &self.made)
    }

    /// In the one form in which documents are compared.
    fn canonical(&self) -> Text {
        Text::of_json(&sorted(self.document.clone()), &self.made)
    }
}

/// The document as it is to be.
fn content(text: Option<&str>, wanted: &DesiredState, region: &Region, builder: &PlanBuilder<'_>) -> Content {
    let mut document = match text.map(serde_json::from_str) {
        Some(Ok(Json::Object(document))) => document,
        _ => Map::new(),
    };
    let fresh = document.is_empty();
    document.entry("description").or_insert_with(|| "Session Manager preferences".into());
    if fresh || live(wanted, "rewrite", builder) {
        document.insert("schemaVersion".to_owned(), "1.0".into());
        document.insert("sessionType".to_owned(), "Standard_Stream".into());
    }
    let mut inputs = match document.remove("inputs") {
        Some(Json::Object(inputs)) => inputs,
        _ => Map::new(),
    };
    if live(wanted, "rewrite", builder) {
        repair(&mut inputs);
    }
    let create = live(wanted, "create", builder);
    let sessions = Sessions::of(region, builder);
    if create {
        for (name, value) in [
            ("s3EncryptionEnabled", json!(false)),
            ("cloudWatchEncryptionEnabled", json!(false)),
            ("runAsEnabled", json!(false)),
            ("idleSessionTimeout", json!("20")),
        ] {
            inputs.entry(name).or_insert(value);
        }
    }
    if let Some(bucket) = sessions.bucket.filter(|_| sessions.new_bucket) {
        inputs.insert("s3BucketName".to_owned(), bucket.into());
        if let Fact::Known(Some(prefix)) = sessions.prefix {
            inputs.insert("s3KeyPrefix".to_owned(), prefix.into());
        }
    }
    if let Some(group) = sessions.log_group.filter(|_| sessions.new_log_group) {
        inputs.insert("cloudWatchLogGroupName".to_owned(), group.into());
        inputs.entry("cloudWatchStreamingEnabled").or_insert(true.into());
    }
    let mut made = BTreeMap::new();
    if let Some(arn) =
        sessions.key.filter(|_| sessions.new_key).and_then(|session_key| key::fix::arn(&session_key, builder))
    {
        inputs.insert("kmsKeyId".to_owned(), arn.plain().into());
        if arn.plain().is_none() {
            made.insert("/inputs/kmsKeyId".to_owned(), arn);
        }
    }
    for (attribute, name) in INPUTS {
        let Some((value, aims)) = wanted.set.get(*attribute) else { continue };
        if aims.iter().any(|aim| !builder.left_out.contains_key(aim)) {
            // Minutes are texts in the document.
            let value = if value.is_i64() { value.to_string().into() } else { value.clone() };
            inputs.insert((*name).to_owned(), value);
        }
    }
    document.insert("inputs".to_owned(), Json::Object(inputs));
    Content { document: Json::Object(document), made }
}

/// Misspelt inputs that ssm-audit renames: they end idle and long sessions. Other inputs would move logs, refuse sessions,
/// or run sessions as another user.
const RENAMED: &[&str] = &["idleSessionTimeout", "maxSessionDuration"];

/// Returns the new name of a misspelt input that is renamed.
fn renamed(name: &str, inputs: &Map<String, Json>) -> Option<&'static str> {
    let near = nearest(name, KNOWN.iter().copied())?;
    RENAMED.iter().copied().find(|renamed| *renamed == near && !inputs.contains_key(near))
}

/// Returns `true` for a text such as `True`, which SSM Agent does not read as a flag.
fn is_otherwise_true(value: &Json) -> bool {
    value.as_str().is_some_and(|text| text != "true" && text.eq_ignore_ascii_case("true"))
}

/// Returns the reason why a person must correct the document: it has inputs that have no effect today, and the corrected
/// inputs would change sessions.
fn undecided(text: Option<&str>) -> Option<String> {
    let Ok(Json::Object(document)) = serde_json::from_str::<Json>(text?) else { return None };
    let none = Map::new();
    let inputs = document.get("inputs").and_then(Json::as_object).unwrap_or(&none);
    let members = document.keys().filter(|name| !MEMBERS.contains(&name.as_str())).cloned();
    let unknown = inputs.keys().filter(|name| !KNOWN.contains(&name.as_str()) && renamed(name, inputs).is_none());
    let misspelt = FLAGS.iter().filter(|name| inputs.get(**name).is_some_and(is_otherwise_true));
    let within = unknown.map(String::as_str).chain(misspelt.copied()).map(|name| format!("inputs.{name}"));
    let names: Vec<String> = members.chain(within).collect();
    (!names.is_empty()).then(|| {
        format!(
            "as they are written these have no effect, and written rightly they may change sessions: correct them or \
             take them out yourself: {}",
            names.join(", ")
        )
    })
}

/// Gives inputs the types that they must have, where what they mean is plain, and some their names; takes out those of
/// another type.
fn repair(inputs: &mut Map<String, Json>) {
    let misspelt: Vec<(String, &str)> = inputs
        .keys()
        .filter(|name| !KNOWN.contains(&name.as_str()))
        .filter_map(|name| Some((name.clone(), renamed(name, inputs)?)))
        .collect();
    for (name, right) in misspelt {
        if let Some(value) = inputs.remove(&name) {
            inputs.insert(right.to_owned(), value);
        }
    }
    match inputs.get_mut("shellProfile") {
        None | Some(Json::Null) => {}
        Some(Json::Object(commands)) => {
            commands.retain(|name, command| SHELL_PROFILE.contains(&name.as_str()) && command.is_string());
        }
        // For which platform it is meant is not said.
        Some(_) => {
            inputs.remove("shellProfile");
        }
    }
    for name in TEXTS {
        match inputs.get(*name) {
            Some(Json::Number(number)) => {
                let text = number.to_string();
                inputs.insert((*name).to_owned(), text.into());
            }
            Some(Json::String(_)) | None => {}
            Some(_) => {
                inputs.remove(*name);
            }
        }
    }
    for name in FLAGS {
        match inputs.get(*name) {
            Some(Json::String(text)) if text == "true" || text.eq_ignore_ascii_case("false") => {
                let flag = text == "true";
                inputs.insert((*name).to_owned(), flag.into());
            }
            // A parameter, which each session may set.
            Some(Json::String(text)) if text.contains("{{") => {}
            Some(Json::Bool(_)) | None => {}
            Some(_) => {
                inputs.remove(*name);
            }
        }
    }
}

/// The steps on what the preferences are to name, and on the roles that must be able to use it. What they name already
/// is used already.
fn needs(thing: &ResourceId, wanted: &DesiredState, region: &Region, builder: &PlanBuilder<'_>) -> Vec<usize> {
    let sessions = Sessions::of(region, builder);
    let encrypts = |input: &str| wanted.set.contains_key(input);
    let bucket = sessions.new_bucket || encrypts("inputs.s3_encryption_enabled");
    let group = sessions.new_log_group || encrypts("inputs.cloud_watch_encryption_enabled");
    let prefix = wanted.set.contains_key("inputs.s3_key_prefix");
    let mut things: Vec<ResourceId> = Vec::new();
    things.extend(sessions.bucket.filter(|_| bucket).map(|bucket| (ResourceType::Bucket, Key::global(bucket))));
    things.extend(
        sessions.log_group.filter(|_| group).map(|group| (ResourceType::LogGroup, Key::regional(region, group))),
    );
    things.extend(sessions.key.filter(|_| sessions.new_key));
    if bucket || group || prefix || sessions.new_key {
        things.extend(roles(thing, builder).into_iter().flatten().map(|role| (ResourceType::Role, role)));
    }
    let mut steps: Vec<usize> = things.iter().flat_map(|thing| builder.steps_of(thing)).collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

fn create(thing: &ResourceId, aims: &Aims, content: &Content, needs: Vec<usize>, builder: &mut PlanBuilder<'_>) {
    let name = thing.1.id.as_ref().to_owned();
    let call = CreateDocument {
        name: name.clone(),
        content: content.written(),
        document_type: "Session".to_owned(),
        document_format: "JSON".to_owned(),
        tags: builder.tags().into_iter().map(|(key, value)| SsmTag { key, value }).collect(),
    };
    let aspect = ObservedAspect::of(AspectKind::PreferencesLatest, &name);
    let change = Change::new(thing.clone(), aims.clone(), aspect, Json::Null, json!({}), call)
        .with_made_after("Document", content.canonical())
        .undone_by(DeleteDocument { name, document_version: None })
        .needing(needs)
        .creating();
    builder.add(change);
}

/// A new version, unless the latest is what is wanted; then that version as the default.
fn update(
    thing: &ResourceId,
    aims: &Aims,
    content: &Content,
    (latest, default): (Json, Json),
    needs: Vec<usize>,
    builder: &mut PlanBuilder<'_>,
) {
    let name = thing.1.id.as_ref().to_owned();
    let versions = (default["Version"].as_str().map(str::to_owned), latest["Version"].as_str().map(Text::from));
    let (Some(earlier), Some(mut version)) = versions else {
        return builder.leave_out(aims, "the answer does not tell the versions of the document");
    };
    let mut made = None;
    let document = content.canonical();
    if document.plain().is_none() || latest["Document"].as_str() != document.plain() {
        let step = builder.changes.len();
        version = Reference::to(step, "Version").into();
        let call = UpdateDocument {
            name: name.clone(),
            content: content.written(),
            document_version: "$LATEST".to_owned(),
            document_format: "JSON".to_owned(),
        };
        let aspect = ObservedAspect::of(AspectKind::PreferencesLatest, &name);
        let change = Change::new(thing.clone(), aims.clone(), aspect, latest, json!({}), call)
            .with_made_after("Document", document)
            .undone_by(DeleteDocument { name: name.clone(), document_version: Some(version.clone()) })
            .needing(needs.iter().copied());
        made = Some(builder.add(change));
    } else if default["Version"] == latest["Version"] {
        return;
    }
    let put = |document_version: Text| UpdateDocumentDefaultVersion { name: name.clone(), document_version };
    let aspect = ObservedAspect::of(AspectKind::PreferencesDefault, &name);
    let change = Change::new(thing.clone(), aims.clone(), aspect, default, json!({}), put(version.clone()))
        .with_made_after("Version", version)
        .undone_by(put(earlier.into()))
        .needing(made)
        .needing(needs);
    builder.add(change);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_get_the_types_that_they_must_have_and_others_stay() {
        let Json::Object(mut inputs) = json!({
            "idleSessionTimeout": 20, "s3EncryptionEnabled": "true", "runAsEnabled": "perhaps", "s3BucketName": ["x"],
            "shellProfile": {"linux": "bash", "macos": "zsh"}, "kmsKeyId": "", "cloudWatchStreamingEnabled": false,
            "maxSesionDuration": 60, "cloudWatchEncryptionEnabled": "{{ encrypt }}",
        }) else {
            unreachable!("it is an object");
        };
        repair(&mut inputs);
        let expected = json!({
            "idleSessionTimeout": "20", "s3EncryptionEnabled": true, "shellProfile": {"linux": "bash"}, "kmsKeyId": "",
            "cloudWatchStreamingEnabled": false, "maxSessionDuration": "60",
            "cloudWatchEncryptionEnabled": "{{ encrypt }}",
        });
        assert_eq!(Json::Object(inputs), expected);
    }

    #[test]
    fn inputs_that_would_change_sessions_are_for_a_person() {
        for (inputs, named) in [
            (json!({"kmsKey": "arn:a"}), Some("inputs.kmsKey")),
            (json!({"runAsEnable": true, "runAsDefaultUser": "root"}), Some("inputs.runAsEnable")),
            (json!({"runAsEnabled": "True"}), Some("inputs.runAsEnabled")),
            (json!({"s3bucketname": "x", "s3BucketName": "y"}), Some("inputs.s3bucketname")),
            (json!({"colour": "red"}), Some("inputs.colour")),
            (json!({"maxSesionDuration": 60, "maxSessionDuration": "60"}), Some("inputs.maxSesionDuration")),
            (json!({"maxSesionDuration": 60, "s3EncryptionEnabled": "false", "runAsEnabled": "FALSE"}), None),
        ] {
            let document = json!({"schemaVersion": "1.0", "inputs": inputs}).to_string();
            let reason = undecided(Some(&document));
            assert_eq!(reason.as_deref().and_then(|reason| reason.rsplit(' ').next()), named, "{inputs}");
        }
        assert!(undecided(Some(r#"{"schemaVersion": "1.0", "input": {}}"#)).is_some());
        assert_eq!(undecided(None), None);
    }
}
