//! A file that is edited: places in it that are found again when other places have changed, and edits that leave
//! everything else byte for byte. It knows the syntax, and nothing of what blocks mean.

use std::ops::Range;
use std::str::FromStr;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, Object, ObjectKey};
use hcl_edit::structure::{Block, Body, Structure};

use super::layout;

/// A file that is edited.
#[derive(Debug, Clone)]
pub(super) struct Document {
    text: String,
    /// Whether lines end as Windows has it; then `text` does not say so.
    crlf: bool,
}

/// A block, by the way that leads to it from the top of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// The file.
    pub(super) file: String,
    steps: Vec<Step>,
}

/// The block of that kind and those labels, and the how manieth of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    kind: String,
    labels: Vec<String>,
    index: usize,
}

/// What stands somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// A block.
    Block(Spot),
    /// An attribute of a block, or a part of its value.
    Attribute(Spot, String),
}

impl Spot {
    /// The labels of the outermost block: the type and the name of a resource.
    pub(super) fn labels(&self) -> (&str, &str) {
        let labels = self.steps.first().map(|step| step.labels.as_slice()).unwrap_or_default();
        (labels.first().map_or("", String::as_str), labels.get(1).map_or("", String::as_str))
    }

    /// The outermost block that it is in.
    pub(super) fn top(&self) -> Self {
        Self { file: self.file.clone(), steps: self.steps.iter().take(1).cloned().collect() }
    }

    /// The kind of the block itself.
    pub(super) fn kind(&self) -> &str {
        self.steps.last().map_or("", |step| &step.kind)
    }

    fn inner(&self, kind: &str, labels: Vec<String>, index: usize) -> Self {
        let mut steps = self.steps.clone();
        steps.push(Step { kind: kind.to_owned(), labels, index });
        Self { file: self.file.clone(), steps }
    }
}

/// A step to each block of a body.
fn steps(body: &Body) -> Vec<(Step, &Block)> {
    let mut steps: Vec<(Step, &Block)> = Vec::new();
    for block in body.blocks() {
        let labels: Vec<String> = block.labels.iter().map(|label| label.as_str().to_owned()).collect();
        let same = |step: &Step| step.kind == block.ident.as_str() && step.labels == labels;
        let index = steps.iter().filter(|(step, _)| same(step)).count();
        steps.push((Step { kind: block.ident.as_str().to_owned(), labels, index }, block));
    }
    steps
}

impl Document {
    pub(super) fn new(text: &str) -> Self {
        let crlf = text.contains("\r\n") && !text.replace("\r\n", "").contains('\n');
        Self { text: if crlf { text.replace("\r\n", "\n") } else { text.to_owned() }, crlf }
    }

    /// The text as it is to be written.
    pub(super) fn text(&self) -> String {
        if self.crlf { self.text.replace('\n', "\r\n") } else { self.text.clone() }
    }

    /// What stands in these bytes of the edited text.
    pub(super) fn source(&self, bytes: &Range<usize>) -> &str {
        self.text.get(bytes.clone()).unwrap_or_default()
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.text[..byte.min(self.text.len())].matches('\n').count() + 1
    }

    fn body(&self) -> Option<Body> {
        Body::from_str(&self.text).ok()
    }

    /// What stands at a byte of the text as it was read.
    pub(super) fn find(&self, file: &str, bytes: &Range<usize>) -> Option<Found> {
        let lost = if self.crlf { |text: &str| text.matches('\n').count() } else { |_: &str| 0 };
        let original = self.text();
        let before = |byte: usize| byte - lost(original.get(..byte).unwrap_or_default());
        let bytes = before(bytes.start)..before(bytes.end);
        let body = self.body()?;
        let mut spot = Spot { file: file.to_owned(), steps: Vec::new() };
        let mut body = &body;
        loop {
            let holds = |span: Option<Range<usize>>| span.is_some_and(|span| span.contains(&bytes.start));
            if let Some(attribute) = body.attributes().find(|attribute| holds(attribute.span())) {
                return Some(Found::Attribute(spot, attribute.key.as_str().to_owned()));
            }
            let (step, block) = steps(body).into_iter().find(|(_, block)| holds(block.span()))?;
            spot.steps.push(step);
            if block.span().is_some_and(|span| span.start == bytes.start) {
                return Some(Found::Block(spot));
            }
            body = &block.body;
        }
    }

    /// All outermost blocks.
    pub(super) fn tops(&self, file: &str) -> Vec<Spot> {
        let Some(body) = self.body() else { return Vec::new() };
        let spot = |(step, _)| Spot { file: file.to_owned(), steps: vec![step] };
        steps(&body).into_iter().map(spot).collect()
    }

    fn with<T>(&self, spot: &Spot, read: impl FnOnce(&Block) -> Option<T>) -> Option<T> {
        let body = self.body()?;
        let mut inner = &body;
        let mut found = None;
        for wanted in &spot.steps {
            let (_, block) = steps(inner).into_iter().find(|(step, _)| step == wanted)?;
            inner = &block.body;
            found = Some(block);
        }
        read(found?)
    }

    /// The bytes of a block.
    pub(super) fn span(&self, spot: &Spot) -> Option<Range<usize>> {
        self.with(spot, Block::span)
    }

    /// The nested blocks of that kind, also those that a dynamic one makes.
    pub(super) fn nested(&self, spot: &Spot, kind: &str) -> Vec<Spot> {
        let found = self.with(spot, |block| {
            let mut nested = Vec::new();
            for (step, _) in steps(&block.body) {
                if step.kind == kind {
                    nested.push(spot.inner(kind, step.labels, step.index));
                } else if step.kind == "dynamic" && step.labels.first().is_some_and(|label| label == kind) {
                    let dynamic = spot.inner("dynamic", step.labels, step.index);
                    nested.push(dynamic.inner("content", Vec::new(), 0));
                }
            }
            Some(nested)
        });
        found.unwrap_or_default()
    }

    /// The value of an attribute, where it is written.
    pub(super) fn value(&self, spot: &Spot, name: &str) -> Option<Expression> {
        self.with(spot, |block| Some(block.body.get_attribute(name)?.value.clone()))
    }

    /// Replaces bytes, and lays out the lines around them if they were laid out.
    pub(super) fn replace(&mut self, bytes: &Range<usize>, with: &str) {
        let line = self.line(bytes.start) - 1;
        let neighbours = [line.saturating_sub(1), line, line + 1];
        let tidy = neighbours.iter().all(|line| layout::is_tidy(&self.text, *line));
        let with = &hanging(with, &self.indent(bytes.start));
        self.text.replace_range(bytes.clone(), with);
        if tidy {
            // A value of several lines parts the lines before it from those behind.
            let last = line + with.matches('\n').count();
            for line in line.saturating_sub(1)..=last + 1 {
                self.text = layout::tidy(&self.text, line);
            }
        }
    }

    /// The bytes between the braces of a block.
    fn inside(&self, spot: &Spot) -> Option<Range<usize>> {
        let (span, labelled) = self.with(spot, |block| {
            let ident = block.ident.span().map(|span| span.end);
            let label = block.labels.last().and_then(hcl_edit::Span::span).map(|span| span.end);
            Some((block.span()?, label.or(ident)?))
        })?;
        let open = labelled + self.text.get(labelled..span.end)?.find('{')?;
        let close = span.start + self.text.get(span.clone())?.rfind('}')?;
        (open < close).then_some(open + 1..close)
    }

    /// The white space that the line of this byte begins with.
    pub(super) fn indent(&self, byte: usize) -> String {
        let start = self.text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
        self.text[start..].chars().take_while(|character| matches!(character, ' ' | '\t')).collect()
    }

    /// Gives a block that stands in one line lines of its own.
    fn unfold(&mut self, spot: &Spot) -> Option<()> {
        let inside = self.inside(spot)?;
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
    pub(super) fn add_attribute(&mut self, spot: &Spot, name: &str, value: &str) -> Option<()> {
        self.unfold(spot)?;
        let inside = self.inside(spot)?;
        let indent = self.indent(self.span(spot)?.start);
        let (last, blocks) = self.with(spot, |block| {
            let before_blocks = block.body.iter().take_while(|structure| structure.is_attribute());
            let last = before_blocks.last().and_then(Structure::as_attribute).and_then(hcl_edit::Span::span);
            Some((last, block.body.iter().any(Structure::is_block)))
        })?;
        let value = hanging(value, &format!("{indent}  "));
        let line = format!("\n{indent}  {name} = {value}");
        if let Some(last) = last {
            let end = last.end + self.text[last.end..].find('\n')?;
            let neighbour = self.line(last.end) - 1;
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
        let tidy = layout::is_tidy(&self.text, neighbour);
        self.text.insert_str(at, line);
        if tidy {
            self.text = layout::tidy(&self.text, neighbour + 1);
        }
    }

    /// Adds a nested block at the end of a block; its content is given line by line, not indented.
    pub(super) fn add_block(&mut self, spot: &Spot, kind: &str, content: &str) -> Option<()> {
        self.unfold(spot)?;
        let inside = self.inside(spot)?;
        let indent = self.indent(self.span(spot)?.start);
        let start = self.text[..inside.end].rfind('\n')? + 1;
        if !self.text[start..inside.end].trim().is_empty() {
            return None;
        }
        let blank = if self.text[inside.start..inside.end].trim().is_empty() { "" } else { "\n" };
        let block =
            indented(&layout::tidy_all(&format!("{kind} {{\n{}\n}}", indented(content, "  "))), &format!("{indent}  "));
        self.text.insert_str(start, &format!("{blank}{block}\n"));
        Some(())
    }

    /// Adds a block of its own after an outermost one.
    pub(super) fn add_after(&mut self, spot: &Spot, block: &str) -> Option<()> {
        let end = self.span(&spot.top())?.end;
        let end = self.text[end..].find('\n').map_or(self.text.len(), |newline| end + newline);
        self.text.insert_str(end, &format!("\n\n{}", layout::tidy_all(block.trim_end())));
        Some(())
    }

    /// Takes a block away, with its lines.
    pub(super) fn remove(&mut self, spot: &Spot) -> Option<()> {
        let span = self.span(spot)?;
        let start = self.text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let mut end = self.text[span.end..].find('\n').map_or(self.text.len(), |newline| span.end + newline + 1);
        if !self.text[start..span.start].trim().is_empty() || !self.text[span.end..end].trim().is_empty() {
            return None;
        }
        // Of the blank lines around it, one stays.
        let blank_before = self.text[..start].ends_with("\n\n") || self.text[..start].trim_end().ends_with('{');
        if blank_before && self.text[end..].starts_with('\n') {
            end += 1;
        }
        self.text.replace_range(start..end, "");
        Some(())
    }

    /// Adds a member to an object, in the way in which it is written.
    pub(super) fn add_member(&mut self, object: &Object, name: &str, value: &str) -> Option<()> {
        let span = object.span()?;
        let items: Vec<(Range<usize>, Range<usize>)> =
            object.iter().map(|(key, value)| Some((key_span(key)?, value.expr().span()?))).collect::<Option<_>>()?;
        let Some((first, last)) = items.first().zip(items.last()) else {
            if self.text[span.clone()].trim_matches(['{', '}']).trim().is_empty() {
                self.text.replace_range(span, &format!("{{ {name} = {value} }}"));
                return Some(());
            }
            return None;
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
        if !own_lines {
            self.text.insert_str(end, &format!(", {name}{sign} {value}"));
            return Some(());
        }
        let mut end = end;
        if commas && !comma_after_last {
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

    /// Adds an element to a list, in the way in which it is written.
    pub(super) fn add_element(&mut self, list: &Expression, element: &str) -> Option<()> {
        let Expression::Array(array) = list else { return None };
        let span = list.span()?;
        let Some(last) = array.iter().last().and_then(hcl_edit::Span::span) else {
            self.text.replace_range(span, &format!("[{element}]"));
            return Some(());
        };
        let line_start = self.text[..last.start].rfind('\n').map_or(0, |newline| newline + 1);
        let indent = self.indent(last.end);
        let element = hanging(element, &indent);
        if self.text[line_start..last.start].trim().is_empty() {
            self.text.insert_str(last.end, &format!(",\n{indent}{element}"));
        } else {
            self.text.insert_str(last.end, &format!(", {element}"));
        }
        Some(())
    }
}

/// The member of an object.
pub(super) fn member<'o>(object: &'o Object, name: &str) -> Option<&'o Expression> {
    object.iter().find(|(key, _)| key_text(key).as_deref() == Some(name)).map(|(_, value)| value.expr())
}

fn key_text(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name)) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(Expression::String(text)) => Some(text.value().clone()),
        ObjectKey::Expression(_) => None,
    }
}

fn key_span(key: &ObjectKey) -> Option<Range<usize>> {
    match key {
        ObjectKey::Ident(name) => name.span(),
        ObjectKey::Expression(expression) => expression.span(),
    }
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'))
}

/// The lines, each so far from the left.
pub(super) fn indented(text: &str, indent: &str) -> String {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{indent}{line}") };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A value that begins behind something: its other lines stand so far from the left.
fn hanging(value: &str, indent: &str) -> String {
    layout::tidy_all(value).replace('\n', &format!("\n{indent}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(document: &Document, needle: &str) -> Found {
        let start = document.text().find(needle).expect("it is there");
        document.find("main.tf", &(start..start + needle.len())).expect("something stands there")
    }

    fn block(document: &Document, needle: &str) -> Spot {
        match at(document, needle) {
            Found::Block(spot) => spot,
            Found::Attribute(..) => panic!("{needle} is an attribute"),
        }
    }

    #[test]
    fn an_attribute_comes_after_the_others_and_the_signs_are_aligned() {
        let mut document = Document::new("resource \"a\" \"b\" {\n  x = 1 # one\n\n  c {}\n}\n");
        let spot = block(&document, "resource");
        document.add_attribute(&spot, "longer", "true").expect("an edit");
        let nested = document.nested(&spot, "c");
        document.add_attribute(&nested[0], "d", "2").expect("an edit");
        let expected = "resource \"a\" \"b\" {\n  x      = 1 # one\n  longer = true\n\n  c {\n    d = 2\n  }\n}\n";
        assert_eq!(document.text(), expected);
    }

    #[test]
    fn lines_end_as_they_did() {
        let mut document = Document::new("a \"b\" \"c\" {\r\n}\r\nd \"e\" \"f\" {\r\n}\r\n");
        let spot = block(&document, "d \"e\"");
        document.add_block(&spot, "g", "h = 1\nlonger = 2").expect("an edit");
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
        ] {
            let mut document = Document::new(before);
            let body = document.body().expect("a body");
            let value = &body.get_attribute("a").expect("an attribute").value;
            let Expression::Object(object) = value else { panic!("an object") };
            document.add_member(object, "new", "x").expect("an edit");
            assert_eq!(document.text().replace("  c   = ", "  c = ").replace("  b   = 1,", "  b = 1,"), after);
        }
    }

    #[test]
    fn a_block_goes_with_its_lines() {
        let mut document = Document::new("a \"b\" \"c\" {\n  x = 1\n\n  y {\n  }\n\n  z {\n  }\n}\n");
        let spot = block(&document, "a \"b\"");
        let nested = document.nested(&spot, "y");
        document.remove(&nested[0]).expect("an edit");
        assert_eq!(document.text(), "a \"b\" \"c\" {\n  x = 1\n\n  z {\n  }\n}\n");
    }
}
