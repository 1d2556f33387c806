//! Instances: HTTPS to Systems Manager. It is asked of one of the security groups of the instance, once it is known which
//! of them nobody else relies on.

#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use super::schema::NetworkInterface;
use crate::model::{Fact, Key, Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::plan_builder::{DesiredState, PlanBuilder, ResourceId};
use crate::remediate::setters::{Ability, Setter};
use crate::resource::security_group;
use crate::resource::security_group::fix::{ALLOW_HTTPS, ALLOW_HTTPS_IPV6, relied_on_by};

/// Lets instances reach Systems Manager.
pub(crate) struct HttpsEgress;

const TASK: &str = "allow-https-egress";

static ABILITIES: &[Ability] = &[Ability::task(TASK, &[], security_group::fix::LOOKS)
    .asking(&[(ResourceType::SecurityGroup, ALLOW_HTTPS), (ResourceType::SecurityGroup, ALLOW_HTTPS_IPV6)])];

impl Setter for HttpsEgress {
    fn resource_type(&self) -> ResourceType {
        ResourceType::Instance
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn required_reads(
        &self,
        thing: &ResourceId,
        wanted: &DesiredState,
        builder: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        if wanted.task(TASK).is_none() || !is_named(thing, builder) {
            return Vec::new();
        }
        let groups = candidates(thing, builder).map(|(_, groups)| groups).unwrap_or_default();
        let required_reads =
            groups.iter().flat_map(|group| security_group::fix::LOOKS.iter().map(move |kind| (group, *kind)));
        required_reads
            .map(|(group, kind)| (group.region.clone(), ObservedAspect::of(kind, group.id.as_ref())))
            .collect()
    }

    /// Asks, which is early enough: the groups' own steps are drafted after this.
    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let Some(aims) = wanted.task(TASK) else { return };
        // The step is one on a group: whether its instance is named is asked here.
        let id = thing.1.id.as_ref();
        if !is_named(thing, builder) {
            let reason =
                format!("it opens a port to every address, which is done only by name: allow it with --resource {id}");
            return builder.leave_out(aims, reason);
        }
        let (task, groups) = match candidates(thing, builder) {
            Ok(found) => found,
            Err(reason) => return builder.leave_out(aims, reason),
        };
        match groups.into_iter().min_by_key(|group| (reliance(group, builder), is_default(group, builder))) {
            Some(group) => builder.ask(&(ResourceType::SecurityGroup, group), task, aims),
            None => builder.leave_out(aims, "its network interface has no security group"),
        }
    }
}

fn is_named((_, key): &ResourceId, builder: &PlanBuilder<'_>) -> bool {
    builder.limits.named.contains(key.id.as_ref())
}

/// What is to be let out, and the groups that can: those of an interface with IPv4, or of one without where there is no
/// other.
fn candidates((_, key): &ResourceId, builder: &PlanBuilder<'_>) -> Result<(&'static str, Vec<Key>), String> {
    let instance = builder.inventory.instances.get(key).map(|entry| &entry.attributes);
    let interfaces = match instance.map(|instance| &instance.network_interfaces) {
        Some(Fact::Known(interfaces)) => interfaces,
        Some(Fact::Unknown(gap)) => return Err(format!("its network interfaces are not known: {gap}")),
        None => return Err("it is not there any more".to_owned()),
    };
    let has_ipv4 = |interface: &&NetworkInterface| interface.private_ips.known().is_some_and(|ips| !ips.is_empty());
    let (task, interface) = match interfaces.iter().find(has_ipv4) {
        Some(interface) => (ALLOW_HTTPS, interface),
        None => (ALLOW_HTTPS_IPV6, interfaces.first().ok_or("it has no network interface")?),
    };
    match &interface.security_groups {
        Fact::Known(groups) => Ok((task, groups.iter().map(|group| group.key.clone()).collect())),
        Fact::Unknown(gap) => Err(format!("the security groups of its network interface are not known: {gap}")),
    }
}

/// Groups that nobody else relies on come first, and those of which that is not known come last.
fn reliance(group: &Key, builder: &PlanBuilder<'_>) -> u8 {
    match builder
        .observation(group.region.as_ref(), &ObservedAspect::of(AspectKind::SecurityGroupUsers, group.id.as_ref()))
    {
        Ok(users) if users != Json::Null && relied_on_by(&users).is_empty() => 0,
        Ok(_) => 1,
        Err(_) => 2,
    }
}

/// Whatever is launched without naming a group gets the default one.
fn is_default(group: &Key, builder: &PlanBuilder<'_>) -> bool {
    let group = builder.inventory.security_groups.get(group);
    group.is_none_or(|group| group.attributes.name.known().is_none_or(|name| name == "default"))
}
