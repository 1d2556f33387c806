//! The instance profile for instances that have none.

use serde_json::{Value as Json, json};

use crate::model::{Fact, Key, Region, ResourceType};
use crate::remediate::observed::{Aspect, Kind};
use crate::remediate::operation::{
    AddRoleToInstanceProfile, CreateInstanceProfile, DeleteInstanceProfile, IamTag, RemoveRoleFromInstanceProfile,
};
use crate::remediate::plan_builder::{Aims, Change, Draft, Thing, Wanted};
use crate::remediate::setters::{Ability, Setter};

/// Makes the instance profile, with the role in it.
pub(crate) struct Profiles;

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

/// The role for instances that have none.
pub(crate) fn role(draft: &Draft<'_>) -> Thing {
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
