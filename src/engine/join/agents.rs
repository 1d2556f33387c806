//! Role that the agent on each node uses, and the service that provides the role.
//!
//!
//! AWS reports the role of nodes of default host management and of hybrid nodes. Any other EC2 node uses the role of
//! its instance profile. SSM Agent tries the instance profile first. It takes the role of default host management if
//! the profile's role does not allow `ssm:UpdateInstanceInformation`:
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/fleet-manager-default-host-management-configuration.html>

use iam_policy::Decision;

use super::instances::HostManagement;
use super::region_of;
use crate::engine::rule::function::RolePolicies;
use crate::model::ids::Key;
use crate::model::inventory::{Inventory, ResourceType};
use crate::model::{Fact, Gap, GapKind};
use crate::resource::instance::schema::Instance;

/// First action that an agent calls.
const REGISTER: &str = "ssm:UpdateInstanceInformation";

/// A role that an agent uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentRole {
    pub(crate) role: Key,
    /// `true` if Systems Manager provides the role, and not EC2 through an instance profile.
    pub(crate) by_systems_manager: bool,
}

impl AgentRole {
    fn of_profile(role: Key) -> Self {
        Self { role, by_systems_manager: false }
    }

    fn of_systems_manager(role: Key) -> Self {
        Self { role, by_systems_manager: true }
    }
}

impl Inventory {
    /// Returns the role that the agent on this instance uses.
    pub(crate) fn agent_role(
        &self,
        key: &Key,
        instance: &Instance,
        host_management: &HostManagement,
    ) -> Fact<Option<AgentRole>> {
        let host = || host_management.of(region_of(key));
        let of_host = || host().map(|role| role.map(AgentRole::of_systems_manager));
        let profile = self.profile_role(&instance.iam_instance_profile);
        let node = self.managed_instances.get(key).map(|node| &node.attributes.iam_role);
        match (node, profile) {
            // Without default host management, the profile's role is the only one.
            (Some(Fact::Unknown(gap)), profile) => match (host(), profile) {
                (Fact::Known(None), profile) => profile.map(|role| role.map(AgentRole::of_profile)),
                _ => Fact::Unknown(gap.clone()),
            },
            (Some(Fact::Known(Some(named))), profile) => match profile {
                Fact::Known(Some(role)) if role == named.key => Fact::Known(Some(AgentRole::of_profile(role))),
                Fact::Known(_) => Fact::Known(Some(AgentRole::of_systems_manager(named.key.clone()))),
                Fact::Unknown(gap) => match host() {
                    Fact::Known(Some(role)) if role == named.key => {
                        Fact::Known(Some(AgentRole::of_systems_manager(role)))
                    }
                    _ => Fact::Unknown(gap),
                },
            },
            (_, Fact::Unknown(gap)) => Fact::Unknown(gap),
            (Some(Fact::Known(None)), Fact::Known(Some(role))) => Fact::Known(Some(AgentRole::of_profile(role))),
            (Some(Fact::Known(None)), Fact::Known(None)) => of_host(),
            (None, Fact::Known(profile)) => {
                // An instance that another service manages runs the agent only if that service starts it.
                match &instance.operator {
                    Fact::Known(Some(_)) => return Fact::Known(None),
                    Fact::Unknown(gap) if !gap.is_not_collected() => return Fact::Unknown(gap.clone()),
                    Fact::Known(None) | Fact::Unknown(_) => {}
                }
                let unlisted = self.unlisted_in(ResourceType::ManagedInstance, region_of(key));
                match (profile, host()) {
                    (profile, Fact::Known(None)) => Fact::Known(profile.map(AgentRole::of_profile)),
                    (_, Fact::Unknown(gap)) => Fact::Unknown(gap),
                    (profile, Fact::Known(Some(host))) => match (unlisted.0, profile) {
                        (Some(gap), _) => Fact::Unknown(gap),
                        (None, None) => Fact::Known(Some(AgentRole::of_systems_manager(host))),
                        (None, Some(role)) => self.registers(&role, instance).map(|registers| {
                            Some(if registers {
                                AgentRole::of_profile(role)
                            } else {
                                AgentRole::of_systems_manager(host)
                            })
                        }),
                    },
                }
            }
        }
    }

    /// Returns `true` if an agent registers the instance with this role.
    fn registers(&self, role: &Key, instance: &Instance) -> Fact<bool> {
        let Some(entry) = self.roles.get(role) else { return Fact::default() };
        match &entry.exists {
            Fact::Known(true) => {}
            Fact::Known(false) => return Fact::Known(false),
            Fact::Unknown(gap) => return Fact::Unknown(gap.clone()),
        }
        let instance = instance.arn.text().unwrap_or("arn:*:ec2:*:*:instance/*");
        let policies = RolePolicies::of_role(self, &entry.attributes);
        let decision = policies
            .request(REGISTER, instance)
            .map(|request| iam_policy::identity_allows(&policies.documents(), policies.boundary(), &request));
        match decision {
            Ok(Decision::Allowed) => Fact::Known(true),
            Ok(Decision::Denied(_)) => Fact::Known(false),
            Ok(Decision::Undecided(_)) | Err(_) => {
                let message = format!("whether the role {} of an instance profile lets the agent register", role.id);
                Fact::Unknown(Gap::because(GapKind::Unresolved, message).into())
            }
        }
    }
}
