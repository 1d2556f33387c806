//! S3 buckets that session logs go to.

pub(crate) mod collect;
pub(crate) mod collect_foreign;
pub(crate) mod edit;
pub(crate) mod fix;
pub(crate) mod observed;
pub(crate) mod operations;
pub mod schema;
pub(crate) mod terraform;
