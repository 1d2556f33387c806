//! Session preferences: the inputs of the document, and its form.

use serde_json::Value as Json;

use crate::model::{Fact, ResourceType};
use crate::remediate::setters::INPUTS;
use crate::resource::{bucket, key, log_group, role};
use crate::terraform_fix::content::{Content, Type};
use crate::terraform_fix::edit_session::{EditSession, Edited, New, Refusal};
use crate::terraform_fix::hcl_file::BlockRef;
use crate::terraform_fix::task::{Task, undone};
use crate::terraform_fix::values::quoted;

/// Sets an input.
pub(crate) fn set(path: &str, value: &Json, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let Some((_, name)) = INPUTS.iter().find(|(known, _)| *known == path) else { return Err(undone(path)) };
    let new = match value {
        Json::String(text) => {
            let text = session.template(&task.block_ref, text)?;
            let constant = (!text.contains("${")).then(|| text.clone());
            New::Expression(text, constant)
        }
        // Minutes are texts in the document.
        Json::Number(minutes) => New::Literal(quoted(&minutes.to_string())),
        other => New::of(other),
    };
    put(&["inputs"], name, &new, &task.block_ref, session)
}

pub(crate) fn carry_out(name: &str, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    match name {
        "log-to-s3" => {
            let bucket = bucket::edit::ensure(&task.block_ref, session)?;
            put(&["inputs"], "s3BucketName", &New::Expression(bucket, None), &task.block_ref, session)
        }
        "log-to-cloudwatch" => {
            let group = log_group::edit::ensure(&task.block_ref, session)?;
            put(&["inputs"], "cloudWatchLogGroupName", &New::Expression(group, None), &task.block_ref, session)
        }
        "encrypt-sessions" => {
            refuse_what_locks_out(task, session)?;
            let key = key::edit::ensure(&task.block_ref, session)?;
            put(&["inputs"], "kmsKeyId", &New::Expression(key.arn, key.alias), &task.block_ref, session)
        }
        "rewrite" => rewrite(task, session),
        "satisfy-encryption-flags" => satisfy_flags(task, session),
        name => Err(undone(name)),
    }
}

/// With a key, the agent refuses each session whose data key it cannot decrypt: every role must be one that can be
/// granted that.
fn refuse_what_locks_out(task: &Task<'_>, session: &EditSession<'_>) -> Edited {
    const THEN: &str = "its nodes would refuse all sessions";
    let entry = session.inventory.session_preferences.get(&task.key);
    let Some(Fact::Known(roles)) = entry.map(|entry| &entry.attributes.roles) else {
        return Err(Refusal::new(format!("which roles the nodes have is not known: {THEN}")));
    };
    for link in roles {
        let role = &link.key.id;
        let reachable = EditSession::reference(&task.place.address, role)
            .and_then(|_| session.block_ref(ResourceType::Role, &link.key).map(|_| ()));
        if let Err(refusal) = reachable {
            return Err(Refusal::new(format!(
                "{role} cannot be granted the use of a key ({}): {THEN}",
                refusal.reason
            )));
        }
    }
    Ok(())
}

/// Sets a member of the document.
fn put(way: &[&str], name: &str, new: &New, block_ref: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    Content::of(block_ref, session)?.put(way, name, new, session)
}

/// Writes the form of the document, where it has another one.
fn rewrite(task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let entry = session.inventory.session_preferences.get(&task.key).map(|entry| &entry.attributes);
    let Some(preferences) = entry else { return Err(Refusal::new("the preferences are not known")) };
    let is = |fact: &Fact<Option<String>>, text: &str| matches!(fact, Fact::Known(Some(value)) if value == text);
    let version = is(&preferences.schema_version, "1.0");
    let kind = is(&preferences.session_type, "Standard_Stream");
    let problems = match &preferences.problems {
        Fact::Known(problems) => problems.clone(),
        Fact::Unknown(_) => Vec::new(),
    };
    for (name, value, holds) in [("schemaVersion", "1.0", version), ("sessionType", "Standard_Stream", kind)] {
        if !holds {
            put(&[], name, &New::Literal(quoted(value)), &task.block_ref, session)?;
        }
    }
    repair(&problems, &task.block_ref, session)
}

/// Gives inputs the types that they must have, where what they mean is plain.
fn repair(problems: &[String], block_ref: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    const TEXTS: &[&str] = &["idleSessionTimeout", "maxSessionDuration"];
    const FLAGS: &[&str] =
        &["s3EncryptionEnabled", "cloudWatchEncryptionEnabled", "cloudWatchStreamingEnabled", "runAsEnabled"];
    let texts = TEXTS.iter().map(|name| (*name, Type::Text));
    for (name, to) in texts.chain(FLAGS.iter().map(|name| (*name, Type::Flag))) {
        let is_wrong = problems.iter().any(|problem| problem.starts_with(&format!("inputs.{name}:")));
        Content::of(block_ref, session)?.convert(&["inputs"], name, to, is_wrong, session)?;
    }
    Ok(())
}

/// What the two flags ask for is made so: the roles may look, and the group is encrypted.
fn satisfy_flags(task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let entry = session.inventory.session_preferences.get(&task.key).map(|entry| entry.attributes.clone());
    let Some(preferences) = entry else { return Err(Refusal::new("the preferences are not known")) };
    if let Fact::Known(Some(group)) = &preferences.log_group
        && let Some(entry) = session.inventory.log_groups.get(&group.key)
        && entry.attributes.kms_key == Fact::Known(None)
    {
        let (_, block_ref) = session.block_ref(ResourceType::LogGroup, &group.key)?;
        return log_group::edit::encrypt(&group.key, &block_ref, session);
    }
    let Fact::Known(roles) = &preferences.roles else {
        return Err(Refusal::new("which roles the nodes have is not known"));
    };
    for link in roles {
        let (place, block_ref) = session.block_ref(ResourceType::Role, &link.key)?;
        role::edit::grant("see-encryption", &link.key, &block_ref, &place.address, session)?;
    }
    Ok(())
}
