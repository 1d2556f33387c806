//! Attributes of prefix lists.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;

attributes! {
    /// A prefix list that a rule of a security group names.
    pub struct PrefixList {
        /// Its ranges.
        cidrs: Vec<String> = GET_MANAGED_PREFIX_LIST_ENTRIES,
    }
}

impl Described for PrefixList {
    const FOUND_BY: Call = call::GET_MANAGED_PREFIX_LIST_ENTRIES;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &[];
    const SECURITY_HUB: Option<&str> = None;
}
