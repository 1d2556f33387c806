//! Groups of like steps: those that are shown with the same words but for their resource.

use std::collections::{BTreeMap, BTreeSet};

use super::{Look, difference};
use crate::remediate::plan::{Plan, Step, Undo};
use crate::remediate::step_output::state_in_words;
use crate::terminal::Paint;

/// Steps that are alike, in the order of the plan.
pub(crate) struct Group<'p> {
    pub(crate) steps: Vec<&'p Step>,
}

/// The groups of a plan, in the order of the first step of each. Steps of a unit depend on each other: each of them is
/// a group of its own.
pub(crate) fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut by_words: BTreeMap<String, usize> = BTreeMap::new();
    let rules = rules_by_step(plan);
    for step in &plan.steps {
        let words = match step.unit {
            Some(_) => step.number.to_string(),
            None => words(step, rules.get(&step.number)),
        };
        let index = *by_words.entry(words).or_insert_with(|| {
            groups.push(Group { steps: Vec::new() });
            groups.len() - 1
        });
        groups[index].steps.push(step);
    }
    groups
}

/// The rules that each step is for.
pub(super) fn rules_by_step(plan: &Plan) -> BTreeMap<usize, BTreeSet<&str>> {
    let mut rules: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for aim in &plan.findings {
        for step in &aim.steps {
            rules.entry(*step).or_default().insert(&aim.rule);
        }
    }
    rules
}

/// The lines of before and after.
pub(super) fn difference_of(step: &Step, look: Look) -> Vec<String> {
    let before = state_in_words(&step.before, &step.made.before);
    let after = state_in_words(&step.after, &step.made.after);
    difference::lines(&before, &after, look)
}

/// Everything that is shown of a step but its number and the id of its resource.
fn words(step: &Step, rules: Option<&BTreeSet<&str>>) -> String {
    const PLAIN: Look = Look { paint: Paint::Plain, width: 1 << 16, all: true };
    let resource = &step.resource;
    let undo = match &step.undo {
        Undo::By(undo) => format!("by {}", undo.call()),
        Undo::Deletes(undo) => format!("deletes {}", undo.call()),
        Undo::Not(why) => format!("not {why}"),
    };
    let nature = (step.disruption, step.shared, step.nature().wants_name(), step.creates);
    [
        format!("{:?}", (&resource.account, &resource.region, resource.resource_type, rules)),
        step.aspect.beside(&resource.id),
        difference_of(step, PLAIN).join("\n"),
        step.call.call().to_string(),
        step.call.beside().to_string(),
        undo,
        format!("{nature:?}{:?}{:?}", step.needs, step.warnings),
    ]
    .join("\u{0}")
}

/// Numbers as ranges: `1-3, 7`.
pub(super) fn ranges(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
        .iter()
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_ranges() {
        assert_eq!(ranges([1, 2, 3, 7, 9, 10]), ["1-3", "7", "9-10"]);
        assert!(ranges([]).is_empty());
    }
}
