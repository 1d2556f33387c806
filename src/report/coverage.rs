//! What was covered, for formats that know nothing but results: an account or region that was not
//! read is listed there like a rule of which nothing is known, so that a short list never looks
//! like a good one.

use sha2::{Digest, Sha256};

use super::phrasing;
use crate::model::{Gap, Scope, Verdict};

/// The name under which coverage is listed among the rules.
pub(super) const RULE: &str = "scope-read-in-full";

/// What it asks for, in a line.
pub(super) const TITLE: &str = "Accounts and regions should be read in full";

/// What is unknown where it is not so.
pub(super) const DESCRIPTION: &str =
    "Every call that the selected rules need was answered. What depends on one that was not is unknown.";

/// What came of reading a scope: it is never less than unknown.
pub(super) fn verdict(scope: &Scope) -> Verdict {
    if scope.read && scope.complete { Verdict::Pass } else { Verdict::Unknown }
}

/// `123456789012 us-east-1 was read in part`
pub(super) fn message(scope: &Scope) -> String {
    let how = match (scope.read, scope.complete) {
        (true, true) => "was read in full",
        (true, false) => "was read in part",
        (false, _) => "was not read",
    };
    format!("{} {how}", phrasing::scope(scope))
}

/// Why it was not read in full, each reason once.
pub(super) fn reasons(scope: &Scope) -> Vec<String> {
    phrasing::each_once(scope.gaps.iter().map(Gap::to_string))
}

/// Lower-case hexadecimal SHA-256 that stays the same as long as the scope does.
pub(super) fn fingerprint(scope: &Scope) -> String {
    let hash = Sha256::digest(format!("{RULE}\n{}", phrasing::scope(scope)));
    hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
