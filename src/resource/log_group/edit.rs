//! Log groups: the key that encrypts one, and the group for sessions where the code has none.

use crate::model::{Fact, Key};
use crate::resource::key;
use crate::terraform_fix::edit_session::{EditSession, Edited, New, Refusal};
use crate::terraform_fix::hcl_file::BlockRef;

/// Encrypts a group with the key of sessions, where the code declares it beside the group, or with one that is made.
pub(crate) fn encrypt(group: &Key, block_ref: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    let arn = match key_of_sessions(group, session) {
        Some(arn) => arn,
        None => key::edit::ensure(block_ref, session)?.arn,
    };
    if let Some(address) = arn.strip_suffix(".arn") {
        let key = Key { region: group.region.clone(), id: EditSession::address(&group.id, address).as_str().into() };
        key::edit::let_logs_use(&key, group, session)?;
    }
    session.set(block_ref, "kms_key_id", &New::Expression(arn, None))
}

/// The key that encrypts the sessions that are logged to this group.
fn key_of_sessions(group: &Key, session: &EditSession<'_>) -> Option<String> {
    session.inventory.session_preferences.values().find_map(|entry| {
        let preferences = &entry.attributes;
        let (Fact::Known(Some(logs_to)), Fact::Known(Some(with))) = (&preferences.log_group, &preferences.kms_key)
        else {
            return None;
        };
        let reference = EditSession::reference(&group.id, &with.key.id).ok()?;
        (logs_to.key == *group && reference.starts_with("aws_kms_key.")).then(|| format!("{reference}.arn"))
    })
}

/// The log group for sessions: the one of the configured name, which is made where there is none. How its name is
/// written.
pub(crate) fn ensure(beside: &BlockRef, session: &mut EditSession<'_>) -> Result<String, Refusal> {
    let name = session.template(beside, &session.settings.log_group.clone())?;
    for block_ref in session.resources_beside(beside, "aws_cloudwatch_log_group") {
        if session.value(&block_ref, "name").is_some_and(|value| session.source(&block_ref.file, &value) == name) {
            return Ok(format!("aws_cloudwatch_log_group.{}.name", block_ref.labels().1));
        }
    }
    let key = key::edit::ensure(beside, session)?;
    let tags = crate::terraform_fix::tags::configured(beside, session)?;
    let content = format!("name = {name}\nretention_in_days = 30\nkms_key_id = {}{tags}", key.arn);
    let name = session.add_resource(beside, "aws_cloudwatch_log_group", "ssm_sessions", &content)?;
    Ok(format!("aws_cloudwatch_log_group.{name}.name"))
}
