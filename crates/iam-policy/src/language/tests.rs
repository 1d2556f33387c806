use super::*;
use crate::asked::Asked;
use crate::pattern::{Dialect, tokens};
use crate::variable::Piece;
use crate::within;
use proptest::prelude::*;

fn compile(text: &str, dialect: Dialect) -> Vec<Token> {
    let pieces = text.chars().map(Piece::Char).collect::<Vec<_>>();
    tokens(&pieces, dialect)
}

fn likes(pattern: &str, asked: &str) -> Coverage {
    compare(&compile(pattern, Dialect::Like), &compile(asked, Dialect::Like))
}

/// All texts over the alphabet, up to this length.
fn texts(alphabet: &[char], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last.iter().flat_map(|text| alphabet.iter().map(move |it| format!("{text}{it}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// The definition: a pattern matches a text by trying everything.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
        Some(('?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
        Some((character, rest)) => text.first() == Some(character) && naive(rest, &text[1..]),
    }
}

fn naive_texts(pattern: &str, text: &str) -> bool {
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    naive(&characters(pattern), &characters(text))
}

proptest! {
    #[test]
    fn a_glob_matches_what_its_definition_says(
        pattern in "[ab*?]{0,6}",
        text in "[ab]{0,8}",
    ) {
        let tokens = compile(&pattern, Dialect::Like);
        let expected = naive_texts(&pattern, &text);
        prop_assert_eq!(glob_matches(&tokens, &text), expected);
        prop_assert_eq!(likes(&pattern, &text), Coverage::of(Truth::from(expected)));
    }

    /// `c` stands for every character that neither pattern has. Seven characters are enough to tell
    /// patterns of four positions apart.
    #[test]
    fn containment_and_overlap_agree_with_enumeration(
        pattern in "[ab*?]{0,4}",
        asked in "[ab*?]{0,4}",
    ) {
        let all = texts(&['a', 'b', 'c'], 7);
        let asked_texts = all.iter().filter(|text| naive_texts(&asked, text));
        let (matched, left): (Vec<_>, Vec<_>) =
            asked_texts.partition(|text| naive_texts(&pattern, text));
        let expected = Coverage {
            any: Truth::from(!matched.is_empty()),
            all: Truth::from(left.is_empty()),
        };
        prop_assert_eq!(likes(&pattern, &asked), expected, "{:?} {:?}", matched.first(), left.first());
    }

    /// What the witness of a question shows is true.
    #[test]
    fn a_pattern_that_misses_the_witness_does_not_match_all(
        pattern in "[ab*?]{0,5}",
        asked in "[ab*?]{0,5}",
    ) {
        let asked = Asked::new(&asked, Dialect::Like);
        if let (Some(witness), Some(wanted)) = (asked.witness(), &asked.tokens) {
            let tokens = compile(&pattern, Dialect::Like);
            if !glob_matches(&tokens, &witness.text) {
                prop_assert_eq!(compare(&tokens, wanted).all, Truth::False);
            }
        }
    }

    /// Widening a pattern never makes it match less.
    #[test]
    fn a_wider_pattern_matches_no_less(
        left in "[ab*?:]{0,4}",
        right in "[ab*?:]{0,4}",
        asked in "(arn:)?[ab*?:]{0,8}",
    ) {
        for dialect in [Dialect::Like, Dialect::Resource] {
            let asked = compile(&asked, Dialect::Asked);
            let narrow = compare(&compile(&format!("arn:{left}b{right}"), dialect), &asked);
            let wide = compare(&compile(&format!("arn:{left}*{right}"), dialect), &asked);
            if dialect == Dialect::Like {
                prop_assert!(narrow.any <= wide.any && narrow.all <= wide.all);
            }
            // A `*` that may or may not reach over colons can make an answer unknown, not false.
            prop_assert!(narrow.any == Truth::False || wide.any != Truth::False);
            prop_assert!(narrow.all != Truth::True || wide.all != Truth::False);
        }
    }
}

#[test]
fn wildcards_next_to_each_other_are_compared_as_sets() {
    assert_eq!(likes("*?", "?*"), Coverage::EVERYTHING);
    assert_eq!(likes("?*", "*a*"), Coverage::EVERYTHING);
    assert_eq!(likes("?*", "*").all, Truth::False);
    assert_eq!(likes("*a*", "*b*").any, Truth::True);
    assert_eq!(likes("a*", "b*"), Coverage::NOTHING);
}

/// Many `?` behind a `*` are where determinising patterns explodes.
#[test]
fn a_comparison_that_explodes_gives_up_instead() {
    let pattern = format!("*a{}", "?".repeat(40));
    let started = std::time::Instant::now();
    let coverage = likes(&pattern, "*ab*");
    assert_ne!(coverage.all, Truth::True);
    assert!(started.elapsed().as_secs() < 10);
}

proptest! {
    /// Whatever a symbol turns out to be, it is what the answer allowed for.
    #[test]
    fn what_a_symbol_is_settles_the_answer(
        pattern in "[ab*?\u{E000}]{0,4}",
        asked in "[ab*?\u{E000}]{0,4}",
        text in "[ab:]{0,3}",
    ) {
        let before = likes(&pattern, &asked);
        let known = |it: &str| it.replace('\u{E000}', &text);
        let after = likes(&known(&pattern), &known(&asked));
        prop_assert!(before.any == Truth::Unknown || before.any == after.any);
        prop_assert!(before.all == Truth::Unknown || before.all == after.all);
    }
}

#[test]
fn patterns_that_take_too_much_are_not_decided() {
    let distinct: String =
        (0..4_000).filter_map(|index| char::from_u32(0x4E00 + index)).flat_map(|one| ['*', one]).collect();
    let pattern = compile(&format!("arn:aws:s3:::{distinct}*"), Dialect::Like);
    let asked = compile("arn:aws:s3:::*/*", Dialect::Like);
    let coverage = within(1_000_000, || compare(&pattern, &asked));
    assert_eq!((coverage.any, coverage.all), (Truth::True, Truth::Unknown));
    let coverage = within(10, || compare(&pattern, &asked));
    assert_eq!((coverage.any, coverage.all), (Truth::Unknown, Truth::Unknown));
}
