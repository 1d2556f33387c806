//! Rules, their evaluation on an inventory, and waivers. The only files read here are rules; no account and no code is
//! read.

pub(crate) mod join;
pub mod rule;
pub mod scan;
pub mod waiver;
