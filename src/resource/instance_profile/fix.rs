//! The instance profile for instances that have none.

use serde_json::{Value as Json, json};

use crate::model::{Fact, Key, Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::operation::{
    AddRoleToInstanceProfile, CreateInstanceProfile, DeleteInstanceProfile, IamTag, RemoveRoleFromInstanceProfile,
};
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
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
    &[AspectKind::Profile, AspectKind::ProfileRole],
)
.asking(&[(ResourceType::Role, "create")])];

/// The role for instances that have none.
pub(crate) fn role(builder: &PlanBuilder<'_>) -> ResourceId {
    (ResourceType::Role, Key::global(builder.here(None).fill(&builder.settings.role)))
}

impl Setter for Profiles {
    fn resource_type(&self) -> ResourceType {
        ResourceType::InstanceProfile
    }

    fn abilities(&self) -> &'static [Ability] {
        PROFILE_ABILITIES
    }

    fn propagate(&self, _: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let role = role(builder);
        builder.ask(&role, "create", &wanted.aims());
    }

    fn required_reads(
        &self,
        (_, key): &ResourceId,
        _: &DesiredState,
        _: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        [AspectKind::Profile, AspectKind::ProfileRole]
            .map(|kind| (None, ObservedAspect::of(kind, key.id.as_ref())))
            .to_vec()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let aims = wanted.aims();
        let name = thing.1.id.as_ref().to_owned();
        let role = role(builder);
        let profile = ObservedAspect::of(AspectKind::Profile, &name);
        let inside = ObservedAspect::of(AspectKind::ProfileRole, &name);
        let (there, role_there) = match (builder.observation(None, &profile), builder.observation(None, &inside)) {
            (Ok(there), Ok(role)) => (there, role),
            (Err(gap), _) | (_, Err(gap)) => {
                builder.leave_out(&aims, format!("whether the instance profile {name} exists is not known: {gap}"));
                return;
            }
        };
        let role_name = role.1.id.as_ref().to_owned();
        let mut made = None;
        if there.is_null() {
            let tags = builder.tags().into_iter().map(|(key, value)| IamTag { key, value }).collect();
            let call = CreateInstanceProfile { instance_profile_name: name.clone(), tags };
            let change = Change::new(thing.clone(), aims.clone(), profile, Json::Null, json!({}), call)
                .undone_by(DeleteInstanceProfile { instance_profile_name: name.clone() })
                .creating();
            made = Some(builder.add(change));
        }
        match role_there["RoleName"].as_str() {
            Some(other) if other != role_name => {
                let reason =
                    format!("the instance profile {name} has the role {other}: set fix.instance_profile or fix.role");
                builder.leave_out(&aims, reason);
            }
            Some(_) => {}
            None => {
                let needs = builder.steps_of(&role);
                let call =
                    AddRoleToInstanceProfile { instance_profile_name: name.clone(), role_name: role_name.clone() };
                let after = json!({"RoleName": role_name});
                let others = others_with_profile(thing, &aims, builder);
                let mut change = Change::new(thing.clone(), aims, inside, Json::Null, after, call)
                    .undone_by(RemoveRoleFromInstanceProfile { instance_profile_name: name, role_name })
                    .needing(made)
                    .needing(needs);
                if !others.is_empty() {
                    change.shared = true;
                    change = change.warning(format!("{} have this profile, and get the role, too", others.join(", ")));
                }
                builder.add(change);
            }
        }
    }
}

/// Returns the instances with a profile that are none of those whose findings are fixed.
fn others_with_profile(profile: &ResourceId, aims: &Aims, builder: &PlanBuilder<'_>) -> Vec<String> {
    let fixed: Vec<&Key> = aims.iter().filter_map(|aim| builder.goals.get(*aim)).map(|goal| &goal.thing.1).collect();
    let instances = builder.inventory.instances.iter().filter(|(key, _)| !fixed.contains(key));
    let with_profile = instances.filter(|(_, entry)| match &entry.attributes.iam_instance_profile {
        Fact::Known(link) => link.as_ref().is_some_and(|link| link.key == profile.1),
        // An instance whose profile could not be read may have it.
        Fact::Unknown(_) => true,
    });
    with_profile.map(|(key, _)| key.id.to_string()).collect()
}
