//! Edits of a file that leave everything else byte for byte, in the layout that is there.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, FuncCall, Object};
use hcl_edit::structure::Structure;

use super::format;
use super::hcl_file::{BlockRef, HclFile, indented, is_name, key_span};

impl HclFile {
    /// Changes the text, and lays out these lines of it afterwards if those lines were laid out before.
    pub(crate) fn lay_out(
        &mut self,
        before: &[usize],
        after: impl IntoIterator<Item = usize>,
        change: impl FnOnce(&mut String),
    ) {
        let is_tidy = before.iter().all(|line| format::is_tidy(&self.text, *line));
        change(&mut self.text);
        if is_tidy {
            for line in after {
                self.text = format::tidy(&self.text, line);
            }
        }
    }

    /// Replaces bytes, and lays out the lines around them if they were laid out.
    pub(crate) fn replace(&mut self, bytes: &Range<usize>, with: &str) {
        let line = self.line(bytes.start) - 1;
        let above = line.saturating_sub(1);
        let with = hanging(with, &self.indent(bytes.start));
        // A value of several lines parts the lines before it from those behind.
        let last = line + with.matches('\n').count();
        self.lay_out(&[above, line, line + 1], above..=last + 1, |text| text.replace_range(bytes.clone(), &with));
    }

    /// Puts a text before these bytes, and one behind them.
    pub(crate) fn wrap(&mut self, bytes: &Range<usize>, before: &str, behind: &str) {
        let lines = [self.line(bytes.start) - 1, self.line(bytes.end) - 1];
        self.lay_out(&lines, lines, |text| {
            text.insert_str(bytes.end, behind);
            text.insert_str(bytes.start, before);
        });
    }

    /// Replaces bytes by a text as it is.
    pub(crate) fn splice(&mut self, bytes: &Range<usize>, with: &str) {
        self.text.replace_range(bytes.clone(), with);
    }

    /// The bytes between the braces of a block.
    fn inside(&self, block_ref: &BlockRef) -> Option<Range<usize>> {
        let (span, labelled) = self.with(block_ref, |block| {
            let ident = block.ident.span().map(|span| span.end);
            let label = block.labels.last().and_then(hcl_edit::Span::span).map(|span| span.end);
            Some((block.span()?, label.or(ident)?))
        })?;
        let open = labelled + self.text.get(labelled..span.end)?.find('{')?;
        let close = span.start + self.text.get(span.clone())?.rfind('}')?;
        (open < close).then_some(open + 1..close)
    }

    /// The white space that the line of this byte begins with.
    pub(crate) fn indent(&self, byte: usize) -> String {
        let start = self.text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
        self.text[start..].chars().take_while(|character| matches!(character, ' ' | '\t')).collect()
    }

    /// Gives a block that stands in one line lines of its own.
    fn unfold(&mut self, block_ref: &BlockRef) -> Option<()> {
        let inside = self.inside(block_ref)?;
        if self.text[inside.clone()].contains('\n') {
            return Some(());
        }
        let indent = self.indent(inside.start);
        let content = self.text[inside.clone()].trim().to_owned();
        let content = if content.is_empty() { String::new() } else { format!("{indent}  {content}\n") };
        self.text.replace_range(inside, &format!("\n{content}{indent}"));
        Some(())
    }

    /// Adds an attribute to a block, after those that it has.
    pub(crate) fn add_attribute(&mut self, block_ref: &BlockRef, name: &str, value: &str) -> Option<()> {
        self.unfold(block_ref)?;
        let inside = self.inside(block_ref)?;
        let indent = self.indent(self.span(block_ref)?.start);
        let (last, blocks) = self.with(block_ref, |block| {
            let before_blocks = block.body.iter().take_while(|structure| structure.is_attribute());
            let last = before_blocks.last().and_then(Structure::as_attribute).and_then(hcl_edit::Span::span);
            Some((last, block.body.iter().any(Structure::is_block)))
        })?;
        let value = hanging(value, &format!("{indent}  "));
        let line = format!("\n{indent}  {name} = {value}");
        if let Some(last) = last {
            let end = last.end + self.text[last.end..].find('\n')?;
            let neighbour = self.line(last.start) - 1;
            self.insert_line(end, &line, neighbour);
        } else {
            let end = inside.start + self.text[inside.start..].find('\n')?;
            let blank = if blocks { "\n" } else { "" };
            self.text.insert_str(end, &format!("{line}{blank}"));
        }
        Some(())
    }

    /// Inserts a text that begins with a new line, and lays it out as the line before it is.
    fn insert_line(&mut self, at: usize, line: &str, neighbour: usize) {
        // The line behind it may have stood below the one before it.
        let added = self.line(at);
        self.lay_out(&[neighbour], added..=added + line.matches('\n').count(), |text| text.insert_str(at, line));
    }

    /// Adds a nested block at the end of a block; its content is given line by line, not indented.
    pub(crate) fn add_block(&mut self, block_ref: &BlockRef, kind: &str, content: &str) -> Option<()> {
        self.unfold(block_ref)?;
        let inside = self.inside(block_ref)?;
        let indent = self.indent(self.span(block_ref)?.start);
        let start = self.text[..inside.end].rfind('\n')? + 1;
        if !self.text[start..inside.end].trim().is_empty() {
            return None;
        }
        let is_first = self.text[inside.start..inside.end].trim().is_empty();
        let blank = if is_first || self.text[..start].ends_with("\n\n") { "" } else { "\n" };
        let block =
            indented(&format::tidy_all(&format!("{kind} {{\n{}\n}}", indented(content, "  "))), &format!("{indent}  "));
        self.text.insert_str(start, &format!("{blank}{block}\n"));
        Some(())
    }

    /// Adds a block of its own after an outermost one.
    pub(super) fn add_after(&mut self, block_ref: &BlockRef, block: &str) -> Option<()> {
        let end = self.span(&block_ref.top())?.end;
        let end = self.text[end..].find('\n').map_or(self.text.len(), |newline| end + newline);
        self.text.insert_str(end, &format!("\n\n{}", format::tidy_all(block.trim_end())));
        Some(())
    }

    /// Adds a member to an object, in the way in which it is written.
    pub(crate) fn add_member(&mut self, object: &Object, name: &str, value: &str) -> Option<()> {
        let span = object.span()?;
        let items: Vec<(Range<usize>, Range<usize>)> =
            object.iter().map(|(key, value)| Some((key_span(key)?, value.expr().span()?))).collect::<Option<_>>()?;
        let Some((first, last)) = items.first().zip(items.last()) else {
            let name = if is_name(name) { name.to_owned() } else { format!("{name:?}") };
            return self.fill(&span, &format!("{name} = {value}"), " ");
        };
        let quoted = self.text[first.0.clone()].starts_with('"');
        let name = if quoted || !is_name(name) { format!("{name:?}") } else { name.to_owned() };
        let colon = self.text[first.0.end..first.1.start].contains(':');
        let sign = if colon { ":" } else { " =" };
        let end = last.1.end;
        let comma_after_last = self.text[end..span.end].trim_start().starts_with(',');
        let commas = comma_after_last || items.len() > 1 && self.text[first.1.end..].trim_start().starts_with(',');
        let line_start = self.text[..last.0.start].rfind('\n').map_or(0, |newline| newline + 1);
        let own_lines = self.text[line_start..last.0.start].trim().is_empty();
        let is_heredoc = self.text[last.1.clone()].starts_with("<<");
        let closes = !self.text[end..span.end].contains('\n');
        if !is_heredoc && (!own_lines || closes) {
            let at = if comma_after_last { end + self.text[end..].find(',')? + 1 } else { end };
            let comma = if comma_after_last { "" } else { "," };
            self.text.insert_str(at, &format!("{comma} {name}{sign} {value}"));
            return Some(());
        }
        let mut end = end;
        // The line of a heredoc that ends it has nothing else on it.
        if commas && !comma_after_last && !is_heredoc {
            self.text.insert(end, ',');
            end += 1;
        }
        let line_end = end + self.text[end..].find('\n')?;
        let indent = self.indent(last.0.start);
        let value = hanging(value, &indent);
        let comma = if comma_after_last { "," } else { "" };
        let neighbour = self.line(last.1.end) - 1;
        self.insert_line(line_end, &format!("\n{indent}{name}{sign} {value}{comma}"), neighbour);
        Some(())
    }

    /// Adds an element to a list, in the way in which the others are written.
    pub(crate) fn add_element(&mut self, list: &Expression, element: &str) -> Option<()> {
        let Expression::Array(array) = list else { return None };
        let span = list.span()?;
        match array.iter().last().and_then(hcl_edit::Span::span) {
            Some(last) => self.append(&last, element),
            None => return self.fill(&span, element, ""),
        }
        Some(())
    }

    /// Puts an item into brackets or braces that have none; comments within them stay.
    fn fill(&mut self, span: &Range<usize>, item: &str, blank: &str) -> Option<()> {
        let inside = span.start + 1..span.end.checked_sub(1)?;
        let within = self.text.get(inside.clone())?;
        if within.trim().is_empty() && !within.contains('\n') {
            self.text.replace_range(inside, &format!("{blank}{item}{blank}"));
            return Some(());
        }
        let line = within.rfind('\n').map(|newline| inside.start + newline + 1)?;
        if !self.text[line..inside.end].trim().is_empty() {
            return None;
        }
        let indent = format!("{}  ", self.indent(inside.end));
        let item = hanging(item, &indent);
        self.text.insert_str(line, &format!("{indent}{item}\n"));
        Some(())
    }

    /// Adds an argument to a call, in the way in which the others are written.
    pub(super) fn add_argument(&mut self, call: &FuncCall, argument: &str) -> Option<()> {
        let last = call.args.iter().last().and_then(hcl_edit::Span::span)?;
        self.append(&last, argument);
        Some(())
    }

    /// Adds an item behind the last one of a list.
    fn append(&mut self, last: &Range<usize>, item: &str) {
        let line_start = self.text[..last.start].rfind('\n').map_or(0, |newline| newline + 1);
        let indent = self.indent(last.end);
        let item = hanging(item, &indent);
        let alone = self.text[line_start..last.start].trim().is_empty();
        let line_end = self.text[last.end..].find('\n').map_or(self.text.len(), |newline| last.end + newline);
        let rest = self.text[last.end..line_end].trim_start();
        let comma = rest.starts_with(',');
        let behind = rest.trim_start_matches(',').trim();
        if !alone {
            self.text.insert_str(last.end, &format!(", {item}"));
        } else if behind.is_empty() || behind.starts_with('#') || behind.starts_with("//") {
            let end = if comma { "," } else { "" };
            self.text.insert_str(line_end, &format!("\n{indent}{item}{end}"));
            if !comma {
                self.text.insert(last.end, ',');
            }
        } else {
            self.text.insert_str(last.end, &format!(",\n{indent}{item}"));
        }
    }
}

/// A value that begins behind something: its other lines stand so far from the left.
fn hanging(value: &str, indent: &str) -> String {
    format::tidy_all(value).replace('\n', &format!("\n{indent}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terraform_fix::hcl_file::Found;

    fn at(document: &HclFile, needle: &str) -> Found {
        let start = document.text().find(needle).expect("it is there");
        document.find("main.tf", &(start..start + needle.len())).expect("something stands there")
    }

    fn block(document: &HclFile, needle: &str) -> BlockRef {
        match at(document, needle) {
            Found::Block(block_ref) => block_ref,
            Found::Attribute(..) => panic!("{needle} is an attribute"),
        }
    }

    #[test]
    fn an_attribute_comes_after_the_others_and_the_signs_are_aligned() {
        let mut document = HclFile::new("resource \"a\" \"b\" {\n  x = 1 # one\n\n  c {}\n}\n");
        let block_ref = block(&document, "resource");
        document.add_attribute(&block_ref, "longer", "true").expect("an edit");
        let nested = document.nested(&block_ref, "c");
        document.add_attribute(&nested[0], "d", "2").expect("an edit");
        let expected = "resource \"a\" \"b\" {\n  x      = 1 # one\n  longer = true\n\n  c {\n    d = 2\n  }\n}\n";
        assert_eq!(document.text(), expected);
    }

    #[test]
    fn lines_end_as_they_did() {
        let mut document = HclFile::new("a \"b\" \"c\" {\r\n}\r\nd \"e\" \"f\" {\r\n}\r\n");
        let block_ref = block(&document, "d \"e\"");
        document.add_block(&block_ref, "g", "h = 1\nlonger = 2").expect("an edit");
        let expected =
            "a \"b\" \"c\" {\r\n}\r\nd \"e\" \"f\" {\r\n  g {\r\n    h      = 1\r\n    longer = 2\r\n  }\r\n}\r\n";
        assert_eq!(document.text(), expected);
    }

    #[test]
    fn members_are_written_as_the_others_are() {
        for (before, after) in [
            ("a = { b = 1 }\n", "a = { b = 1, new = x }\n"),
            ("a = {}\n", "a = { new = x }\n"),
            ("a = {\n  b = 1\n}\n", "a = {\n  b   = 1\n  new = x\n}\n"),
            ("a = {\n  \"b\" : 1,\n}\n", "a = {\n  \"b\" : 1,\n  \"new\": x,\n}\n"),
            ("a = {\n  b = 1,\n  c = 2\n}\n", "a = {\n  b = 1,\n  c = 2,\n  new = x\n}\n"),
            ("a = { b = 1,\n  c = 2 }\n", "a = { b = 1,\n  c = 2, new = x }\n"),
            ("a = { b = 1,\n  c = 2, }\n", "a = { b = 1,\n  c = 2, new = x }\n"),
            ("a = {\n  # none\n}\n", "a = {\n  # none\n  new = x\n}\n"),
            ("a = {\n}\n", "a = {\n  new = x\n}\n"),
            ("a = {\n  b = <<EOT\nx\nEOT\n}\n", "a = {\n  b = <<EOT\nx\nEOT\n  new = x\n}\n"),
        ] {
            let mut document = HclFile::new(before);
            let body = document.body().expect("a body");
            let value = &body.get_attribute("a").expect("an attribute").value;
            let Expression::Object(object) = value else { panic!("an object") };
            document.add_member(object, "new", "x").expect("an edit");
            let plain = |text: &str| text.replace("  c   = ", "  c = ").replace("  b   = ", "  b = ");
            assert_eq!(plain(&document.text()), plain(after));
        }
    }
}
