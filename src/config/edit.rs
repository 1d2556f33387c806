//! Editing of `ssm-audit.yaml`: adds waivers, and leaves comments, order and layout of the rest as they are.
//!
//! The text is only inserted into. The result is parsed again and must be the configuration of before with the waivers
//! at its end: where it is not, as with an anchor in place of the list, nothing is edited.

use std::fmt::Write as _;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};
use jiff::civil::Date;
use serde_json::{Value as Json, json};

use super::Config;
use crate::diagnostic::SourceFile;
use crate::terminal::harmless;
use crate::yaml;

/// The key that holds the waivers.
const KEY: &str = "waivers";

/// A waiver to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWaiver {
    /// The rules, by id or pattern.
    pub rule: String,
    /// The resources, by id, ARN or address, or a pattern of them.
    pub resource: String,
    /// The accounts; all, if it is none.
    pub account: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it applies.
    pub until: Option<Date>,
}

impl NewWaiver {
    /// The members, in the order in which they are written.
    fn members(&self) -> Vec<(&'static str, String)> {
        let day = self.until.map(|day| day.to_string());
        let members = [
            ("rule", Some(self.rule.clone())),
            ("resource", Some(self.resource.clone())),
            ("account", self.account.clone()),
            ("reason", Some(self.reason.clone())),
            ("owner", self.owner.clone()),
            ("until", day),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    fn as_json(&self) -> Json {
        self.members()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// The waiver as YAML, a member a line.
    fn block(&self, indent: usize, newline: &str) -> String {
        let mut text = String::new();
        for (index, (name, value)) in self.members().into_iter().enumerate() {
            let mark = if index == 0 { "- " } else { "  " };
            // Writing to a string does not fail.
            let _ = write!(text, "{:indent$}{mark}{name}: {}{newline}", "", scalar(&value));
        }
        text
    }

    /// The waiver as YAML in braces.
    fn flow(&self) -> String {
        let members = self.members().into_iter().map(|(name, value)| format!("{name}: {}", scalar(&value)));
        format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
    }
}

/// The waivers as lines to paste into a file without any.
pub fn lines(waivers: &[NewWaiver]) -> String {
    let blocks: String = waivers.iter().map(|waiver| waiver.block(2, "\n")).collect();
    format!("{KEY}:\n{blocks}")
}

/// Returns the text of the configuration with these waivers at the end of its own, or none where it cannot be edited
/// safely.
pub fn with_waivers(source: &SourceFile, waivers: &[NewWaiver]) -> Option<String> {
    let text = source.text();
    let edited = inserted(text, waivers)?;
    let edited = SourceFile::new(source.name(), edited);
    let mut expected = yaml::parse::<Json>(source).ok()?;
    if expected.is_null() {
        expected = json!({});
    }
    let list = expected.as_object_mut()?.entry(KEY).or_insert(Json::Null);
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut()?.extend(waivers.iter().map(NewWaiver::as_json));
    let is_as_expected = yaml::parse::<Json>(&edited).ok()? == expected;
    let is_valid = Config::parse(&edited, std::path::Path::new("")).is_ok();
    (is_as_expected && is_valid).then(|| edited.text().to_owned())
}

fn inserted(text: &str, waivers: &[NewWaiver]) -> Option<String> {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let blocks = |indent: usize| waivers.iter().map(|waiver| waiver.block(indent, newline)).collect::<String>();
    match place(text)? {
        Place::Absent => {
            let gap = if text.is_empty() || text.ends_with('\n') { "" } else { newline };
            Some(format!("{text}{gap}{KEY}:{newline}{}", blocks(2)))
        }
        Place::Nothing(bytes) => {
            // A comment in the empty list, or between the key and the list, would be lost.
            let line = text[..bytes.start].rsplit('\n').next().unwrap_or_default();
            if text[bytes.clone()].contains('#') || !line.contains(KEY) {
                return None;
            }
            let without = format!("{}{}", text[..bytes.start].trim_end(), &text[bytes.end..]);
            let at = text[..bytes.start].trim_end().len();
            Some(after_line(&without, at, &blocks(2), newline))
        }
        Place::Block { end, indent, braces: false } => Some(after_line(text, end, &blocks(indent), newline)),
        Place::Block { end, indent, braces: true } => {
            let items = waivers.iter().map(|waiver| format!("{:indent$}- {}{newline}", "", waiver.flow()));
            Some(after_line(text, end, &items.collect::<String>(), newline))
        }
        Place::Braces { end } => {
            let items: Vec<String> = waivers.iter().map(NewWaiver::flow).collect();
            Some(format!("{}, {}{}", &text[..end], items.join(", "), &text[end..]))
        }
    }
}

/// The text with these lines after the line that holds the last byte before this one.
fn after_line(text: &str, end: usize, lines: &str, newline: &str) -> String {
    let at = if text[..end].ends_with('\n') {
        end
    } else {
        text[end..].find('\n').map_or(text.len(), |found| end + found + 1)
    };
    let gap = if text[..at].ends_with('\n') { "" } else { newline };
    format!("{}{gap}{lines}{}", &text[..at], &text[at..])
}

/// The place of the waivers in a text.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// There is no such key.
    Absent,
    /// The key has no value, or an empty list: these bytes.
    Nothing(Range<usize>),
    /// A list with dashes at this column; its last item ends before this byte, and is perhaps in braces.
    Block { end: usize, indent: usize, braces: bool },
    /// A list in brackets; its last item ends before this byte.
    Braces { end: usize },
}

/// Finds the place of the waivers; none where the file is written in a way that is not edited.
fn place(text: &str) -> Option<Place> {
    let nodes = Nodes::read(text)?;
    let root = match nodes.root() {
        Root::At(root) => root,
        Root::Empty => return Some(Place::Absent),
        Root::Several => return None,
    };
    // A mapping in braces has no line of its own for a key.
    if !matches!(nodes.event(root), Event::MappingStart(..)) || nodes.begins_with(root, '{') {
        return None;
    }
    let mut key = root + 1;
    while !matches!(nodes.event(key), Event::MappingEnd) {
        let value = nodes.past(key);
        if matches!(nodes.event(key), Event::Scalar(name, ..) if name == KEY) {
            return nodes.place_in(value);
        }
        key = nodes.past(value);
    }
    Some(Place::Absent)
}

/// The lines of keys and items of a configuration, by their paths.
pub(super) struct Lines<'t>(Option<Nodes<'t>>);

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self(Nodes::read(text))
    }

    /// The line of the key that the path leads to; the line of an item, where the last part is its number.
    pub(super) fn line(&self, path: &[&str]) -> Option<usize> {
        let nodes = self.0.as_ref()?;
        let Root::At(mut node) = nodes.root() else { return None };
        let mut at = node;
        for part in path {
            (at, node) = nodes.member(node, part)?;
        }
        let before = nodes.text.get(..nodes.bytes(at).start)?;
        Some(before.bytes().filter(|byte| *byte == b'\n').count() + 1)
    }
}

/// The first node of a text.
enum Root {
    At(usize),
    /// There is nothing but comments.
    Empty,
    /// There are several documents.
    Several,
}

/// The events of a text, each with its bytes.
struct Nodes<'t> {
    text: &'t str,
    events: Vec<(Event<'t>, Range<usize>)>,
}

impl<'t> Nodes<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let event = |next: Result<(Event<'t>, granit_parser::Span), _>| {
            let (event, span) = next.ok()?;
            Some((event, span.byte_range()?))
        };
        Some(Self { text, events: Parser::new_from_str(text).map(event).collect::<Option<_>>()? })
    }

    fn event(&self, index: usize) -> &Event<'t> {
        self.events.get(index).map_or(&Event::StreamEnd, |(event, _)| event)
    }

    fn bytes(&self, index: usize) -> Range<usize> {
        self.events.get(index).map_or(0..0, |(_, bytes)| bytes.clone())
    }

    fn begins_with(&self, index: usize, character: char) -> bool {
        self.text.get(self.bytes(index).start..).is_some_and(|text| text.starts_with(character))
    }

    fn root(&self) -> Root {
        let mut starts = (0..self.events.len()).filter(|index| matches!(self.event(*index), Event::DocumentStart(..)));
        let Some(start) = starts.next() else { return Root::Empty };
        if starts.next().is_some() {
            return Root::Several;
        }
        match self.event(start + 1) {
            Event::Scalar(value, ..) if value.is_empty() => Root::Empty,
            _ => Root::At(start + 1),
        }
    }

    /// The index after the node that begins there.
    fn past(&self, index: usize) -> usize {
        let mut depth = 0_usize;
        for at in index..self.events.len() {
            match self.event(at) {
                Event::SequenceStart(..) | Event::MappingStart(..) => depth += 1,
                Event::SequenceEnd | Event::MappingEnd => depth = depth.saturating_sub(1),
                Event::Scalar(..) | Event::Alias(_) => {}
                _ => continue,
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.events.len()
    }

    /// The key and the value of a member of the mapping that begins there, or twice the item of the list.
    fn member(&self, node: usize, part: &str) -> Option<(usize, usize)> {
        let is_list = matches!(self.event(node), Event::SequenceStart(..));
        if !is_list && !matches!(self.event(node), Event::MappingStart(..)) {
            return None;
        }
        let past = self.past(node);
        let (mut at, mut number) = (node + 1, 0_usize);
        while at + 1 < past {
            let value = if is_list { at } else { self.past(at) };
            let is_it = match self.event(at) {
                _ if is_list => number.to_string() == part,
                Event::Scalar(name, ..) => name == part,
                _ => false,
            };
            if is_it {
                return Some((at, value));
            }
            (at, number) = (self.past(value), number + 1);
        }
        None
    }

    /// The place of the list that begins there.
    fn place_in(&self, value: usize) -> Option<Place> {
        match self.event(value) {
            Event::Scalar(text, ScalarStyle::Plain, 0, None) if ["", "~", "null"].contains(&&**text) => {
                Some(Place::Nothing(self.bytes(value)))
            }
            Event::SequenceStart(_, 0, None) => {
                let past = self.past(value);
                let is_in_brackets = self.begins_with(value, '[');
                let mut last = None;
                let mut item = value + 1;
                while item + 1 < past {
                    last = Some(item);
                    item = self.past(item);
                }
                let Some(last) = last else {
                    return Some(Place::Nothing(self.bytes(value).start..self.bytes(past - 1).end));
                };
                let end = (last..past - 1).map(|index| self.bytes(index)).filter(|bytes| !bytes.is_empty());
                let end = end.map(|bytes| bytes.end).max()?;
                if is_in_brackets {
                    return Some(Place::Braces { end });
                }
                let indent = self.dash_before(self.bytes(value + 1).start)?;
                Some(Place::Block { end, indent, braces: self.begins_with(last, '{') })
            }
            _ => None,
        }
    }

    /// The column of the dash in the line of this byte, where nothing but blanks is before it.
    fn dash_before(&self, at: usize) -> Option<usize> {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = &self.text[start..];
        let indent = line.len() - line.trim_start_matches(' ').len();
        line[indent..].starts_with("- ").then_some(indent)
    }
}

/// A text as YAML: bare where nobody can take it for anything else, otherwise in double quotes.
fn scalar(text: &str) -> String {
    if is_bare(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            // What is invisible, or turns the direction of a line, is not written as it is.
            shown if harmless(shown.encode_utf8(&mut [0; 4])).chars().eq([shown]) => quoted.push(shown),
            hidden => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\U{:08x}", u32::from(hidden));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Returns `true` for texts that begin with a letter, are no word of YAML, and have no character with a meaning; and for
/// days, which no reader of this file takes for anything else.
fn is_bare(text: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/');
    let is_plain = |character: char| character.is_ascii_alphanumeric() || " _./@+=:;()-".contains(character);
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_text = begins && !is_word && text.chars().all(is_plain);
    let has_mark = text.contains(": ") || text.ends_with([':', ' ']);
    (is_text && !has_mark) || text.parse::<Date>().is_ok_and(|day| day.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(rule: &str, resource: &str) -> NewWaiver {
        NewWaiver {
            rule: rule.to_owned(),
            resource: resource.to_owned(),
            account: Some("012345678901".to_owned()),
            reason: "runs containers".to_owned(),
            owner: None,
            until: "2999-03-01".parse().ok(),
        }
    }

    fn edited(text: &str) -> Option<String> {
        with_waivers(&SourceFile::new("ssm-audit.yaml", text), &[waiver("ec2-imds-hop-limit", "i-0abc")])
    }

    const BLOCK: &str = "  - rule: ec2-imds-hop-limit\n    resource: i-0abc\n    account: \"012345678901\"\n    \
                         reason: runs containers\n    until: 2999-03-01\n";
    const FLOW: &str = "{rule: ec2-imds-hop-limit, resource: i-0abc, account: \"012345678901\", reason: runs containers, until: 2999-03-01}";

    /// Each file with its edited text; `@` stands for the waiver in lines, `#@` for the one in braces.
    #[test]
    fn waivers_are_added_and_the_rest_stays_as_it_is() {
        for (before, after) in [
            ("", "waivers:\n@"),
            ("# nothing yet\n", "# nothing yet\nwaivers:\n@"),
            ("policy: guide # ours", "policy: guide # ours\nwaivers:\n@"),
            ("---\npolicy: guide\n\n# end\n", "---\npolicy: guide\n\n# end\nwaivers:\n@"),
            ("waivers:\npolicy: guide\n", "waivers:\n@policy: guide\n"),
            ("waivers:   # none\n  # - rule: x\npolicy: guide\n", "waivers:   # none\n@  # - rule: x\npolicy: guide\n"),
            ("waivers: []  # none\npolicy: guide\n", "waivers:  # none\n@policy: guide\n"),
            ("waivers: ~\n", "waivers:\n@"),
            (
                "waivers:\n  - {rule: a, resource: b, reason: c}  # why\n  # and this\npolicy: guide\n",
                "waivers:\n  - {rule: a, resource: b, reason: c}  # why\n  - #@\n  # and this\npolicy: guide\n",
            ),
            (
                "waivers:\n  - rule: a\n    resource: b # B\n    reason: c\n\npolicy: guide\n",
                "waivers:\n  - rule: a\n    resource: b # B\n    reason: c\n@\npolicy: guide\n",
            ),
            (
                "waivers:\n  - rule: a\n    resource: b\n    reason: |\n      one\n\n      two\n\npolicy: guide\n",
                "waivers:\n  - rule: a\n    resource: b\n    reason: |\n      one\n\n      two\n\n@policy: guide\n",
            ),
            ("waivers: [{rule: a, resource: b, reason: c}]\n", "waivers: [{rule: a, resource: b, reason: c}, #@]\n"),
            (
                "waivers: [\n  {rule: a, resource: b, reason: c}, # why\n]\n",
                "waivers: [\n  {rule: a, resource: b, reason: c}, #@, # why\n]\n",
            ),
        ] {
            let after = after.replace("#@", FLOW).replace('@', BLOCK);
            assert_eq!(edited(before).as_deref(), Some(after.as_str()), "{before}");
        }
    }

    #[test]
    fn the_indent_and_the_line_ends_of_the_file_are_kept() {
        let after = edited("waivers:\r\n- rule: a\r\n  resource: b\r\n  reason: c\r\n").expect("edited");
        assert!(after.contains("reason: c\r\n- rule: ec2-imds-hop-limit\r\n  resource: i-0abc\r\n"), "{after}");
        assert!(!after.replace("\r\n", "").contains('\n'));
    }

    #[test]
    fn keys_and_items_have_lines() {
        let lines = Lines::of("# a\nparams:\n  x: {y: 1,\n    z: 2}\nwaivers:\n  - {rule: a}\n  - rule: b\n");
        let line = |path: &[&str]| lines.line(path);
        assert_eq!(line(&["params", "x", "z"]), Some(4));
        assert_eq!((line(&["waivers"]), line(&["waivers", "1"])), (Some(5), Some(7)));
        assert_eq!((line(&["params", "w"]), line(&["waivers", "2"])), (None, None));
        assert_eq!(Lines::of("[").line(&["a"]), None);
    }

    #[test]
    fn what_cannot_be_edited_safely_is_not_edited() {
        for text in [
            "{policy: guide}\n",
            "waivers: &all\n  - {rule: a, resource: b, reason: c}\n",
            "waivers: !!seq [{rule: a, resource: b, reason: c}]\n",
            "policy: guide\n...\n",
            "policy: guide\n---\npolicy: guide\n",
            "waivers: none\n",
            "waivers:\n  -\n    rule: a\n    resource: b\n    reason: c\n",
            "polcy: guide\n",
            "disable: [\n",
        ] {
            assert_eq!(edited(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_of_others_is_written_as_that_text() {
        for text in [
            "arn:aws:logs:us-east-1:012345678901:log-group:/ssm/sessions",
            "module.a.aws_instance.web[\"x y\"]",
            "true",
            "No",
            "12",
            "1e3",
            "",
            " blank ",
            "a: b",
            "a #b",
            "- a",
            "line\nbreak\u{202e}\u{0}\u{85}\u{feff}",
            "größe",
            "*",
            "{a}",
            "'\"\\",
            "2027-03-01",
        ] {
            for written in [format!("k: {}\n", scalar(text)), format!("{{k: {}, l: m}}\n", scalar(text))] {
                let read = yaml::parse::<Json>(&SourceFile::new("f", written.as_str())).expect("YAML");
                assert_eq!(read["k"], text, "{written}");
                assert_eq!(written.lines().count(), 1);
                assert!(!written.contains('\u{202e}'));
            }
        }
    }
}
