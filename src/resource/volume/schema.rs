//! Attributes of EBS volumes at the root of instances.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::key::schema::KmsKey;

attributes! {
    /// An EBS volume at the root of an instance.
    pub struct Volume {
        /// Its ARN.
        arn: String = DESCRIBE_VOLUMES,
        /// Whether it is encrypted.
        encrypted: bool = DESCRIBE_VOLUMES,
        /// The key that encrypts it.
        kms_key: Option<Link<KmsKey>> = DESCRIBE_VOLUMES,
    }
}

impl Described for Volume {
    const FOUND_BY: Call = call::DESCRIBE_VOLUMES;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &[];
    const SECURITY_HUB: Option<&str> = Some("AwsEc2Volume");
}
