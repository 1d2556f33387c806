//! The instance profile of instances that have none: its association.

use serde_json::{Value as Json, json};

use crate::model::{Fact, Key, Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::operation::{
    AssociateIamInstanceProfile, DisassociateIamInstanceProfile, IamInstanceProfileSpecification,
};
use crate::remediate::plan_builder::{Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::setters::{Ability, Setter};
use crate::remediate::step_output::Reference;
use crate::resource::instance_profile::fix::role;
use crate::resource::volume;

/// Gives instances the profile.
pub(crate) struct OfInstances;

static INSTANCE_ABILITIES: &[Ability] = &[Ability::task(
    "instance-profile",
    &[AssociateIamInstanceProfile::CALL, DisassociateIamInstanceProfile::CALL],
    &[AspectKind::InstanceProfile],
)
.asking(&[(ResourceType::InstanceProfile, "create"), volume::fix_key::ASK])];

/// The profile that an instance is to have: its own, where that lacks a role only.
fn profile(thing: &ResourceId, builder: &PlanBuilder<'_>) -> Result<ResourceId, String> {
    let standard =
        || (ResourceType::InstanceProfile, Key::global(builder.here(None).fill(&builder.settings.instance_profile)));
    let entry = builder.inventory.instances.get(&thing.1).ok_or("the instance was not read")?;
    match &entry.attributes.iam_instance_profile {
        Fact::Unknown(gap) => Err(format!("its instance profile is not known: {gap}")),
        Fact::Known(None) => Ok(standard()),
        Fact::Known(Some(link)) => {
            match builder.inventory.instance_profiles.get(&link.key).map(|entry| &entry.exists) {
                Some(Fact::Known(true)) => Ok((ResourceType::InstanceProfile, link.key.clone())),
                Some(Fact::Known(false)) => {
                    Err(format!("it has the instance profile {}, which is gone: disassociate that first", link.key.id))
                }
                _ => Err(format!("whether its instance profile {} exists is not known", link.key.id)),
            }
        }
    }
}

impl Setter for OfInstances {
    fn resource_type(&self) -> ResourceType {
        ResourceType::Instance
    }

    fn abilities(&self) -> &'static [Ability] {
        INSTANCE_ABILITIES
    }

    fn propagate(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let Some(aims) = wanted.task("instance-profile") else { return };
        match profile(thing, builder) {
            Ok(profile) => {
                builder.ask(&profile, "create", aims);
                volume::fix_key::ask(thing, aims, builder);
            }
            Err(reason) => builder.leave_out(aims, reason),
        }
        let role = role(builder);
        if let Some(region) = thing.1.region.clone() {
            builder.regions_of_roles.entry(role).or_default().insert(region);
        }
    }

    fn required_reads(
        &self,
        (_, key): &ResourceId,
        wanted: &DesiredState,
        _: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        let look = || (key.region.clone(), ObservedAspect::of(AspectKind::InstanceProfile, key.id.as_ref()));
        wanted.task("instance-profile").map(|_| look()).into_iter().collect()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let Some(aims) = wanted.task("instance-profile") else { return };
        let Ok(profile) = profile(thing, builder) else { return };
        let aspect = ObservedAspect::of(AspectKind::InstanceProfile, thing.1.id.as_ref());
        match builder.observation(thing.1.region.as_ref(), &aspect) {
            Ok(Json::Null) => {}
            // It has this one already, and the role comes into it.
            Ok(_) => return,
            Err(gap) => {
                builder.leave_out(aims, format!("its instance profile is not known: {gap}"));
                return;
            }
        }
        let needs: Vec<usize> =
            builder.steps_of(&profile).into_iter().chain(builder.steps_of(&role(builder))).collect();
        let name = profile.1.id.as_ref().to_owned();
        let call = AssociateIamInstanceProfile {
            instance_id: thing.1.id.as_ref().to_owned(),
            iam_instance_profile: IamInstanceProfileSpecification { name: name.clone() },
        };
        let back = DisassociateIamInstanceProfile {
            association_id: Reference::to(builder.changes.len(), "AssociationId").into(),
        };
        let after = json!({"Name": name});
        builder.add(
            Change::new(thing.clone(), aims.clone(), aspect, Json::Null, after, call).undone_by(back).needing(needs),
        );
    }
}
