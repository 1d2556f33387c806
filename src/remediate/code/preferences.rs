//! Session preferences: the inputs of the document, where its content is written as an object.

use hcl_edit::expr::{Expression, Object};
use serde_json::Value as Json;

use super::document::{Spot, member};
use super::task::{Task, undone};
use super::workspace::{Edited, New, Refusal, Workspace, quoted};
use super::{bucket, key, log_group, role};
use crate::model::{Fact, ResourceType};
use crate::remediate::setters::INPUTS;

/// Sets an input.
pub(super) fn set(path: &str, value: &Json, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let Some((_, name)) = INPUTS.iter().find(|(known, _)| *known == path) else { return Err(undone(path)) };
    let new = match value {
        Json::String(text) => {
            let text = work.template(&task.spot, text)?;
            let constant = (!text.contains("${")).then(|| text.clone());
            New::Expression(text, constant)
        }
        // Minutes are texts in the document.
        Json::Number(minutes) => New::Literal(quoted(&minutes.to_string())),
        other => New::of(other),
    };
    put(&["inputs"], name, &new, &task.spot, work)
}

pub(super) fn carry_out(name: &str, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    match name {
        "log-to-s3" => {
            let bucket = bucket::ensure(&task.spot, work)?;
            put(&["inputs"], "s3BucketName", &New::Expression(bucket, None), &task.spot, work)
        }
        "log-to-cloudwatch" => {
            let group = log_group::ensure(&task.spot, work)?;
            put(&["inputs"], "cloudWatchLogGroupName", &New::Expression(group, None), &task.spot, work)
        }
        "encrypt-sessions" => {
            refuse_what_locks_out(task, work)?;
            let key = key::ensure(&task.spot, work)?;
            put(&["inputs"], "kmsKeyId", &New::Expression(key.arn, key.alias), &task.spot, work)
        }
        "rewrite" => {
            put(&[], "schemaVersion", &New::Literal(quoted("1.0")), &task.spot, work)?;
            put(&[], "sessionType", &New::Literal(quoted("Standard_Stream")), &task.spot, work)?;
            repair(&task.spot, work)
        }
        "satisfy-encryption-flags" => satisfy_flags(task, work),
        name => Err(undone(name)),
    }
}

/// With a key, the agent refuses each session whose data key it cannot decrypt: every role must be one that can be
/// granted that.
fn refuse_what_locks_out(task: &Task<'_>, work: &Workspace<'_>) -> Edited {
    const THEN: &str = "its nodes would refuse all sessions";
    let entry = work.inventory.session_preferences.get(&task.key);
    let Some(Fact::Known(roles)) = entry.map(|entry| &entry.attributes.roles) else {
        return Err(Refusal::new(format!("which roles the nodes have is not known: {THEN}")));
    };
    for link in roles {
        let role = &link.key.id;
        let reachable = Workspace::reference(&task.place.address, role)
            .and_then(|_| work.spot(ResourceType::Role, &link.key).map(|_| ()));
        if let Err(refusal) = reachable {
            return Err(Refusal::new(format!(
                "{role} cannot be granted the use of a key ({}): {THEN}",
                refusal.reason
            )));
        }
    }
    Ok(())
}

/// The object at the end of this way through the content.
fn object(way: &[&str], spot: &Spot, work: &Workspace<'_>) -> Result<Object, Refusal> {
    let not_understood = |reason: &str| work.refuse(spot, "content", reason);
    let content = work.value(spot, "content").ok_or_else(|| not_understood("the document has no content"))?;
    let Expression::FuncCall(call) = &content else {
        return Err(not_understood("the content of the document is not written with jsonencode"));
    };
    let (true, Some(Expression::Object(document))) = (call.name.name.as_str() == "jsonencode", call.args.get(0)) else {
        return Err(not_understood("the content of the document is not an object in jsonencode"));
    };
    let mut object = document;
    for name in way {
        match member(object, name) {
            Some(Expression::Object(inner)) => object = inner,
            Some(_) => return Err(not_understood("the inputs of the document are computed")),
            None => return Err(not_understood("the document has no inputs")),
        }
    }
    Ok(object.clone())
}

/// Sets a member of the document.
fn put(way: &[&str], name: &str, new: &New, spot: &Spot, work: &mut Workspace<'_>) -> Edited {
    let object = object(way, spot, work)?;
    if let Some(value) = member(&object, name) {
        return work.assign(spot, "content", value, new);
    }
    let added = work.edit(&spot.file)?.add_member(&object, name, new.text());
    added.ok_or_else(|| work.refuse(spot, "content", "the document is not written in a way that is understood"))
}

/// Gives inputs the types that they must have, where what they mean is plain.
fn repair(spot: &Spot, work: &mut Workspace<'_>) -> Edited {
    const TEXTS: &[&str] = &["idleSessionTimeout", "maxSessionDuration"];
    const FLAGS: &[&str] =
        &["s3EncryptionEnabled", "cloudWatchEncryptionEnabled", "cloudWatchStreamingEnabled", "runAsEnabled"];
    for name in TEXTS {
        let inputs = object(&["inputs"], spot, work)?;
        if let Some(Expression::Number(number)) = member(&inputs, name) {
            let text = quoted(&number.value().to_string());
            put(&["inputs"], name, &New::Literal(text), spot, work)?;
        }
    }
    for name in FLAGS {
        let inputs = object(&["inputs"], spot, work)?;
        if let Some(Expression::String(text)) = member(&inputs, name)
            && let word @ ("true" | "false") = text.value().to_lowercase().as_str()
        {
            put(&["inputs"], name, &New::Literal(word.to_owned()), spot, work)?;
        }
    }
    Ok(())
}

/// What the two flags ask for is made so: the roles may look, and the group is encrypted.
fn satisfy_flags(task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let entry = work.inventory.session_preferences.get(&task.key).map(|entry| entry.attributes.clone());
    let Some(preferences) = entry else { return Err(Refusal::new("the preferences are not known")) };
    if let Fact::Known(Some(group)) = &preferences.log_group
        && let Some(entry) = work.inventory.log_groups.get(&group.key)
        && entry.attributes.kms_key == Fact::Known(None)
    {
        let (_, spot) = work.spot(ResourceType::LogGroup, &group.key)?;
        return log_group::encrypt(&group.key, &spot, work);
    }
    let Fact::Known(roles) = &preferences.roles else {
        return Err(Refusal::new("which roles the nodes have is not known"));
    };
    for link in roles {
        let (place, spot) = work.spot(ResourceType::Role, &link.key)?;
        role::grant("see-encryption", &link.key, &spot, &place.address, work)?;
    }
    Ok(())
}
