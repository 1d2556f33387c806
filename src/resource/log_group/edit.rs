//! Log groups: the key that encrypts one, and the group for sessions where the code has none.

use crate::model::{Fact, Key};
use crate::resource::key;
use crate::terraform_fix::edit_session::{Edited, New, Refusal, Workspace};
use crate::terraform_fix::hcl_file::Spot;

/// Encrypts a group with the key of sessions, where the code declares it beside the group, or with one that is made.
pub(crate) fn encrypt(group: &Key, spot: &Spot, work: &mut Workspace<'_>) -> Edited {
    let arn = match key_of_sessions(group, work) {
        Some(arn) => arn,
        None => key::edit::ensure(spot, work)?.arn,
    };
    if let Some(address) = arn.strip_suffix(".arn") {
        let key = Key { region: group.region.clone(), id: Workspace::address(&group.id, address).as_str().into() };
        key::edit::let_logs_use(&key, group, work)?;
    }
    work.set(spot, "kms_key_id", &New::Expression(arn, None))
}

/// The key that encrypts the sessions that are logged to this group.
fn key_of_sessions(group: &Key, work: &Workspace<'_>) -> Option<String> {
    work.inventory.session_preferences.values().find_map(|entry| {
        let preferences = &entry.attributes;
        let (Fact::Known(Some(logs_to)), Fact::Known(Some(with))) = (&preferences.log_group, &preferences.kms_key)
        else {
            return None;
        };
        let reference = Workspace::reference(&group.id, &with.key.id).ok()?;
        (logs_to.key == *group && reference.starts_with("aws_kms_key.")).then(|| format!("{reference}.arn"))
    })
}

/// The log group for sessions: the one of the configured name, which is made where there is none. How its name is
/// written.
pub(crate) fn ensure(beside: &Spot, work: &mut Workspace<'_>) -> Result<String, Refusal> {
    let name = work.template(beside, &work.settings.log_group.clone())?;
    for spot in work.resources_beside(beside, "aws_cloudwatch_log_group") {
        if work.value(&spot, "name").is_some_and(|value| work.source(&spot.file, &value) == name) {
            return Ok(format!("aws_cloudwatch_log_group.{}.name", spot.labels().1));
        }
    }
    let key = key::edit::ensure(beside, work)?;
    let tags = crate::terraform_fix::tags::configured(beside, work)?;
    let content = format!("name = {name}\nretention_in_days = 30\nkms_key_id = {}{tags}", key.arn);
    let name = work.add_resource(beside, "aws_cloudwatch_log_group", "ssm_sessions", &content)?;
    Ok(format!("aws_cloudwatch_log_group.{name}.name"))
}
