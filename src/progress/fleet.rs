//! How far the reading of many accounts is: a line on a terminal, and elsewhere one from time to time.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::TICK;
use crate::collect::{Outcome, Progress};
use crate::model::call::Call;
use crate::model::{AccountId, Region, Scope};
use crate::terminal;

/// How often a line is written where there is no terminal.
pub const PERIOD: Duration = Duration::from_secs(30);

/// Tells how far the reading of many accounts is.
pub struct FleetDisplay {
    line: Option<ProgressBar>,
    begun: Instant,
    state: Mutex<State>,
}

impl fmt::Debug for FleetDisplay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FleetDisplay")
    }
}

impl FleetDisplay {
    /// For so many accounts.
    pub fn of(accounts: usize) -> Self {
        let line = std::io::stderr().is_terminal().then(|| {
            let line = ProgressBar::new_spinner();
            // The template is a constant; where it were wrong, the plain spinner would do.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                line.set_style(style);
            }
            line.enable_steady_tick(TICK);
            line
        });
        Self::on(line, accounts)
    }

    fn on(line: Option<ProgressBar>, accounts: usize) -> Self {
        Self { line, begun: Instant::now(), state: Mutex::new(State { accounts, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked leaves the counts as they were, and they are still worth showing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &State) {
        if let Some(line) = &self.line {
            line.set_message(state.said(self.begun.elapsed()));
        }
    }

    /// An account is done.
    pub fn done(&self, account: Option<&AccountId>, scopes: &[Scope], findings: u64) {
        let mut state = self.state();
        if let Some(account) = account {
            state.under_way.remove(account);
        }
        state.done += 1;
        state.scopes += scopes.len();
        state.failed += scopes.iter().filter(|scope| !scope.read).count();
        state.findings += findings;
        self.show(&state);
    }

    /// Writes a line, where there is no terminal that shows one. To be called every [`PERIOD`].
    pub fn tick(&self) {
        if self.line.is_none() {
            let said = self.state().said(self.begun.elapsed());
            // Where standard error is closed there is nobody left to tell.
            let _ = writeln!(terminal::stderr(), "{said}");
        }
    }
}

impl Progress for FleetDisplay {
    fn started(&self, account: &AccountId, _: Option<&Region>, _: &Call) {
        let mut state = self.state();
        if !state.under_way.contains(account) {
            state.under_way.insert(account.clone());
            self.show(&state);
        }
    }

    fn finished(&self, _: &AccountId, _: Option<&Region>, _: &Call, _: Outcome) {}
}

impl Drop for FleetDisplay {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }
}

/// How far it is.
#[derive(Debug, Default)]
struct State {
    accounts: usize,
    done: usize,
    under_way: BTreeSet<AccountId>,
    scopes: usize,
    failed: usize,
    findings: u64,
}

impl State {
    /// `37 of 60 accounts, 16 under way; 148 scopes, 3 not read; 412 findings; about 2 min left`
    fn said(&self, elapsed: Duration) -> String {
        let failed = if self.failed > 0 { format!(", {} not read", self.failed) } else { String::new() };
        let mut said = format!(
            "{} of {} accounts, {} under way; {} scopes{failed}; {} findings",
            self.done,
            self.accounts,
            self.under_way.len(),
            self.scopes,
            self.findings
        );
        let left = self.accounts.saturating_sub(self.done);
        if let (Ok(done), Ok(left)) = (u32::try_from(self.done), u32::try_from(left))
            && done > 0
            && left > 0
        {
            said.push_str("; about ");
            said.push_str(&roughly(elapsed / done * left));
            said.push_str(" left");
        }
        said
    }
}

/// A duration as a person would say it.
fn roughly(duration: Duration) -> String {
    match duration.as_secs() {
        0..90 => format!("{} s", duration.as_secs().max(1)),
        seconds @ 90..5400 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h", (seconds + 1800) / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Source;
    use crate::model::call::GET_ROLE;

    #[test]
    fn the_line_tells_how_far_it_is_and_when_it_ends() {
        let display = FleetDisplay::on(None, 60);
        let account: AccountId = "123456789012".parse().expect("an account");
        let other: AccountId = "123456789013".parse().expect("an account");
        for account in [&account, &account, &other] {
            display.started(account, None, &GET_ROLE);
        }
        let said = |seconds| display.state().said(Duration::from_secs(seconds));
        assert_eq!(said(1), "0 of 60 accounts, 2 under way; 0 scopes; 0 findings");
        let scope = |read| Scope {
            source: Source::Aws,
            account: Some(account.clone()),
            region: None,
            complete: read,
            read,
            gaps: Vec::new(),
        };
        display.done(Some(&account), &[scope(true), scope(false)], 7);
        assert_eq!(said(2), "1 of 60 accounts, 1 under way; 2 scopes, 1 not read; 7 findings; about 2 min left");
    }

    #[test]
    fn durations_are_said_roughly() {
        let said = |seconds| roughly(Duration::from_secs(seconds));
        assert_eq!([said(0), said(89), said(90), said(5400)], ["1 s", "89 s", "2 min", "2 h"]);
    }
}
