//! Text on a terminal: whether it is painted, how wide it is, and how foreign text is made harmless.

mod charset;
mod columns;
mod guard;

pub use charset::Charset;
pub(crate) use columns::Columns;
pub use guard::{Encoding, Guard, guarded, stderr};

use std::borrow::Cow;

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

/// Returns the text with every character escaped that a terminal would obey, or that hides or reorders text, and with
/// every bracket escaped that opens a command of a CI log (`##[`, `##vso[`, `##teamcity[`). Names and tags in AWS and
/// texts in code are chosen by others.
pub fn harmless(text: &str) -> Cow<'_, str> {
    escaped(text, Encoding::Text)
}

/// Returns JSON with what [`harmless`] escapes written in the escapes of JSON, so that it means the same.
pub fn harmless_json(json: &str) -> Cow<'_, str> {
    escaped(json, Encoding::Json)
}

/// Returns the text with what [`harmless`] escapes written in the escapes of an encoding.
fn escaped(text: &str, encoding: Encoding) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) && !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for (index, character) in text.char_indices() {
        match character {
            '\n' if encoding == Encoding::Text => safe.push_str("\\n"),
            '\r' if encoding == Encoding::Text => safe.push_str("\\r"),
            '\t' if encoding == Encoding::Text => safe.push_str("\\t"),
            '\n' | '\r' | '\t' => safe.push(character),
            '[' if opens_command(&text[..index]) => encoding.escape(character, &mut safe),
            harmful if is_harmful(harmful) => encoding.escape(harmful, &mut safe),
            plain => safe.push(plain),
        }
    }
    Cow::Owned(safe)
}

/// Returns `true` if a bracket after this text opens a command: GitHub and Azure Pipelines find `##[` and `##vso[`
/// anywhere in a line, TeamCity `##teamcity[`.
/// <https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs>,
/// <https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands>
fn opens_command(before: &str) -> bool {
    let name = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    before.trim_end_matches(name).ends_with("##")
}

/// Returns `true` for control characters, characters that change direction or take no place
/// (`Default_Ignorable_Code_Point`), line separators, and private-use characters, which have no common meaning.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Returns `true` if a line of this text would begin a command in the log of GitHub Actions, which trims blanks first.
fn begins_command(line: &str) -> bool {
    line.trim_start().starts_with("::")
}

/// How many columns the text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Returns the text in lines of at most so many columns. Words that are longer are broken, best after
/// punctuation, and never cut. Only the first line can begin with `::`. A command between backquotes stays in one line,
/// which may be longer: a command that is broken cannot be copied.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(MIN_COLUMNS);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for (index, mut word) in words(text).into_iter().enumerate() {
        if index > 0 && used > 0 && used + 1 + width(word) <= columns {
            push(&mut lines, " ");
            used += 1;
        } else if used > 0 {
            lines.push(String::new());
            used = 0;
        }
        while width(word) > columns && !has_command(word) {
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

/// The longest command that is kept whole, in bytes.
const LONGEST_COMMAND: usize = 240;

/// Returns the bytes between two backquotes, with a space among them, in the order in which they stand.
fn commands(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut commands = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find('`').map(|at| from + at) {
        let Some(end) = text[start + 1..].find('`').map(|at| start + 1 + at) else { break };
        if end - start <= LONGEST_COMMAND && text[start..end].contains(' ') {
            commands.push(start..end);
        }
        from = end + 1;
    }
    commands
}

fn has_command(word: &str) -> bool {
    !commands(word).is_empty()
}

/// Returns `true` for a flag, which stays with its value.
fn is_flag(word: &str) -> bool {
    let name = word.strip_prefix("--").unwrap_or_default();
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-')
}

/// Splits a text at spaces, but not before `::`, nor within a command, nor after a flag.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut commands = commands(text).into_iter().peekable();
    for (space, _) in text.match_indices(' ') {
        while commands.next_if(|command| command.end < space).is_some() {}
        let is_within = commands.peek().is_some_and(|command| command.contains(&space));
        if !is_within && !is_flag(&text[start..space]) && !begins_command(&text[space + 1..]) {
            words.push(&text[start..space]);
            start = space + 1;
        }
    }
    words.push(&text[start..]);
    words
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// Returns the index to break a word at that is wider than the line: after the last punctuation mark in the second
/// half of what fits, else where the line is full; but not before `::`.
fn break_at(word: &str, columns: usize) -> usize {
    let (mut used, mut full, mut mark, mut first) = (0, 0, 0, 0);
    for (index, character) in word.char_indices() {
        used += UnicodeWidthChar::width(character).unwrap_or(0);
        if used > columns {
            break;
        }
        let end = index + character.len_utf8();
        first = end;
        if begins_command(&word[end..]) {
            continue;
        }
        full = end;
        if "/:,;=-_.".contains(character) && used > columns / 2 {
            mark = full;
        }
    }
    // Where there is nothing but colons, the guard of the output escapes the first of each line.
    [mark, full].into_iter().find(|end| *end > 0).unwrap_or(first)
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
    fn invisible_and_private_characters_are_shown() {
        for hidden in
            ['\u{2066}', '\u{200d}', '\u{fe0f}', '\u{e000}', '\u{f8ff}', '\u{e0041}', '\u{10fffd}', '\u{3164}']
        {
            let shown = harmless(&format!("a{hidden}b")).into_owned();
            assert_eq!(shown, format!("a\\u{{{:x}}}b", u32::from(hidden)));
        }
    }

    #[test]
    fn no_text_opens_a_command_of_a_log() {
        assert_eq!(harmless("##[error]x"), "##\\u{5b}error]x");
        assert_eq!(harmless("a ###[group]"), "a ###\\u{5b}group]");
        assert_eq!(harmless("##vso[task.setvariable]"), "##vso\\u{5b}task.setvariable]");
        assert_eq!(harmless("##teamcity[x]##[y]"), "##teamcity\\u{5b}x]##\\u{5b}y]");
        assert_eq!(harmless("## [link](x) #[a] # #[b]"), "## [link](x) #[a] # #[b]");
    }

    #[test]
    fn no_line_after_the_first_begins_with_two_colons() {
        let pieces = ["::", "::/0", "::error file=x::y", "x", "aaaa", "##", "fe80::1", ":", " ", "\u{a0}::add-mask::z"];
        for seed in 0..4_000_usize {
            let text: String = (0..8)
                .map(|n| [pieces[seed * (n + 3) / 7 % pieces.len()], " "][usize::from((seed >> n) % 3 == 0)])
                .collect();
            for columns in [16, 17, 23, 40] {
                let lines = wrap(&text, columns);
                for line in lines.iter().skip(1) {
                    assert!(!begins_command(line) || line.trim().chars().all(|one| one == ':'), "{text:?}: {lines:?}");
                }
                let same = |text: &str| text.replace(' ', "");
                assert_eq!(same(&lines.concat()), same(&text));
            }
        }
        assert_eq!(wrap("from cidr_ipv6 = ::/0, port", 16), ["from cidr_ipv6", "= ::/0, port"]);
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
    fn a_command_stays_in_one_line() {
        let text = "allow it with `--allow replace --resource i-0123456789` or leave it";
        assert_eq!(wrap(text, 24), ["allow it with", "`--allow replace --resource i-0123456789`", "or leave it"]);
        assert_eq!(wrap(text, 60)[0], "allow it with `--allow replace --resource i-0123456789` or");
        assert_eq!(wrap("allow it with --resource i-1", 24), ["allow it with", "--resource i-1"]);
        // What is no pair, or too long for a command, is text.
        assert_eq!(wrap("a ` b c d e f g h", 16), ["a ` b c d e f g", "h"]);
        let long = format!("`{}`", "word ".repeat(100));
        assert!(wrap(&long, 40).iter().all(|line| width(line) <= 40));
    }

    #[test]
    fn a_long_word_after_a_short_one_starts_a_line() {
        assert_eq!(wrap("x 0123456789012345678 y", 16), ["x", "0123456789012345", "678 y"]);
    }
}
