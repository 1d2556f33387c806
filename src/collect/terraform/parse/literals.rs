//! Literals of templates as Terraform reads them: <https://developer.hashicorp.com/terraform/language/expressions/strings>.
//!
//! Terraform divides a heredoc, and a template that is a file, into lines before it removes blanks. A strip marker reaches
//! to the end of the line on its side. Then `<<-` removes the indentation of the lines that are left. In a text in quotes,
//! a strip marker removes all blanks up to the next element. hcl-edit does both differently, and leaves the escapes in
//! directives of a text in quotes as they are. So literals are read from their source again.

use std::str::FromStr as _;
use std::vec::IntoIter;

use hcl_edit::Span as _;
use hcl_edit::expr::Expression as Hcl;
use hcl_edit::template::{Directive, Element, Strip, Template};

/// Where a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// In quotes.
    Quoted,
    /// In a heredoc, or in a file of its own.
    Lines,
    /// In a heredoc that begins with `<<-`.
    Indented,
}

/// Returns the literals of a template in the order in which they stand, those of its directives among them. `source`
/// is the text that was parsed.
pub(crate) fn literals<'e>(elements: impl Iterator<Item = &'e Element>, source: &str, form: Form) -> IntoIter<String> {
    let mut reader = Reader { source, form, tokens: Vec::new(), strip_next: false };
    elements.for_each(|element| reader.element(element));
    if form == Form::Indented {
        remove_indentation(&mut reader.tokens);
    }
    let mut literals: Vec<String> = Vec::new();
    for token in reader.tokens {
        match (token, literals.last_mut()) {
            (Token::Literal { text, continues: true }, Some(last)) => last.push_str(&text),
            (Token::Literal { text, .. }, _) => literals.push(text),
            (Token::Other, _) => {}
        }
    }
    literals.into_iter()
}

enum Token {
    /// A literal, or one line of it; `continues` for the second line and those after it.
    Literal { text: String, continues: bool },
    /// An interpolation, or one end of a directive.
    Other,
}

struct Reader<'s> {
    source: &'s str,
    form: Form,
    tokens: Vec<Token>,
    /// The element before ends with a strip marker.
    strip_next: bool,
}

impl Reader<'_> {
    fn element(&mut self, element: &Element) {
        match element {
            Element::Literal(read) => {
                let written = read.span().and_then(|span| self.source.get(span)).unwrap_or(read.as_str());
                self.literal(&unescaped(written, self.form).unwrap_or_else(|| read.as_str().to_owned()));
            }
            Element::Interpolation(value) => self.other(value.strip),
            Element::Directive(directive) => match &**directive {
                Directive::If(all) => {
                    self.other(all.if_expr.strip);
                    self.template(&all.if_expr.template);
                    if let Some(otherwise) = &all.else_expr {
                        self.other(otherwise.strip);
                        self.template(&otherwise.template);
                    }
                    self.other(all.endif_expr.strip);
                }
                Directive::For(all) => {
                    self.other(all.for_expr.strip);
                    self.template(&all.for_expr.template);
                    self.other(all.endfor_expr.strip);
                }
            },
        }
    }

    fn template(&mut self, template: &Template) {
        template.iter().for_each(|element| self.element(element));
    }

    fn literal(&mut self, text: &str) {
        let whole = self.form == Form::Quoted || text.is_empty();
        let lines = if whole { vec![text] } else { text.split_inclusive('\n').collect() };
        for (index, line) in lines.into_iter().enumerate() {
            let line = if std::mem::take(&mut self.strip_next) { line.trim_start() } else { line };
            self.tokens.push(Token::Literal { text: line.to_owned(), continues: index > 0 });
        }
    }

    fn other(&mut self, strip: Strip) {
        if matches!(strip, Strip::Start | Strip::Both)
            && let Some(Token::Literal { text, .. }) = self.tokens.last_mut()
        {
            text.truncate(text.trim_end().len());
        }
        self.strip_next = matches!(strip, Strip::End | Strip::Both);
        self.tokens.push(Token::Other);
    }
}

/// Returns what a literal stands for; none where it has an escape that does not exist.
fn unescaped(written: &str, form: Form) -> Option<String> {
    if form != Form::Quoted {
        return Some(written.replace("$${", "${").replace("%%{", "%{"));
    }
    if !written.contains(['\\', '$', '%']) {
        return Some(written.to_owned());
    }
    match Hcl::from_str(&format!("\"{written}\"")) {
        Ok(Hcl::String(text)) => Some(text.value().clone()),
        _ => None,
    }
}

/// Takes as many blanks off the beginning of each line as the line with the fewest has. A line of blanks alone does not
/// count; an interpolation or directive at the beginning of a line leaves no indentation.
fn remove_indentation(tokens: &mut [Token]) {
    let mut indentation = usize::MAX;
    let mut lines: Vec<&mut String> = Vec::new();
    let mut starts_line = true;
    for token in tokens {
        let started = std::mem::take(&mut starts_line);
        match token {
            Token::Literal { text, .. } => {
                starts_line = text.ends_with('\n');
                let is_blank = text.trim_start().is_empty() && starts_line;
                if started && !is_blank {
                    indentation =
                        indentation.min(text.chars().take_while(|character| character.is_whitespace()).count());
                    lines.push(text);
                }
            }
            Token::Other if started => indentation = 0,
            Token::Other => {}
        }
    }
    for line in lines {
        *line = line.chars().skip(indentation).collect();
    }
}
