//! A part of a plan: the findings whose steps were all chosen, with their steps.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{LeftOut, Plan, Step};
use super::step_output::renumber;

/// Why a finding is left out of the part.
const NOT_CHOSEN: &str = "not chosen";

impl Plan {
    /// The part of the plan that these steps make up. A finding stays if all of its steps are chosen, and a step stays
    /// if a finding does that it is for: a step that another one needs is for the same findings.
    pub(crate) fn narrowed(&self, chosen: &BTreeSet<usize>) -> Self {
        let (findings, dropped): (Vec<_>, Vec<_>) =
            self.findings.iter().cloned().partition(|aim| aim.steps.iter().all(|step| chosen.contains(step)));
        let kept: BTreeSet<usize> = findings.iter().flat_map(|aim| aim.steps.iter().copied()).collect();
        let kept = self.steps.iter().filter(|step| kept.contains(&step.number));
        let numbers: BTreeMap<usize, usize> = kept.clone().map(|step| step.number).zip(1..).collect();
        let steps: Option<Vec<Step>> = kept.map(|step| renumbered(step, &numbers)).collect();
        // A step that refers to one that is not for the same findings would be an error of the plan. Then nothing is done.
        let Some(steps) = steps else { return self.narrowed(&BTreeSet::new()) };
        let to_numbers = |of: Vec<usize>| of.iter().filter_map(|step| numbers.get(step).copied()).collect();
        let findings: Vec<_> =
            findings.into_iter().map(|aim| super::plan::Aim { steps: to_numbers(aim.steps.clone()), ..aim }).collect();
        let rules: BTreeSet<&str> = findings.iter().map(|aim| aim.rule.as_str()).collect();
        let rules = self.rules.iter().filter(|(rule, _)| rules.contains(rule.as_str()));
        let left_out = dropped.into_iter().map(|aim| LeftOut {
            rule: aim.rule,
            resource: aim.resource,
            reason: NOT_CHOSEN.to_owned(),
            failed: false,
        });
        Self {
            rules: rules.map(|(rule, params)| (rule.clone(), params.clone())).collect(),
            steps,
            left_out: self.left_out.iter().cloned().chain(left_out).collect(),
            findings,
            seal: None,
            ..self.clone()
        }
    }
}

/// The step with its number, and its references to others, in the part; none where it refers to a step outside.
fn renumbered(step: &Step, numbers: &BTreeMap<usize, usize>) -> Option<Step> {
    let number = |step: usize| numbers.get(&step).copied();
    Some(Step {
        number: number(step.number)?,
        made: renumber(&step.made, number)?,
        call: renumber(&step.call, number)?,
        undo: renumber(&step.undo, number)?,
        rehearsal: renumber(&step.rehearsal, number)?,
        needs: step.needs.iter().map(|needed| number(*needed)).collect::<Option<_>>()?,
        ..step.clone()
    })
}
