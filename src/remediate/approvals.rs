//! What a plan may do without being asked: the kinds of change that must be allowed, the resources that must be named.
//! How many may be changed at once is the matter of `cap`.

use std::collections::BTreeSet;

use super::plan::Disruption;
use super::plan_builder::PlanBuilder;

/// A kind of change that is not made unless it is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Allow {
    /// Instances may be stopped and started
    Restart,
    /// Parts may be replaced by others, with the instance stopped
    Replace,
    /// What cannot be taken back may be done, to resources that are named
    Irreversible,
    /// What others use too may be changed
    Shared,
}

/// What limits look at of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nature<'a> {
    pub(crate) id: &'a str,
    pub(crate) disruption: Disruption,
    pub(crate) shared: bool,
    pub(crate) by_name: bool,
}

impl Nature<'_> {
    /// Whether the resource must be named: where the remediation says so, and for what cannot be taken back.
    pub(crate) fn wants_name(&self) -> bool {
        self.by_name || self.disruption == Disruption::Irreversible
    }
}

/// What the user allows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    pub(crate) allowed: BTreeSet<Allow>,
    /// The resources that were named one by one.
    pub(crate) named: BTreeSet<String>,
    /// Whether the user will be asked for the names of those that must be named.
    pub(crate) asks_for_names: bool,
}

impl Limits {
    /// Takes out of the draft what is not allowed, each with what would allow it.
    pub(crate) fn hold(&self, builder: &mut PlanBuilder<'_>) {
        builder.prune(|change| self.objection(&change.nature()));
    }

    /// Why a step may not be made, and what would allow it.
    pub(crate) fn objection(&self, nature: &Nature<'_>) -> Option<String> {
        let id = nature.id;
        let needed = match nature.disruption {
            Disruption::None | Disruption::Brief => None,
            Disruption::Restart => Some((Allow::Restart, "it stops and starts the instance".to_owned())),
            Disruption::Replace => Some((Allow::Replace, "it replaces a part, with the instance stopped".to_owned())),
            Disruption::Irreversible => Some((Allow::Irreversible, "it cannot be taken back".to_owned())),
        };
        let shared = nature.shared.then(|| (Allow::Shared, format!("others use {id} too")));
        let missing: Vec<(Allow, String)> =
            needed.into_iter().chain(shared).filter(|(allow, _)| !self.allowed.contains(allow)).collect();
        let unnamed = nature.wants_name() && !self.asks_for_names && !self.named.contains(id);
        let mut flags: Vec<String> = missing.iter().map(|(allow, _)| format!("--allow {}", allow.as_str())).collect();
        if unnamed {
            flags.push(format!("--resource {id}"));
        }
        if flags.is_empty() {
            return None;
        }
        let mut why: Vec<String> = missing.into_iter().map(|(_, why)| why).collect();
        if why.is_empty() {
            why.push("it is done only by name".to_owned());
        }
        Some(format!("{}: allow it with {}", why.join(", and "), flags.join(" ")))
    }
}

impl Allow {
    fn as_str(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Replace => "replace",
            Self::Irreversible => "irreversible",
            Self::Shared => "shared",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nature(disruption: Disruption) -> Nature<'static> {
        Nature { id: "i-1", disruption, shared: false, by_name: false }
    }

    fn limits(allowed: &[Allow], named: &[&str]) -> Limits {
        Limits {
            allowed: allowed.iter().copied().collect(),
            named: named.iter().map(ToString::to_string).collect(),
            asks_for_names: false,
        }
    }

    #[test]
    fn what_interrupts_is_done_only_where_it_is_allowed() {
        let objection = |disruption| limits(&[], &[]).objection(&nature(disruption));
        assert_eq!(objection(Disruption::None), None);
        assert_eq!(objection(Disruption::Brief), None);
        let restart = "it stops and starts the instance: allow it with --allow restart";
        assert_eq!(objection(Disruption::Restart).as_deref(), Some(restart));
        assert_eq!(limits(&[Allow::Restart], &[]).objection(&nature(Disruption::Restart)), None);
        assert!(limits(&[Allow::Restart], &[]).objection(&nature(Disruption::Replace)).is_some());
    }

    #[test]
    fn what_cannot_be_taken_back_is_allowed_and_named() {
        let irreversible = nature(Disruption::Irreversible);
        let objection = limits(&[], &["i-*"]).objection(&irreversible).expect("an objection");
        assert_eq!(objection, "it cannot be taken back: allow it with --allow irreversible --resource i-1");
        let named = limits(&[Allow::Irreversible], &["i-*"]).objection(&irreversible).expect("an objection");
        assert_eq!(named, "it is done only by name: allow it with --resource i-1");
        assert_eq!(limits(&[Allow::Irreversible], &["i-1"]).objection(&irreversible), None);
    }

    #[test]
    fn all_that_is_missing_is_said_at_once() {
        let nature = Nature { shared: true, by_name: true, ..nature(Disruption::Restart) };
        let objection = limits(&[], &[]).objection(&nature).expect("an objection");
        assert!(objection.ends_with("--allow restart --allow shared --resource i-1"), "{objection}");
        let asking = Limits { asks_for_names: true, ..limits(&[Allow::Restart, Allow::Shared], &[]) };
        assert_eq!(asking.objection(&nature), None);
    }
}
