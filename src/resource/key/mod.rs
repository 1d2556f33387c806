//! KMS keys that sessions, their logs and their bucket use.

pub(crate) mod collect;
pub(crate) mod edit;
pub(crate) mod fix;
pub(crate) mod observed;
pub(crate) mod operations;
pub mod schema;
pub(crate) mod terraform;
