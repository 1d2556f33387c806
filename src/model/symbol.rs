//! Texts that only AWS will know, in code: a private-use character stands for each. Which it is means something
//! within one inventory only, but for those that every inventory has.

/// Stands for the account that code is deployed to, where that is not known.
pub const ACCOUNT: &str = "\u{E000}";

/// Stands for the region that code is deployed to, where that is not known.
pub const REGION: &str = "\u{E001}";

/// Stands for the value of a member of a map that is there only if its value is not null, where that is not known.
/// As the name of a member, it says that there may be others.
pub const PERHAPS: &str = "\u{E002}";

/// The number of the first character that is free.
pub const FIRST: u32 = 0xE003;
