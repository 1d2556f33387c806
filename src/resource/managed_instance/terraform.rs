//! Nodes that are not on EC2: `aws_ssm_activation`.

use super::schema::ManagedInstance;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper};
use crate::model::{Fact, ResourceType};
use crate::resource::role::terraform::role_name;

impl Mapper {
    /// Puts in a node for each hybrid activation, which is not judged but for its role.
    pub(crate) fn hybrid_nodes(&mut self) {
        for activation in self.all("aws_ssm_activation") {
            let key = Self::key_of(ResourceType::ManagedInstance, &activation);
            let role = self.role_link(&role_name(&activation.attribute("iam_role")), &activation);
            let mut mapped: Mapped<ManagedInstance> = Mapped::new();
            mapped.at("iam_role", activation.view().span_of("iam_role"));
            mapped.resource = ManagedInstance {
                resource_type: Fact::Known("ManagedInstance".to_owned()),
                agent_version: Fact::Known(None),
                instance: Fact::Known(None),
                iam_role: role,
                ..ManagedInstance::default()
            };
            self.put(key, &activation, mapped, Judged::No);
        }
    }
}
