//! A document in JSON or YAML that stands in a text, such as a heredoc or a template: its members are found and changed
//! in place, and everything else stays byte for byte.

mod flow;
mod json;
mod yaml;

use std::ops::Range;

/// Why a text is not changed.
pub(crate) type Misunderstood = &'static str;

/// The reason why nothing is changed below a member that the document does not have: it can be added with what is below.
pub(super) const NO_INPUTS: Misunderstood = "the document has no inputs";

/// A document in a text. Interpolations are part of its values.
pub(crate) struct Embedded<'t> {
    text: &'t str,
    /// The text with letters in place of interpolations, so that nothing in these looks like syntax.
    masked: String,
}

/// A value of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The bytes of the value, with its quotes.
    pub(crate) bytes: Range<usize>,
    /// The quote that it stands in.
    pub(crate) quote: Option<char>,
    /// The text between the quotes.
    pub(crate) inner: String,
}

impl Scalar {
    fn new(text: &str, bytes: Range<usize>) -> Self {
        let source = text.get(bytes.clone()).unwrap_or_default();
        let quote = source.chars().next().filter(|first| matches!(first, '"' | '\'') && source.len() > 1);
        let quote = quote.filter(|quote| source.ends_with(*quote));
        let inner = if quote.is_some() { &source[1..source.len() - 1] } else { source };
        Self { bytes, quote, inner: inner.to_owned() }
    }

    /// The expression, where the value is one interpolation and nothing else.
    pub(super) fn interpolation(&self) -> Option<&str> {
        let whole = interpolations(&self.inner)?;
        let [only] = whole.as_slice() else { return None };
        if *only != (0..self.inner.len()) {
            return None;
        }
        Some(self.inner[2..self.inner.len() - 1].trim_matches('~').trim())
    }
}

/// A change of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    /// The bytes that are replaced.
    pub(crate) bytes: Range<usize>,
    /// The new text.
    pub(crate) text: String,
}

impl<'t> Embedded<'t> {
    /// The document of a template; of a plain text where it is none.
    pub(crate) fn new(text: &'t str, is_template: bool) -> Result<Self, Misunderstood> {
        let mut masked = text.to_owned();
        if is_template {
            let all = interpolations(text).ok_or("the document has directives, such as %{ if … }")?;
            for bytes in all {
                masked.replace_range(bytes.clone(), &"x".repeat(bytes.len()));
            }
        }
        Ok(Self { text, masked })
    }

    fn is_json(&self) -> bool {
        self.masked.trim_start().starts_with('{')
    }

    /// The value of a member of the object at the end of this way; none where the member is absent.
    pub(crate) fn value(&self, way: &[&str], name: &str) -> Result<Option<Scalar>, Misunderstood> {
        let bytes =
            if self.is_json() { json::value(&self.masked, way, name)? } else { yaml::value(&self.masked, way, name)? };
        Ok(bytes.map(|bytes| Scalar::new(self.text, bytes)))
    }

    /// The change that adds a member. The value is written as in JSON.
    pub(super) fn addition(&self, way: &[&str], name: &str, value: &str) -> Result<Splice, Misunderstood> {
        if self.is_json() {
            json::addition(&self.masked, way, name, value)
        } else {
            yaml::addition(&self.masked, way, name, value)
        }
    }

    /// The change that adds an object with one member to the outermost one.
    pub(super) fn addition_of_object(&self, name: &str, member: &str, value: &str) -> Result<Splice, Misunderstood> {
        if self.is_json() {
            json::addition(&self.masked, &[], name, &format!("{{\"{member}\": {value}}}"))
        } else {
            yaml::addition_of_mapping(&self.masked, name, member, value)
        }
    }
}

/// The interpolations of a template; none where it has directives, or one does not end.
pub(super) fn interpolations(text: &str) -> Option<Vec<Range<usize>>> {
    let bytes = text.as_bytes();
    let mut all = Vec::new();
    let mut index = 0;
    while index + 1 < bytes.len() {
        match (bytes[index], bytes[index + 1], bytes.get(index + 2)) {
            (b'$', b'$', Some(b'{')) | (b'%', b'%', Some(b'{')) => index += 3,
            (b'%', b'{', _) => return None,
            (b'$', b'{', _) => {
                let end = end_of_interpolation(bytes, index + 2)?;
                all.push(index..end);
                index = end;
            }
            _ => index += 1,
        }
    }
    Some(all)
}

/// The byte behind the brace that ends the interpolation.
fn end_of_interpolation(bytes: &[u8], start: usize) -> Option<usize> {
    // Of each brace and quote that is open, what closes it.
    let mut open = vec![b'}'];
    let mut index = start;
    while let Some(&byte) = bytes.get(index) {
        let closing = *open.last()?;
        let next = bytes.get(index + 1).copied();
        match (closing, byte) {
            (b'"', b'\\') => index += 1,
            (b'"', b'$' | b'%') if next == Some(b'{') => {
                open.push(b'}');
                index += 1;
            }
            (b'"', b'$' | b'%') if next == Some(byte) => index += 1,
            _ if byte == closing => {
                open.pop();
                if open.is_empty() {
                    return Some(index + 1);
                }
            }
            (b'}', b'{') => open.push(b'}'),
            (b'}', b'"') => open.push(b'"'),
            _ => {}
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, way: &[&str], name: &str, value: &str) -> String {
        let document = Embedded::new(text, true).expect("a template");
        let splice = match document.value(way, name).expect("a document") {
            Some(scalar) => Splice { bytes: scalar.bytes, text: value.to_owned() },
            None => document.addition(way, name, value).expect("an edit"),
        };
        let mut text = text.to_owned();
        text.replace_range(splice.bytes, &splice.text);
        text
    }

    #[test]
    fn interpolations_end_where_their_brace_does() {
        let text = "a ${b} $${c} ${d[\"}\"]} ${\"${e}\"} %%{f}";
        let found: Vec<&str> = interpolations(text).expect("no directives").into_iter().map(|one| &text[one]).collect();
        assert_eq!(found, ["${b}", "${d[\"}\"]}", "${\"${e}\"}"]);
        assert!(interpolations("%{ if x }").is_none());
        assert!(interpolations("${").is_none());
    }

    #[test]
    fn a_value_that_is_an_interpolation_gives_its_expression() {
        let document = Embedded::new("{\"a\": \"${var.x}\", \"b\": ${~ y ~}, \"c\": \"a-${z}\"}", true).expect("one");
        let of =
            |name: &str| document.value(&[], name).expect("JSON").expect("there").interpolation().map(str::to_owned);
        assert_eq!(of("a").as_deref(), Some("var.x"));
        assert_eq!(of("b").as_deref(), Some("y"));
        assert_eq!(of("c"), None);
    }

    #[test]
    fn members_of_json_are_changed_and_added_as_the_others_are_written() {
        let text = "{\n  \"inputs\": {\n    \"a\": \"${x[\"}\"]}\",\n    \"b\" : 60\n  }\n}\n";
        assert_eq!(set(text, &["inputs"], "b", "\"20\""), text.replace("60", "\"20\""));
        assert_eq!(set(text, &["inputs"], "c", "true"), text.replace("60\n", "60,\n    \"c\" : true\n"));
        assert_eq!(set("{\"inputs\": {}}", &["inputs"], "c", "1"), "{\"inputs\": {\"c\": 1}}");
        assert_eq!(set("{\"inputs\": {\"a\": {}}}", &["inputs"], "c", "1"), "{\"inputs\": {\"a\": {}, \"c\": 1}}");
        let document = Embedded::new("{\"inputs\": ${x}}", true).expect("a template");
        assert!(document.value(&["inputs"], "a").is_err());
        for wrong in ["{\"a\"", "{\"inputs\": [}", "{\"inputs\": {\"a\" 1}}", "{\"inputs\": {\"a\": \"1}}"] {
            assert!(Embedded::new(wrong, true).expect("a template").value(&["inputs"], "a").is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_of_yaml_in_braces_are_changed_and_added() {
        let text = "a: 1\ninputs: {b: '60', \"c\": ${x}, d: {e: \"}\"}} # note\n";
        assert_eq!(set(text, &["inputs"], "b", "\"20\""), text.replace("'60'", "\"20\""));
        assert_eq!(set(text, &["inputs"], "c", "true"), text.replace("${x}", "true"));
        assert_eq!(set(text, &["inputs"], "f", "1"), text.replace("\"}\"}}", "\"}\"}, f: 1}"));
        assert_eq!(set("inputs: { b: 1, }\n", &["inputs"], "c", "2"), "inputs: { b: 1, c: 2 }\n");
        assert_eq!(set("inputs: { b: 1 }\n", &["inputs"], "c", "2"), "inputs: { b: 1, c: 2 }\n");
    }

    #[test]
    fn inputs_that_yaml_does_not_have_yet_are_written_line_by_line() {
        assert_eq!(set("a: 1\ninputs:\nb: 2\n", &["inputs"], "c", "3"), "a: 1\ninputs:\n  c: 3\nb: 2\n");
        let text = "  a: 1\n  b: 2\n";
        let added = Embedded::new(text, true).expect("a template").addition_of_object("inputs", "c", "3");
        assert_eq!(added.expect("an edit").text, "\n  inputs:\n    c: 3");
        let added = Embedded::new("{}", true).expect("a template").addition_of_object("inputs", "c", "3");
        assert_eq!(added.expect("an edit").text, "{\"inputs\": {\"c\": 3}}");
    }

    #[test]
    fn members_of_yaml_are_changed_and_added_at_the_indentation_of_the_others() {
        let text = "  # note\n  schemaVersion: '1.0'\n  inputs:\n    # of a\n    a: \"60\" # minutes\n    b: ${x}\n\n    c: |\n      d: 1\n  last: 1\n";
        assert_eq!(set(text, &["inputs"], "a", "\"20\""), text.replace("\"60\"", "\"20\""));
        assert_eq!(set(text, &["inputs"], "b", "y"), text.replace("${x}", "y"));
        assert_eq!(set(text, &["inputs"], "d", "2"), text.replace("      d: 1\n", "      d: 1\n    d: 2\n"));
        assert_eq!(set(text, &[], "schemaVersion", "'1'"), text.replace("'1.0'", "'1'"));
        assert_eq!(set("a: 1\ninputs: {}\n", &["inputs"], "b", "2"), "a: 1\ninputs: {b: 2}\n");
        let document = Embedded::new(text, true).expect("a template");
        assert!(document.value(&["inputs"], "c").is_err(), "a block of text");
        for odd in ["inputs: &a\n  b: 1\n", "inputs: {a: 1,\n  c: 2}\n", "inputs:\n\tb: 1\n", "- a\n"] {
            let document = Embedded::new(odd, true).expect("a template");
            assert!(document.value(&["inputs"], "b").is_err(), "{odd}");
        }
    }
}
