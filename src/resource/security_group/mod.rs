//! Security groups of instances and of endpoints.

pub(crate) mod collect;
pub(crate) mod collect_rules;
pub(crate) mod edit;
pub(crate) mod fix;
pub(crate) mod fix_rule;
pub(crate) mod observed;
pub(crate) mod operations;
pub mod schema;
pub(crate) mod terraform;
