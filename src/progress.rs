//! What a scan is reading at this moment, on the terminal of a person who waits for it.

mod fleet;

use std::fmt;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::collect::{Outcome, Progress};
use crate::model::call::Call;
use crate::model::{AccountId, Region};

pub use fleet::{FleetDisplay, PERIOD};

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// A line on standard error that tells what is being read. It goes when the display does.
pub struct Display {
    line: ProgressBar,
    state: Mutex<State>,
}

impl fmt::Debug for Display {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Display")
    }
}

impl Display {
    /// A display, where standard error is a terminal; elsewhere nobody watches.
    pub fn on_terminal() -> Option<Self> {
        std::io::stderr().is_terminal().then(|| {
            let line = ProgressBar::new_spinner();
            line.enable_steady_tick(TICK);
            Self::on(line)
        })
    }

    fn on(line: ProgressBar) -> Self {
        // The template is a constant; where it were wrong, the plain spinner would do.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            line.set_style(style);
        }
        Self { line, state: Mutex::default() }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        // A thread that panicked leaves the counts as they were, and they are still worth showing.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        self.line.set_message(state.to_string());
    }
}

impl Progress for Display {
    fn started(&self, account: &AccountId, region: Option<&Region>, call: &Call) {
        self.change(|state| state.started(task(account, region, call)));
    }

    fn finished(&self, account: &AccountId, region: Option<&Region>, call: &Call, outcome: Outcome) {
        let failed = usize::from(outcome == Outcome::Failed);
        self.change(|state| state.ended(&task(account, region, call), failed));
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

fn task(account: &AccountId, region: Option<&Region>, call: &Call) -> String {
    format!("{account} {} {call}", region.map_or("global", Region::as_str))
}

/// What is being read, the longest first, and what came of the rest.
#[derive(Debug, Default)]
struct State {
    open: Vec<String>,
    ended: usize,
    failed: usize,
}

impl State {
    fn started(&mut self, task: String) {
        self.open.push(task);
    }

    fn ended(&mut self, task: &str, failed: usize) {
        if let Some(index) = self.open.iter().position(|open| open == task) {
            self.open.remove(index);
        }
        self.ended += 1;
        self.failed += failed;
    }
}

impl fmt::Display for State {
    /// `41 calls, 2 failed: 123456789012 us-east-1 ec2:DescribeVolumes and 3 more`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.ended, if self.ended == 1 { "call" } else { "calls" })?;
        if self.failed > 0 {
            write!(formatter, ", {} failed", self.failed)?;
        }
        match self.open.split_first() {
            None => Ok(()),
            Some((longest, [])) => write!(formatter, ": {longest}"),
            Some((longest, others)) => write!(formatter, ": {longest} and {} more", others.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::call::{DESCRIBE_INSTANCES, GET_ROLE};

    fn display() -> Display {
        Display::on(ProgressBar::hidden())
    }

    #[test]
    fn the_line_tells_what_is_waited_for_and_what_is_done() {
        let display = display();
        let account: AccountId = "123456789012".parse().expect("an account");
        let region: Region = "us-east-1".parse().expect("a region");
        display.started(&account, Some(&region), &DESCRIBE_INSTANCES);
        assert_eq!(display.line.message(), "0 calls: 123456789012 us-east-1 ec2:DescribeInstances");
        display.started(&account, None, &GET_ROLE);
        assert_eq!(display.line.message(), "0 calls: 123456789012 us-east-1 ec2:DescribeInstances and 1 more");
        display.finished(&account, Some(&region), &DESCRIBE_INSTANCES, Outcome::Answered);
        assert_eq!(display.line.message(), "1 call: 123456789012 global iam:GetRole");
        display.finished(&account, None, &GET_ROLE, Outcome::Failed);
        assert_eq!(display.line.message(), "2 calls, 1 failed");
    }

    #[test]
    fn many_threads_may_report_at_once() {
        let display = display();
        let account: AccountId = "123456789012".parse().expect("an account");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        display.started(&account, None, &GET_ROLE);
                        display.finished(&account, None, &GET_ROLE, Outcome::Answered);
                    }
                });
            }
        });
        assert_eq!(display.line.message(), "800 calls");
    }
}
