//! Attributes of instance profiles.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::role::schema::Role;

attributes! {
    /// An instance profile that is attached to an instance.
    pub struct InstanceProfile {
        /// Its ARN.
        arn: String = GET_INSTANCE_PROFILE,
        /// Its role.
        role: Option<Link<Role>> = GET_INSTANCE_PROFILE,
    }
}

impl Described for InstanceProfile {
    const FOUND_BY: Call = call::GET_INSTANCE_PROFILE;
    const EXTENT: Extent = Extent::Global;
    const TERRAFORM: &[&str] = &[];
    const SECURITY_HUB: Option<&str> = None;
}
