//! Removal of blocks, attributes and elements, with their lines and the comments that belong to them.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression;

use super::hcl_file::{BlockRef, HclFile};

impl HclFile {
    /// Removes a block, with its lines and the comment lines directly above it.
    pub(crate) fn remove(&mut self, block_ref: &BlockRef) -> Option<()> {
        let span = self.span(block_ref)?;
        self.remove_lines(&span)
    }

    /// Removes an attribute in the same way.
    pub(crate) fn remove_attribute(&mut self, block_ref: &BlockRef, name: &str) -> Option<()> {
        let span = self.with(block_ref, |block| block.body.get_attribute(name)?.span())?;
        self.remove_lines(&span)
    }

    /// Removes the lines of these bytes; nothing where something else stands in them.
    fn remove_lines(&mut self, span: &Range<usize>) -> Option<()> {
        let start = self.line_start(span.start);
        let mut end = self.next_line(span.end);
        let behind = self.text[span.end..end].trim();
        if !self.text[start..span.start].trim().is_empty() || !(behind.is_empty() || is_comment(behind)) {
            return None;
        }
        let mut start = self.with_comments_above(start);
        // Of the blank lines around it, one stays; before a closing brace or the end of the file, none.
        let blank_before = self.text[..start].ends_with("\n\n");
        let opened = self.text[..start].trim_end_matches(['\n', ' ', '\t']).ends_with('{');
        if (blank_before || opened) && self.text[end..].starts_with('\n') {
            end += 1;
        } else if blank_before && (end == self.text.len() || self.text[end..].trim_start().starts_with('}')) {
            start -= 1;
        }
        // The lines on both sides may stand below each other now.
        let (above, below) = (self.line(start).saturating_sub(2), self.line(end) - 1);
        self.lay_out(&[above, below], above..=above + 1, |text| text.replace_range(start..end, ""));
        Some(())
    }

    fn line_start(&self, byte: usize) -> usize {
        self.text[..byte].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn next_line(&self, byte: usize) -> usize {
        self.text[byte..].find('\n').map_or(self.text.len(), |newline| byte + newline + 1)
    }

    /// The beginning of the comment lines that stand directly above this line. The licence at the top of a file belongs
    /// to the file.
    fn with_comments_above(&self, line: usize) -> usize {
        let mut start = line;
        let mut in_block = false;
        while start > 0 {
            let above = self.line_start(start - 1);
            let text = self.text[above..start].trim();
            if !in_block && !is_comment(text) {
                if !text.ends_with("*/") || text.contains("/*") {
                    break;
                }
                in_block = true;
            } else if in_block && text.contains("/*") {
                if !text.starts_with("/*") {
                    return line;
                }
                in_block = false;
            }
            start = above;
        }
        if in_block {
            return line;
        }
        let comments = self.text[start..line].to_lowercase();
        let is_licence = ["copyright", "license", "licence", "spdx-"].iter().any(|word| comments.contains(word));
        if start == 0 && is_licence { line } else { start }
    }

    /// Removes the elements of a list that are written so. Gives how many are left; none where the list is not
    /// understood.
    pub(crate) fn remove_elements(&mut self, list: &Expression, gone: impl Fn(&str) -> bool) -> Option<usize> {
        let Expression::Array(array) = list else { return None };
        let spans: Vec<Range<usize>> = array.iter().map(hcl_edit::Span::span).collect::<Option<_>>()?;
        let whole = list.span()?;
        let mut left = spans.len();
        for (index, span) in spans.iter().enumerate().rev() {
            if !gone(&self.text[span.clone()]) {
                continue;
            }
            left -= 1;
            self.remove_element(span, index.checked_sub(1).map(|before| &spans[before]), whole.start);
        }
        Some(left)
    }

    fn remove_element(&mut self, span: &Range<usize>, before: Option<&Range<usize>>, list_start: usize) {
        let behind = &self.text[span.end..];
        let comma = behind.len() - behind.trim_start().len();
        let has_comma = behind.trim_start().starts_with(',');
        let end = if has_comma { span.end + comma + 1 } else { span.end };
        let line = self.line_start(span.start);
        let line_end = self.next_line(end);
        let rest = self.text[end..line_end].trim();
        let alone = line > list_start && self.text[line..span.start].trim().is_empty();
        if alone && (rest.is_empty() || is_comment(rest)) {
            self.text.replace_range(line..line_end, "");
            if let Some(before) = before.filter(|_| !has_comma) {
                // The comma that stood before the last element.
                let gap = self.text[before.end..].trim_start();
                let at = self.text.len() - gap.len();
                if gap.starts_with(',') {
                    self.text.replace_range(at..=at, "");
                }
            }
        } else if has_comma {
            let blanks = self.text[end..].len() - self.text[end..].trim_start_matches(' ').len();
            self.text.replace_range(span.start..end + blanks, "");
        } else {
            let start = before.map_or(span.start, |before| before.end);
            self.text.replace_range(start..end, "");
        }
    }
}

/// Returns `true` if the line is nothing but a comment.
fn is_comment(line: &str) -> bool {
    line.starts_with('#') || line.starts_with("//") || line.starts_with("/*") && line.ends_with("*/")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text after an edit of its first block.
    fn edited(text: &str, edit: impl FnOnce(&mut HclFile, &BlockRef)) -> String {
        let mut document = HclFile::new(text);
        let block_ref = document.tops("main.tf").remove(0);
        edit(&mut document, &block_ref);
        document.text()
    }

    fn removed(text: &str, kind: &str) -> String {
        let mut document = HclFile::new(text);
        let block_ref =
            document.tops("main.tf").into_iter().find(|top| top.kind() == kind).expect("the block is there");
        document.remove(&block_ref).expect("an edit");
        document.text()
    }

    #[test]
    fn comments_directly_above_a_block_go_with_it() {
        for (before, after) in [
            ("a {\n}\n\n# why\n// and\nb {\n}\n\nc {\n}\n", "a {\n}\n\nc {\n}\n"),
            ("a {\n}\n\n# stays\n\nb {\n}\n", "a {\n}\n\n# stays\n"),
            ("a {\n}\n\n/*\n why\n*/\nb {\n} # end\n", "a {\n}\n"),
            ("/* one */\nb {\n}\n", ""),
            ("# Copyright of somebody\nb {\n}\n\na {\n}\n", "# Copyright of somebody\n\na {\n}\n"),
            ("a {\n  x = 1\n} # not of b\nb {\n}\n", "a {\n  x = 1\n} # not of b\n"),
        ] {
            assert_eq!(removed(before, "b"), after, "{before}");
        }
    }

    #[test]
    fn a_block_goes_with_its_lines() {
        let mut document = HclFile::new("a \"b\" \"c\" {\n  x = 1\n\n  y {\n  }\n\n  z {\n  }\n}\n");
        let block_ref = document.tops("main.tf").remove(0);
        document.remove(&document.nested(&block_ref, "y").remove(0)).expect("an edit");
        assert_eq!(document.text(), "a \"b\" \"c\" {\n  x = 1\n\n  z {\n  }\n}\n");
        document.remove(&document.nested(&block_ref, "z").remove(0)).expect("an edit");
        assert_eq!(document.text(), "a \"b\" \"c\" {\n  x = 1\n}\n");
    }

    #[test]
    fn the_lines_around_an_attribute_that_goes_are_laid_out() {
        for (before, after) in [
            ("a {\n  b      = 1\n  longer = 2\n  c      = 3\n}\n", "a {\n  b = 1\n  c = 3\n}\n"),
            ("a {\n  longer = 2\n  c      = 3\n}\n", "a {\n  c = 3\n}\n"),
            ("a {\n  b      = 1\n  longer = 2\n}\n", "a {\n  b = 1\n}\n"),
            ("a {\n  b = 1\n  longer = [\n    2,\n  ]\n  cc = 3\n}\n", "a {\n  b  = 1\n  cc = 3\n}\n"),
            ("a {\n  b = 1\n\n  # why\n  longer = 2\n\n  cc = 3\n}\n", "a {\n  b = 1\n\n  cc = 3\n}\n"),
            // Lines that are not laid out stay so.
            ("a {\n  b   =   1\n  longer = 2\n  c      = 3\n}\n", "a {\n  b   =   1\n  c      = 3\n}\n"),
        ] {
            let text =
                edited(before, |document, block_ref| document.remove_attribute(block_ref, "longer").expect("an edit"));
            assert_eq!(text, after, "{before}");
        }
    }

    #[test]
    fn elements_go_with_their_commas() {
        for (before, after) in [
            ("a {\n  x = [b, c, d]\n}\n", "a {\n  x = [b, d]\n}\n"),
            ("a {\n  x = [b, c]\n}\n", "a {\n  x = [b]\n}\n"),
            ("a {\n  x = [c, b]\n}\n", "a {\n  x = [b]\n}\n"),
            ("a {\n  x = [\n    b,\n    c, # why\n    d,\n  ]\n}\n", "a {\n  x = [\n    b,\n    d,\n  ]\n}\n"),
            ("a {\n  x = [\n    b,\n    c\n  ]\n}\n", "a {\n  x = [\n    b\n  ]\n}\n"),
        ] {
            let text = edited(before, |document, block_ref| {
                let list = document.value(block_ref, "x").expect("a list");
                document.remove_elements(&list, |element| element == "c").expect("an edit");
            });
            assert_eq!(text, after);
        }
    }
}
