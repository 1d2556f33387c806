//! Cells of a matrix: what is wrong in each, told together; and what a fix does that nothing disturbs, to compare with.

use serde_json::Value;

use crate::account::{Account, effective, through};
use crate::alike::changes;
use crate::audit::Outcome;
use crate::emulator::Emulator;
use crate::proxy::Proxy;

/// The account with the largest plan that there is.
pub(crate) const LARGEST: [&str; 7] =
    ["--break-everything", "--region", "us-east-1", "--region", "eu-west-1", "--region", "ap-south-1"];

/// Fails with everything that is wrong in any cell.
pub(crate) fn report(cells: impl IntoIterator<Item = (String, Vec<String>)>) {
    let wrong: Vec<String> = cells
        .into_iter()
        .filter(|(_, problems)| !problems.is_empty())
        .map(|(name, problems)| format!("{name}:\n    {}", problems.join("\n    ")))
        .collect();
    assert!(wrong.is_empty(), "{} cells are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// More threads than cores: much of the time is spent waiting for effects that do not come.
pub(crate) fn threads() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(6).build().unwrap()
}

/// That it ended so; otherwise what it said.
pub(crate) fn expect(code: i32, outcome: &Outcome) -> Vec<String> {
    let as_expected = outcome.code == Some(code);
    (!as_expected).then(|| format!("exit code {:?}, not {code}: {}", outcome.code, told(outcome))).into_iter().collect()
}

/// What a run said of itself, without the plan and without what went well.
pub(crate) fn told(outcome: &Outcome) -> String {
    let after_plan = outcome.stdout.rsplit_once("Plan ").map_or(outcome.stdout.as_str(), |(_, after)| after);
    let lines = after_plan.lines().chain(outcome.stderr.lines());
    let telling = |line: &&str| !line.starts_with("fixed ") && !line.contains(" done ");
    let telling: Vec<&str> = lines.filter(telling).collect();
    format!("\n        {}", telling.join("\n        "))
}

/// What a fix does that nothing disturbs.
pub(crate) struct Calm {
    /// What it changes, without ids.
    changes: Vec<String>,
    /// The same, without the way that leads there.
    ends: Vec<String>,
    /// Its calls, sorted.
    pub(crate) calls: Vec<String>,
    /// Its exit code: 0, unless something was left out.
    pub(crate) code: i32,
}

impl Calm {
    pub(crate) fn of(emulator: &Emulator) -> Self {
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
        let after = account.dump();
        Self { changes: changes(&account, &before, &after), ends: ends(&account, &before, &after), calls, code }
    }

    /// What is other than after an undisturbed run.
    pub(crate) fn unlike(&self, account: &Account<'_>, before: &Value, after: &Value) -> Vec<String> {
        differing(&self.changes, &changes(account, before, after))
    }

    /// The same, but for the way that leads there: earlier versions of documents, the blank lines behind their texts, and
    /// the order of resources in a policy.
    pub(crate) fn unlike_in_the_end(&self, account: &Account<'_>, before: &Value, after: &Value) -> Vec<String> {
        differing(&self.ends, &ends(account, before, after))
    }

    /// What is other than in an undisturbed run: the calls that took effect, and the journal.
    pub(crate) fn done_otherwise(&self, account: &Account<'_>, mut calls: Vec<String>) -> Vec<String> {
        let mut problems = Vec::new();
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

/// The changes between two dumps, without the way that leads there.
fn ends(account: &Account<'_>, before: &Value, after: &Value) -> Vec<String> {
    fn plain(value: &Value) -> Value {
        match value {
            Value::String(text) => text.trim_end_matches('\n').into(),
            Value::Array(items) => items.iter().map(plain).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| {
                    let mut value = plain(value);
                    if let ("Resource", Value::Array(items)) = (name.as_str(), &mut value) {
                        items.sort_by_key(Value::to_string);
                    }
                    (name.clone(), value)
                })
                .collect(),
            other => other.clone(),
        }
    }
    let changes = changes(account, &plain(before), &plain(after));
    changes.into_iter().filter(|change| !change.contains("/versions: ")).collect()
}

fn differing(wanted: &[String], there: &[String]) -> Vec<String> {
    let lacks = wanted.iter().filter(|one| !there.contains(one)).map(|one| format!("lacks {one}"));
    let has = there.iter().filter(|one| !wanted.contains(one)).map(|one| format!("has {one}"));
    lacks.chain(has).collect()
}

fn unlike(some: &[String], others: &[String]) -> String {
    let count = |all: &[String], one: &String| all.iter().filter(|other| *other == one).count();
    let mut names: Vec<&String> = some.iter().chain(others).collect();
    names.sort();
    names.dedup();
    let differing = names.into_iter().map(|one| (one, count(some, one), count(others, one)));
    let differing = differing.filter(|(_, a, b)| a != b).map(|(one, a, b)| format!("{one} {a} times, not {b}"));
    differing.collect::<Vec<_>>().join("; ")
}
