//! The instance profile for instances that have none, and its association.

use serde_json::{Value as Json, json};

use super::{Ability, Setter, volume_key};
use crate::model::{Fact, Key, Region, ResourceType};
use crate::remediate::observed::{Aspect, Kind};
use crate::remediate::operation::{
    AddRoleToInstanceProfile, AssociateIamInstanceProfile, CreateInstanceProfile, DeleteInstanceProfile,
    DisassociateIamInstanceProfile, IamInstanceProfileSpecification, IamTag, RemoveRoleFromInstanceProfile,
};
use crate::remediate::plan_builder::{Aims, Change, Draft, Thing, Wanted};
use crate::remediate::step_output::Reference;

/// Makes the instance profile, with the role in it.
pub(super) struct Profiles;

/// Gives instances the profile.
pub(super) struct OfInstances;

static PROFILE_ABILITIES: &[Ability] = &[Ability::task(
    "create",
    &[
        CreateInstanceProfile::CALL,
        DeleteInstanceProfile::CALL,
        AddRoleToInstanceProfile::CALL,
        RemoveRoleFromInstanceProfile::CALL,
    ],
    &[Kind::Profile, Kind::ProfileRole],
)
.asking(&[(ResourceType::Role, "create")])];

static INSTANCE_ABILITIES: &[Ability] = &[Ability::task(
    "instance-profile",
    &[AssociateIamInstanceProfile::CALL, DisassociateIamInstanceProfile::CALL],
    &[Kind::InstanceProfile],
)
.asking(&[(ResourceType::InstanceProfile, "create"), volume_key::ASK])];

/// The role for instances that have none.
pub(super) fn role(draft: &Draft<'_>) -> Thing {
    (ResourceType::Role, Key::global(draft.here(None).fill(&draft.settings.role)))
}

impl Setter for Profiles {
    fn resource_type(&self) -> ResourceType {
        ResourceType::InstanceProfile
    }

    fn abilities(&self) -> &'static [Ability] {
        PROFILE_ABILITIES
    }

    fn spread(&self, _: &Thing, wanted: &Wanted, draft: &mut Draft<'_>) {
        let role = role(draft);
        draft.ask(&role, "create", &wanted.aims());
    }

    fn looks(&self, (_, key): &Thing, _: &Wanted, _: &Draft<'_>) -> Vec<(Option<Region>, Aspect)> {
        [Kind::Profile, Kind::ProfileRole].map(|kind| (None, Aspect::of(kind, key.id.as_ref()))).to_vec()
    }

    fn draft(&self, thing: &Thing, wanted: &Wanted, draft: &mut Draft<'_>) {
        let aims = wanted.aims();
        let name = thing.1.id.as_ref().to_owned();
        let role = role(draft);
        let profile = Aspect::of(Kind::Profile, &name);
        let inside = Aspect::of(Kind::ProfileRole, &name);
        let (there, role_there) = match (draft.sight(None, &profile), draft.sight(None, &inside)) {
            (Ok(there), Ok(role)) => (there, role),
            (Err(gap), _) | (_, Err(gap)) => {
                draft.leave_out(&aims, format!("whether the instance profile {name} exists is not known: {gap}"));
                return;
            }
        };
        let role_name = role.1.id.as_ref().to_owned();
        let mut made = None;
        if there.is_null() {
            let tags = draft.tags().into_iter().map(|(key, value)| IamTag { key, value }).collect();
            let call = CreateInstanceProfile { instance_profile_name: name.clone(), tags };
            let change = Change::new(thing.clone(), aims.clone(), profile, Json::Null, json!({}), call)
                .undone_by(DeleteInstanceProfile { instance_profile_name: name.clone() })
                .creating();
            made = Some(draft.add(change));
        }
        match role_there["RoleName"].as_str() {
            Some(other) if other != role_name => {
                let reason =
                    format!("the instance profile {name} has the role {other}: set fix.instance_profile or fix.role");
                draft.leave_out(&aims, reason);
            }
            Some(_) => {}
            None => {
                let needs = draft.steps_of(&role);
                let call =
                    AddRoleToInstanceProfile { instance_profile_name: name.clone(), role_name: role_name.clone() };
                let after = json!({"RoleName": role_name});
                let others = others_with_profile(thing, &aims, draft);
                let mut change = Change::new(thing.clone(), aims, inside, Json::Null, after, call)
                    .undone_by(RemoveRoleFromInstanceProfile { instance_profile_name: name, role_name })
                    .needing(made)
                    .needing(needs);
                if !others.is_empty() {
                    change.shared = true;
                    change = change.warning(format!("{} have this profile, and get the role, too", others.join(", ")));
                }
                draft.add(change);
            }
        }
    }
}

/// Returns the instances with a profile that are none of those whose findings are fixed.
fn others_with_profile(profile: &Thing, aims: &Aims, draft: &Draft<'_>) -> Vec<String> {
    let fixed: Vec<&Key> = aims.iter().filter_map(|aim| draft.goals.get(*aim)).map(|goal| &goal.thing.1).collect();
    let instances = draft.inventory.instances.iter().filter(|(key, _)| !fixed.contains(key));
    let with_profile = instances.filter(|(_, entry)| match &entry.attributes.iam_instance_profile {
        Fact::Known(link) => link.as_ref().is_some_and(|link| link.key == profile.1),
        // An instance whose profile could not be read may have it.
        Fact::Unknown(_) => true,
    });
    with_profile.map(|(key, _)| key.id.to_string()).collect()
}

/// The profile that an instance is to have: its own, where that lacks a role only.
fn profile(thing: &Thing, draft: &Draft<'_>) -> Result<Thing, String> {
    let standard =
        || (ResourceType::InstanceProfile, Key::global(draft.here(None).fill(&draft.settings.instance_profile)));
    let entry = draft.inventory.instances.get(&thing.1).ok_or("the instance was not read")?;
    match &entry.attributes.iam_instance_profile {
        Fact::Unknown(gap) => Err(format!("its instance profile is not known: {gap}")),
        Fact::Known(None) => Ok(standard()),
        Fact::Known(Some(link)) => match draft.inventory.instance_profiles.get(&link.key).map(|entry| &entry.exists) {
            Some(Fact::Known(true)) => Ok((ResourceType::InstanceProfile, link.key.clone())),
            Some(Fact::Known(false)) => {
                Err(format!("it has the instance profile {}, which is gone: disassociate that first", link.key.id))
            }
            _ => Err(format!("whether its instance profile {} exists is not known", link.key.id)),
        },
    }
}

impl Setter for OfInstances {
    fn resource_type(&self) -> ResourceType {
        ResourceType::Instance
    }

    fn abilities(&self) -> &'static [Ability] {
        INSTANCE_ABILITIES
    }

    fn spread(&self, thing: &Thing, wanted: &Wanted, draft: &mut Draft<'_>) {
        let Some(aims) = wanted.task("instance-profile") else { return };
        match profile(thing, draft) {
            Ok(profile) => {
                draft.ask(&profile, "create", aims);
                volume_key::ask(thing, aims, draft);
            }
            Err(reason) => draft.leave_out(aims, reason),
        }
        let role = role(draft);
        if let Some(region) = thing.1.region.clone() {
            draft.regions_of_roles.entry(role).or_default().insert(region);
        }
    }

    fn looks(&self, (_, key): &Thing, wanted: &Wanted, _: &Draft<'_>) -> Vec<(Option<Region>, Aspect)> {
        let look = || (key.region.clone(), Aspect::of(Kind::InstanceProfile, key.id.as_ref()));
        wanted.task("instance-profile").map(|_| look()).into_iter().collect()
    }

    fn draft(&self, thing: &Thing, wanted: &Wanted, draft: &mut Draft<'_>) {
        let Some(aims) = wanted.task("instance-profile") else { return };
        let Ok(profile) = profile(thing, draft) else { return };
        let aspect = Aspect::of(Kind::InstanceProfile, thing.1.id.as_ref());
        match draft.sight(thing.1.region.as_ref(), &aspect) {
            Ok(Json::Null) => {}
            // It has this one already, and the role comes into it.
            Ok(_) => return,
            Err(gap) => {
                draft.leave_out(aims, format!("its instance profile is not known: {gap}"));
                return;
            }
        }
        let needs: Vec<usize> = draft.steps_of(&profile).into_iter().chain(draft.steps_of(&role(draft))).collect();
        let name = profile.1.id.as_ref().to_owned();
        let call = AssociateIamInstanceProfile {
            instance_id: thing.1.id.as_ref().to_owned(),
            iam_instance_profile: IamInstanceProfileSpecification { name: name.clone() },
        };
        let back = DisassociateIamInstanceProfile {
            association_id: Reference::to(draft.changes.len(), "AssociationId").into(),
        };
        let after = json!({"Name": name});
        draft.add(
            Change::new(thing.clone(), aims.clone(), aspect, Json::Null, after, call).undone_by(back).needing(needs),
        );
    }
}
