//! IAM managed policies of roles.

pub(crate) mod collect;
pub mod schema;
pub(crate) mod terraform;
