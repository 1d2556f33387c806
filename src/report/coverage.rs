//! Coverage, for formats that list only results: an account or region that was not read is listed like a rule with an
//! unknown verdict, so that a short list never looks like a good result.

use sha2::{Digest, Sha256};

use super::phrasing;
use crate::model::{Gap, Scope, Verdict};

/// Name under which coverage is listed among the rules.
pub(super) const RULE: &str = "scope-read-in-full";

/// The requirement, in one line.
pub(super) const TITLE: &str = "Accounts and regions should be read in full";

/// Consequence of an incomplete read.
pub(super) const DESCRIPTION: &str =
    "Every call that the selected rules need was answered. What depends on one that was not is unknown.";

/// Returns the verdict on reading a scope: an incomplete read is at least unknown.
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

/// Returns the reasons why the scope was not read in full, each once.
pub(super) fn reasons(scope: &Scope) -> Vec<String> {
    phrasing::each_once(scope.gaps.iter().map(Gap::to_string))
}

/// Returns a lower-case hexadecimal SHA-256 that stays the same as long as the scope does.
pub(super) fn fingerprint(scope: &Scope) -> String {
    let hash = Sha256::digest(format!("{RULE}\n{}", phrasing::scope(scope)));
    hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
