//! Consistency of a saved plan: each call does what its step shows, is a part of the remediation that it is for, and
//! nothing was changed since the plan was made.
//!
//! The digests find damage and changes by hand. They are no signature: who can write the file can make them again. What
//! keeps a plan to what it shows is that every call is compared with it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::effect::words;
use super::observed::{AspectKind, satisfies, sorted};
use super::operation::Operation;
use super::permissions::abilities_of;
use super::plan::{Aim, Disruption, Plan, Step, Undo};
use super::policy::is_ambiguous;
use super::remediation::{RemediationSpec, RemediationSpecs};
use super::setters::{ATTACHED_POLICIES, INLINE_POLICY};
use super::step_output::{Members, Text, with};
use crate::engine::rule::{Library, Remediation};
use crate::engine::scan;

/// Digests of a plan as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seal {
    /// Of everything but this member, SHA-256 in hexadecimal digits.
    plan: String,
    /// Of each step.
    steps: Vec<String>,
}

impl Seal {
    /// The digests of this plan.
    pub(crate) fn of(plan: &Plan) -> Self {
        Self { plan: digest(&Plan { seal: None, ..plan.clone() }), steps: plan.steps.iter().map(digest).collect() }
    }
}

fn digest<T: Serialize>(value: &T) -> String {
    // A plan is made of texts, numbers and lists: there is nothing in it that JSON could not hold.
    let json = sorted(serde_json::to_value(value).unwrap_or_default());
    let digits = Sha256::digest(json.to_string()).into_iter();
    digits.fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The member of a plan that is wrong, and what is wrong with it.
pub(crate) type Wrong = (String, String);

impl Plan {
    /// Whether it is as it was made, and does what it shows.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn consistent(&self, library: &Library, remedies: &RemediationSpecs) -> Result<(), Wrong> {
        self.check()?;
        if self.kind != Self::KIND || self.schema_version != Self::SCHEMA_VERSION {
            return Err(("kind".to_owned(), "it is no plan of this version".to_owned()));
        }
        for (index, step) in self.steps.iter().enumerate() {
            let wrong = |(member, problem): (&str, String)| {
                let at = format!("steps[{index}].{member}");
                (at, format!("step {} {problem}", step.number))
            };
            self.placed(index, step).map_err(wrong)?;
            self.shown(step).map_err(wrong)?;
            self.taken_back(step).map_err(wrong)?;
            self.rehearsed(step).map_err(wrong)?;
            plain(step).map_err(wrong)?;
            named(step).map_err(wrong)?;
        }
        self.remediates(library, remedies)?;
        self.unchanged()
    }

    /// Whether the number, the resource and the region are what the rest of the plan lets them be.
    fn placed(&self, index: usize, step: &Step) -> Result<(), (&'static str, String)> {
        if step.number != index + 1 {
            return Err(("number", format!("is not in its place: it stands at {}", index + 1)));
        }
        let resource = &step.resource;
        if resource.id != step.aspect.id {
            return Err(("aspect.id", format!("is of {} and changes {}", resource.id, step.aspect.id)));
        }
        if resource.resource_type != step.aspect.of.resource_type() {
            return Err((
                "aspect.of",
                format!("changes the {} of a {}", step.aspect.of.title(), resource.resource_type),
            ));
        }
        let extent = self.scopes.get(&resource.account);
        let regions = extent.map(|extent| extent.regions.as_slice()).unwrap_or_default();
        let elsewhere = step.aspect.of.may_be_elsewhere();
        match &resource.region {
            Some(region) if !resource.resource_type.is_global() => {
                if !elsewhere && !regions.contains(region) {
                    return Err(("resource.region", format!("changes region {region}, which is not among `scopes`")));
                }
            }
            None if resource.resource_type.is_global() => {}
            _ => return Err(("resource.region", "is not in a place where its resource can be".to_owned())),
        }
        let made_for =
            matches!(step.aspect.of, AspectKind::KeyMade | AspectKind::RootSnapshot | AspectKind::RootVolumeMade);
        let mark = step.aspect.part.as_deref().unwrap_or_default();
        if made_for && mark.split('/').next() != Some(&self.id) {
            return Err(("aspect.part", "makes something for another plan".to_owned()));
        }
        let owner = step.call.text_of("ExpectedBucketOwner");
        if owner.is_some_and(|owner| owner.plain() != Some(resource.account.as_str())) {
            return Err(("call", "expects another account than the one of its resource".to_owned()));
        }
        Ok(())
    }

    /// The resource of a text that a call names: the text itself, or that of the step which makes it.
    fn is_of(&self, id: &Text, step: &Step) -> bool {
        match (id.plain(), id.reference()) {
            (Some(id), _) => id == step.aspect.id,
            (None, Some(reference)) => self.step(reference.step).is_some_and(|made| {
                made.aspect.id == step.aspect.id && made.aspect.of.id_member() == Some(reference.member.as_str())
            }),
            (None, None) => false,
        }
    }

    fn changes_what_is_shown(&self, call: &Operation, step: &Step) -> Result<(), String> {
        let (effect, name) = (call.effect(), call.call().operation);
        if effect.of != step.aspect.of {
            return Err(format!("shows {}, and {name} changes {}", step.aspect.of.title(), effect.of.title()));
        }
        if !effect.id.as_ref().is_some_and(|id| self.is_of(id, step)) {
            return Err(format!("shows {}, and {name} is for another resource", step.aspect));
        }
        let says_part = !matches!(
            call,
            Operation::DeleteSnapshot(_) | Operation::DeleteVolume(_) | Operation::ScheduleKeyDeletion(_)
        );
        if says_part && effect.part != step.aspect.part {
            let part = effect.part.unwrap_or_default();
            return Err(format!("shows {}, and {name} is for {part}", step.aspect));
        }
        Ok(())
    }

    /// Whether the call leads from what the step shows as before to what it shows as after, and to nothing else.
    fn shown(&self, step: &Step) -> Result<(), (&'static str, String)> {
        self.changes_what_is_shown(&step.call, step).map_err(|problem| ("call", problem))?;
        let (effect, name) = (step.call.effect(), step.call.call().operation);
        let before = in_words(&step.before, &step.made.before);
        let after = in_words(&step.after, &step.made.after);
        if let Some(from) = effect.from.filter(|from| !satisfies(&before, from)) {
            return Err(("call", format!("shows {before} before, and {name} takes {from} away")));
        }
        let leads = match (&effect.after, &after) {
            (None, _) => false,
            (Some(Json::Object(leads)), Json::Object(shown)) => {
                let told = leads.iter().all(|(member, value)| shown.get(member).unwrap_or(&Json::Null) == value);
                // What the call says nothing of stays as it is. States that are waited for are no parameters.
                let stays = |(member, value): (&String, &Json)| {
                    leads.contains_key(member) || member == "State" || before.get(member) == Some(value)
                };
                told && shown.iter().all(stays)
            }
            (Some(leads), shown) => leads == shown,
        };
        if !leads {
            let leads = effect.after.unwrap_or_default();
            return Err(("call", format!("shows {after} after it, and {name} leads to {leads}")));
        }
        if effect.of == AspectKind::KeyAlias && after["KeyId"].is_null() {
            return Err(("after", "gives an alias to no key".to_owned()));
        }
        Ok(())
    }

    /// Whether its undo leads back to what the step shows as before.
    fn taken_back(&self, step: &Step) -> Result<(), (&'static str, String)> {
        let (Undo::By(call) | Undo::Deletes(call)) = &step.undo else { return Ok(()) };
        let wrong = |problem: String| ("undo", problem);
        let (effect, name) = (call.effect(), call.call().operation);
        let own = |text: &Text| {
            text.reference().is_some_and(|made| {
                made.step == step.number && step.aspect.of.id_member() == Some(made.member.as_str())
            })
        };
        let before = in_words(&step.before, &step.made.before);
        let after = in_words(&step.after, &step.made.after);
        match call {
            // The association is known when it is made.
            Operation::DisassociateIamInstanceProfile(call) if own(&call.association_id) => {
                return if before.is_null() {
                    Ok(())
                } else {
                    Err(wrong("has an undo that takes more away".to_owned()))
                };
            }
            Operation::DeleteDocument(call) if call.document_version.as_ref().is_some_and(own) => {
                let same = call.name == step.aspect.id;
                return if same { Ok(()) } else { Err(wrong("has an undo that deletes another document".to_owned())) };
            }
            Operation::ScheduleKeyDeletion(call) if call.pending_window_in_days != 30 => {
                return Err(wrong("has an undo that does not leave 30 days".to_owned()));
            }
            _ => self.changes_what_is_shown(call, step).map_err(wrong)?,
        }
        let leads = match (&effect.after, &before) {
            (Some(Json::Object(leads)), Json::Object(before)) => leads.iter().all(|(member, value)| {
                before.get(member).map_or(value.is_null() || member == "State", |before| before == value)
            }),
            (Some(leads), before) => leads == before,
            (None, _) => false,
        };
        if !leads || effect.from.is_some_and(|from| !satisfies(&after, &from)) {
            return Err(wrong(format!("shows {before} before, and its undo {name} does not lead there")));
        }
        let owner = call.text_of("ExpectedBucketOwner");
        if owner.is_some_and(|owner| owner.plain() != Some(step.resource.account.as_str())) {
            return Err(wrong("has an undo that expects another account".to_owned()));
        }
        Ok(())
    }

    /// Whether what is asked beforehand is the call itself, of what is there by then.
    fn rehearsed(&self, step: &Step) -> Result<(), (&'static str, String)> {
        use Operation as O;
        let swaps = matches!(
            step.aspect.of,
            AspectKind::InstanceState
                | AspectKind::InstanceDevice
                | AspectKind::RootSnapshot
                | AspectKind::RootVolumeMade
        );
        let expected = match &step.call {
            O::CreateVolume(call) => {
                Some(O::CreateVolume(super::operation::CreateVolume { snapshot_id: None, ..call.clone() }))
            }
            O::AttachVolume(call) => {
                let mates = self.steps.iter().filter(|other| other.unit == step.unit);
                let old = mates.filter_map(|mate| match &mate.call {
                    O::DetachVolume(detach) => Some(detach.volume_id.clone()),
                    _ => None,
                });
                let attach = |volume_id| O::AttachVolume(super::operation::AttachVolume { volume_id, ..call.clone() });
                old.map(attach).next()
            }
            call => swaps.then(|| call.clone()),
        };
        let unit = match step.aspect.of {
            _ if swaps => Some(format!("root volume of {}", step.resource.id)),
            _ => step.unit.clone(),
        };
        match (step.rehearsal == expected, step.unit == unit) {
            (true, true) => Ok(()),
            (false, _) => Err(("rehearsal", "does not ask beforehand for what its call does".to_owned())),
            (_, false) => Err(("unit", "is not taken back together with the steps that it belongs to".to_owned())),
        }
    }

    /// Whether each finding names its rule's remediation, and each step is a part of one that it is for.
    fn remediates(&self, library: &Library, remedies: &RemediationSpecs) -> Result<(), Wrong> {
        let mut calls: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for (index, aim) in self.findings.iter().enumerate() {
            let wrong = |member: &str, problem: String| (format!("findings[{index}].{member}"), problem);
            let remedy = remedy(aim, library, remedies).map_err(|problem| wrong("remediation", problem))?;
            let rule = library.rule(&aim.rule).map(|rule| {
                let resource = &aim.resource;
                scan::fingerprint_of(
                    rule,
                    resource.resource_type,
                    &resource.account,
                    resource.region.as_ref(),
                    &resource.id,
                )
            });
            if rule.as_ref() != Some(&aim.fingerprint) {
                return Err(wrong("fingerprint", format!("it is not that of {} on {}", aim.rule, aim.resource.id)));
            }
            self.restrained(aim, remedy).map_err(|problem| wrong("steps", problem))?;
            let abilities = abilities_of([remedy]);
            let of_remedy: BTreeSet<&str> =
                abilities.iter().flat_map(|ability| ability.calls).map(|call| call.operation).collect();
            for step in &aim.steps {
                calls.entry(*step).or_default().extend(&of_remedy);
            }
        }
        for (index, step) in self.steps.iter().enumerate() {
            let back = match &step.undo {
                Undo::By(back) | Undo::Deletes(back) => Some(back),
                Undo::Not(_) => None,
            };
            for (member, call) in [("call", Some(&step.call)), ("undo", back)] {
                let Some(name) = call.map(|call| call.call().operation) else { continue };
                if !calls.get(&step.number).is_some_and(|calls| calls.contains(name)) {
                    let problem = format!("step {}: {name} is no part of a remediation that it is for", step.number);
                    return Err((format!("steps[{index}].{member}"), problem));
                }
            }
        }
        Ok(())
    }

    /// Whether what a remediation may do only when it is allowed, or by name, is marked so.
    fn restrained(&self, aim: &Aim, remedy: &RemediationSpec) -> Result<(), String> {
        let of_resource = |step: &&Step| {
            aim.steps.contains(&step.number)
                && (step.resource.resource_type, &step.resource.id) == (aim.resource.resource_type, &aim.resource.id)
        };
        let steps: Vec<&Step> = self.steps.iter().filter(of_resource).collect();
        let disruption = steps.iter().map(|step| step.disruption).max();
        if disruption.is_some_and(|disruption| disruption < remedy.disruption)
            || !steps.is_empty() && remedy.by_name && !steps.iter().any(|step| step.by_name)
        {
            let numbers: Vec<String> = steps.iter().map(|step| step.number.to_string()).collect();
            let numbers = numbers.join(", ");
            return Err(format!(
                "step {numbers}: it does not say what {} interrupts, or that it is done by name",
                remedy.id
            ));
        }
        Ok(())
    }

    /// Whether it is as it was made.
    fn unchanged(&self) -> Result<(), Wrong> {
        let Some(seal) = &self.seal else { return Err(("seal".to_owned(), "it is missing".to_owned())) };
        let now = Seal::of(self);
        let steps = self.steps.iter().zip(&now.steps).enumerate();
        for (index, (step, digest)) in steps {
            if seal.steps.get(index) != Some(digest) {
                let problem = format!("step {} was changed after the plan was made", step.number);
                return Err((format!("steps[{index}]"), problem));
            }
        }
        if *seal == now { Ok(()) } else { Err(("seal".to_owned(), "it was changed after it was made".to_owned())) }
    }
}

/// The remediation of a finding, as its rule names it.
fn remedy<'r>(aim: &Aim, library: &Library, remedies: &'r RemediationSpecs) -> Result<&'r RemediationSpec, String> {
    let rule = library.rule(&aim.rule).ok_or_else(|| format!("there is no rule {}", aim.rule))?;
    match &rule.remediation {
        Some(Remediation::Id(id)) if *id == aim.remediation => {
            remedies.get(id).ok_or_else(|| format!("there is no remediation {id}"))
        }
        Some(Remediation::Id(id)) => Err(format!("the remediation of {} is {id}, not {}", aim.rule, aim.remediation)),
        Some(Remediation::None { .. }) | None => Err(format!("{} has no remediation", aim.rule)),
    }
}

/// Refuses documents that two readers can read in two ways. The plan shows one of them, and AWS may read the other. An undo
/// may restore such a document if the account had it.
fn plain(step: &Step) -> Result<(), (&'static str, String)> {
    let back = match &step.undo {
        Undo::By(back) | Undo::Deletes(back) => Some(back),
        Undo::Not(_) => None,
    };
    let calls = [("call", Some(&step.call)), ("undo", back), ("rehearsal", step.rehearsal.as_ref())];
    for (member, call) in calls.into_iter().filter_map(|(member, call)| Some((member, call?))) {
        let parameters = call.written_in_words();
        let texts = parameters.as_object().into_iter().flat_map(|parameters| parameters.values());
        for text in texts.filter_map(Json::as_str) {
            let is_former = member == "undo" && step.before["Text"] == text;
            if !is_former && is_ambiguous(text) {
                return Err((member, "sends a document in which a name stands twice".to_owned()));
            }
        }
    }
    Ok(())
}

/// What a step may do only by name, and the names of policies: they follow from its call.
fn named(step: &Step) -> Result<(), (&'static str, String)> {
    let policy =
        |arn: &str| arn.split_once(":iam::aws:policy/").is_some_and(|(_, name)| ATTACHED_POLICIES.contains(&name));
    let forever = step.before["RetentionInDays"].is_null() && !step.creates;
    match &step.call {
        Operation::AttachRolePolicy(call) if !policy(&call.policy_arn) => {
            Err(("call", format!("attaches {}, which no remediation does", call.policy_arn)))
        }
        Operation::DetachRolePolicy(call) if !policy(&call.policy_arn) => {
            Err(("call", format!("detaches {}, which no remediation does", call.policy_arn)))
        }
        Operation::PutRolePolicy(call) if call.policy_name != INLINE_POLICY => {
            Err(("call", format!("puts the policy {}, which no remediation does", call.policy_name)))
        }
        Operation::PutKeyPolicy(call) if call.policy_name != "default" => {
            Err(("call", format!("puts the key policy {}, which no remediation does", call.policy_name)))
        }
        Operation::PutRetentionPolicy(_) if forever && step.disruption < Disruption::Irreversible => {
            Err(("disruption", "deletes old events, and does not say that this cannot be taken back".to_owned()))
        }
        Operation::PutRetentionPolicy(_) if forever && !step.by_name => {
            Err(("by_name", "deletes old events, which is done only by name".to_owned()))
        }
        Operation::CancelKeyDeletion(_) if !step.by_name => {
            Err(("by_name", "keeps a key that was to go, which is done only by name".to_owned()))
        }
        _ => Ok(()),
    }
}

/// A state in which equal references are equal words.
fn in_words(known: &Json, made: &Members) -> Json {
    with(known, made.iter().map(|(name, text)| (name, words(text).into())))
}
