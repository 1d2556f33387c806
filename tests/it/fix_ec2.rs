//! Fixes of instances and security groups: that they make it right, say what stands in the way, and can be taken back.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::Outcome;
use crate::emulator::Emulator;
use crate::fixing::{Fixing, REGION};
use crate::proxy::{Fault, Kind, Proxy};

const TAGS: &str = "fix:\n  tags: {AppID: session-manager, DataType: Sensitive}\n";
const ROOT: &str = "ec2-root-volume-encrypted";
const GROUPS: [&str; 3] = ["sg-egress-https-only", "sg-no-ingress", "sg-rules-described"];

/// Fixes, and looks that it is right, that nothing is left to do, and that undo brings everything back.
#[track_caller]
fn round_trip(fixing: &Fixing, rules: &[&str], more: &[&str]) {
    let before = fixing.dump();
    assert_ne!(fixing.fails(rules), BTreeSet::new(), "there must be something to fix");
    let fixed = fixing.fix(rules, more).succeeds();
    assert_eq!(fixing.fails(rules), BTreeSet::new(), "{}", fixed.stdout);
    assert_ne!(fixing.changed_since(&before), []);
    let again = fixing.fix(rules, more).succeeds();
    assert!(again.said().contains("There is nothing to change."), "{}", again.stdout);
    fixing.run(&["undo", "--yes", &fixed.run_id()]).succeeds();
    assert_eq!(fixing.changed_since(&before), []);
}

#[test]
fn tags_that_are_missing_are_added() {
    let fixing = Fixing::on(&["--break", "ec2-required-tags"]).configured(TAGS);
    round_trip(&fixing, &["ec2-required-tags"], &[]);
}

#[test]
fn tags_without_values_are_asked_for() {
    let fixing = Fixing::on(&["--break", "ec2-required-tags"]);
    let planned = fixing.plan(&["ec2-required-tags"], &[]);
    assert!(planned.said().contains("set fix.tags.AppID"), "{}", planned.stdout);
}

#[test]
fn groups_let_out_https_and_nothing_in() {
    let breakages = ["sg-egress-https-only", "sg-no-ingress"];
    let fixing = Fixing::on(&breakages.map(|name| ["--break", name]).concat());
    let group = fixing.seeded["regions"][REGION]["group"].as_str().unwrap().to_owned();
    // Only what need not be named is done to a group that is not named.
    let planned = fixing.plan(&["sg-egress-https-only"], &[]);
    assert!(planned.said().contains(&format!("--resource {group}")), "{}", planned.stdout);
    round_trip(&fixing, &GROUPS[..2], &["--resource", &group]);
}

#[test]
fn rules_of_all_kinds_come_back_as_they_were() {
    let fixing = Fixing::on(&["--hazard", "group-with-all-kinds-of-rules"]);
    let group = fixing.hazard("group-with-all-kinds-of-rules", "resource");
    round_trip(&fixing, &GROUPS, &["--resource", &group]);
}

#[test]
fn rules_are_described_where_they_stay() {
    let fixing = Fixing::on(&["--hazard", "group-with-all-kinds-of-rules"]);
    let group = fixing.hazard("group-with-all-kinds-of-rules", "resource");
    let before = fixing.dump();
    let fixed = fixing.fix(&["sg-rules-described"], &[]).succeeds();
    let rule = format!("/security_groups/{group}/egress/icmp 8--1 10.0.0.0/8");
    let described = fixing.changed_since(&before).into_iter().find(|(path, ..)| *path == rule).unwrap();
    assert_eq!((described.1, described.2), (Value::Null, json!("icmp 8 to 10.0.0.0/8")));
    fixing.run(&["undo", "--yes", &fixed.run_id()]).succeeds();
    assert_eq!(fixing.changed_since(&before), []);
}

#[test]
fn instances_that_cannot_reach_systems_manager_are_let_out() {
    for name in ["ec2-https-egress-allowed", "ec2-https-egress-allowed.none", "ec2-https-egress-allowed.udp"] {
        let fixing = Fixing::on(&["--break", name]);
        let instance = fixing.seeded["broken"][name][0]["id"].as_str().unwrap().to_owned();
        let planned = fixing.plan(&["ec2-https-egress-allowed"], &[]);
        assert!(planned.said().contains("allow it with --resource"), "{}", planned.stdout);
        round_trip(&fixing, &["ec2-https-egress-allowed"], &["--resource", &instance]);
    }
}

#[test]
fn groups_that_others_rely_on_are_changed_only_when_that_is_allowed() {
    for name in ["referenced-group", "group-of-a-load-balancer"] {
        let fixing = Fixing::on(&["--hazard", name]);
        let group = fixing.hazard(name, "resource");
        let refused = fixing.plan(&["sg-no-ingress"], &["--resource", &group]);
        assert!(refused.said().contains("allow it with --allow shared"), "{}", refused.stdout);
        assert!(refused.said().contains("There is nothing that can be changed"), "{}", refused.stdout);
        round_trip(&fixing, &["sg-no-ingress"], &["--resource", &group, "--allow", "shared"]);
    }
    let fixing = Fixing::on(&["--hazard", "group-that-references-itself"]);
    let group = fixing.hazard("group-that-references-itself", "resource");
    round_trip(&fixing, &["sg-no-ingress"], &["--resource", &group]);
}

/// Volumes that can be swapped, each of another kind.
const SWAPPED: [&str; 9] = [
    "plain-root",
    "several-volumes",
    "stopped",
    "tuned-volume",
    "provisioned-volume",
    "old-type-of-volume",
    "kept-volume",
    "public-address",
    "elastic-address",
];

#[test]
fn root_volumes_are_swapped_for_encrypted_ones_that_are_like_them() {
    let fixing = Fixing::on(&SWAPPED.map(|name| ["--hazard", name]).concat());
    let before = fixing.dump();
    let planned = fixing.plan(&[ROOT], &[]);
    assert!(planned.said().contains(&format!("{} findings left out", SWAPPED.len())), "{}", planned.stdout);
    assert!(planned.said().contains("allow it with --allow replace"), "{}", planned.stdout);
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]).succeeds();
    // All that run have an address, and one of them keeps it.
    assert_eq!(fixed.said().matches("is not elastic").count(), SWAPPED.len() - 2, "{}", fixed.stdout);
    assert_eq!(fixing.fails(&[ROOT]), BTreeSet::new());

    let (old, new) = (&before["regions"][REGION], &fixing.dump()["regions"][REGION].clone());
    for name in SWAPPED {
        let (instance, root) = (fixing.hazard(name, "resource"), fixing.hazard(name, "root"));
        let (was, is) = (&old["instances"][&instance], &new["instances"][&instance]);
        assert_eq!(was["state"], is["state"], "{name}");
        let (was, is) = (&was["block_devices"]["/dev/xvda"], &is["block_devices"]["/dev/xvda"]);
        assert_eq!(was["delete_on_termination"], is["delete_on_termination"], "{name}");
        let (was, is) = (&old["volumes"][&root], &new["volumes"][is["volume"].as_str().unwrap()]);
        let throughput = (was["VolumeType"] == "gp3").then_some("Throughput");
        for member in ["Size", "VolumeType", "Iops", "AvailabilityZone"].into_iter().chain(throughput) {
            assert_eq!(was[member], is[member], "{name}: {member}");
        }
        let mut tags = was["tags"].clone();
        tags.as_object_mut().unwrap().remove("aws:cloudformation:stack-name");
        tags["ssm-audit:plan"] = format!("{}/{instance}", fixed.run_id()).into();
        assert_eq!((&is["Encrypted"], &is["tags"]), (&json!(true), &tags), "{name}");
        assert_eq!(new["volumes"][&root]["State"], "available", "{name}: the old volume is kept");
    }
    let again = fixing.fix(&[ROOT], &["--allow", "replace"]).succeeds();
    assert!(again.said().contains("There is nothing to change."));

    let undone = fixing.run(&["undo", "--yes", &fixed.run_id()]).succeeds();
    assert_eq!(fixing.changed_but_for_copies(&before), []);
    // What was made is kept, and named.
    let copies = fixing.changed_since(&before);
    assert_eq!(copies.len(), SWAPPED.len() * 2);
    for (path, ..) in copies {
        let id = path.rsplit('/').next().unwrap();
        assert!(undone.said().contains(&format!(", {id}, is kept")), "{id}: {}", undone.stdout);
    }
}

#[test]
fn what_was_made_is_deleted_when_that_is_asked_for() {
    let fixing = Fixing::on(&["--hazard", "plain-root"]);
    let before = fixing.dump();
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]).succeeds();
    fixing.run(&["undo", "--yes", "--delete-replaced", &fixed.run_id()]).succeeds();
    assert_eq!(fixing.changed_since(&before), []);
}

#[test]
fn the_key_that_is_named_encrypts_the_volume() {
    let fixing = Fixing::on(&["--hazard", "plain-root"]).configured("fix:\n  volume_key: alias/ssm-volumes\n");
    fixing.fix(&[ROOT], &["--allow", "replace"]).succeeds();
    let dump = fixing.dump();
    let region = &dump["regions"][REGION];
    let instance = &region["instances"][fixing.hazard("plain-root", "resource")];
    let volume = instance["block_devices"]["/dev/xvda"]["volume"].as_str().unwrap();
    assert_eq!(region["volumes"][volume]["KmsKeyId"], fixing.seeded["regions"][REGION]["keys"]["volumes"]);

    let fixing = Fixing::on(&["--hazard", "plain-root"]).configured("fix:\n  volume_key: alias/nobody-made-it\n");
    let planned = fixing.plan(&[ROOT], &["--allow", "replace"]);
    assert!(planned.said().contains("the key alias/nobody-made-it for volumes does not exist"), "{}", planned.stdout);
}

/// The rule on the role speaks of the new volume only when it is there: what it will ask for is granted with it.
#[test]
fn the_role_of_an_instance_may_use_the_key_of_its_new_root_volume() {
    let required = ["--param", "iam-role-uses-volume-key.required=true"];
    let role = "iam-role-uses-volume-key";
    let fixing = Fixing::on(&["--hazard", "plain-root", "--break", role]);
    let fixing = fixing.configured("fix:\n  volume_key: alias/ssm-session\n");
    let fixed = fixing.fix(&[ROOT, role], &[&required[..], &["--allow", "replace"]].concat()).succeeds();
    let key = &fixing.seeded["regions"][REGION]["keys"]["session"];
    let dump = fixing.dump();
    let granted = dump["roles"]["ssm-ec2-role"]["inline"]["SsmAuditSessionManager"].to_string();
    assert!(granted.contains("VolumeKey") && granted.contains(key.as_str().unwrap()), "{granted}");
    let again = fixing.fix(&[ROOT, role], &[&required[..], &["--allow", "replace"]].concat()).succeeds();
    assert!(again.said().contains("There is nothing to change."), "{}{}", fixed.stdout, again.stdout);
}

#[test]
fn a_root_volume_with_a_key_of_aws_is_swapped_for_one_with_the_customers() {
    const OWN: &str = "ec2-root-volume-customer-key";
    let fixing = Fixing::on(&["--hazard", "plain-root"]).configured("fix:\n  volume_key: alias/aws/ebs\n");
    let first = fixing.fix(&[ROOT], &["--allow", "replace"]).succeeds();
    let planned = fixing.plan(&[OWN], &["--allow", "replace"]);
    assert!(planned.said().contains("set fix.volume_key in ssm-audit.yaml to a key of your own"), "{}", planned.stdout);
    let fixing = fixing.configured("fix:\n  volume_key: alias/ssm-volumes\n");
    let before = fixing.dump();
    let fixed = fixing.fix(&[OWN], &["--allow", "replace"]).succeeds();
    assert_eq!(fixing.fails(&[OWN]), BTreeSet::new(), "{}", fixed.stdout);
    // What the first run replaced is kept: the instance is not as that left it.
    let instance = fixing.hazard("plain-root", "resource");
    let named = ["--yes", "--allow", "irreversible", "--resource", &instance];
    let kept = fixing.run(&[&["resume", &first.run_id(), "--delete-replaced"], &named[..]].concat());
    assert_eq!(kept.code, Some(1), "{}", kept.stderr);
    assert!(kept.said().contains("is not as the run left it"), "{}", kept.stdout);
    fixing.run(&["undo", "--yes", "--delete-replaced", &fixed.run_id()]).succeeds();
    assert_eq!(fixing.changed_since(&before), []);
}

#[test]
fn what_was_replaced_is_deleted_by_name_where_the_instance_is_as_it_was_left() {
    let fixing = Fixing::on(&["--hazard", "plain-root"]);
    let (instance, old) = (fixing.hazard("plain-root", "resource"), fixing.hazard("plain-root", "root"));
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]).succeeds();
    let before = fixing.dump();
    let run = fixed.run_id();
    let delete = ["resume", &run, "--delete-replaced", "--yes"];
    let unnamed = fixing.run(&delete);
    assert_eq!(unnamed.code, Some(1), "{}", unnamed.stderr);
    let flags = format!("--allow irreversible --resource {instance}");
    assert!(unnamed.said().contains(&flags), "{}", unnamed.stdout);
    let named = [&delete[..], &["--allow", "irreversible", "--resource", &instance]].concat();
    let deleted = fixing.run(&named).succeeds();
    assert!(deleted.said().contains(&format!("to delete what run {run} replaced")), "{}", deleted.stdout);
    let gone: Vec<String> = fixing.changed_since(&before).into_iter().map(|(path, ..)| path).collect();
    assert!(gone.len() == 2 && gone.contains(&format!("/volumes/{old}")), "{gone:?}");
    assert!(gone.iter().any(|path| path.starts_with("/snapshots/")), "{gone:?}");
    let again = fixing.run(&named).succeeds();
    assert!(again.said().contains("There is nothing to delete."), "{}", again.stdout);
    // The way back is gone, and nothing is begun on it.
    let before = fixing.dump();
    assert_eq!(fixing.run(&["undo", "--yes", &run]).code, Some(1));
    assert_eq!(fixing.changed_since(&before), []);
}

#[test]
fn instances_that_must_not_be_stopped_are_left_alone() {
    let reasons = [
        ("instance-store", "instance store disks"),
        ("spot", "it is a spot instance"),
        ("autoscaling-member", "its Auto Scaling group web"),
        ("stop-protection", "stop protection"),
    ];
    let fixing = Fixing::on(&reasons.map(|(name, _)| ["--hazard", name]).concat());
    let before = fixing.dump();
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]);
    for (name, reason) in reasons {
        let instance = fixing.hazard(name, "resource");
        let said = fixed.said();
        let (_, said) = said.split_once(&instance).unwrap_or_else(|| panic!("{said}"));
        assert!(said.split(ROOT).next().unwrap().contains(reason), "{name}: {}", fixed.stdout);
    }
    assert_eq!(fixing.changed_since(&before), []);
}

#[test]
fn the_old_volume_goes_back_if_the_instance_does_not_start() {
    let fixing = Fixing::on(&["--hazard", "boots-from-its-root-only"]);
    let before = fixing.dump();
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]);
    assert_eq!(fixed.code, Some(1), "{}", fixed.stderr);
    assert!(fixed.stderr.contains("Client error on launch"), "{}", fixed.stderr);
    assert_eq!(fixing.changed_since(&before), []);
}

#[test]
fn an_instance_that_starts_from_no_volume_is_spoken_of() {
    let fixing = Fixing::on(&["--hazard", "does-not-boot-again"]);
    let before = fixing.dump();
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]);
    assert_eq!(fixed.code, Some(1), "{}", fixed.stderr);
    assert!(fixed.stderr.contains("it could not be taken back"), "{}", fixed.stderr);
    let instance = format!("/instances/{}", fixing.hazard("does-not-boot-again", "resource"));
    let expected = [
        (format!("{instance}/public_address"), json!(true), json!(false)),
        (format!("{instance}/state"), json!("running"), json!("stopped")),
    ];
    assert_eq!(fixing.changed_since(&before), expected);
}

/// The calls of a swap, in their order.
const CALLS: [&str; 8] = [
    "ec2:StopInstances",
    "ec2:CreateSnapshot",
    "ec2:CreateVolume",
    "ec2:ModifyInstanceAttribute",
    "ec2:DetachVolume",
    "ec2:AttachVolume",
    "ec2:ModifyInstanceAttribute",
    "ec2:StartInstances",
];

/// A proxy before an account with one volume to swap.
fn swap() -> (Proxy, Fixing) {
    let proxy = Proxy::start(Emulator::moto().url());
    let fixing = Fixing::on(&["--hazard", "plain-root"]).through(proxy.url());
    (proxy, fixing)
}

#[test]
fn whichever_call_of_a_swap_is_refused_the_instance_runs_from_its_old_volume() {
    for (index, call) in CALLS.iter().enumerate() {
        let (proxy, fixing) = swap();
        let before = fixing.dump();
        proxy.inject(Fault::on_mutating(Kind::Denied).nth(index + 1));
        let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]);
        assert_eq!(fixed.code, Some(1), "{call}: {}", fixed.stderr);
        let denied = proxy.mutating_calls().into_iter().find(|call| call.fault.is_some()).unwrap();
        assert_eq!(denied.action, *call);
        assert_eq!(fixing.changed_since(&before), [], "{call}: {}", fixed.stderr);
    }
}

/// What is denied for good would be denied on the way back, too: it is found out while the instance still runs.
#[test]
fn a_swap_of_which_a_call_would_be_denied_is_not_begun() {
    for call in CALLS {
        let (proxy, fixing) = swap();
        let before = fixing.dump();
        proxy.inject(Fault::on(call, Kind::Denied));
        let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]);
        assert_eq!(fixed.code, Some(1), "{call}: {}", fixed.stderr);
        let why = format!("it would be denied, so nothing was begun: denied: {call} (UnauthorizedOperation)");
        assert!(fixed.stderr.contains(&why), "{call}: {}", fixed.stderr);
        assert_eq!(proxy.mutating_calls().len(), 0, "{call}");
        assert_eq!(fixing.changed_since(&before), [], "{call}");
    }
}

#[test]
fn a_swap_of_which_it_is_not_known_whether_it_is_allowed_is_not_begun() {
    let (proxy, fixing) = swap();
    let unknown = Kind::Refused { status: 400, code: "UnknownParameter", message: "DryRun is not known" };
    proxy.inject(Fault::on("ec2:AttachVolume", unknown).containing("DryRun=true"));
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]);
    assert_eq!(fixed.code, Some(1), "{}", fixed.stderr);
    assert!(fixed.stderr.contains("whether ec2:AttachVolume would be allowed is not known"), "{}", fixed.stderr);
    assert_eq!(proxy.mutating_calls().len(), 0);
}

#[test]
fn an_undo_that_could_not_put_the_old_volume_back_is_not_begun() {
    let (proxy, fixing) = swap();
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]).succeeds();
    let before = fixing.dump();
    proxy.inject(Fault::on("ec2:AttachVolume", Kind::Denied));
    let undone = fixing.run(&["undo", "--yes", &fixed.run_id()]);
    assert_eq!(undone.code, Some(1), "{}", undone.stderr);
    assert!(undone.stderr.contains("it would be denied, so nothing was begun"), "{}", undone.stderr);
    assert_eq!(fixing.changed_since(&before), []);
    proxy.clear();
    fixing.run(&["undo", "--yes", &fixed.run_id()]).succeeds();
}

/// Nobody can see whether the volume was made: what can be taken back is, and it is no success.
#[test]
fn an_undo_that_does_not_know_what_was_made_says_so() {
    let (proxy, fixing) = swap();
    let before = fixing.dump();
    let run = killed_at(&proxy, &fixing, Kind::HoldAfter, 3);
    proxy.inject(Fault::on("ec2:DescribeVolumes", Kind::Denied));
    let undone = fixing.run(&["undo", "--yes", "--delete-replaced", &run]);
    assert_eq!(undone.code, Some(1), "{}{}", undone.stdout, undone.stderr);
    assert!(undone.said().contains("what became of its call is not known"), "{}", undone.stdout);
    let left: Vec<String> = fixing.changed_since(&before).into_iter().map(|(path, ..)| path).collect();
    assert!(left.len() == 1 && left[0].starts_with("/volumes/"), "{left:?}");
}

/// The call failed and took effect, which nobody could see then: undo finds what it made.
#[test]
fn what_a_failed_call_made_after_all_is_taken_back_by_undo() {
    let (proxy, fixing) = swap();
    let before = fixing.dump();
    proxy.inject(Fault::on_mutating(Kind::ServerErrorAfter).nth(2));
    proxy.inject(Fault::on("ec2:DescribeSnapshots", Kind::Denied).nth(2));
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]);
    assert_eq!(fixed.code, Some(1), "{}", fixed.stderr);
    assert!(fixed.stderr.contains("what came of it could not be looked at"), "{}", fixed.stderr);
    let made = proxy.mutating_calls().into_iter().filter(|call| call.action == "ec2:CreateSnapshot").count();
    assert_eq!((made, fixing.changed_since(&before).len()), (1, 1), "{}", fixed.stderr);
    fixing.run(&["undo", "--yes", "--delete-replaced", &fixed.run_id()]).succeeds();
    assert_eq!(fixing.changed_since(&before), []);
}

/// The last call before the start is refused for good, and so it is when it is to be made on the way back.
#[test]
fn what_cannot_be_taken_back_does_not_keep_the_instance_from_starting() {
    let (proxy, fixing) = swap();
    let before = fixing.dump();
    proxy.inject(Fault::on_mutating(Kind::Denied).nth(7).and_repeats());
    let fixed = fixing.fix(&[ROOT], &["--allow", "replace"]);
    assert_eq!(fixed.code, Some(1), "{}", fixed.stderr);
    assert!(fixed.stderr.contains("it could not be taken back"), "{}", fixed.stderr);
    let root = format!("/instances/{}/block_devices//dev/xvda", fixing.hazard("plain-root", "resource"));
    let expected = [(format!("{root}/delete_on_termination"), json!(true), json!(false))];
    assert_eq!(fixing.changed_but_for_copies(&before), expected);
}

#[test]
fn a_call_of_a_swap_whose_answer_is_lost_is_not_made_twice() {
    for (index, call) in CALLS.iter().enumerate() {
        let kind = if index % 2 == 0 { Kind::AnswerLost } else { Kind::ServerErrorAfter };
        let (proxy, fixing) = swap();
        proxy.inject(Fault::on_mutating(kind).nth(index + 1));
        fixing.fix(&[ROOT], &["--allow", "replace"]).succeeds();
        let made: Vec<String> = proxy.mutating_calls().into_iter().map(|call| call.action).collect();
        assert_eq!(made, CALLS, "{call}");
    }
}

/// A swap that is killed at this call; the run.
fn killed_at(proxy: &Proxy, fixing: &Fixing, hold: Kind, nth: usize) -> String {
    proxy.inject(Fault::on_mutating(hold).nth(nth));
    let mut fix = fixing.command(&["fix", "--yes", "--rule", ROOT, "--allow", "replace"]);
    let mut running = fix.command().stdout(std::process::Stdio::piped()).spawn().unwrap();
    let held = proxy.held(Duration::from_mins(1)).unwrap();
    assert_eq!(held.call.action, CALLS[nth - 1]);
    running.kill().unwrap();
    let killed = running.wait_with_output().unwrap();
    drop(held);
    proxy.settle();
    proxy.clear();
    let stdout = String::from_utf8(killed.stdout).unwrap();
    Outcome { code: None, stdout, stderr: String::new() }.planned_run()
}

#[test]
fn a_swap_that_is_killed_at_any_call_is_finished_or_taken_back() {
    for (index, call) in CALLS.iter().enumerate() {
        let hold = if index % 2 == 0 { Kind::HoldBefore } else { Kind::HoldAfter };
        let resumes = index / 2 % 2 == 0;
        let (proxy, fixing) = swap();
        let before = fixing.dump();
        let run = killed_at(&proxy, &fixing, hold, index + 1);
        if resumes {
            fixing.run(&["resume", &run]).succeeds();
            assert_eq!(fixing.fails(&[ROOT]), BTreeSet::new(), "{call} {hold:?}");
            let now = fixing.dump();
            for what in ["snapshots", "volumes"] {
                let count = |dump: &Value| dump["regions"][REGION][what].as_object().unwrap().len();
                assert_eq!(count(&now), count(&before) + 1, "{call} {hold:?}: {what}");
            }
        } else {
            fixing.run(&["undo", "--yes", &run]).succeeds();
            assert_eq!(fixing.changed_but_for_copies(&before), [], "{call} {hold:?}");
        }
    }
}
