//! Judging: rules, what they say of an inventory, and waivers. Nothing here reads anything from outside.

pub(crate) mod join;
pub mod rule;
pub mod scan;
pub mod waiver;
