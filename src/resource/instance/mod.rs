//! EC2 instances, and what launches them.

pub(crate) mod collect;
pub(crate) mod edit;
pub(crate) mod fix;
pub(crate) mod fix_https_egress;
pub(crate) mod fix_profile;
pub(crate) mod fix_tags;
pub(crate) mod observed;
pub(crate) mod operations;
pub mod schema;
pub(crate) mod terraform;
pub(crate) mod terraform_interfaces;
pub(crate) mod terraform_launch;
