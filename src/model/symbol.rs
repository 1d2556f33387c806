//! Texts that only AWS will know, in code: a private-use character stands for each. Which it is means something
//! within one inventory only, but for those that every inventory has.

/// Stands for the account that code is deployed to, where that is not known.
pub const ACCOUNT: &str = "\u{E000}";

/// Stands for the region that code is deployed to, where that is not known.
pub const REGION: &str = "\u{E001}";

/// The number of the first character that is free.
pub const FIRST: u32 = 0xE002;
