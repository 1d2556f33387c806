//! Every list that `fix` and `undo` read, page by page: an empty first page is no absence, and a page that leads to
//! itself is a failure and not for ever.

use rayon::prelude::*;

use crate::cells::{report, threads, told};
use crate::emulator::Emulator;
use crate::fixing::Fixing;
use crate::proxy::{Fault, Kind, Proxy};

/// Lists, each with the rule whose fix reads it, and how an account comes to need that fix.
const LISTS: &[(&str, &str, &[&str])] = &[
    ("ec2:DescribeIamInstanceProfileAssociations", "ec2-instance-profile-attached", &["ec2-instance-profile-attached"]),
    ("ec2:DescribeInstances", "ec2-imdsv2-required", &["ec2-imdsv2-required"]),
    ("ec2:DescribeSecurityGroups", "sg-rules-described", &["sg-rules-described"]),
    ("ec2:DescribeNetworkInterfaces", "sg-rules-described", &["sg-rules-described"]),
    ("ec2:DescribeVolumes", "ec2-root-volume-encrypted", &["ec2-root-volume-encrypted"]),
    ("ec2:DescribeSnapshots", "ec2-root-volume-encrypted", &["ec2-root-volume-encrypted"]),
    ("ec2:DescribeInstanceTypes", "ec2-root-volume-encrypted", &["ec2-root-volume-encrypted"]),
    ("iam:ListAttachedRolePolicies", "iam-role-ssm-core", &["iam-role-ssm-core"]),
    ("logs:DescribeLogGroups", "logs-retention-set", &["logs-retention-set"]),
];

const ALLOWED: &[&str] = &["--allow", "restart,replace,irreversible,shared", "--max-changes", "100%"];

fn broken(breakages: &[&str]) -> (Fixing, Proxy) {
    let arguments: Vec<&str> = breakages.iter().flat_map(|breakage| ["--break", breakage]).collect();
    let fixing = Fixing::on(&arguments);
    let proxy = Proxy::start(Emulator::moto().url());
    let url = proxy.url();
    (fixing.through(url), proxy)
}

/// The ids of what is broken, for what is changed only by name.
fn named(fixing: &Fixing) -> Vec<String> {
    let broken = fixing.seeded["broken"].as_object().into_iter().flatten();
    let resources = broken.filter_map(|(_, broken)| broken.as_array()).flatten();
    let ids = resources.filter_map(|resource| resource["id"].as_str());
    ids.flat_map(|id| ["--resource".to_owned(), id.to_owned()]).collect()
}

#[test]
fn an_empty_first_page_is_no_absence() {
    let cell = |(action, rule, breakages): &(&str, &str, &[&str])| {
        let (fixing, proxy) = broken(breakages);
        proxy.inject(Fault::on(action, Kind::EmptyFirstPage));
        let before = fixing.dump();
        let names = named(&fixing);
        let more: Vec<&str> = ALLOWED.iter().copied().chain(names.iter().map(String::as_str)).collect();
        let fixed = fixing.fix(&[rule], &more);
        let mut problems = Vec::new();
        if fixed.code == Some(0) {
            let undone = fixing.run(&["undo", &fixed.run_id(), "--yes"]);
            if undone.code != Some(0) {
                problems.push(format!("undo: {:?} {}", undone.code, told(&undone)));
            }
            problems.extend(fixing.changed_but_for_copies(&before).iter().map(|change| format!("{change:?}")));
        } else {
            problems.push(format!("fix: {:?} {}", fixed.code, told(&fixed)));
        }
        if proxy.calls().iter().filter(|call| call.action == *action).count() < 2 {
            problems.push("it was not read".to_owned());
        }
        ((*action).to_owned(), problems)
    };
    report(threads().install(|| LISTS.par_iter().map(cell).collect::<Vec<_>>()));
}

#[test]
fn a_page_that_leads_to_itself_is_a_failure() {
    let cell = |(action, rule, breakages): &(&str, &str, &[&str])| {
        let (fixing, proxy) = broken(breakages);
        proxy.inject(Fault::on(action, Kind::SameToken));
        let before = fixing.dump();
        let names = named(&fixing);
        let more: Vec<&str> = ALLOWED.iter().copied().chain(names.iter().map(String::as_str)).collect();
        let fixed = fixing.fix(&[rule], &more);
        let mut problems = Vec::new();
        // Where the resource itself is not found by its name, the command is refused.
        if !matches!(fixed.code, Some(1..=3)) {
            problems.push(format!("fix: {:?} {}", fixed.code, told(&fixed)));
        }
        // Steps that were done by then are taken back: an instance that was stopped for a snapshot is started.
        problems.extend(fixing.changed_but_for_copies(&before).iter().map(|change| format!("{change:?}")));
        ((*action).to_owned(), problems)
    };
    report(threads().install(|| LISTS.par_iter().map(cell).collect::<Vec<_>>()));
}
