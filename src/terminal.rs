//! Text on a terminal: whether it is painted, how wide it is, and how foreign text is made harmless.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whether escape sequences for colours and weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Letters only.
    Plain,
    /// With ANSI styles.
    Styled,
}

impl Paint {
    /// The text in that style.
    pub fn paint(self, style: anstyle::Style, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Styled => format!("{style}{text}{style:#}"),
        }
    }
}

/// The text with every character that a terminal would obey, or that would hide or reorder what
/// stands there, written as an escape. Names and tags in AWS are chosen by others.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            harmful if is_harmful(harmful) => {
                // Writing to a string does not fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(harmful));
            }
            plain => safe.push(plain),
        }
    }
    Cow::Owned(safe)
}

/// Control characters, and those that change direction or take no place.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// How many columns the text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text in lines of at most so many columns. Words that are longer are broken, best after
/// punctuation, and never cut.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(MIN_COLUMNS);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for (index, mut word) in text.split(' ').enumerate() {
        if index > 0 && used > 0 && used + 1 + width(word) <= columns {
            push(&mut lines, " ");
            used += 1;
        } else if used > 0 {
            lines.push(String::new());
            used = 0;
        }
        while width(word) > columns {
            let (head, tail) = word.split_at(break_at(word, columns));
            push(&mut lines, head);
            lines.push(String::new());
            word = tail;
        }
        push(&mut lines, word);
        used += width(word);
    }
    lines
}

/// Narrower than this no line is made.
const MIN_COLUMNS: usize = 16;

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// Where to break a word that is wider than the line: after the last punctuation mark in the second
/// half of what fits, else where the line is full.
fn break_at(word: &str, columns: usize) -> usize {
    let (mut used, mut full, mut mark) = (0, 0, 0);
    for (index, character) in word.char_indices() {
        used += UnicodeWidthChar::width(character).unwrap_or(0);
        if used > columns {
            break;
        }
        full = index + character.len_utf8();
        if "/:,;=-_.".contains(character) && used > columns / 2 {
            mark = full;
        }
    }
    if mark > 0 { mark } else { full }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(harmless("web"), "web");
        assert_eq!(harmless("größe 名前"), "größe 名前");
        assert_eq!(harmless("a\u{1b}[2J\r\nb\u{9b}c"), "a\\u{1b}[2J\\r\\nb\\u{9b}c");
        assert_eq!(harmless("abc\u{202e}txt"), "abc\\u{202e}txt");
    }

    #[test]
    fn lines_are_wrapped_at_words_and_nothing_is_lost() {
        assert_eq!(wrap("one two three four five", 16), ["one two three", "four five"]);
        assert_eq!(wrap("", 20), [""]);
        let arn = "arn:aws:iam::123456789012:role/a-very-long-name-of-a-role-that-does-not-fit";
        let lines = wrap(arn, 30);
        assert_eq!(lines.concat(), arn);
        assert!(lines.iter().all(|line| width(line) <= 30), "{lines:?}");
        let wide = wrap("名前名前名前名前名前名前", 17);
        assert!(wide.iter().all(|line| width(line) <= 17), "{wide:?}");
        assert_eq!(wide.concat(), "名前名前名前名前名前名前");
    }

    #[test]
    fn a_long_word_after_a_short_one_starts_a_line() {
        assert_eq!(wrap("x 0123456789012345678 y", 16), ["x", "0123456789012345", "678 y"]);
    }
}
