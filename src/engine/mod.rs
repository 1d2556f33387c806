//! Rules, what they say of an inventory, and waivers. Of files, only rules are read here; no account and no code is.

pub(crate) mod join;
pub mod rule;
pub mod scan;
pub mod waiver;
