//! The crash matrix: whenever a run is killed, going on with it ends where an undisturbed one does, and taking it back
//! where it began; nothing is made twice, and the journal tells the truth. Generated over all calls of the largest plan.

use rayon::prelude::*;
use serde_json::Value;

use crate::account::{Account, Run, effective, hold, through};
use crate::alike::{Announced, Replaced, changes};
use crate::audit::Outcome;
use crate::emulator::Emulator;
use crate::proxy::{Kind, Proxy};

/// The account with the largest plan that there is.
const LARGEST: [&str; 7] =
    ["--break-everything", "--region", "us-east-1", "--region", "eu-west-1", "--region", "ap-south-1"];

/// What a fix does that nothing disturbs.
struct Calm {
    /// What it changes, without ids.
    changes: Vec<String>,
    /// Its calls, sorted.
    calls: Vec<String>,
    /// Its exit code: 0, unless something was left out.
    code: i32,
}

impl Calm {
    fn of(emulator: &Emulator) -> Self {
        let account = Account::one(emulator, &LARGEST);
        let before = account.dump();
        let proxy = Proxy::start(emulator.url());
        let fixed = through(account.fix(), &proxy);
        let run = account.latest();
        let code = i32::from(run.plan["left_out"] != Value::Array(Vec::new()));
        assert_eq!(fixed.code, Some(code), "{}", told(&fixed));
        assert_eq!((run.state.as_str(), run.holding()), ("finished", run.all()));
        assert!(run.all().len() > 30, "the plan is small: {:?}", run.plan["left_out"]);
        let mut calls = effective(&proxy);
        calls.sort();
        Self { changes: changes(&account, &before, &account.dump()), calls, code }
    }

    /// What is wrong with an account on which the run has come to its end all the same.
    fn problems(&self, account: &Account<'_>, before: &Value, after: &Value, mut calls: Vec<String>) -> Vec<String> {
        let mut problems = Vec::new();
        let changes = changes(account, before, after);
        problems.extend(self.changes.iter().filter(|one| !changes.contains(one)).map(|one| format!("lacks {one}")));
        problems.extend(changes.iter().filter(|one| !self.changes.contains(one)).map(|one| format!("has {one}")));
        calls.sort();
        if calls != self.calls {
            problems.push(format!("the calls are not those of an undisturbed run: {}", unlike(&calls, &self.calls)));
        }
        let run = account.latest();
        if run.state != "finished" || run.holding() != run.all() {
            problems.push(format!("the journal says {} and {:?}", run.state, run.steps));
        }
        problems
    }
}

fn unlike(some: &[String], others: &[String]) -> String {
    let count = |all: &[String], one: &String| all.iter().filter(|other| *other == one).count();
    let mut names: Vec<&String> = some.iter().chain(others).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().map(|one| (one, count(some, one), count(others, one)));
    differing.filter(|(_, a, b)| a != b).map(|(one, a, b)| format!("{one} {a} times, not {b}; ")).collect()
}

/// A cell of the matrix: the call, from 1, and whether the server has seen it when the program dies.
#[derive(Clone, Copy, Debug)]
struct Death {
    nth: usize,
    kind: Kind,
}

/// Every call, either before the server has seen it or after: `turn` says which comes first.
fn deaths(calls: usize, turn: usize) -> Vec<Death> {
    let kinds = [Kind::HoldBefore, Kind::HoldAfter];
    (1..=calls).map(|nth| Death { nth, kind: kinds[(nth + turn) % 2] }).collect()
}

/// The first call again and again. Mostly after the server has seen it: one that it has not seen is given time to show
/// an effect after all, each time.
fn first_deaths(turn: usize) -> impl Iterator<Item = Death> {
    let kind = move |time: usize| if time % 6 == turn { Kind::HoldBefore } else { Kind::HoldAfter };
    (0..200).map(move |time| Death { nth: 1, kind: kind(time) })
}

/// Kills a fix there, and gives what is wrong with its journal then.
fn die(account: &Account<'_>, proxy: &Proxy, death: Death) -> Vec<String> {
    match hold(account.fix(), proxy, death.kind, death.nth) {
        Ok(held) => held.kill(),
        Err(outcome) => return vec![format!("it ended before its call: {}{}", outcome.stdout, outcome.stderr)],
    }
    let run = account.latest();
    let (last, earlier) = run.calls.split_last().unwrap();
    let mut problems = Vec::new();
    if run.state != "open" || run.calls.len() != death.nth {
        problems.push(format!("the journal of a killed run is {}, with {} calls", run.state, run.calls.len()));
    }
    if last.outcome.is_some() || !run.with("intended").contains(&last.step) {
        problems.push(format!("the journal knows what came of the last call: {last:?}"));
    }
    if earlier.iter().any(|call| call.outcome.as_deref() != Some("answered") || !run.with("done").contains(&call.step))
    {
        problems.push(format!("the journal does not know of {earlier:?}, {:?}", run.steps));
    }
    problems
}

/// What a run said of itself, without the plan and without what went well.
fn told(outcome: &Outcome) -> String {
    let after_plan = outcome.stdout.rsplit_once("Plan ").map_or(outcome.stdout.as_str(), |(_, after)| after);
    let lines = after_plan.lines().chain(outcome.stderr.lines());
    let telling = |line: &&str| !line.starts_with("fixed ") && !line.contains(" done ");
    lines.filter(telling).map(|line| format!("\n        {line}")).collect()
}

fn expect(code: i32, outcome: &Outcome) -> Vec<String> {
    let as_expected = outcome.code == Some(code);
    (!as_expected).then(|| format!("exit code {:?}, not {code}: {}", outcome.code, told(outcome))).into_iter().collect()
}

/// Fails with everything that is wrong in any cell.
fn report(cells: impl IntoIterator<Item = (String, Vec<String>)>) {
    let wrong: Vec<String> = cells
        .into_iter()
        .filter(|(_, problems)| !problems.is_empty())
        .map(|(name, problems)| format!("{name}:\n    {}", problems.join("\n    ")))
        .collect();
    assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// More threads than cores: much of the time is spent waiting for effects that do not come.
fn threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap()
}

#[test]
fn a_run_that_was_killed_at_any_call_is_gone_on_with() {
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let deaths = deaths(calm.calls.len(), 0);
    let accounts = Account::copies(&emulator, deaths.len(), &LARGEST);
    let before = Account::dumps(&accounts);
    let go_on = |(account, death): (&Account<'_>, &Death)| {
        let (killed, resumed) = (Proxy::start(emulator.url()), Proxy::start(emulator.url()));
        let mut problems = die(account, &killed, *death);
        problems.extend(expect(calm.code, &through(account.resume(&account.latest().id), &resumed)));
        (problems, [effective(&killed), effective(&resumed)].concat())
    };
    let gone_on: Vec<_> = threads().install(|| accounts.par_iter().zip(&deaths).map(go_on).collect());
    let after = Account::dumps(&accounts);
    report(gone_on.into_iter().enumerate().map(|(cell, (mut problems, calls))| {
        problems.extend(calm.problems(&accounts[cell], &before[cell], &after[cell], calls));
        (format!("{:?}", deaths[cell]), problems)
    }));
}

#[test]
fn a_run_that_was_killed_at_any_call_is_taken_back() {
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let deaths = deaths(calm.calls.len(), 1);
    let accounts = Account::copies(&emulator, deaths.len(), &LARGEST);
    let before = Account::dumps(&accounts);
    let replaced = |death: &Death| if death.nth % 4 < 2 { Replaced::Kept } else { Replaced::Deleted };
    let take_back = |(account, death): (&Account<'_>, &Death)| {
        let mut problems = die(account, &Proxy::start(emulator.url()), *death);
        let run = account.latest();
        problems.extend(expect(0, &undo(account, &run, replaced(death)).run()));
        (problems, run)
    };
    let taken_back: Vec<_> = threads().install(|| accounts.par_iter().zip(&deaths).map(take_back).collect());
    let after = Account::dumps(&accounts);
    report(taken_back.into_iter().enumerate().map(|(cell, (mut problems, run))| {
        let replaced = replaced(&deaths[cell]);
        problems.extend(Announced::of(&run, replaced).surprises(&before[cell], &after[cell]));
        problems.extend(ended(&accounts[cell]));
        (format!("{:?} {replaced:?}", deaths[cell]), problems)
    }));
}

fn undo(account: &Account<'_>, run: &Run, replaced: Replaced) -> crate::audit::Audit {
    account.undo(&run.id).args(if replaced == Replaced::Deleted { &["--delete-replaced"] } else { &[] })
}

/// The runs of the account that did not come to an end.
fn ended(account: &Account<'_>) -> Vec<String> {
    let open = account.runs().into_iter().filter(|run| run.state == "open");
    open.map(|run| format!("run {} is open: {:?}", run.id, run.steps)).collect()
}

/// Runs the program again and again, killing it at the first call that it makes, until it comes to its end without one.
fn at_every_call(
    account: &Account<'_>,
    proxy: &Proxy,
    turn: usize,
    calls: &mut Vec<String>,
    program: impl Fn() -> crate::audit::Audit,
) -> Outcome {
    for death in first_deaths(turn) {
        match hold(program(), proxy, death.kind, death.nth) {
            Ok(held) => held.kill(),
            Err(outcome) => return outcome,
        }
        calls.extend(effective(proxy));
    }
    panic!("it makes no progress: {:?}", account.latest());
}

#[test]
fn a_run_that_is_killed_at_every_call_comes_to_its_end() {
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let accounts = Account::copies(&emulator, 2, &LARGEST);
    let before = Account::dumps(&accounts);
    let cell = |(turn, account): (usize, &Account<'_>)| {
        let proxy = Proxy::start(emulator.url());
        let mut problems = die(account, &proxy, deaths(1, turn)[0]);
        let mut calls = effective(&proxy);
        let refused = account.fix().run();
        problems.extend(expect(2, &refused));
        let run = account.latest().id;
        if !refused.stderr.contains(&format!("resume {run}")) {
            problems.push(format!("it does not say how to go on: {}", refused.stderr));
        }
        let outcome = at_every_call(account, &proxy, turn, &mut calls, || account.resume(&run));
        problems.extend(expect(calm.code, &outcome));
        problems.extend(calm.problems(account, &before[turn], &account.dump(), calls));
        (format!("turn {turn}"), problems)
    };
    let cells: Vec<_> = threads().install(|| accounts.par_iter().enumerate().map(cell).collect());
    report(cells);
}

#[test]
fn an_undo_that_is_killed_at_every_call_comes_to_its_end() {
    let emulator = Emulator::moto_alone();
    let accounts = Account::copies(&emulator, 2, &LARGEST);
    let before = Account::dumps(&accounts);
    let cell = |(turn, account): (usize, &Account<'_>)| {
        let proxy = Proxy::start(emulator.url());
        let fixed = account.fix().run();
        let run = account.latest();
        assert_eq!(run.holding(), run.all(), "{}", told(&fixed));
        let mut problems = Vec::new();
        let replaced = if turn == 0 { Replaced::Kept } else { Replaced::Deleted };
        let first = deaths(1, turn)[0];
        match hold(undo(account, &run, replaced), &proxy, first.kind, first.nth) {
            Ok(held) => held.kill(),
            Err(outcome) => problems.extend(expect(99, &outcome)),
        }
        let undoing = account.latest().id;
        let mut calls = effective(&proxy);
        let outcome = at_every_call(account, &proxy, turn, &mut calls, || account.resume(&undoing));
        problems.extend(expect(0, &outcome));
        let done = account.latest().with("done").len();
        if calls.len() != done {
            problems.push(format!("{} calls for {done} steps: {calls:?}", calls.len()));
        }
        problems.extend(Announced::of(&run, replaced).surprises(&before[turn], &account.dump()));
        problems.extend(ended(account));
        if account.runs()[0].state != "undone" {
            problems.push(format!("the run that was taken back is {}", account.runs()[0].state));
        }
        (format!("turn {turn}"), problems)
    };
    let cells: Vec<_> = threads().install(|| accounts.par_iter().enumerate().map(cell).collect());
    report(cells);
}
