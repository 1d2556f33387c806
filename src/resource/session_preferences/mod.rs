//! Session preferences of a region, and its default host management.

pub(crate) mod collect;
pub(crate) mod collect_host_management;
pub(crate) mod document;
pub(crate) mod edit;
pub(crate) mod fix;
pub(crate) mod fix_sessions;
pub(crate) mod observed;
pub(crate) mod operations;
pub mod schema;
pub(crate) mod terraform;
