//! The crash matrix: whenever a run is killed, going on with it ends where an undisturbed one does, and taking it back
//! where it began; nothing is made twice, and the journal tells the truth. Generated over all calls of the largest plan,
//! of which `make test` takes a sample.

use std::time::Duration;

use rayon::prelude::*;

use crate::account::{Account, Run, effective, hold, through};
use crate::alike::{Announced, Replaced};
use crate::audit::Audit;
use crate::cells::{Calm, LARGEST, expect, report, threads, told};
use crate::emulator::Emulator;
use crate::proxy::{Kind, Proxy};
use crate::sample::{sample, seed};

/// When the program dies: at which of its calls, from 1, and whether the server has seen that one by then.
#[derive(Clone, Copy, Debug)]
struct Death {
    nth: usize,
    kind: Kind,
}

/// So many accounts share the calls of the plan: each dies at some of them in turn.
const ACCOUNTS: usize = 6;

/// The calls, from 1, that each account dies at.
fn shares(calls: usize) -> Vec<Vec<usize>> {
    let calls: Vec<usize> = (1..=calls).collect();
    calls.chunks(calls.len().div_ceil(ACCOUNTS)).map(<[usize]>::to_vec).collect()
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

/// Each account dies before and after each call of its share, is gone on with each time until it dies again, and at last
/// to the end.
#[test]
fn a_run_that_was_killed_at_any_call_is_gone_on_with() {
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let shares = sample(shares(calm.calls.len()));
    let accounts = Account::copies(&emulator, shares.len(), &LARGEST);
    let before = Account::dumps(&accounts);
    let go_on = |(account, share): (&Account<'_>, &Vec<usize>)| {
        let proxy = Proxy::start(emulator.url());
        let mut problems = die(account, &proxy, Death { nth: share[0], kind: Kind::HoldBefore });
        let mut calls = effective(&proxy);
        let run = account.latest().id;
        let refused = account.fix().run();
        if refused.code != Some(2) || !refused.stderr.contains(&format!("resume {run}")) {
            problems.push(format!("another fix is not told how to go on: {}", told(&refused)));
        }
        let after_first = share.iter().flat_map(|_| [Kind::HoldAfter, Kind::HoldBefore]).take(share.len() * 2 - 1);
        for kind in after_first {
            match hold(account.resume(&run), &proxy, kind, 1) {
                Ok(held) => held.kill(),
                Err(outcome) => problems.push(format!("it ended before it could be killed: {}", told(&outcome))),
            }
            calls.extend(effective(&proxy));
        }
        proxy.clear();
        problems.extend(expect(calm.code, &through(account.resume(&run), &proxy)));
        calls.extend(effective(&proxy));
        (problems, calls)
    };
    let gone_on: Vec<_> = threads().install(|| accounts.par_iter().zip(&shares).map(go_on).collect());
    let after = Account::dumps(&accounts);
    report(gone_on.into_iter().enumerate().map(|(cell, (mut problems, calls))| {
        problems.extend(calm.done_otherwise(&accounts[cell], calls));
        problems.extend(calm.unlike(&accounts[cell], &before[cell], &after[cell]));
        (format!("{:?}", shares[cell]), problems)
    }));
}

/// Each account dies before or after each call of its share, and is taken back each time. What an undo leaves behind, the
/// next fix finds done: so it is still there at the end, and shows.
#[test]
fn a_run_that_was_killed_at_any_call_is_taken_back() {
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let shares = sample(shares(calm.calls.len()));
    let accounts = Account::copies(&emulator, shares.len(), &LARGEST);
    let before = Account::dumps(&accounts);
    let take_back = |(account, share): (&Account<'_>, &Vec<usize>)| {
        let mut problems = Vec::new();
        let mut announced = Announced::default();
        let mut for_good = 0;
        for nth in share {
            // What is done for good is not planned again.
            let kind = if nth % 2 == 0 { Kind::HoldBefore } else { Kind::HoldAfter };
            let wrong = die(account, &Proxy::start(emulator.url()), Death { nth: nth - for_good, kind });
            if !wrong.is_empty() {
                // The latest run may be an undo.
                problems.extend(wrong.into_iter().map(|problem| format!("call {nth} {kind:?}: {problem}")));
                break;
            }
            let run = account.latest();
            // What is kept would be used by the next fix.
            let replaced = if Some(nth) == share.last() { Replaced::Kept } else { Replaced::Deleted };
            announced.add(&run, replaced);
            let undone = undo(account, &run, replaced).run();
            problems.extend(expect(0, &undone).into_iter().map(|problem| format!("call {nth} {kind:?}: {problem}")));
            let undone = &account.runs().into_iter().find(|other| other.id == run.id).unwrap();
            for_good += undone.for_good();
        }
        (problems, announced)
    };
    let taken_back: Vec<_> = threads().install(|| accounts.par_iter().zip(&shares).map(take_back).collect());
    let after = Account::dumps(&accounts);
    report(taken_back.into_iter().enumerate().map(|(cell, (mut problems, announced))| {
        problems.extend(announced.surprises(&before[cell], &after[cell]));
        problems.extend(ended(&accounts[cell]));
        (format!("{:?}", shares[cell]), problems)
    }));
}

fn undo(account: &Account<'_>, run: &Run, replaced: Replaced) -> Audit {
    account.undo(&run.id).args(if replaced == Replaced::Deleted { &["--delete-replaced"] } else { &[] })
}

/// The runs of the account that did not come to an end.
fn ended(account: &Account<'_>) -> Vec<String> {
    let open = account.runs().into_iter().filter(|run| run.state == "open");
    open.map(|run| format!("run {} is open: {:?}", run.id, run.steps)).collect()
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
        let replaced = [Replaced::Kept, Replaced::Deleted][turn];
        let (mut calls, mut undoing) = (Vec::new(), None::<String>);
        // Mostly after the server has seen it: a call that it has not seen is given time, each time, to show an effect.
        let outcome = (1..).find_map(|time| {
            let kind = if time % 6 == turn { Kind::HoldBefore } else { Kind::HoldAfter };
            let program = match &undoing {
                None => undo(account, &run, replaced),
                Some(undoing) => account.resume(undoing),
            };
            let held = match hold(program, &proxy, kind, 1) {
                Ok(held) => held,
                Err(outcome) => return Some(outcome),
            };
            held.kill();
            calls.extend(effective(&proxy));
            undoing.get_or_insert_with(|| account.latest().id);
            None
        });
        let mut problems = expect(0, &outcome.unwrap());
        let done = account.latest().with("done").len();
        if calls.len() != done || done < 20 {
            problems.push(format!("{} calls for {done} steps: {calls:?}", calls.len()));
        }
        problems.extend(Announced::of(&run, replaced).surprises(&before[turn], &account.dump()));
        problems.extend(ended(account));
        if account.runs()[0].state != "undone" {
            problems.push(format!("the run that was taken back is {}", account.runs()[0].state));
        }
        (format!("{replaced:?}"), problems)
    };
    let cells: Vec<_> = threads().install(|| accounts.par_iter().enumerate().map(cell).collect());
    report(cells);
}

/// Several steps at once, and death at any moment. The seed is printed where it fails, and can be given.
#[test]
fn a_run_of_several_steps_at_once_may_die_at_any_moment() {
    let seed = seed();
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let accounts = Account::copies(&emulator, 6, &LARGEST);
    let before = Account::dumps(&accounts);
    let cell = |(number, account): (usize, &Account<'_>)| {
        let mut random = seed.wrapping_add(number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut below = |limit: usize| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(random >> 33).unwrap() % limit
        };
        let death = Death { nth: 1 + below(calm.calls.len()), kind: [Kind::HoldBefore, Kind::HoldAfter][below(2)] };
        let moment = Duration::from_millis(below(40) as u64);
        let proxy = Proxy::start(emulator.url());
        let mut problems = Vec::new();
        match hold(account.fix().env("SSM_AUDIT_STEPS", "6"), &proxy, death.kind, death.nth) {
            Ok(held) => {
                std::thread::sleep(moment);
                held.kill();
            }
            Err(outcome) => problems.push(format!("it ended before its call: {}", told(&outcome))),
        }
        let mut calls = effective(&proxy);
        let run = account.latest();
        if number % 2 == 0 {
            proxy.clear();
            problems.extend(expect(calm.code, &through(account.resume(&run.id).env("SSM_AUDIT_STEPS", "6"), &proxy)));
            calls.extend(effective(&proxy));
            problems.extend(calm.done_otherwise(account, calls));
            problems.extend(calm.unlike(account, &before[number], &account.dump()));
        } else {
            problems.extend(expect(0, &undo(account, &run, Replaced::Deleted).env("SSM_AUDIT_STEPS", "6").run()));
            problems.extend(Announced::of(&run, Replaced::Deleted).surprises(&before[number], &account.dump()));
            problems.extend(ended(account));
        }
        (format!("seed {seed}, {number}, {death:?} and {moment:?}"), problems)
    };
    let cells: Vec<_> = threads().install(|| accounts.par_iter().enumerate().map(cell).collect());
    report(cells);
}
