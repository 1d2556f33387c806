//! Attributes of managed policies.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use iam_policy::PolicyDocument;

attributes! {
    /// A managed policy, AWS's or the customer's, that a role has or is bounded by.
    pub struct ManagedPolicy {
        /// Its ARN.
        arn: String = GET_POLICY,
        /// What its default version says.
        policy: PolicyDocument = GET_POLICY_VERSION,
    }
}

impl Described for ManagedPolicy {
    const FOUND_BY: Call = call::GET_POLICY;
    const EXTENT: Extent = Extent::Global;
    const TERRAFORM: &[&str] = &[];
    const SECURITY_HUB: Option<&str> = None;
}
