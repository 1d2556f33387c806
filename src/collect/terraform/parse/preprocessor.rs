//! A preprocessor for text that hcl-edit 0.10 refuses and Terraform accepts. It replaces bytes by as many blanks, so
//! that every place in the result is one in the original. Two faults of the grammar make it necessary:
//!
//! - Within `{ for … }`, a newline beside `?`, `:` or an operator is refused, and so is one after `!` within any
//!   brackets. Terraform ignores newlines in parentheses, brackets, `{ for … }` and templates: here they become blanks,
//!   with the comments that they end.
//! - A key that stands twice in an object is refused. Terraform takes the last: the items before become blanks.

use std::collections::HashMap;
use std::ops::Range;

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The body of a file.
    Body,
    /// An expression.
    Expression,
    /// A template, as it stands in a file of its own.
    Template,
}

/// What the position is in.
enum Context<'t> {
    /// The body of a file or of a block. Whether an `=` came before in this line: then `{` begins an object.
    Body { assigned: bool },
    /// The braces of an object.
    Object(Object),
    /// Brackets in which newlines mean nothing.
    Flow,
    /// A text in quotes.
    Quoted,
    /// A heredoc up to this marker.
    Heredoc(&'t str),
    /// A template that is a file of its own.
    Template,
}

/// The items of an object.
#[derive(Default)]
struct Object {
    /// Where each key stands last, with its value and the comma after it.
    items: HashMap<String, Range<usize>>,
    /// Where the item at hand begins, and its key once it is read.
    start: Option<usize>,
    key: Option<String>,
}

/// The text with blanks for what hcl-edit takes amiss.
pub(super) fn preprocess(text: &str, start: Start) -> String {
    let reader = Reader::of(text, start);
    let mut bytes = text.as_bytes().to_vec();
    for range in reader.blanks {
        bytes[range].fill(b' ');
    }
    // Whole characters became blanks.
    String::from_utf8(bytes).unwrap_or_else(|_not_text| text.to_owned())
}

/// The comments of a file that begin with `#` or `//`: texts and heredocs have none.
pub(crate) fn comments(text: &str) -> Vec<Range<usize>> {
    Reader::of(text, Start::Body).comments
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    /// The innermost context is the last. It is never empty.
    stack: Vec<Context<'t>>,
    blanks: Vec<Range<usize>>,
    comments: Vec<Range<usize>>,
}

impl<'t> Reader<'t> {
    /// Reads a text to its end.
    fn of(text: &'t str, start: Start) -> Self {
        let context = match start {
            Start::Body => Context::Body { assigned: false },
            Start::Expression => Context::Flow,
            Start::Template => Context::Template,
        };
        let stack = vec![context];
        let mut reader = Self { text, bytes: text.as_bytes(), at: 0, stack, blanks: Vec::new(), comments: Vec::new() };
        while reader.at < reader.bytes.len() {
            reader.step();
        }
        reader
    }

    fn rest(&self) -> &'t [u8] {
        &self.bytes[self.at.min(self.bytes.len())..]
    }

    fn step(&mut self) {
        match self.stack.last() {
            Some(Context::Quoted | Context::Heredoc(_) | Context::Template) => self.template(),
            Some(_) => self.code(),
            // Brackets that nothing opened: hcl-edit says what is wrong.
            None => self.at = self.bytes.len(),
        }
    }

    /// One step in the text of a template.
    fn template(&mut self) {
        if let Some(Context::Heredoc(marker)) = self.stack.last()
            && (self.at == 0 || self.bytes[self.at - 1] == b'\n')
        {
            let line = self.text.get(self.at..).and_then(|rest| rest.lines().next()).unwrap_or_default();
            if line.trim() == *marker {
                // The newline after it is one of what is around.
                self.at += line.trim_end().len();
                self.stack.pop();
                return;
            }
        }
        let quoted = matches!(self.stack.last(), Some(Context::Quoted));
        match self.rest() {
            [b'\\', _, ..] if quoted => self.at += 2,
            [b'"', ..] if quoted => {
                self.stack.pop();
                self.at += 1;
            }
            [b'$', b'$', b'{', ..] | [b'%', b'%', b'{', ..] => self.at += 3,
            [b'$' | b'%', b'{', ..] => {
                self.stack.push(Context::Flow);
                self.at += 2;
            }
            _ => self.at += 1,
        }
    }

    /// One step in code.
    fn code(&mut self) {
        let start = self.at;
        let is_flow = matches!(self.stack.last(), Some(Context::Flow));
        match self.rest() {
            [b'\n', ..] => {
                if is_flow {
                    self.blank(start..start + 1);
                }
                self.end_item(start);
                self.at += 1;
            }
            [b'\r', b'\n', ..] if is_flow => {
                self.blank(start..start + 2);
                self.at += 2;
            }
            [b' ' | b'\t' | b'\r', ..] => self.at += 1,
            [b'#', ..] | [b'/', b'/', ..] => {
                self.at += self.rest().iter().position(|byte| *byte == b'\n').unwrap_or(self.rest().len());
                self.comments.push(start..self.at);
                if is_flow {
                    self.blank(start..self.at);
                }
            }
            [b'/', b'*', ..] => {
                let length = self.text.get(start..).and_then(|rest| rest.find("*/"));
                self.at += length.map_or(self.rest().len(), |length| length + 2);
                if is_flow {
                    self.blank(start..self.at);
                }
            }
            _ => self.token(),
        }
    }

    fn token(&mut self) {
        let start = self.at;
        self.begin_item(start);
        match self.rest() {
            [b'"', ..] => self.push(Context::Quoted),
            [b'(' | b'[', ..] => self.push(Context::Flow),
            [b'{', ..] => {
                let context = match self.stack.last() {
                    Some(Context::Body { assigned: false }) => Context::Body { assigned: false },
                    _ if self.begins_for() => Context::Flow,
                    _ => Context::Object(Object::default()),
                };
                self.push(context);
            }
            [b')' | b']' | b'}', ..] => self.close(start),
            [b'<', b'<', ..] => self.heredoc(),
            [b'=' | b'!' | b'<' | b'>', b'=', ..] | [b':', b':', ..] => self.at += 2,
            [b'=' | b':', ..] => {
                match self.stack.last_mut() {
                    Some(Context::Body { assigned }) => *assigned = true,
                    Some(Context::Object(object)) if object.key.is_none() => {
                        let key = object.start.and_then(|from| self.text.get(from..start)).unwrap_or_default().trim();
                        let plain = key.strip_prefix('"').and_then(|key| key.strip_suffix('"'));
                        object.key = Some(plain.unwrap_or(key).to_owned());
                    }
                    _ => {}
                }
                self.at += 1;
            }
            [b',', ..] => {
                self.at += 1;
                self.end_item(start + 1);
            }
            _ => self.at += 1,
        }
    }

    fn push(&mut self, context: Context<'t>) {
        self.stack.push(context);
        self.at += 1;
    }

    /// A closing bracket.
    fn close(&mut self, at: usize) {
        if matches!(self.stack.last(), Some(Context::Object(_))) {
            self.end_item(at);
        }
        if self.stack.len() > 1 {
            self.stack.pop();
        }
        self.at += 1;
    }

    /// Whether `for` comes after the brace.
    fn begins_for(&self) -> bool {
        let mut rest = self.text.get(self.at + 1..).unwrap_or_default().trim_start();
        while let Some(line) = rest.strip_prefix('#').or_else(|| rest.strip_prefix("//")) {
            rest = line.find('\n').map_or("", |end| line[end..].trim_start());
        }
        let after = rest.strip_prefix("for").and_then(|rest| rest.chars().next());
        after.is_some_and(|after| after.is_whitespace() || after == '#' || after == '/')
    }

    fn heredoc(&mut self) {
        let rest = self.text.get(self.at + 2..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let marker = line.strip_prefix('-').unwrap_or(line).trim_end();
        let is_name = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        if marker.is_empty() || !marker.chars().all(is_name) {
            self.at += 2;
            return;
        }
        self.at = (self.at + 2 + line.len() + 1).min(self.bytes.len());
        // A line of Windows.
        if self.bytes.get(self.at - 1) == Some(&b'\r') {
            self.at += 1;
        }
        self.stack.push(Context::Heredoc(marker));
    }

    /// The item of an object begins at its first token.
    fn begin_item(&mut self, at: usize) {
        if let Some(Context::Object(object)) = self.stack.last_mut()
            && object.start.is_none()
            && !matches!(self.bytes[at], b',' | b'}')
        {
            object.start = Some(at);
        }
    }

    /// An item of an object ends here, with the comma after it. Of its key, it is the last so far.
    fn end_item(&mut self, end: usize) {
        if let Some(Context::Body { assigned }) = self.stack.last_mut() {
            *assigned = false;
        }
        let Some(Context::Object(object)) = self.stack.last_mut() else { return };
        if let (Some(start), Some(key)) = (object.start.take(), object.key.take())
            && let Some(before) = object.items.insert(key, start..end)
        {
            self.blanks.push(before);
        }
    }

    fn blank(&mut self, range: Range<usize>) {
        self.blanks.push(range);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same_length(text: &str, wanted: &str) {
        let found = preprocess(text, Start::Body);
        assert_eq!(found.len(), text.len());
        assert_eq!(found.split_whitespace().collect::<Vec<_>>(), wanted.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn newlines_that_mean_nothing_become_blanks_and_others_stay() {
        let text = "a = { # é\n  for k, v in x : k => v # why\n  ? 1\n  : 2\n}\nb = {\n  c = !(\n    d\n  )\n}\n";
        let found = preprocess(text, Start::Body);
        assert_eq!(found.len(), text.len());
        assert_eq!(found.matches('\n').count(), 4);
        assert!(!found.contains("why"));
        assert!(found.ends_with("b = {\n  c = !(     d   )\n}\n"), "{found}");
    }

    #[test]
    fn of_two_equal_keys_the_last_stays() {
        same_length("a = { b = 1, c = 2, b = [\n3 ] }\n", "a = { c = 2, b = [ 3 ] }");
        same_length("a = {\n  b = {\n x = 1\n }\n  \"b\" = 2\n}\n", "a = { \"b\" = 2 }");
        same_length("a = { b = { c = 1 }, d = { c = 2 } }\n", "a = { b = { c = 1 }, d = { c = 2 } }");
        same_length("r \"x\" {\n  b {\n  c = 1\n  }\n  b {\n  c = 1\n  }\n}\n", "r \"x\" { b { c = 1 } b { c = 1 } }");
    }

    #[test]
    fn texts_and_heredocs_stay_as_they_are() {
        for text in [
            "a = [<<EOT\n x # y\n { for\n EOT\n, \"#\\\" ${\"(\"} $${\"]\n",
            "a = \"${b == \"}\" ? \"{\" : \"x\"}\"\n",
            "a = f(<<-EOT\n  ${x}\n  EOT\n)\n",
        ] {
            let newlines = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(newlines(&preprocess(text, Start::Body)), newlines(text));
            assert_eq!(preprocess(text, Start::Body).len(), text.len());
        }
    }
}
