//! Next commands: the commands to run after a report, with the arguments that the report was made with.

use std::collections::BTreeSet;

use super::phrasing::{self, as_argument};
use crate::model::{Finding, Region, Report, Source};

/// Commands that a page for people can name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commands {
    /// The command that made the page, e.g. `ssm-audit scan infra --account 123456789012`.
    pub again: Option<String>,
    /// Source that the command read.
    pub subject: Subject,
    /// Arguments that `fix` accepts too, each after a blank.
    pub fix: String,
    /// Arguments that `rules explain` accepts too, each after a blank.
    pub explain: String,
    /// Arguments that `iam-policy` accepts too, each after a blank.
    pub policy: String,
    /// Arguments that `history show` accepts too, each after a blank.
    pub history: String,
}

/// Source that a command read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Subject {
    /// Live accounts.
    #[default]
    Accounts,
    /// Files: snapshots or code.
    Files,
    /// A saved report.
    Report(String),
    /// A history, which `fix` does not read.
    History,
}

impl Commands {
    /// Returns the command that plans the fix of a finding; none if `fix` cannot reach its resource.
    pub(super) fn fix(&self, finding: &Finding, report: &Report) -> Option<String> {
        let from_code = finding.resource.address.as_ref() == Some(&finding.resource.id);
        let target = match (&finding.folder, &self.subject) {
            (Some(folder), _) => format!(" {}", as_argument(folder)),
            // The finding is from a plan without its code.
            (None, _) if from_code => return None,
            (None, Subject::History) => return None,
            (None, Subject::Accounts) => String::new(),
            (None, Subject::Files) => regions(report),
            (None, Subject::Report(path)) => format!(" {}", as_argument(path)),
        };
        Some(format!("ssm-audit fix{target}{} --rule {}", self.fix, as_argument(&finding.rule)))
    }

    /// Returns the command that plans the fix of a rule's failures in live accounts.
    pub(super) fn fix_accounts(&self, rule: &str) -> Option<String> {
        (self.subject == Subject::Accounts).then(|| format!("{}{}", phrasing::command(rule), self.fix))
    }

    /// Returns the command that prints the policy for a task.
    pub(super) fn policy(&self, task: &str, policy: &str) -> String {
        let is_said = self.policy.contains("--policy ");
        let policy = if policy == "guide" || is_said { String::new() } else { format!(" --policy {policy}") };
        format!("ssm-audit iam-policy --for {task}{policy}{}", self.policy)
    }

    /// Returns the command that explains a rule.
    pub(super) fn explain(&self, rule: &str) -> String {
        format!("ssm-audit rules explain {}{}", as_argument(rule), self.explain)
    }
}

/// Returns the regions of the accounts, which a snapshot names and the caller's configuration may not.
fn regions(report: &Report) -> String {
    let scopes = report.scopes.iter().filter(|scope| scope.source == Source::Aws);
    let regions: BTreeSet<&str> = scopes.filter_map(|scope| scope.region.as_ref()).map(Region::as_str).collect();
    let regions: Vec<&str> = regions.into_iter().collect();
    if regions.is_empty() { String::new() } else { format!(" --regions {}", regions.join(",")) }
}

/// A command, and its purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Next {
    /// The command, which can be run unchanged.
    pub(super) command: String,
    /// Purpose of the command, in a few words.
    pub(super) purpose: &'static str,
}

/// Inputs of the choice of the next commands.
#[derive(Debug, Default)]
pub(super) struct Situation<'a> {
    /// The worst rule with open findings.
    pub(super) rule: Option<&'a str>,
    /// The command that plans the fix of the worst rule that has one.
    pub(super) fix: Option<String>,
    /// Command that prints the policy with the denied actions.
    pub(super) policy: Option<String>,
    /// `true` if some findings are counted and not listed.
    pub(super) shortened: bool,
    /// Arguments with which the command writes a page.
    pub(super) page: &'static str,
}

/// Maximum number of commands that are named.
const NAMED: usize = 3;

/// Returns the next commands, at most three.
pub(super) fn commands(commands: &Commands, situation: Situation<'_>) -> Vec<Next> {
    let Some(rule) = situation.rule else { return Vec::new() };
    let again = |more: &str| commands.again.as_ref().map(|again| format!("{again}{more}"));
    let candidates = [
        (Some(commands.explain(rule)), "why it matters, how to fix it"),
        (situation.fix, "plan the fix"),
        (situation.policy, "print the missing permissions"),
        (situation.shortened.then(|| again(" -v")).flatten(), "list everything"),
        (again(situation.page), "write a page to share"),
    ];
    let known = candidates.into_iter().filter_map(|(command, purpose)| Some(Next { command: command?, purpose }));
    known.take(NAMED).collect()
}
