//! Prefix lists that rules of security groups name.

pub(crate) mod collect;
pub mod schema;
pub(crate) mod terraform;
