//! Asking before something is changed: how much it is, and the names of what is changed only by name.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};

use super::Error;
use crate::remediate::plan::{Disruption, Plan};
use crate::remediate::show::count;
use crate::terminal::{self, harmless};

/// Whether the user can be asked.
pub(super) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks the user; for what must be named and was not yet, for its name.
pub(super) fn confirm(plan: &Plan, named: &BTreeSet<String>) -> Result<bool, Error> {
    Ok(confirm_names(plan, named)? && ask(&format!("{} Type yes to go on: ", question(plan)))? == "yes")
}

/// Asks for the names of what must be named and was not yet.
pub(super) fn confirm_names(plan: &Plan, named: &BTreeSet<String>) -> Result<bool, Error> {
    let by_name: BTreeSet<&str> = plan
        .steps
        .iter()
        .filter(|step| step.nature().wants_name())
        .map(|step| step.resource.id.as_str())
        .filter(|id| !named.contains(*id))
        .collect();
    for id in by_name {
        if ask(&format!("{} is changed only by name. Type the name to go on: ", harmless(id)))? != id {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How much it is.
fn question(plan: &Plan) -> String {
    let accounts = plan.accounts();
    let accounts: Vec<&str> = accounts.iter().map(|account| account.as_str()).collect();
    let of = |disruption| plan.steps.iter().filter(|step| step.disruption == disruption).count();
    let mut grave: Vec<String> = [
        (of(Disruption::Restart), "restarts an instance", "restart an instance"),
        (of(Disruption::Replace), "replaces a part of an instance", "replace a part of an instance"),
        (of(Disruption::Irreversible), "cannot be taken back", "cannot be taken back"),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, one, several)| format!("{number} {}", if number == 1 { one } else { several }))
    .collect();
    if !grave.is_empty() {
        grave.insert(0, String::new());
    }
    format!("Make {} in account {}{}?", count(plan.steps.len(), "change"), accounts.join(", "), grave.join("; "))
}

/// Asks; somebody who closes the terminal says nothing.
pub(super) fn ask(question: &str) -> Result<String, Error> {
    Ok(answer(question)?.unwrap_or_default())
}

/// Asks; none where the terminal was closed.
pub(super) fn answer(question: &str) -> Result<Option<String>, Error> {
    let mut out = terminal::stderr();
    let asked = write!(out, "{question}").and_then(|()| out.flush());
    let mut answer = String::new();
    let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer)).map_err(Error::Terminal)?;
    Ok((read > 0).then(|| answer.trim().to_owned()))
}
