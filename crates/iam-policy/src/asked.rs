//! What is asked about: one text, or all those that match a pattern.

use super::pattern::{Dialect, Token, tokens};
use super::variable::Piece;

/// A character that no policy contains. It stands for "any other character".
pub(super) const FRESH: char = '\u{10FFFF}';

/// One text, or a set of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) text: Box<str>,
    /// Where it is more than one plain text.
    pub(super) tokens: Option<Box<[Token]>>,
}

impl Asked {
    pub(super) fn exactly(text: &str) -> Self {
        Self::new(text, Dialect::Literal)
    }

    pub(super) fn new(text: &str, dialect: Dialect) -> Self {
        let pieces = text.chars().map(Piece::Char).collect::<Vec<_>>();
        let tokens = tokens(&pieces, dialect);
        let plain = tokens.iter().map(|token| token.character());
        match plain.collect::<Option<String>>() {
            Some(text) => Self { text: text.into(), tokens: None },
            None => Self { text: text.into(), tokens: Some(tokens.into()) },
        }
    }

    /// One of the texts, made of characters that nobody could have written down; nothing where only
    /// one text is asked about. A pattern that does not match it does not match all.
    pub(super) fn witness(&self) -> Option<Self> {
        let mut text = String::new();
        for token in self.tokens.as_deref()? {
            match token {
                Token::Char(character) => text.push(*character),
                Token::One(_) | Token::Many(_) => text.push(FRESH),
                Token::Hole(_) => return None,
            }
        }
        let text = text.into();
        Some(Self { text, tokens: None })
    }
}
