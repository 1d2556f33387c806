//! What changes between two texts: as a unified diff for people and `patch`, and as replacements for machines.

use similar::{ChangeTag, TextDiff};

use crate::model::finding::Replacement;

/// Lines around a change.
const CONTEXT: usize = 3;

/// A unified diff, with the names that `git apply` takes.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    let name = name.strip_prefix("./").unwrap_or(name);
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(CONTEXT).header(&format!("a/{name}"), &format!("b/{name}")).to_string()
}

/// The lines that change, from the first to the last.
pub(crate) fn replacements(before: &str, after: &str) -> Vec<Replacement> {
    let mut all: Vec<Replacement> = Vec::new();
    let mut at = (1, 1);
    let mut open = false;
    for change in TextDiff::from_lines(before, after).iter_all_changes() {
        let text = change.value();
        let end = behind(at, text);
        if change.tag() == ChangeTag::Equal {
            (at, open) = (end, false);
            continue;
        }
        if !open {
            let ((line, column), text) = (at, String::new());
            all.push(Replacement { line, column, end_line: line, end_column: column, text });
            open = true;
        }
        let Some(last) = all.last_mut() else { continue };
        if change.tag() == ChangeTag::Delete {
            at = end;
            (last.end_line, last.end_column) = end;
        } else {
            last.text.push_str(text);
        }
    }
    all
}

/// The line and the column behind a line that begins there.
fn behind((line, column): (u32, u32), text: &str) -> (u32, u32) {
    if text.ends_with('\n') {
        return (line + 1, 1);
    }
    (line, column + u32::try_from(text.chars().count()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_are_whole_lines() {
        let all = replacements("a\nb\nc\nd", "a\nB\nc\nd\ne\n");
        let place = |one: &Replacement| (one.line, one.column, one.end_line, one.end_column, one.text.clone());
        let expected = [(2, 1, 3, 1, "B\n".to_owned()), (4, 1, 4, 2, "d\ne\n".to_owned())];
        assert_eq!(all.iter().map(place).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_diff_is_one_that_patch_takes() {
        let expected = "--- a/x.tf\n+++ b/x.tf\n@@ -1 +1 @@\n-a\n+b\n";
        assert_eq!(unified("./x.tf", "a\n", "b\n"), expected);
    }
}
