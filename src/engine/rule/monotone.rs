//! Tests that unknown facts never decide: if any of the facts that a rule reads are made unknown, the verdict stays the
//! same or becomes unknown. An unknown verdict names the missing facts.
//!
//!
//! `Example::judge_unknown` makes one attribute after the other unknown, wherever it occurs. These tests make any set
//! of attributes unknown, in some elements of a list and not in others, and also the existence of linked resources.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use rayon::prelude::*;
use serde_json::{Value as Json, json};

use super::eval::Outcome;
use super::example::{Bases, Example};
use super::path::{Step, target};
use super::{Rule, embedded};
use crate::model::fact::UNKNOWN;
use crate::model::schema::{Kind, Structure};
use crate::model::{Gap, GapKind};

/// Number of sets of facts that are made unknown in each example. The sets are the same in every run.
const SETS: u32 = 16;
const SEED: &[u8; 32] = b"what is not known never decides!";

/// Place of a fact in a resource that is written out: the JSON pointer of its structure, and its name there. The order
/// is such that the target of a place comes after the place.
type Fact = (String, String);

/// Returns the facts that a rule reads in the resource.
fn facts(rule: &Rule, whole: &Json) -> Vec<Fact> {
    let mut facts = BTreeSet::new();
    for path in &rule.expressions.reads {
        for steps in path.prefixes() {
            find(whole, rule.resource_type.structure(), steps, "", &mut facts);
        }
    }
    facts.into_iter().collect()
}

fn find(value: &Json, structure: &'static Structure, steps: &[Step], at: &str, facts: &mut BTreeSet<Fact>) {
    let Some((Step::Attribute(name), rest)) = steps.split_first() else { return };
    let (Some(attribute), Some(inner)) = (structure.attribute(name), value.get(name)) else { return };
    let rest = rest.strip_prefix(&[Step::Each]).unwrap_or(rest);
    if rest.is_empty() {
        facts.insert((at.to_owned(), (*name).to_owned()));
        return;
    }
    let Some((structure, _)) = target(attribute.kind) else { return };
    let at = format!("{at}/{name}");
    let elements: Vec<(String, &Json)> = match inner.as_array() {
        Some(items) => items.iter().enumerate().map(|(index, item)| (format!("{at}/{index}"), item)).collect(),
        None => vec![(at, inner)],
    };
    for (at, element) in
        elements.into_iter().filter(|(_, element)| element.is_object() && element.get(UNKNOWN).is_none())
    {
        if let Kind::Link(_) | Kind::Links(_) = attribute.kind {
            facts.insert((at.clone(), "$exists".to_owned()));
        }
        find(element, structure, rest, &at, facts);
    }
}

/// Returns the gap of a fact that was made unknown.
fn gap((at, name): &Fact) -> Gap {
    Gap::because(GapKind::Failed, format!("made unknown: {at}/{name}"))
}

/// Makes the facts unknown, starting with those to which others lead.
fn blind<'f>(whole: &mut Json, facts: impl DoubleEndedIterator<Item = &'f Fact>) {
    for fact in facts.rev() {
        let members = whole.pointer_mut(&fact.0).and_then(Json::as_object_mut).expect("the structure of the fact");
        members.insert(fact.1.clone(), json!({ UNKNOWN: gap(fact) }));
    }
}

/// A rule, an example of one of its type, and the facts there that it reads.
struct Subject<'r> {
    rule: &'r Rule,
    example: &'r Example,
    bases: &'r Bases,
    facts: Vec<Fact>,
}

impl Subject<'_> {
    /// Returns the verdict with these facts unknown, and the gaps that it names.
    fn judge(&self, unknown: &[bool]) -> (Outcome, Vec<Gap>) {
        let chosen = self.facts.iter().zip(unknown).filter(|(_, unknown)| **unknown).map(|(fact, _)| fact);
        let judged = self.example.changed_case(
            self.rule,
            self.bases,
            |whole| blind(whole, chosen.collect::<Vec<_>>().into_iter()),
            |case| {
                let (outcome, error) = case.judge();
                (outcome, error.map(|error| case.gaps(&error)).unwrap_or_default())
            },
        );
        judged.unwrap_or_else(|message| panic!("{}: {message}", self.rule.id))
    }

    /// Returns the error in the verdict when these facts are unknown, and when more of them are.
    fn problem(&self, known: &Outcome, unknown: &[bool], more: &[bool]) -> Option<String> {
        let (outcome, gaps) = self.judge(unknown);
        if outcome != Outcome::Unknown && outcome != *known {
            return Some(format!("{outcome}, and {known} when all is known"));
        }
        if let Some(gap) = gaps.iter().find(|gap| gap.kind == GapKind::RuleError) {
            return Some(format!("a rule error: {gap}"));
        }
        if outcome == Outcome::Unknown && *known != Outcome::Unknown {
            let made: Vec<Gap> =
                self.facts.iter().zip(unknown).filter(|(_, unknown)| **unknown).map(|(fact, _)| gap(fact)).collect();
            if !gaps.iter().any(|gap| made.contains(gap)) {
                return Some(format!("unknown, and what is named is none of what was made so: {gaps:?}"));
            }
        }
        let more: Vec<bool> = unknown.iter().zip(more).map(|(one, other)| *one || *other).collect();
        let (with_less, _) = self.judge(&more);
        (with_less != Outcome::Unknown && with_less != outcome)
            .then(|| format!("{outcome}, and {with_less} when even less is known"))
    }

    fn check(&self) -> Result<(), String> {
        let (known, _) = self.judge(&[]);
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, SEED);
        let config = Config { cases: SETS, failure_persistence: None, ..Config::default() };
        let many = self.facts.len();
        // A few facts, or many of them.
        let some = select(vec![0.1, 0.3, 0.7])
            .prop_flat_map(move |share| prop::collection::vec(prop::bool::weighted(share), many));
        let checked = TestRunner::new_with_rng(config, random).run(&(some.clone(), some), |(unknown, more)| match self
            .problem(&known, &unknown, &more)
        {
            None => Ok(()),
            Some(problem) => {
                let facts: Vec<String> = self
                    .facts
                    .iter()
                    .zip(&unknown)
                    .filter(|(_, unknown)| **unknown)
                    .map(|((at, name), _)| format!("{at}/{name}"))
                    .collect();
                Err(TestCaseError::fail(format!("with {} unknown: {problem}", facts.join(", "))))
            }
        });
        checked.map_err(|error| {
            let reason = match error {
                TestError::Fail(reason, _) | TestError::Abort(reason) => reason,
            };
            format!("{} on {}: {reason}", self.rule.id, self.example.attributes)
        })
    }
}

#[test]
fn whatever_is_not_known_a_verdict_stays_or_becomes_unknown_and_says_what_it_lacks() {
    let library = embedded().unwrap_or_else(|errors| panic!("{errors:?}"));
    let all: Vec<(&Rule, &Example)> =
        library.rules().flat_map(|rule| rule.examples.iter().map(move |example| (rule, example))).collect();
    let wrong: Vec<String> = all
        .par_iter()
        .filter_map(|(rule, example)| {
            let mut found = Vec::new();
            let looked = example.changed_case(rule, library.bases(), |whole| found = facts(rule, whole), |_| ());
            looked.unwrap_or_else(|message| panic!("{}: {message}", rule.id));
            assert!(!found.is_empty(), "{} reads nothing of {}", rule.id, example.attributes);
            Subject { rule, example, bases: library.bases(), facts: found }.check().err()
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}
