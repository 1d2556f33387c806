//! The instance profile of instances that have none: its association.

use serde_json::{Value as Json, json};

use crate::model::{Fact, Key, Region, ResourceType};
use crate::remediate::observed::{Aspect, Kind};
use crate::remediate::operation::{
    AssociateIamInstanceProfile, DisassociateIamInstanceProfile, IamInstanceProfileSpecification,
};
use crate::remediate::plan_builder::{Change, Draft, Thing, Wanted};
use crate::remediate::setters::{Ability, Setter};
use crate::remediate::step_output::Reference;
use crate::resource::instance_profile::fix::role;
use crate::resource::volume;

/// Gives instances the profile.
pub(crate) struct OfInstances;

static INSTANCE_ABILITIES: &[Ability] = &[Ability::task(
    "instance-profile",
    &[AssociateIamInstanceProfile::CALL, DisassociateIamInstanceProfile::CALL],
    &[Kind::InstanceProfile],
)
.asking(&[(ResourceType::InstanceProfile, "create"), volume::fix_key::ASK])];

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
                volume::fix_key::ask(thing, aims, draft);
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
