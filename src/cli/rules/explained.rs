//! Everything that an explanation of a rule says, whatever its format.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::rule::framework;
use crate::engine::rule::params::ParamValue;
use crate::engine::rule::{Remediation, Rule};
use crate::engine::scan::Selected;
use crate::remediate::permissions;
use crate::remediate::plan::Disruption;
use crate::remediate::remediation::{RemediationSpec, RemediationSpecs};

/// A rule with what follows from it.
pub(super) struct Explained<'r> {
    pub(super) rule: &'r Rule,
    pub(super) remedy: Option<&'r RemediationSpec>,
    /// Reason why no fix is automatic.
    pub(super) no_remedy: Option<&'r str>,
    /// IAM actions of a scan with this rule alone.
    pub(super) reads: BTreeSet<&'static str>,
    /// IAM actions of the changes of its fix.
    pub(super) changes: BTreeSet<&'static str>,
    /// Controls of published standards that it answers for.
    pub(super) controls: Vec<String>,
}

impl<'r> Explained<'r> {
    pub(super) fn of(rule: &'r Rule, remedies: &'r RemediationSpecs) -> Self {
        let (remedy, no_remedy) = match &rule.remediation {
            Some(Remediation::Id(id)) => (remedies.get(id), None),
            Some(Remediation::None { none }) => (None, Some(none.as_str())),
            None => (None, None),
        };
        let selected = [Selected::new(rule, None, BTreeMap::new())];
        Self {
            rule,
            remedy,
            no_remedy,
            reads: rule.needs().calls().flat_map(|call| call.actions).copied().collect(),
            changes: permissions::changes(&selected, remedies),
            controls: controls(rule),
        }
    }

    /// The sources that the rule can be evaluated on.
    pub(super) fn sources(&self) -> String {
        self.rule.sources.iter().map(|source| source.as_str()).collect::<Vec<_>>().join(", ")
    }
}

fn controls(rule: &Rule) -> Vec<String> {
    let controls = framework::all().iter().flat_map(|framework| {
        let named = framework.controls.iter().filter(|(_, control)| control.rules.contains(&rule.id));
        named.map(move |(id, control)| format!("{} {id}: {}", framework.title, control.title))
    });
    controls.collect()
}

/// Describes what a fix interrupts, and the flags that it needs for that.
pub(super) fn effect(disruption: Disruption) -> &'static str {
    match disruption {
        Disruption::None => "interrupts nothing",
        Disruption::Brief => "interrupts for seconds",
        Disruption::Restart => "stops and starts the instance: only with --allow restart",
        Disruption::Replace => "replaces a part, with the instance stopped: only with --allow replace",
        Disruption::Irreversible => "cannot be undone: only with --allow irreversible --resource ID",
    }
}

/// Returns a value of a parameter as it is written in YAML.
pub(super) fn shown(value: &ParamValue) -> String {
    match value {
        ParamValue::Text(text) => format!("{text:?}"),
        ParamValue::Texts(texts) => format!("{texts:?}"),
        other => other.to_string(),
    }
}
