//! Patterns as sets of texts: does one contain another, do they overlap. No regular expressions.
//!
//! Both are decided exactly, by walking the two patterns together: a pattern is a small automaton
//! whose states are its positions. Every comparison is made twice where the patterns leave
//! something open, once in the reading that matches least and once in the one that matches most.

use super::asked::FRESH;
use super::pattern::{Bound, Token, is_symbol};
use super::truth::{Coverage, Truth};
use super::work::spend;
use std::collections::HashSet;

/// How many pairs of states containment looks at before it gives up and says that it does not know.
/// Real patterns need some hundreds.
const STATES: usize = 20_000;

/// How what is open in a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// Matches what the pattern surely matches.
    Least,
    /// Matches all that it could match.
    Most,
}

/// What one position of a pattern accepts, in one reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepts {
    Exactly(char),
    One { colon: bool },
    Many { colon: bool },
    Nothing,
}

impl Accepts {
    fn new(token: Token, reading: Reading) -> Self {
        let colon = |bound| match bound {
            Bound::Free => true,
            Bound::Undocumented => reading == Reading::Most,
            Bound::Closed => false,
        };
        match token {
            Token::Char(character) => Self::Exactly(character),
            Token::One(bound) => Self::One { colon: colon(bound) },
            Token::Many(bound) => Self::Many { colon: colon(bound) },
            Token::Hole(_) if reading == Reading::Most => Self::Many { colon: true },
            Token::Hole(Some(symbol)) => Self::Exactly(symbol),
            Token::Hole(None) => Self::Nothing,
        }
    }

    fn takes(self, character: char) -> bool {
        match self {
            Self::Exactly(it) => it == character,
            // A symbol may be a text of any length: only `*` surely takes it.
            Self::One { colon } => (colon || character != ':') && !is_symbol(character),
            Self::Many { colon } => colon || (character != ':' && !is_symbol(character)),
            Self::Nothing => false,
        }
    }

    fn repeats(self) -> bool {
        matches!(self, Self::Many { .. })
    }

    /// Whether some character is taken by both.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::Exactly(character), it) | (it, Self::Exactly(character)) => it.takes(character),
            _ => true,
        }
    }
}

fn read(tokens: &[Token], reading: Reading) -> Vec<Accepts> {
    tokens.iter().map(|token| Accepts::new(*token, reading)).collect()
}

/// How much of the asked texts the pattern matches.
pub(super) fn compare(pattern: &[Token], asked: &[Token]) -> Coverage {
    // What both begin with decides nothing. For a symbol that is more than a saving: whatever its
    // text is, it is the same text on both sides.
    let common = pattern.iter().zip(asked).take_while(|(one, other)| one == other && is_fixed(**one)).count();
    let (pattern, asked) = (&pattern[common..], &asked[common..]);
    if !spend((pattern.len() + 1) * (asked.len() + 1)) {
        return Coverage { any: Truth::Unknown, all: Truth::Unknown };
    }
    let most = read(pattern, Reading::Most);
    let asked_most = read(asked, Reading::Most);
    if !overlap(&most, &asked_most) {
        return Coverage::NOTHING;
    }
    let least = read(pattern, Reading::Least);
    let asked_least = read(asked, Reading::Least);
    let any = Truth::between(overlap(&least, &asked_least), || true);
    let symbolic = asked.iter().any(|token| matches!(token, Token::Hole(_)));
    let all = match contains(&least, &asked_least) {
        Truth::True => Truth::True,
        // The pattern may match whatever text the symbol turns out to be.
        _ if symbolic => Truth::Unknown,
        least if pattern.iter().all(|it| is_settled(*it)) => least,
        _ => contains(&most, &asked_most).and(Truth::Unknown),
    };
    Coverage { any, all }
}

fn is_fixed(token: Token) -> bool {
    matches!(token, Token::Char(_) | Token::Hole(Some(_)))
}

fn is_settled(token: Token) -> bool {
    !matches!(token, Token::One(Bound::Undocumented) | Token::Many(Bound::Undocumented) | Token::Hole(_))
}

/// Whether a pattern of free wildcards matches a text.
pub(super) fn glob_matches(pattern: &[Token], text: &str) -> bool {
    let mut position = 0;
    let mut rest = text.chars();
    // Where to take up again, with the last `*` standing for one character more.
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        let before = rest.clone();
        match (pattern.get(position), rest.next()) {
            (Some(Token::Many(_)), _) => {
                position += 1;
                rest = before;
                retry = Some((position, rest.clone()));
                continue;
            }
            (Some(Token::One(_)), Some(_)) => {
                position += 1;
                continue;
            }
            (Some(Token::Char(wanted)), Some(character)) if *wanted == character => {
                position += 1;
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((start, mut from)) = retry.take() else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        position = start;
        rest = from.clone();
        retry = Some((start, from));
    }
}

/// Whether some text is matched by both.
fn overlap(one: &[Accepts], other: &[Accepts]) -> bool {
    let width = other.len() + 1;
    let mut seen = vec![false; (one.len() + 1) * width];
    let mut open = vec![(0, 0)];
    while let Some((left, right)) = open.pop() {
        if left == one.len() && right == other.len() {
            return true;
        }
        if std::mem::replace(&mut seen[left * width + right], true) {
            continue;
        }
        let (first, second) = (one.get(left), other.get(right));
        if first.is_some_and(|it| it.repeats()) {
            open.push((left + 1, right));
        }
        if second.is_some_and(|it| it.repeats()) {
            open.push((left, right + 1));
        }
        if let (Some(first), Some(second)) = (first, second)
            && first.meets(*second)
        {
            let step = |it: &Accepts| usize::from(!it.repeats());
            open.push((left + step(first), right + step(second)));
        }
    }
    false
}

/// Whether every text of `asked` is matched by `pattern`. Unknown where that is too much work.
fn contains(pattern: &[Accepts], asked: &[Accepts]) -> Truth {
    let mut others = vec![':', FRESH];
    for accepts in pattern {
        if let Accepts::Exactly(character) = accepts
            && !others.contains(character)
            && !is_symbol(*character)
        {
            others.push(*character);
        }
    }
    let mut seen = HashSet::new();
    let mut open = vec![(0, Positions::start(pattern))];
    while let Some((at, positions)) = open.pop() {
        if positions.is_empty() {
            return Truth::False;
        }
        let Some(accepts) = asked.get(at) else {
            if positions.has(pattern.len()) {
                continue;
            }
            return Truth::False;
        };
        if positions.takes_anything(pattern) || !seen.insert((at, positions.clone())) {
            continue;
        }
        let followed = if matches!(accepts, Accepts::Exactly(_)) { 1 } else { others.len() };
        if seen.len() > STATES || !spend(followed * (pattern.len() + 1)) {
            return Truth::Unknown;
        }
        let mut follow = |character| {
            let next = positions.after(pattern, character);
            open.push((at + usize::from(!accepts.repeats()), next));
        };
        match accepts {
            Accepts::Exactly(character) => follow(*character),
            accepts => others.iter().copied().filter(|character| accepts.takes(*character)).for_each(&mut follow),
        }
        if accepts.repeats() {
            open.push((at + 1, positions));
        }
    }
    Truth::True
}

/// The positions that a pattern can be at after some text: a set of bits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Positions(Vec<u64>);

impl Positions {
    fn start(pattern: &[Accepts]) -> Self {
        let mut positions = Self(vec![0; pattern.len() / 64 + 1]);
        positions.reach(pattern, 0);
        positions
    }

    fn has(&self, position: usize) -> bool {
        self.0[position / 64] & (1 << (position % 64)) != 0
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Adds a position, and those after it that take no character to reach.
    fn reach(&mut self, pattern: &[Accepts], mut position: usize) {
        self.0[position / 64] |= 1 << (position % 64);
        while pattern.get(position).is_some_and(|it| it.repeats()) {
            position += 1;
            self.0[position / 64] |= 1 << (position % 64);
        }
    }

    fn after(&self, pattern: &[Accepts], character: char) -> Self {
        let mut next = Self(vec![0; self.0.len()]);
        for (position, accepts) in pattern.iter().enumerate() {
            if self.has(position) && accepts.takes(character) {
                next.reach(pattern, position + usize::from(!accepts.repeats()));
            }
        }
        next
    }

    /// Whether the pattern is at its last position, and that is a free `*`.
    fn takes_anything(&self, pattern: &[Accepts]) -> bool {
        pattern.last() == Some(&Accepts::Many { colon: true }) && self.has(pattern.len() - 1)
    }
}

#[cfg(test)]
mod tests;
