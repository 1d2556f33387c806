//! One finding that is made right: who does what its remediation asks for.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::edit_session::{EditSession, Edited, New, Refusal};
use super::hcl_file::{BlockRef, Found};
use super::{attribute, tags};
use crate::collect::terraform::SourceEntry;
use crate::engine::scan::ANY;
use crate::model::{Finding, Key, ResourceType, Verdict};
use crate::remediate::remediation::{Action, DesiredValue, RemediationSpec};
use crate::resource::{bucket, instance, key, log_group, role, security_group, session_preferences};

/// A finding that is made right.
pub(crate) struct Task<'a> {
    pub(crate) key: Key,
    pub(crate) place: &'a SourceEntry,
    /// The block of the resource.
    pub(crate) block_ref: BlockRef,
    /// The parameters of the rule.
    pub(crate) params: &'a BTreeMap<String, Json>,
}

impl Task<'_> {
    /// What stands where the code says the attribute; the inner none where that is not Terraform's own syntax.
    #[expect(clippy::option_option, reason = "not written, and written in another syntax, are different answers")]
    pub(crate) fn written(&self, path: &str, session: &EditSession<'_>) -> Option<Option<Found>> {
        let (_, span) = self.place.attributes.iter().find(|(known, _)| *known == path)?;
        Some(session.found(*span))
    }
}

fn key_of(finding: &Finding) -> Key {
    let resource = &finding.resource;
    let region = resource.region.clone().filter(|_| resource.resource_type.is_regional());
    Key { region, id: resource.id.as_str().into() }
}

/// The place of the resource that a finding is about; none where the code does not declare it by itself.
pub(crate) fn place_of<'a>(finding: &Finding, session: &EditSession<'a>) -> Option<&'a SourceEntry> {
    session.source_map.of(finding.resource.resource_type, &key_of(finding))
}

/// Makes a finding right, in the draft of the workspace.
pub(crate) fn carry_out(
    finding: &Finding,
    remedy: &RemediationSpec,
    params: &BTreeMap<String, Json>,
    session: &mut EditSession<'_>,
) -> Edited {
    let resource = &finding.resource;
    let key = key_of(finding);
    if resource.id == ANY {
        let place = finding.location.as_ref().map(|place| (place.file.clone(), place.line as usize));
        return Err(Refusal::at("which resources the code makes is not known", place));
    }
    let (place, block_ref) = session.block_ref(resource.resource_type, &key)?;
    let task = Task { key, place, block_ref, params };
    if finding.verdict == Verdict::Unknown {
        return settle(remedy, &task, session);
    }
    if remedy.by_name_in_code() {
        session.hazard(remedy.warn_in_code().unwrap_or("it cuts something off"));
    }
    let instances = session.source_map.all().filter(|other| other.block == place.block).count();
    if instances > 1 {
        let (kind, name) = task.block_ref.labels();
        session.note(format!("the edit changes all {instances} instances of {kind}.{name}"));
    }
    match &remedy.action {
        Action::Set(wishes) => set(wishes, resource.resource_type, &task, session),
        Action::Do(name) => match (resource.resource_type, name.as_str()) {
            (ResourceType::Instance, name) => instance::edit::carry_out(name, &task, session),
            (ResourceType::SecurityGroup, name) => security_group::edit::carry_out(name, &task, session),
            (ResourceType::Role, name) => role::edit::carry_out(name, &task, session),
            (ResourceType::KmsKey, name) => key::edit::carry_out(name, &task, session),
            (ResourceType::LogGroup, "encrypt") => log_group::edit::encrypt(&task.key, &task.block_ref, session),
            (ResourceType::Bucket, name) => bucket::edit::carry_out(name, &task, session),
            (ResourceType::SessionPreferences, name) => session_preferences::edit::carry_out(name, &task, session),
            (_, name) => Err(undone(name)),
        },
    }
}

/// The refusal of what is done in accounts only.
pub(crate) fn undone(name: &str) -> Refusal {
    Refusal::new(format!("this changes accounts only, not code: {}", name.replace('-', " ")))
}

/// What is not known because the code leaves it open is settled by saying it. What is written stays: it says something
/// that is not understood.
fn settle(remedy: &RemediationSpec, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let unknown = || Refusal::new("it is not known whether there is something to fix");
    let Action::Set(wishes) = &remedy.action else { return Err(unknown()) };
    for (path, wish) in wishes {
        if path == "tags" {
            tags::add(task, session)?;
            continue;
        }
        let written = task.place.attributes.iter().any(|(known, span)| known == path && *span != task.place.block);
        let is_block = task.place.attributes.iter().any(|(known, span)| known == path && session.is_block(*span));
        if written && !is_block {
            return Err(unknown());
        }
        attribute::set(path, &New::of(&value(wish, task)?), task, session)?;
    }
    Ok(())
}

fn set(
    wishes: &BTreeMap<String, DesiredValue>,
    resource: ResourceType,
    task: &Task<'_>,
    session: &mut EditSession<'_>,
) -> Edited {
    for (path, wish) in wishes {
        let value = value(wish, task)?;
        match (resource, path.as_str()) {
            (_, "tags") => tags::add(task, session)?,
            (ResourceType::Bucket, "sse_algorithm") => bucket::edit::encrypt(&value, task, session)?,
            (ResourceType::Bucket, "object_lock_enabled") => bucket::edit::lock(task, session)?,
            (ResourceType::SessionPreferences, path) => session_preferences::edit::set(path, &value, task, session)?,
            (_, path) => attribute::set(path, &New::of(&value), task, session)?,
        }
    }
    Ok(())
}

fn value(wish: &DesiredValue, task: &Task<'_>) -> Result<Json, Refusal> {
    match wish {
        DesiredValue::Value(value) => Ok(value.clone()),
        DesiredValue::Param(name) => {
            task.params.get(name).cloned().ok_or_else(|| Refusal::new(format!("there is no value for {name}")))
        }
    }
}
