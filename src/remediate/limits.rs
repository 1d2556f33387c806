//! What a plan may do without being asked: the kinds of change that must be allowed, the resources that must be named,
//! and how many may be changed at once.

use std::collections::BTreeSet;

use super::draft::{Change, Draft};
use super::plan::Disruption;

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
    pub(crate) fn hold(&self, draft: &mut Draft<'_>) {
        draft.prune(|change| self.objection(change));
    }

    /// Why this change is not made, and what would allow it.
    pub(super) fn objection(&self, change: &Change) -> Option<String> {
        let needed = match change.disruption {
            Disruption::None | Disruption::Brief => None,
            Disruption::Restart => Some((Allow::Restart, "it stops and starts the instance")),
            Disruption::Replace => Some((Allow::Replace, "it replaces a part, with the instance stopped")),
            Disruption::Irreversible => Some((Allow::Irreversible, "it cannot be taken back")),
        };
        let id = &change.thing.1.id;
        let missing = |allow: Allow| !self.allowed.contains(&allow);
        let unnamed = change.by_name && !self.asks_for_names && !self.named.contains(id.as_ref());
        let name = || format!("--resource {id}");
        match needed {
            Some((allow, why)) if missing(allow) => {
                let also = if unnamed { format!(" and {}", name()) } else { String::new() };
                Some(format!("{why}: allow it with --allow {}{also}", word(allow)))
            }
            _ if change.shared && missing(Allow::Shared) => {
                let also = if unnamed { format!(" and {}", name()) } else { String::new() };
                Some(format!("others use {id} too: allow it with --allow shared{also}"))
            }
            _ if unnamed => Some(format!("it must be asked for by name, with {}", name())),
            _ => None,
        }
    }
}

fn word(allow: Allow) -> &'static str {
    match allow {
        Allow::Restart => "restart",
        Allow::Replace => "replace",
        Allow::Irreversible => "irreversible",
        Allow::Shared => "shared",
    }
}
