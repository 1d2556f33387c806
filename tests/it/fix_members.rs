//! Answers that lack a member while `fix` works: it changes nothing that it would not change otherwise, says of nothing
//! that it is done which is not, and `undo` takes back what was done.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::account::{Account, through};
use crate::alike::{Announced, Replaced, anonymous, changes};
use crate::cells::{expect, report, threads, told};
use crate::emulator::Emulator;
use crate::proxy::{Member, Proxy};
use crate::sample::sample;

const BROKEN: [&str; 3] = ["--break-everything", "--region", "us-east-1"];

/// The members of what is read once something has changed, those of one operation each in a group of its own: what
/// different operations answer concerns different steps.
fn groups(proxy: &Proxy) -> Vec<Vec<Member>> {
    let calls = proxy.calls();
    let after_a_change = calls.iter().skip_while(|call| !call.is_mutating()).filter(|call| !call.is_mutating());
    let read: Vec<&str> = after_a_change.map(|call| call.action.as_str()).collect();
    let mut groups: Vec<Vec<Member>> = Vec::new();
    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for member in proxy.recording().members() {
        // A root less is no answer, and an item less is a resource less.
        let is_item = ["item", "member"].contains(&member.path.last().map_or("", String::as_str));
        if (member.path.len() == 1 && !member.is_leaf) || is_item || !read.contains(&member.action.as_str()) {
            continue;
        }
        let turn = met.entry(member.action.clone()).or_default();
        if groups.len() == *turn {
            groups.push(Vec::new());
        }
        groups[*turn].push(member);
        *turn += 1;
    }
    groups
}

#[test]
fn an_answer_without_a_member_misleads_no_fix() {
    let emulator = Emulator::moto_alone();
    let calm = Account::one(&emulator, &BROKEN);
    let before = calm.dump();
    let recorder = Proxy::record(emulator.url());
    let fixed = through(calm.fix(), &recorder);
    let code = fixed.code.filter(|code| [0, 1].contains(code)).unwrap_or_else(|| panic!("{}", told(&fixed)));
    let wanted = changes(&calm, &before, &calm.dump());
    let groups = groups(&recorder);
    assert!(groups.len() > 20, "{groups:#?}");
    let groups = sample(groups);

    let accounts = Account::copies(&emulator, groups.len(), &BROKEN);
    let before = Account::dumps(&accounts);
    let cell = |(number, group): (usize, &Vec<Member>)| {
        let account = &accounts[number];
        let proxy = Proxy::start(emulator.url());
        proxy.leave_out_after_a_change(group);
        let fixed = through(account.fix().env("SSM_AUDIT_STEPS", "12"), &proxy);
        let after = account.dump();
        let run = account.latest();
        let mut problems = Vec::new();
        if !matches!(fixed.code, Some(0 | 1 | 3)) || fixed.stderr.contains("internal error") {
            problems.extend(expect(code, &fixed));
        }
        let changed = changes(account, &before[number], &after);
        // A fix that was stopped half way leaves things half made, and tells so.
        let place = |change: &String| change.split(": ").next().unwrap_or_default().to_owned();
        let places: BTreeSet<String> = wanted.iter().map(place).collect();
        let others = changed.iter().filter(|one| !places.contains(&place(one)));
        problems.extend(others.map(|one| format!("changes {one}")));
        if run.holding() == run.all() {
            let lacking = wanted.iter().filter(|one| !changed.contains(one));
            problems.extend(lacking.map(|one| format!("says that all is done, and lacks {one}")));
        }
        let undone = account.undo(&run.id).run();
        let mut surprises = Announced::of(&run, Replaced::Kept).surprises(&before[number], &account.dump());
        // What the answer did not say after the change, somebody may have changed since.
        if undone.code == Some(1) && undone.stderr.contains("it has changed since the plan") {
            surprises.retain(|one| !places.contains(&place(&anonymous(one, &account.id))));
        } else {
            problems.extend(expect(0, &undone));
        }
        problems.extend(surprises);
        let paths: Vec<String> =
            group.iter().map(|member| format!("{} {}", member.action, member.path.join("/"))).collect();
        (paths.join(", "), problems)
    };
    report(threads().install(|| groups.par_iter().enumerate().map(cell).collect::<Vec<_>>()));
}
