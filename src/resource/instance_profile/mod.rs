//! Instance profiles.

pub(crate) mod collect;
pub(crate) mod fix;
pub(crate) mod observed;
pub(crate) mod operations;
pub mod schema;
pub(crate) mod terraform;
