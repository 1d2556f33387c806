//! What changes between two texts: as a unified diff for people and `patch`, and as replacements for machines.

use std::ops::Range;

use similar::{ChangeTag, TextDiff};

/// Lines around a change.
const CONTEXT: usize = 3;

/// A unified diff, with the names that `git apply` takes.
pub(crate) fn unified(name: &str, before: &str, after: &str) -> String {
    let name = name.strip_prefix("./").unwrap_or(name);
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(CONTEXT).header(&format!("a/{name}"), &format!("b/{name}")).to_string()
}

/// Bytes of the text before, and what stands there after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replacement {
    pub(crate) bytes: Range<usize>,
    pub(crate) with: String,
}

/// The lines that change, as replacements from the first to the last.
pub(crate) fn replacements(before: &str, after: &str) -> Vec<Replacement> {
    let mut all: Vec<Replacement> = Vec::new();
    let mut at = 0;
    let mut open = false;
    for change in TextDiff::from_lines(before, after).iter_all_changes() {
        let line = change.value();
        if change.tag() == ChangeTag::Equal {
            at += line.len();
            open = false;
            continue;
        }
        if !open {
            all.push(Replacement { bytes: at..at, with: String::new() });
            open = true;
        }
        let Some(last) = all.last_mut() else { continue };
        if change.tag() == ChangeTag::Delete {
            at += line.len();
            last.bytes.end = at;
        } else {
            last.with.push_str(line);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_lead_from_one_text_to_the_other() {
        let (before, after) = ("a\nb\nc\nd\n", "a\nB\nc\nd\ne\n");
        let mut text = before.to_owned();
        let all = replacements(before, after);
        assert_eq!(all.len(), 2);
        for replacement in all.iter().rev() {
            text.replace_range(replacement.bytes.clone(), &replacement.with);
        }
        assert_eq!(text, after);
    }

    #[test]
    fn a_diff_is_one_that_patch_takes() {
        let expected = "--- a/x.tf\n+++ b/x.tf\n@@ -1 +1 @@\n-a\n+b\n";
        assert_eq!(unified("./x.tf", "a\n", "b\n"), expected);
    }
}
