//! Nodes that are registered with Systems Manager.

pub(crate) mod collect;
pub mod schema;
pub(crate) mod terraform;
