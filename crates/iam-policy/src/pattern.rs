//! Patterns of actions, resources and condition values: `*`, `?`, policy variables, and the bounds
//! that the colons of an ARN set to them.
//!
//! Resources: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>.
//! Wildcards stand within one segment of an ARN, but a `*` that ends its segment "can expand to match
//! beyond the colon boundaries". What a wildcard inside one of the first five segments does with a
//! colon is not documented: there the answer is unknown.
//! ARN conditions: "each of the six colon-delimited components of the ARN is checked separately",
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN>.
//!
//! A character of one of Unicode's private-use areas is a *symbol*: a text that only AWS
//! will know, such as an ARN that Terraform has yet to create. It equals itself; against anything
//! else the answer is unknown. How whole sets of texts compare is in `language.rs`.

use super::asked::Asked;
use super::language;
use super::truth::{Coverage, Truth};
use super::variable::{self, Piece, Values};

/// Whether a wildcard may stand for a colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Free,
    Undocumented,
    Closed,
}

/// One position of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Char(char),
    /// `?`: one character.
    One(Bound),
    /// `*`: any number of characters.
    Many(Bound),
    /// A text that is not known: a symbol, or a variable without a value.
    Hole(Option<char>),
}

/// How the text of a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `Action`, `NotAction`: case does not matter, there are no variables.
    Action,
    /// `Resource`, `NotResource` of a policy.
    Resource,
    /// The resource asked about: a wildcard in the first five segments is a name without colons.
    Asked,
    /// `StringLike`.
    Like,
    /// `ArnEquals`, `ArnLike`.
    Arn,
    /// `StringEquals`: wildcards are ordinary characters.
    Literal,
    /// `StringEqualsIgnoreCase`.
    LiteralCaseless,
}

/// Whether `${…}` means anything: only since version 2012-10-17 of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variables {
    Substituted,
    Literal,
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    text: Box<str>,
    body: Body,
}

#[derive(Debug, Clone)]
enum Body {
    /// No wildcard, no variable: equality.
    Plain(Box<str>),
    /// Wildcards that stand for any character.
    Glob(Box<[Token]>),
    /// Bounded wildcards or symbols: the slower comparison.
    Bounded(Box<[Token]>),
    /// Variables, substituted anew for each request.
    Template(Dialect, Box<[Piece]>),
}

/// What came of matching a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match<'a> {
    Covers(Coverage),
    /// It depends on this variable, whose value is not known.
    Unknown(&'a str, Coverage),
    /// The request has no such key and the variable no default: it matches nothing.
    Absent(&'a str),
}

impl Pattern {
    pub(super) fn new(text: &str, dialect: Dialect, variables: Variables) -> Self {
        let pieces = match variables {
            Variables::Substituted => variable::pieces(text),
            Variables::Literal => text.chars().map(Piece::Char).collect(),
        };
        let body = if pieces.iter().any(|it| matches!(it, Piece::Variable(_))) {
            Body::Template(dialect, pieces.into())
        } else {
            Body::new(&tokens(&pieces, dialect))
        };
        let text = text.into();
        Self { text, body }
    }

    /// How much of what is asked this pattern matches, given the values of the variables.
    pub(super) fn coverage(&self, asked: &Asked, values: &dyn Values) -> Match<'_> {
        match &self.body {
            Body::Template(dialect, pieces) => substitute(*dialect, pieces, asked, values),
            body => Match::Covers(body.coverage(asked)),
        }
    }

    /// Whether the pattern matches one text.
    pub(super) fn matches(&self, text: &str, values: &dyn Values) -> Match<'_> {
        self.coverage(&Asked::exactly(text), values)
    }

    /// The pattern as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl Body {
    fn new(tokens: &[Token]) -> Self {
        let plain = |token: &Token| matches!(token, Token::Char(_));
        let free = |token: &Token| matches!(token, Token::One(Bound::Free) | Token::Many(Bound::Free));
        if tokens.iter().all(plain) {
            Self::Plain(tokens.iter().filter_map(|token| token.character()).collect())
        } else if tokens.iter().all(|token| plain(token) || free(token)) {
            Self::Glob(tokens.into())
        } else {
            Self::Bounded(tokens.into())
        }
    }

    fn coverage(&self, asked: &Asked) -> Coverage {
        match (self, &asked.tokens) {
            (Self::Plain(text), None) => Coverage::of(Truth::from(**text == *asked.text)),
            (Self::Plain(text), Some(wanted)) => {
                let tokens = text.chars().map(Token::Char).collect::<Vec<_>>();
                language::compare(&tokens, wanted)
            }
            (Self::Glob(tokens), None) => Coverage::of(Truth::from(language::glob_matches(tokens, &asked.text))),
            (Self::Glob(tokens) | Self::Bounded(tokens), Some(wanted)) => language::compare(tokens, wanted),
            (Self::Bounded(tokens), None) => {
                let wanted = asked.text.chars().map(Token::Char).collect::<Vec<_>>();
                language::compare(tokens, &wanted)
            }
            // Substitution comes first.
            (Self::Template(..), _) => Coverage::UNKNOWN,
        }
    }
}

impl Token {
    pub(super) fn character(self) -> Option<char> {
        match self {
            Self::Char(character) => Some(character),
            _ => None,
        }
    }
}

fn substitute<'a>(dialect: Dialect, pieces: &'a [Piece], asked: &Asked, values: &dyn Values) -> Match<'a> {
    let mut unknown = None;
    let mut filled = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let Piece::Variable(variable) = piece else {
            filled.push(piece.clone());
            continue;
        };
        match variable.value(values) {
            // A value is taken literally, whatever characters it has.
            Ok(Some(value)) => filled.extend(value.chars().map(Piece::Escaped)),
            Ok(None) => {
                unknown = Some(&*variable.key);
                filled.push(Piece::Unknown);
            }
            Err(variable::Absent) => return Match::Absent(&variable.key),
        }
    }
    let coverage = Body::new(&tokens(&filled, dialect)).coverage(asked);
    match unknown {
        Some(key) if coverage.is_unknown() => Match::Unknown(key, coverage),
        _ => Match::Covers(coverage),
    }
}

/// The positions of a pattern; variables are unknown texts.
pub(super) fn tokens(pieces: &[Piece], dialect: Dialect) -> Vec<Token> {
    let is = |piece: &Piece, wanted| matches!(piece, Piece::Char(it) | Piece::Escaped(it) if *it == wanted);
    let arn = pieces.len() > 4 && pieces.iter().zip("arn:".chars()).all(|(it, c)| is(it, c));
    let segments = Segments {
        dialect,
        arn,
        all: pieces.iter().filter(|piece| is(piece, ':')).count(),
        names: dialect == Dialect::Asked && asks_for_names(pieces),
    };
    let wild = !matches!(dialect, Dialect::Literal | Dialect::LiteralCaseless);
    let mut colons = 0;
    let mut tokens = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        let next = pieces.get(index + 1);
        match *piece {
            Piece::Char('*') if wild => {
                let ends = next.is_none_or(|piece| is(piece, ':'));
                let bound = if next.is_none() && dialect == Dialect::Asked && !segments.names {
                    Bound::Free
                } else {
                    segments.bound(colons, ends)
                };
                tokens.push(Token::Many(bound));
            }
            Piece::Char('?') if wild => tokens.push(Token::One(segments.bound(colons, false))),
            Piece::Char(it) | Piece::Escaped(it) if is_symbol(it) => {
                tokens.push(Token::Hole(Some(it)));
            }
            Piece::Char(it) | Piece::Escaped(it) => {
                colons += usize::from(it == ':');
                if matches!(dialect, Dialect::Action | Dialect::LiteralCaseless) {
                    tokens.extend(it.to_lowercase().map(Token::Char));
                } else {
                    tokens.push(Token::Char(it));
                }
            }
            Piece::Variable(_) | Piece::Unknown => tokens.push(Token::Hole(None)),
        }
    }
    tokens
}

/// Whether this asks for resources that have no colon in their names, as those of EC2 and of Systems
/// Manager. Otherwise `…:document/*` would ask for a document called `x:parameter/secret`, too, which a
/// deny of `arn:aws:ssm:*:*:parameter/*` matches. Only kinds whose names have
/// none are listed: the definition of an automation ends in its version.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>
fn asks_for_names(pieces: &[Piece]) -> bool {
    let text = pieces.iter().map(|piece| match piece {
        Piece::Char(it) | Piece::Escaped(it) => *it,
        Piece::Variable(_) | Piece::Unknown => '\u{0}',
    });
    let text = text.collect::<String>();
    match text.splitn(6, ':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "ec2" | "ssm", _, _, resource] => {
            !resource.contains(':')
                && ["instance/", "managed-instance/", "document/", "parameter/", "association/"]
                    .iter()
                    .any(|kind| resource.starts_with(kind))
        }
        _ => false,
    }
}

/// Which wildcards of an ARN stop at colons.
struct Segments {
    dialect: Dialect,
    arn: bool,
    all: usize,
    /// Whether the wildcards stand for names without colons wherever they are.
    names: bool,
}

impl Segments {
    /// Of a wildcard after so many colons, and whether it is a `*` that ends its segment.
    fn bound(&self, colons: usize, ends_segment: bool) -> Bound {
        const BEFORE_RESOURCE: usize = 5;
        match self.dialect {
            Dialect::Arn if self.all < BEFORE_RESOURCE => Bound::Undocumented,
            Dialect::Arn if colons < BEFORE_RESOURCE => Bound::Closed,
            Dialect::Asked if self.names => Bound::Closed,
            Dialect::Asked if self.arn && colons < BEFORE_RESOURCE => Bound::Closed,
            Dialect::Resource if self.arn && colons < BEFORE_RESOURCE && !ends_segment => Bound::Undocumented,
            _ => Bound::Free,
        }
    }
}

/// Whether a character is a symbol: a text that is not known yet (see the module).
pub fn is_symbol(character: char) -> bool {
    matches!(character, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{FFFFD}' | '\u{100000}'..='\u{10FFFD}')
}

#[cfg(test)]
mod tests;
