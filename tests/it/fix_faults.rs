//! The fault matrix: whatever happens to a call, the journal, the report and the exit code tell the truth, nothing is
//! made twice, what needs a step that was not done is not done and everything else is, and another fix finishes the job.
//! Generated over all calls of the largest plan.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::Value;

use crate::account::{Account, Run, effective, hold, through};
use crate::alike::anonymous;
use crate::audit::Audit;
use crate::cells::{Calm, LARGEST, expect, report, threads, told};
use crate::emulator::{Emulator, differences};
use crate::proxy::{Fault, Kind, Proxy};
use crate::sample::sample;

/// Calls of a plan that are alike: what they do, where, and to which resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    action: String,
    region: Option<String>,
    /// Without ids.
    resource: String,
    part: Option<String>,
}

impl Target {
    fn of(step: &Value, account: &str) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let resource_type = step["resource"]["type"].as_str().unwrap();
        let service = resource_type.trim_start_matches("AWS::").split("::").next().unwrap();
        let service = if resource_type.ends_with("SessionPreferences") { "SSM" } else { service };
        Self {
            action: format!("{}:{}", service.to_lowercase(), step["call"]["operation"].as_str().unwrap()),
            region: text(&step["resource"]["region"]),
            resource: anonymous(step["resource"]["id"].as_str().unwrap(), account),
            part: text(&step["aspect"]["part"]).map(|part| anonymous(&part, account)),
        }
    }
}

/// The steps of a plan, by number, with their targets.
fn targets(run: &Run, account: &Account<'_>) -> BTreeMap<i64, Target> {
    let steps = run.planned().iter();
    steps.map(|step| (step["number"].as_i64().unwrap(), Target::of(step, &account.id))).collect()
}

/// Targets of which none needs another, in as few groups as can be found simply.
fn unrelated(run: &Run, account: &Account<'_>) -> Vec<BTreeSet<Target>> {
    let targets = targets(run, account);
    let numbers = |target: &Target| -> BTreeSet<i64> {
        targets.iter().filter(|(_, other)| *other == target).map(|(number, _)| *number).collect()
    };
    let after =
        |steps: &BTreeSet<i64>| -> BTreeSet<i64> { steps.iter().flat_map(|step| run.dependents(*step)).collect() };
    let mut groups: Vec<BTreeSet<Target>> = Vec::new();
    let all: BTreeSet<&Target> = targets.values().collect();
    for target in all {
        let own = numbers(target);
        let fits = |group: &BTreeSet<Target>| {
            group.iter().map(numbers).all(|other| after(&own).is_disjoint(&other) && after(&other).is_disjoint(&own))
        };
        match groups.iter_mut().find(|group| fits(group)) {
            Some(group) => drop(group.insert(target.clone())),
            None => groups.push(BTreeSet::from([target.clone()])),
        }
    }
    groups
}

/// The faults for the calls of these steps.
fn deny(run: &Run, steps: &BTreeSet<i64>, account: &Account<'_>, proxy: &Proxy) {
    for step in run.planned().iter().filter(|step| steps.contains(&step["number"].as_i64().unwrap())) {
        let target = Target::of(step, &account.id);
        let mut fault = Fault::on(&target.action, Kind::Denied);
        if let Some(region) = &target.region {
            fault = fault.in_region(region);
        }
        let id = step["resource"]["id"].as_str().unwrap();
        if step["call"]["parameters"].to_string().contains(id) {
            fault = fault.containing(id);
        }
        proxy.inject(fault);
    }
}

/// Every call is denied in one of the accounts, together with others that have nothing to do with it.
#[test]
fn a_call_that_is_denied_stops_what_needs_it_and_nothing_else() {
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let planned = Account::one(&emulator, &LARGEST);
    let groups = unrelated(&planned_of(&planned), &planned);
    assert!(groups.len() < 20, "{groups:#?}");
    let groups = sample(groups);
    let accounts = Account::copies(&emulator, groups.len(), &LARGEST);
    let before = Account::dumps(&accounts);
    let denied = |(account, group): (&Account<'_>, &BTreeSet<Target>)| {
        let plan = planned_of(account);
        let of_group = targets(&plan, account).into_iter().filter(|(_, target)| group.contains(target));
        let chosen: BTreeSet<i64> = of_group.map(|(number, _)| number).collect();
        let proxy = Proxy::start(emulator.url());
        deny(&plan, &chosen, account, &proxy);
        let mut problems = expect(1, &through(account.fix(), &proxy));
        problems.extend(truth(&account.latest(), &chosen, "denied"));
        problems.extend(finish(account, &calm));
        problems
    };
    let cells: Vec<_> = threads().install(|| accounts.par_iter().zip(&groups).map(denied).collect());
    let after = Account::dumps(&accounts);
    report(cells.into_iter().enumerate().map(|(cell, mut problems)| {
        problems.extend(calm.unlike_in_the_end(&accounts[cell], &before[cell], &after[cell]));
        (format!("{:?}", groups[cell]), problems)
    }));
}

/// Fixes what is left to do: also what rules speak of only when sessions use it, and what is known only once the versions
/// of the preferences are brought together.
fn finish(account: &Account<'_>, calm: &Calm) -> Vec<String> {
    let mut outcome = account.fix().run();
    for _ in 0..2 {
        if planned_of(account).planned().is_empty() {
            break;
        }
        outcome = account.fix().run();
    }
    let mut problems = expect(calm.code, &outcome);
    if !problems.is_empty() {
        let plan = account.latest().plan;
        let left_out = plan["left_out"].as_array().into_iter().flatten();
        problems.extend(left_out.map(|left| format!("{} is left out: {}", left["rule"], left["reason"])));
    }
    problems
}

/// The plan for an account, as a run of which nothing is done.
fn planned_of(account: &Account<'_>) -> Run {
    let plan = account.plan().args(&["--format", "json"]).run().json();
    Run { id: String::new(), state: String::new(), plan, steps: BTreeMap::new(), calls: Vec::new() }
}

/// Whether the journal tells what came of a run in which the calls of these steps failed for good.
fn truth(run: &Run, failing: &BTreeSet<i64>, why: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut wrong = |text: String| problems.push(text);
    let failed = run.with("failed");
    // A step that turned out to be done already sends nothing that could fail.
    if failed.is_empty() || !failed.iter().all(|step| failing.contains(step)) {
        wrong(format!("{failed:?} failed, of {failing:?}"));
    }
    for step in failing.difference(&failed).filter(|step| !run.with("found").contains(step)) {
        wrong(format!("step {step} did not fail: {:?}", run.steps.get(step)));
    }
    for step in &failed {
        let problem = run.steps[step].1.as_deref().unwrap_or_default();
        if !problem.contains(why) {
            wrong(format!("step {step} does not say why: {problem}"));
        }
    }
    let unit = |step: &i64| run.planned().iter().find(|other| other["number"] == *step).unwrap()["unit"].as_str();
    // Of a unit that is rehearsed nothing is begun.
    let rehearsed: BTreeSet<&str> = run
        .planned()
        .iter()
        .filter(|step| !step["rehearsal"].is_null())
        .filter_map(|step| step["unit"].as_str())
        .collect();
    let failed_units: BTreeSet<&str> = failed.iter().filter_map(unit).filter(|unit| rehearsed.contains(unit)).collect();
    let of_failed_unit =
        |step: &i64| failed.contains(step) || unit(step).is_some_and(|unit| failed_units.contains(unit));
    let unmade: BTreeSet<i64> = run.all().into_iter().filter(of_failed_unit).collect();
    let mut stopped = unmade.clone();
    stopped.extend(unmade.iter().flat_map(|step| run.dependents(*step)));
    stopped.retain(|step| !failed.contains(step));
    if run.with("stopped") != stopped {
        wrong(format!("{:?} were stopped, not {stopped:?}", run.with("stopped")));
    }
    let units: BTreeSet<&str> = failed.iter().chain(&stopped).filter_map(unit).collect();
    for step in run.all().difference(&failed.union(&stopped).copied().collect()) {
        let in_unit = unit(step).is_some_and(|unit| units.contains(unit));
        let expected: &[&str] = if in_unit { &["taken_back"] } else { &["done", "found"] };
        let status = run.steps.get(step).map(|(status, _)| status.as_str());
        if !status.is_some_and(|status| expected.contains(&status)) {
            wrong(format!("step {step} is {status:?}"));
        }
    }
    if run.state != "finished" {
        wrong(format!("the run is {}", run.state));
    }
    for call in &run.calls {
        let answered = call.outcome.as_deref() == Some("answered");
        if answered == failed.contains(&call.step) {
            wrong(format!("the journal says of a call: {call:?}"));
        }
    }
    problems
}

/// Each call meets the fault once, or each time: in the end everything is done, and once.
#[test]
fn what_goes_wrong_on_the_way_is_got_over() {
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let faults = [
        Fault::on_mutating(Kind::Throttled).first_time(),
        Fault::on_mutating(Kind::ServerError).first_time(),
        Fault::on_mutating(Kind::ServerErrorAfter),
        Fault::on_mutating(Kind::AnswerLost),
    ];
    let accounts = Account::copies(&emulator, faults.len(), &LARGEST);
    let before = Account::dumps(&accounts);
    let cell = |(number, fault): (usize, &Fault)| {
        let account = &accounts[number];
        let proxy = Proxy::start(emulator.url());
        proxy.inject(fault.clone());
        let fixed = through(account.fix().env("SSM_AUDIT_STEPS", "12"), &proxy);
        let mut problems = expect(calm.code, &fixed);
        problems.extend(calm.done_otherwise(account, effective(&proxy)));
        problems.extend(calm.unlike(account, &before[number], &account.dump()));
        let met = proxy.mutating_calls().iter().filter(|call| call.fault.is_some()).count();
        if met < calm.calls.len() {
            problems.push(format!("only {met} calls met the fault"));
        }
        (format!("{fault:?}"), problems)
    };
    report(threads().install(|| faults.par_iter().enumerate().map(cell).collect::<Vec<_>>()));
}

/// No call ever comes through: nothing is changed, all of it is said, and another fix does it.
#[test]
fn what_goes_wrong_for_ever_is_given_up() {
    let emulator = Emulator::moto_alone();
    let calm = Calm::of(&emulator);
    let faults = [(Kind::Throttled, "throttled"), (Kind::ServerError, "nternal"), (Kind::ExpiredCredentials, "xpired")];
    let accounts = Account::copies(&emulator, faults.len(), &LARGEST);
    let before = Account::dumps(&accounts);
    let cell = |(number, (kind, why)): (usize, &(Kind, &str))| {
        let account = &accounts[number];
        let proxy = Proxy::start(emulator.url());
        proxy.inject(Fault::on_mutating(*kind));
        let fix = account.fix().env("SSM_AUDIT_STEPS", "24").env("AWS_MAX_ATTEMPTS", "1");
        let mut problems = expect(1, &through(fix, &proxy));
        let run = account.latest();
        let needs_nothing = |step: &&Value| step["needs"].as_array().unwrap().is_empty();
        let roots = run.planned().iter().filter(needs_nothing).map(|step| step["number"].as_i64().unwrap());
        problems.extend(truth(&run, &roots.collect(), why));
        problems.extend(differences(&before[number], &account.dump()).iter().map(|change| format!("{change:?}")));
        problems.extend(effective(&proxy));
        problems.extend(finish(account, &calm));
        problems.extend(calm.unlike(account, &before[number], &account.dump()));
        (format!("{kind:?}"), problems)
    };
    report(threads().install(|| faults.par_iter().enumerate().map(cell).collect::<Vec<_>>()));
}

/// What a plan cannot read it does not change, nor does it make what may be there: no step is planned that a plan which
/// can read everything does not have.
#[test]
fn what_cannot_be_read_is_not_changed_blindly() {
    let emulator = Emulator::moto_alone();
    let account = Account::one(&emulator, &LARGEST);
    let proxy = Proxy::start(emulator.url());
    // What a step sends may be less: what it would serve besides is left out.
    let steps = |run: &Run| -> BTreeSet<String> {
        let id = run.plan["id"].as_str().unwrap();
        let text = |step: &Value| format!("{} {} {}", step["resource"], step["aspect"], step["call"]["operation"]);
        run.planned().iter().map(|step| text(step).replace(id, "RUN")).collect()
    };
    // A name that cannot be found may be a mistake: nothing is planned with it.
    let plan = |proxy: &Proxy, plan: Audit| {
        let planned = through(plan.args(&["--format", "json"]).env("AWS_MAX_ATTEMPTS", "1"), proxy);
        if planned.code == Some(2) && planned.stderr.contains(", and not everything could be read") {
            return None;
        }
        assert!(matches!(planned.code, Some(0 | 1 | 3)), "{}", told(&planned));
        let plan = planned.json();
        Some(Run { id: String::new(), state: String::new(), plan, steps: BTreeMap::new(), calls: Vec::new() })
    };
    let [named, unnamed] =
        [account.plan(), account.plan_of_all()].map(|one| plan(&proxy, one).expect("everything can be read"));
    let actions: Vec<String> = proxy.actions().into_iter().filter(|action| action != "sts:GetCallerIdentity").collect();
    assert!(actions.len() > 20, "{actions:?}");
    let actions = sample(actions);
    let cell = |action: &String| {
        let proxy = Proxy::start(emulator.url());
        proxy.inject(Fault::on(action, Kind::Denied));
        let (calm, blind) = match plan(&proxy, account.plan()) {
            Some(blind) => (&named, blind),
            None => (&unnamed, plan(&proxy, account.plan_of_all()).expect("no name is looked for")),
        };
        let left_out = calm.plan["left_out"].as_array().unwrap().len();
        let mut problems: Vec<String> = steps(&blind).difference(&steps(calm)).cloned().collect();
        let reasons = blind.plan["left_out"].as_array().unwrap();
        let fewer = blind.planned().len() < calm.planned().len();
        if fewer
            && reasons.len() <= left_out
            && !reasons.iter().any(|left| left["reason"].to_string().contains("denied"))
        {
            problems
                .push(format!("{} steps fewer, and nothing says why", calm.planned().len() - blind.planned().len()));
        }
        (action.clone(), problems)
    };
    report(threads().install(|| actions.par_iter().map(cell).collect::<Vec<_>>()));
}

#[test]
fn two_fixes_of_one_account_at_once_are_refused() {
    let emulator = Emulator::moto_alone();
    let accounts = Account::copies(&emulator, 2, &["--break", "kms-rotation-enabled"]);
    let proxy = Proxy::start(emulator.url());
    let Ok(first) = hold(accounts[0].fix(), &proxy, Kind::HoldBefore, 1) else { panic!("it did not begin") };
    let state = accounts[0].state();
    let second = accounts[0].fix().run();
    assert_eq!(second.code, Some(2), "{}", told(&second));
    let another = format!("another ssm-audit is changing account {}", accounts[0].id);
    assert!(second.stderr.contains(&another), "{}", second.stderr);
    for command in [accounts[0].resume(&accounts[0].latest().id), accounts[0].undo(&accounts[0].latest().id)] {
        let refused = { command }.run();
        assert!(refused.code == Some(2) && refused.stderr.contains(&another), "{}", told(&refused));
    }
    let other = accounts[1].fix().env("SSM_AUDIT_STATE", state).run();
    assert_eq!(other.code, Some(0), "{}", told(&other));
    let outcome = first.go_on();
    assert_eq!(outcome.code, Some(0), "{}", told(&outcome));
    assert_eq!(proxy.mutating_calls().len(), 1);
}

/// What somebody changed between the plan and its application is left to them, with all that builds on it.
#[test]
fn what_changed_since_the_plan_is_refused() {
    let emulator = Emulator::moto_alone();
    let account = Account::one(&emulator, &LARGEST);
    let mut plan = account.plan().args(&["--out", "plan.json"]);
    let planned = plan.run();
    assert_eq!(planned.code, Some(1), "{}", told(&planned));
    let changed = emulator.meddle(&account.id, "us-east-1");
    let before = account.dump();
    let path = plan.folder().join("plan.json");
    let applied = account.apply(path.to_str().unwrap()).env("SSM_AUDIT_STEPS", "8").run();
    assert_eq!(applied.code, Some(1), "{}", told(&applied));
    let run = account.latest();
    report([("applied".to_owned(), refused(&run, &changed, &before, &account.dump()))]);
}

/// What somebody changed since a run is left to them when it is taken back, with all that it rests on.
#[test]
fn what_changed_since_the_run_is_not_taken_back() {
    let emulator = Emulator::moto_alone();
    let account = Account::one(&emulator, &LARGEST);
    let fixed = account.fix().run();
    let run = account.latest();
    assert_eq!(run.holding(), run.all(), "{}", told(&fixed));
    let changed = emulator.meddle(&account.id, "us-east-1");
    let before = account.dump();
    let undone = account.undo(&run.id).env("SSM_AUDIT_STEPS", "8").run();
    assert_eq!(undone.code, Some(1), "{}", told(&undone));
    let undoing = account.latest();
    let mut problems = refused(&undoing, &changed, &before, &account.dump());
    if account.runs()[0].state == "undone" {
        problems.push("the journal says that all of it was taken back".to_owned());
    }
    report([("taken back".to_owned(), problems)]);
}

/// What is wrong with a run on an account of which somebody has changed this.
fn refused(run: &Run, changed: &Value, before: &Value, after: &Value) -> Vec<String> {
    let changed = changed.as_array().unwrap();
    let touched = |step: &Value| {
        let here = step["resource"]["region"].is_null() || step["resource"]["region"] == "us-east-1";
        let (of, id) = (&step["aspect"]["of"], &step["aspect"]["id"]);
        // A policy of another name is another policy.
        let part = step["aspect"]["part"].is_null() || step["aspect"]["part"] == "SsmAuditSessionManager";
        here && part && changed.iter().any(|change| change["of"] == *of && change["id"] == *id)
    };
    let steps: BTreeSet<i64> =
        run.planned().iter().filter(|step| touched(step)).map(|step| step["number"].as_i64().unwrap()).collect();
    let mut problems = Vec::new();
    if steps.len() < 6 {
        problems.push(format!("little was changed that the run changes: {steps:?}"));
    }
    let stopped: BTreeSet<i64> = steps.iter().flat_map(|step| run.dependents(*step)).collect();
    let mut expected: BTreeMap<i64, &[&str]> = BTreeMap::new();
    for number in run.all() {
        let status: &[&str] = match (steps.contains(&number), stopped.contains(&number)) {
            (_, true) => &["stopped"],
            (true, false) => &["refused"],
            (false, false) => &["done", "found"],
        };
        expected.insert(number, status);
    }
    for (number, statuses) in expected {
        let found = &run.steps.get(&number);
        if !found.is_some_and(|(status, _)| statuses.contains(&status.as_str())) {
            problems.push(format!("step {number} is {found:?}, not {statuses:?}"));
        }
    }
    let sent: Vec<_> = run.calls.iter().filter(|call| steps.contains(&call.step)).collect();
    if !sent.is_empty() {
        problems.push(format!("calls were sent: {sent:?}"));
    }
    let meddled = ["/metadata_options/", "/trust", "/inline/SsmAuditSessionManager", "/documents/"];
    for (path, was, is) in differences(before, after) {
        let here = !path.starts_with("/regions/") || path.starts_with("/regions/us-east-1/");
        let other_role = path.contains("/ssm-node-role");
        if here && !other_role && meddled.iter().any(|part| format!("{path}/").contains(part)) {
            problems.push(format!("{path}: {was} → {is}"));
        }
    }
    problems
}
