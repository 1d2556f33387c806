//! Functions of regular expressions. Terraform uses Go's syntax (RE2), from which the `regex` crate differs
//! in a few notations: <https://github.com/google/re2/wiki/Syntax>.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::rc::Rc;
use std::str::Chars;

use regex::{Captures, Regex, RegexBuilder};

use super::{Answer, Arguments, Table};
use crate::collect::terraform::value::{UnknownValue, Value};

pub(crate) const TABLE: Table = &[
    ("regex", |call| {
        let (pattern, text) = arguments(call)?;
        match pattern.captures(&text) {
            Some(found) => groups(call, &pattern, &found),
            None => call.wrong("the pattern does not match"),
        }
    }),
    ("regexall", |call| {
        let (pattern, text) = arguments(call)?;
        let mut all = Vec::new();
        for found in pattern.captures_iter(&text) {
            matched(call, text.len())?;
            call.within(call.context().afford(1 + found.get(0).map_or(0, |whole| whole.len())))?;
            all.push(groups(call, &pattern, &found)?);
        }
        Ok(Value::list(all))
    }),
];

/// Maximum sizes of a compiled pattern in bytes, each with the steps that compilation costs. Most patterns
/// are small.
const PROGRAMS: [(usize, usize); 2] = [(1 << 16, 1_024), (1 << 20, 1 << 16)];

/// Number of bytes that one step reads to find the end of a match.
const SEARCHED: usize = 64;

fn arguments(call: &Arguments<'_>) -> Result<(Regex, String), Rc<UnknownValue>> {
    let (pattern, text) = (call.text(0)?, call.text(1)?);
    Ok((compiled(call, &pattern, text.len())?, text))
}

/// Compiles a pattern for a text of this length.
fn compiled(call: &Arguments<'_>, pattern: &str, length: usize) -> Result<Regex, Rc<UnknownValue>> {
    // Matching may read each byte once for each state of the pattern.
    call.within(call.context().budget.spend(length.saturating_mul(pattern.len().max(1)) / 8, 0))?;
    let Some(translated) = translated(pattern) else { return call.unknown("this form of pattern is not evaluated") };
    for (largest, steps) in PROGRAMS {
        call.within(call.context().budget.spend(steps, 0))?;
        match RegexBuilder::new(&translated).size_limit(largest).dfa_size_limit(largest).build() {
            Ok(regex) => return Ok(regex),
            Err(regex::Error::CompiledTooBig(_)) => {}
            Err(_) => break,
        }
    }
    call.unknown("the pattern is not valid, or its form is not evaluated")
}

/// Spends the cost of a match: finding the end of the match may read the whole text.
fn matched(call: &Arguments<'_>, length: usize) -> Result<(), Rc<UnknownValue>> {
    call.within(call.context().budget.spend(1 + length / SEARCHED, 0))
}

/// The matched text, its groups as a list, or its named groups as an object.
fn groups(call: &Arguments<'_>, pattern: &Regex, found: &Captures<'_>) -> Answer {
    let value = |index: usize| found.get(index).map_or(Value::Null, |group| Value::text(group.as_str()));
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    if names.is_empty() {
        return Ok(value(0));
    }
    let named = names.iter().flatten().count();
    if named == 0 {
        return Ok(Value::list((1..=names.len()).map(value).collect()));
    }
    if named < names.len() {
        return call.wrong("some groups have names and others have none");
    }
    let members = (1..).zip(names.into_iter().flatten()).map(|(index, name)| (name.into(), value(index)));
    Ok(Value::map(members.collect::<BTreeMap<_, _>>()))
}

/// `replace` with a pattern between slashes.
pub(crate) fn replace(call: &Arguments<'_>, text: &str, pattern: &str, with: &str) -> Answer {
    let pattern = compiled(call, pattern, text.len())?;
    // Each match may insert the whole text again.
    let mut matches = 0_usize;
    for _ in pattern.find_iter(text) {
        matched(call, 2 * text.len())?;
        matches += 1;
    }
    let size = text.len().saturating_add(matches.saturating_mul(with.len().saturating_add(text.len())));
    if with.contains('$') && !call.context().afford(size) {
        return call.unknown("there is too much of it");
    }
    call.made(text.len().saturating_add(matches.saturating_mul(with.len())), || {
        Value::text(pattern.replace_all(text, with).into_owned())
    })
}

/// Translates a pattern of Go to the syntax of the `regex` crate; none if the crate lacks the notation.
fn translated(pattern: &str) -> Option<String> {
    let mut translation = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => escape(&mut rest, false, &mut translation)?,
            '[' => class(&mut rest, &mut translation)?,
            '(' => {
                translation.push('(');
                if rest.peek() == Some(&'?') {
                    flags(&mut rest, &mut translation)?;
                }
            }
            '{' if !is_repetition(rest.clone()) => translation.push_str("\\{"),
            '}' if !translation_repeats(&translation) => translation.push_str("\\}"),
            other => translation.push(other),
        }
    }
    Some(translation)
}

/// Returns `true` if `{` is followed by `n}`, `n,}` or `n,m}`.
fn is_repetition(rest: Peekable<Chars<'_>>) -> bool {
    let inner: String = rest.take_while(|character| *character != '}').take(12).collect();
    let (from, to) = inner.split_once(',').unwrap_or((&inner, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !from.is_empty() && digits(from) && digits(to)
}

/// Returns `true` if the translation ends with an unclosed repetition.
fn translation_repeats(translation: &str) -> bool {
    let repetition = translation.trim_end_matches(|character: char| character.is_ascii_digit() || character == ',');
    repetition.ends_with('{') && !repetition.ends_with("\\{")
}

/// Translates `?` and the characters after it: a name, or flags that both syntaxes have.
fn flags(rest: &mut Peekable<Chars<'_>>, translation: &mut String) -> Option<()> {
    translation.push(rest.next()?);
    match rest.peek()? {
        'P' | '<' => Some(()),
        _ => {
            let known = |character: &char| "imsU-:)".contains(*character);
            let mut after = rest.clone();
            loop {
                match after.next()? {
                    ')' | ':' => return Some(()),
                    flag if known(&flag) => {}
                    _ => return None,
                }
            }
        }
    }
}

/// Translates a backslash and the character after it. Go's classes are ASCII classes.
fn escape(rest: &mut Peekable<Chars<'_>>, in_class: bool, translation: &mut String) -> Option<()> {
    let character = rest.next()?;
    let ascii = match character {
        'd' | 'D' => "0-9",
        'w' | 'W' => "0-9A-Za-z_",
        's' | 'S' => "\\t\\n\\f\\r ",
        _ => "",
    };
    match character {
        'd' | 'w' | 's' if in_class => translation.push_str(ascii),
        'd' | 'w' | 's' => translation.extend(["[", ascii, "]"]),
        'D' | 'W' | 'S' => translation.extend(["[^", ascii, "]"]),
        'b' if !in_class => translation.push_str("(?-u:\\b)"),
        'B' if !in_class => translation.push_str("(?-u:\\B)"),
        'A' | 'z' if !in_class => translation.extend(['\\', character]),
        'p' | 'P' | 'x' | 'a' | 'f' | 't' | 'n' | 'r' | 'v' => translation.extend(['\\', character]),
        'Q' => {
            let mut literal = String::new();
            while !literal.ends_with("\\E") {
                match rest.next() {
                    Some(next) => literal.push(next),
                    None => break,
                }
            }
            translation.push_str(&regex::escape(literal.trim_end_matches("\\E")));
        }
        other if other.is_ascii_alphanumeric() => return None,
        other => translation.push_str(&regex::escape(&other.to_string())),
    }
    Some(())
}

/// Translates a class in brackets: in Go, `[`, `&&`, `--` and `~~` have no special meaning in a class.
fn class(rest: &mut Peekable<Chars<'_>>, translation: &mut String) -> Option<()> {
    translation.push('[');
    if rest.next_if_eq(&'^').is_some() {
        translation.push('^');
    }
    let mut first = true;
    loop {
        let character = rest.next()?;
        match character {
            ']' if !first => {
                translation.push(']');
                return Some(());
            }
            ']' => translation.push_str("\\]"),
            '\\' => escape(rest, true, translation)?,
            '[' if rest.peek() == Some(&':') => {
                translation.push('[');
                while !translation.ends_with(":]") {
                    translation.push(rest.next()?);
                }
            }
            '[' | '&' | '~' => translation.extend(['\\', character]),
            '-' if rest.peek() == Some(&'-') => translation.push_str("\\-"),
            other => translation.push(other),
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_go_are_translated() {
        for (pattern, text, wanted) in [
            (r"^\d+$", "12", true),
            (r"^\d+$", "١٢", false),
            (r"^[\w-]+$", "a-b_1", true),
            (r"^[[]$", "[", true),
            (r"^[]a]+$", "]a", true),
            (r"^[a&&b]+$", "a&b", true),
            (r"^\Qa.b\E$", "a.b", true),
            (r"^\Qa.b\E$", "axb", false),
            (r"^\<a\>\/$", "<a>/", true),
            (r"^{a}$", "{a}", true),
            (r"^a{2}$", "aa", true),
            (r"^[[:alpha:]]+$", "abc", true),
            (r"(?i)^ABC$", "abc", true),
            (r"^[^\D]$", "1", true),
            (r"\bfoo\b", "a foo b", true),
        ] {
            let regex = Regex::new(&translated(pattern).expect(pattern)).expect(pattern);
            assert_eq!(regex.is_match(text), wanted, "{pattern} {text}");
        }
        for pattern in [r"\1", r"(?x)a b", r"[a", r"(?=a)", r"\u0041", "\\"] {
            assert_eq!(translated(pattern), None, "{pattern}");
        }
    }
}
