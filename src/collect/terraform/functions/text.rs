//! Functions of strings.

use std::collections::HashSet;
use std::rc::Rc;

use iam_policy::is_symbol;
use unicode_segmentation::UnicodeSegmentation as _;

use super::{Answer, Arguments, Table};
use crate::collect::terraform::value::{UnknownValue, Value};

pub(crate) const TABLE: Table = &[
    ("chomp", |call| Ok(Value::text(call.text(0)?.trim_end_matches(['\n', '\r'])))),
    ("endswith", |call| Ok(Value::Bool(call.text(0)?.ends_with(&call.text(1)?)))),
    ("indent", indent),
    ("join", join),
    ("lower", |call| Ok(Value::text(call.text(0)?.chars().map(lower).collect::<String>()))),
    ("replace", replace),
    ("split", split),
    ("startswith", starts_with),
    ("strcontains", |call| Ok(Value::Bool(call.text(0)?.contains(&call.text(1)?)))),
    ("strrev", |call| Ok(Value::text(call.text(0)?.graphemes(true).rev().collect::<String>()))),
    ("substr", substr),
    ("title", title),
    ("trim", |call| {
        let (text, cut) = (call.text(0)?, call.text(1)?);
        let cut: HashSet<char> = cut.chars().collect();
        Ok(Value::text(text.trim_matches(|character| cut.contains(&character))))
    }),
    ("trimprefix", |call| {
        let (text, prefix) = (call.text(0)?, call.text(1)?);
        Ok(Value::text(text.strip_prefix(&*prefix).unwrap_or(&text)))
    }),
    ("trimspace", trim_space),
    ("trimsuffix", |call| {
        let (text, suffix) = (call.text(0)?, call.text(1)?);
        Ok(Value::text(text.strip_suffix(&*suffix).unwrap_or(&text)))
    }),
    ("upper", |call| Ok(Value::text(call.text(0)?.chars().map(upper).collect::<String>()))),
];

fn join(call: &Arguments<'_>) -> Answer {
    let separator = call.text_with_holes(0)?;
    let mut text = String::new();
    let mut first = true;
    for index in 1..call.len() {
        for item in call.elements(index)? {
            if !std::mem::take(&mut first) {
                call.within(call.context().afford_text(separator.len()))?;
                text.push_str(&separator);
            }
            text.push_str(&call.text_of(item)?);
        }
    }
    call.made_text(text.len(), || text)
}

/// Trimming a text with unknown values: the trimmed characters may continue in the unknown value, unless
/// other characters precede it.
fn trim_space(call: &Arguments<'_>) -> Answer {
    let text = call.text_with_holes(0)?;
    let trimmed = text.trim();
    if trimmed.starts_with(is_symbol) || trimmed.ends_with(is_symbol) {
        return Ok(Value::text(call.text(0)?));
    }
    Ok(Value::text(trimmed))
}

fn starts_with(call: &Arguments<'_>) -> Answer {
    let (text, prefix) = (call.text_with_holes(0)?, call.text(1)?);
    // The text before the first unknown value may decide.
    let known: &str = text.split(is_symbol).next().unwrap_or_default();
    if known.starts_with(&*prefix) {
        return Ok(Value::Bool(true));
    }
    if !prefix.starts_with(known) {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(call.text(0)?.starts_with(&*prefix)))
}

fn split(call: &Arguments<'_>) -> Answer {
    let (separator, text) = (call.text(0)?, call.text(1)?);
    let parts = if separator.is_empty() { text.len() } else { text.matches(&*separator).count() + 1 };
    call.within(call.context().afford(parts))?;
    if separator.is_empty() {
        return call.texts(text.chars().map(String::from).collect());
    }
    call.texts(text.split(&*separator).map(str::to_owned).collect())
}

fn replace(call: &Arguments<'_>) -> Answer {
    let (text, wanted, with) = (call.text(0)?, call.text(1)?, call.text(2)?);
    if wanted.len() > 1 && wanted.starts_with('/') && wanted.ends_with('/') {
        return super::pattern::replace(call, &text, &wanted[1..wanted.len() - 1], &with);
    }
    let size = text.len().saturating_add(text.matches(&*wanted).count().saturating_mul(with.len()));
    call.made_text(size, || text.replace(&*wanted, &with))
}

fn indent(call: &Arguments<'_>) -> Answer {
    const WIDEST: i64 = 1_000;
    let (spaces, text) = (call.whole(0)?, call.text_with_holes(1)?);
    let Ok(spaces) = usize::try_from(spaces.min(WIDEST)) else { return call.wrong("fewer than no spaces") };
    let blank = " ".repeat(spaces);
    let size = text.len() + text.matches('\n').count().saturating_mul(spaces);
    call.made_text(size, || text.replace('\n', &format!("\n{blank}")))
}

fn substr(call: &Arguments<'_>) -> Answer {
    let (text, offset, length) = (call.text(0)?, call.whole(1)?, call.whole(2)?);
    let count = i64::try_from(text.graphemes(true).count()).unwrap_or(i64::MAX);
    let start = if offset < 0 { count.saturating_add(offset) } else { offset };
    let (Ok(start), true) = (usize::try_from(start), start <= count) else {
        return call.wrong("the offset lies outside of the text");
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(Value::text(text.graphemes(true).skip(start).take(length).collect::<String>()))
}

/// The upper case of a letter, if it is a single letter: Terraform has no other mappings.
fn upper(letter: char) -> char {
    let mut letters = letter.to_uppercase();
    if letters.len() == 1 { letters.next().unwrap_or(letter) } else { letter }
}

/// The lower case of a letter. Only one letter has two, and Terraform uses the first.
fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

fn title(call: &Arguments<'_>) -> Result<Value, Rc<UnknownValue>> {
    let text = call.text(0)?;
    let mut begins = true;
    let titled = text.chars().map(|character| {
        let first =
            std::mem::replace(&mut begins, !(character.is_alphanumeric() || character == '\'' || character == '_'));
        if first { upper(character) } else { character }
    });
    Ok(Value::text(titled.collect::<String>()))
}
