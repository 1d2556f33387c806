//! Text on a terminal: whether it is painted, and how foreign text is made harmless.

use std::borrow::Cow;
use std::fmt::Write as _;

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
}
