//! YAML as values and back, as Terraform has it (go-cty-yaml): 1.2 with the words for true and false of 1.1.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Tag};
use iam_policy::is_symbol;

use super::eval_context::EvalContext;
use super::value::{LARGEST, Nature, UnknownValue, Value, has_known_digits, number_text};

/// Why a text has no value.
#[derive(Debug)]
pub(crate) enum Mistake {
    /// It is not YAML.
    Wrong(String),
    /// It is, but its value is not computed.
    Unknown(&'static str),
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Mistake> {
    Err(Mistake::Wrong(why.into()))
}

/// A collection that is not read to its end.
enum Open {
    List(Vec<Value>),
    /// With the key whose value comes next, and the members that `<<` brings.
    Map(BTreeMap<Arc<str>, Value>, Option<Arc<str>>, BTreeMap<Arc<str>, Value>),
}

/// The key that merges other maps.
const MERGE: &str = "<<";

/// The value of a text; `afford` says whether there is still room for so much.
pub(crate) fn decode(text: &str, afford: &dyn Fn(usize) -> bool) -> Result<Value, Mistake> {
    // Each value in it is charged, too.
    if !afford(text.len() / 4) {
        return Err(Mistake::Unknown("there is too much of it"));
    }
    let mut reader = Reader { afford, open: Vec::new(), anchors: BTreeMap::new(), whole: None };
    for next in Parser::new_from_str(text) {
        let (event, _) = next.or_else(|error| wrong(format!("it is not YAML: {error}")))?;
        if !afford(1) {
            return Err(Mistake::Unknown("there is too much of it"));
        }
        reader.event(event)?;
    }
    reader.whole.map_or_else(|| wrong("it is empty"), Ok)
}

struct Reader<'a> {
    afford: &'a dyn Fn(usize) -> bool,
    open: Vec<(Open, usize)>,
    anchors: BTreeMap<usize, Value>,
    whole: Option<Value>,
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>) -> Result<(), Mistake> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_plain = style == ScalarStyle::Plain && tag.is_none();
                if is_plain && text == MERGE && self.wants_key() {
                    return self.value(Value::text(MERGE), 0);
                }
                let value = scalar(&text, style, tag.as_deref())?;
                self.value(value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => self.begin(Open::List(Vec::new()), anchor, tag.as_deref(), "seq"),
            Event::MappingStart(_, anchor, tag) => {
                self.begin(Open::Map(BTreeMap::new(), None, BTreeMap::new()), anchor, tag.as_deref(), "map")
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((Open::List(items), anchor)) => self.value(Value::list(items), anchor),
                Some((Open::Map(members, _, mut merged), anchor)) => {
                    merged.extend(members);
                    self.value(Value::map(merged), anchor)
                }
                None => wrong("a collection ends that has not begun"),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(value) => self.value(value, 0),
                None => wrong("an alias names what is not complete"),
            },
            Event::DocumentStart(..) if self.whole.is_some() => wrong("there is more than one document"),
            // Comments, and where the stream and its document begin and end.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, open: Open, anchor: usize, tag: Option<&Tag>, own: &str) -> Result<(), Mistake> {
        if tag.is_some_and(|tag| !tag.is_yaml_core_schema_tag(own)) {
            return wrong("a tag is not supported");
        }
        if self.wants_key() {
            return wrong("a key is not a text");
        }
        self.open.push((open, anchor));
        Ok(())
    }

    /// Whether the next value is a key.
    fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some((Open::Map(_, None, _), _)))
    }

    fn value(&mut self, value: Value, anchor: usize) -> Result<(), Mistake> {
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.whole = Some(value),
            Some((Open::List(items), _)) => items.push(value),
            Some((Open::Map(members, key, merged), _)) => match key.take() {
                None => *key = Some(key_of(&value)?),
                Some(name) if &*name == MERGE => merge(value, merged, self.afford)?,
                Some(name) => drop(members.insert(name, value)),
            },
        }
        Ok(())
    }
}

fn key_of(value: &Value) -> Result<Arc<str>, Mistake> {
    match super::types::as_text(value.clone()) {
        Ok(Value::Text(text)) => Ok(text),
        Ok(Value::Null) => wrong("a key is null"),
        _ => wrong("a key is not a text"),
    }
}

/// Members of other maps, the first of them the strongest.
fn merge(value: Value, merged: &mut BTreeMap<Arc<str>, Value>, afford: &dyn Fn(usize) -> bool) -> Result<(), Mistake> {
    match value {
        // With the room of its entry in a tree.
        Value::Map(members) if !afford(members.len().saturating_mul(4)) => {
            Err(Mistake::Unknown("there is too much of it"))
        }
        Value::Map(members) => {
            for (name, value) in members.iter() {
                merged.entry(Arc::clone(name)).or_insert_with(|| value.clone());
            }
            Ok(())
        }
        Value::List(items) => items.iter().try_for_each(|item| match item {
            Value::Map(_) => merge(item.clone(), merged, afford),
            _ => wrong("only maps can be merged"),
        }),
        _ => wrong("only maps can be merged"),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, Mistake> {
    if let Some(tag) = tag {
        return match tag.core_suffix() {
            Some("str") => Ok(Value::text(text)),
            Some("null" | "bool" | "int" | "float") => plain(text),
            _ if tag.parts().1.is_empty() => Ok(Value::text(text)),
            _ => wrong("a tag is not supported"),
        };
    }
    if style == ScalarStyle::Plain { plain(text) } else { Ok(Value::text(text)) }
}

/// The value of a text without quotes.
fn plain(text: &str) -> Result<Value, Mistake> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Ok(Value::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(Value::Bool(false));
        }
        _ => {}
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return Err(Mistake::Unknown("a number in it is not finite"));
    }
    if let Some(number) = number(text, unsigned) {
        return if number.abs() <= LARGEST {
            Ok(Value::Number(number))
        } else {
            Err(Mistake::Unknown("a number in it is too large"))
        };
    }
    let digits = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if digits(0..4) && text.get(4..5) == Some("-") && digits(5..6) {
        return if text.len() == 10 && digits(5..7) && text.get(7..8) == Some("-") && digits(8..10) {
            Ok(Value::text(format!("{text}T00:00:00Z")))
        } else {
            Err(Mistake::Unknown("a time in it is not evaluated"))
        };
    }
    Ok(Value::text(text))
}

fn number(text: &str, unsigned: &str) -> Option<f64> {
    for (prefix, base) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && let Ok(number) = u32::from_str_radix(digits, base)
        {
            return Some(f64::from(number));
        }
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    (is_number && digits(exponent) && !exponent.is_empty()).then(|| text.parse().ok())?
}

/// The value as YAML, in which a hole is a text of its character. What cannot be written is unknown, for this hole or
/// for this reason.
pub(crate) fn encode(value: &Value, context: &EvalContext) -> Result<String, Result<Rc<UnknownValue>, &'static str>> {
    let mut writer = Writer { text: String::new(), context };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            writer.scalar(value, None)?;
            writer.text.push_str("\n...\n");
        }
        value => writer.node(value, None)?,
    }
    if !writer.text.ends_with('\n') {
        writer.text.push('\n');
    }
    Ok(writer.text)
}

/// Where lines are folded.
const WIDTH: usize = 80;

struct Writer<'w> {
    text: String,
    context: &'w EvalContext,
}

type Written = Result<(), Result<Rc<UnknownValue>, &'static str>>;

impl Writer<'_> {
    fn line(&mut self, indent: usize) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.text.push_str(&" ".repeat(indent));
    }

    fn column(&self) -> usize {
        let line = self.text.rfind('\n').map_or(0, |newline| newline + 1);
        self.text[line..].chars().count()
    }

    /// A value within a collection of this indentation; at the top without one.
    fn node(&mut self, value: &Value, around: Option<usize>) -> Written {
        const DEEPEST: usize = 100;
        if around.unwrap_or_default() > 2 * DEEPEST || !self.context.afford(1) {
            return Err(Err("there is too much of it"));
        }
        let indent = around.map_or(0, |around| around + 2);
        match value {
            Value::Map(members) if !members.is_empty() => self.map(members, indent),
            Value::List(items) | Value::Set(items) if !items.is_empty() => self.list(items, indent),
            other => self.scalar(other, around),
        }
    }

    fn map(&mut self, members: &BTreeMap<Arc<str>, Value>, indent: usize) -> Written {
        const LONGEST: usize = 128;
        for (index, (name, value)) in members.iter().enumerate() {
            if index > 0 || self.text.ends_with('\n') {
                self.line(indent);
            }
            if name.len() > LONGEST || name.contains('\n') {
                return Err(Err("a key in it is too long"));
            }
            self.quoted(name, None);
            self.text.push(':');
            match value {
                Value::Map(members) if !members.is_empty() => {
                    self.text.push('\n');
                    self.node(value, Some(indent))?;
                }
                // The items of a list stand as far in as its key.
                Value::List(items) | Value::Set(items) if !items.is_empty() => {
                    self.text.push('\n');
                    self.list(items, indent)?;
                }
                value => {
                    self.text.push(' ');
                    self.scalar(value, Some(indent))?;
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, items: &[Value], indent: usize) -> Written {
        for (index, item) in items.iter().enumerate() {
            if index > 0 || self.text.ends_with('\n') {
                self.line(indent);
            }
            self.text.push_str("- ");
            self.node(item, Some(indent))?;
        }
        Ok(())
    }

    fn scalar(&mut self, value: &Value, around: Option<usize>) -> Written {
        match value {
            Value::Null => self.text.push_str("null"),
            Value::Bool(value) => self.text.push_str(if *value { "true" } else { "false" }),
            Value::Number(value) if !has_known_digits(*value) => {
                return Err(Err("a number in it has more digits than are computed here"));
            }
            Value::Number(value) => self.text.push_str(&number_text(*value)),
            Value::Text(text) => {
                if !self.context.afford(text.len()) {
                    return Err(Err("there is too much of it"));
                }
                let indent = around.map_or(2, |around| around + 2);
                if may_be_literal(text) { self.literal(text, indent) } else { self.quoted(text, Some(indent)) }
            }
            Value::Map(_) => self.text.push_str("{}"),
            Value::List(_) | Value::Set(_) => self.text.push_str("[]"),
            Value::Unknown(hole) if matches!(hole.nature, Nature::Wrong) => return Err(Ok(Rc::clone(hole))),
            Value::Unknown(hole) => {
                let symbol = self.context.symbol(hole).map_err(Ok)?;
                self.text.extend(['"', symbol, '"']);
            }
            Value::Instance(_) | Value::Module(_) => return Err(Err("which attributes there are is not known")),
            // Functions are given values without marks.
            Value::Sensitive(_) => return Err(Err("a part of it is sensitive")),
        }
        Ok(())
    }

    /// A text in quotes; folded where it is long, unless it is a key.
    fn quoted(&mut self, text: &str, indent: Option<usize>) {
        self.text.push('"');
        let mut column = self.column();
        let mut characters = text.chars().peekable();
        let (mut first, mut after_space) = (true, false);
        while let Some(character) = characters.next() {
            let is_last = characters.peek().is_none();
            if character == ' '
                && let Some(indent) = indent
                && column > WIDTH
                && !(first || is_last || after_space)
            {
                self.text.push('\n');
                self.text.push_str(&" ".repeat(indent));
                column = indent;
                if characters.peek() == Some(&' ') {
                    self.text.push('\\');
                    column += 1;
                }
                after_space = true;
                first = false;
                continue;
            }
            let length = self.text.len();
            escaped(character, &mut self.text);
            column += self.text[length..].chars().count();
            after_space = character == ' ';
            first = false;
        }
        self.text.push('"');
    }

    /// A text of several lines as it is.
    fn literal(&mut self, text: &str, indent: usize) {
        self.text.push('|');
        if text.starts_with([' ', '\n']) {
            self.text.push('2');
        }
        let newlines = text.len() - text.trim_end_matches('\n').len();
        match newlines {
            0 => self.text.push('-'),
            1 if text.len() > 1 => {}
            _ => self.text.push('+'),
        }
        self.text.push('\n');
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                self.text.push_str(&" ".repeat(indent));
            }
            self.text.push_str(line);
        }
    }
}

fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}')
        || is_symbol(character)
}

fn is_break(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a text of several lines is written as it is.
fn may_be_literal(text: &str) -> bool {
    let only_newlines =
        text.chars().all(|character| is_printable(character) && (character == '\n' || !is_break(character)));
    text.contains('\n') && only_newlines && !text.ends_with(' ') && !text.contains(" \n")
}

fn escaped(character: char, text: &mut String) {
    let short = match character {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{B}' => 'v',
        '\u{C}' => 'f',
        '\r' => 'r',
        '\u{1B}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        other if is_printable(other) => {
            text.push(other);
            return;
        }
        other => {
            let code = u32::from(other);
            let long = match code {
                0..=0xFF => format!("\\x{code:02X}"),
                0x100..=0xFFFF => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
            text.push_str(&long);
            return;
        }
    };
    text.extend(['\\', short]);
}
