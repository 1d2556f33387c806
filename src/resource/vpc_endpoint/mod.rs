//! Interface endpoints of VPCs with instances.

pub(crate) mod collect;
pub mod schema;
pub(crate) mod terraform;
