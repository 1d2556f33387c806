//! Runs that end before their time: killed, stopped, on a full disk, beside another run, or with a damaged journal.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::fix::{BROKEN, Ground, PATIENCE, RULES};
use crate::proxy::{Fault, Kind};

/// Runs a fix of two steps, sends it this signal while its first call is under way, and lets the call go on after `meanwhile`.
#[cfg(unix)]
fn signalled(ground: &Ground, signal: &str, meanwhile: impl FnOnce()) -> std::process::Output {
    ground.proxy.inject(Fault::on_mutating(Kind::HoldBefore).nth(1));
    let (child, _home) = ground.spawn(&["fix", "--rule", RULES, "--yes", "--steps", "1"]);
    let held = ground.proxy.held(PATIENCE).expect("a call to hold");
    meanwhile();
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(300));
    held.go_on();
    child.wait_with_output().unwrap()
}

/// Killed just before or just after any call, then gone on with or taken back: nothing is doubled, nothing is lost.
#[cfg(unix)]
#[test]
fn a_run_that_is_killed_is_gone_on_with_or_taken_back() {
    for (kind, nth, ending) in [
        (Kind::HoldBefore, 1, "resume"),
        (Kind::HoldAfter, 1, "undo"),
        (Kind::HoldBefore, 2, "undo"),
        (Kind::HoldAfter, 2, "resume"),
    ] {
        let ground = Ground::new(BROKEN);
        ground.proxy.inject(Fault::on_mutating(kind).nth(nth));
        let (mut child, _home) = ground.spawn(&["fix", "--rule", RULES, "--yes", "--steps", "1"]);
        let held = ground.proxy.held(PATIENCE).expect("a call to hold");
        child.kill().unwrap();
        child.wait().unwrap();
        drop(held);
        ground.proxy.clear();
        let run = ground.only_run();
        let listed = ground.run(&["runs", "list"]);
        assert!(listed.stdout.contains("cut off"), "{}", listed.stdout);
        assert!(listed.stdout.contains(&format!("ssm-audit resume {run}")), "{}", listed.stdout);
        // After the last call there is nothing left to fix anew.
        if (kind, nth) != (Kind::HoldAfter, 2) {
            let anew = ground.run(&["fix", "--rule", RULES, "--yes"]);
            assert_eq!(anew.code, Some(2), "{kind:?} {nth}: {}", anew.stderr);
            assert!(anew.stderr.contains("was cut off"), "{}", anew.stderr);
        }
        let ended = match ending {
            "resume" => ground.run(&["resume", &run]),
            _ => ground.run(&["undo", &run, "--yes"]),
        };
        assert_eq!(ended.code, Some(0), "{kind:?} {nth} {ending}: {}\n{}", ended.stdout, ended.stderr);
        let left = if ending == "resume" { 0 } else { 2 };
        assert_eq!(ground.fails().len(), left, "{kind:?} {nth} {ending}: {}\n{}", ended.stdout, ended.stderr);
        let state = ground.json(&["runs", "show", &run])["state"].clone();
        assert_eq!(state, if ending == "resume" { "finished" } else { "undone" }, "{kind:?} {nth} {ending}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_lets_what_is_under_way_end_and_begins_nothing() {
    let ground = Ground::new(BROKEN);
    let output = signalled(&ground, "-INT", || {
        // Another one is refused meanwhile, and told why.
        let other = ground.run(&["fix", "--rule", RULES, "--yes"]);
        assert_eq!(other.code, Some(2));
        assert!(other.stderr.contains("another ssm-audit is changing account"), "{}", other.stderr);
        assert!(ground.run(&["runs", "list"]).stdout.contains("under way"));
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{errors}");
    let run = ground.only_run();
    assert!(errors.contains(&format!("`ssm-audit resume {run}` goes on with it")), "{errors}");
    assert_eq!(ground.proxy.mutating_calls().len(), 1, "{errors}");
    assert_eq!(ground.run(&["resume", &run]).code, Some(0));
    assert_eq!(ground.fails(), [""; 0]);
}

/// SIGTERM, which supervisors and CI services send, is heeded like Ctrl-C.
#[cfg(unix)]
#[test]
fn a_run_that_is_told_to_terminate_ends_what_is_under_way() {
    let ground = Ground::new(BROKEN);
    let output = signalled(&ground, "-TERM", || ());
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let run = ground.only_run();
    assert_eq!(ground.run(&["undo", &run, "--yes"]).code, Some(0));
    assert_eq!(ground.fails().len(), BROKEN.len());
}

#[test]
fn a_run_that_was_killed_while_it_verified_is_verified_by_resume() {
    let arguments = ["fix", "--rule", "ec2-detailed-monitoring", "--yes"];
    let calm = Ground::new(BROKEN);
    let ended = calm.run(&arguments);
    let reads = calm.proxy.calls().iter().filter(|call| call.action == "ec2:DescribeInstances").count();

    let ground = Ground::new(BROKEN);
    ground.proxy.inject(Fault::on("ec2:DescribeInstances", Kind::HoldBefore).nth(reads));
    let (mut child, _folder) = ground.spawn(&arguments);
    let held = ground.proxy.held(Duration::from_mins(1)).expect("the last look");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(held);
    ground.proxy.clear();
    let id = ground.only_run();
    let shown = ground.run(&["runs", "show", &id]);
    assert!(shown.stdout.contains(&format!("`ssm-audit resume {id}`")), "{}", shown.stdout);
    let changes = ground.proxy.mutating_calls().len();
    let resumed = ground.run(&["resume", &id]);
    assert_eq!((resumed.code, resumed.code), (ended.code, Some(0)), "{}", resumed.stderr);
    assert!(resumed.said().contains("fixed 1 ec2-detailed-monitoring"), "{}", resumed.stdout);
    assert_eq!(ground.proxy.mutating_calls().len(), changes);
    let again = ground.run(&["resume", &id]);
    assert_eq!(again.code, Some(2), "{}", again.stdout);
}

#[test]
fn what_goes_wrong_after_a_change_is_a_failure_and_not_a_refusal_to_begin() {
    let ground = Ground::new(BROKEN);
    let mut audit = ground.audit(&["fix", "--rule", "ec2-detailed-monitoring", "--yes", "--format", "json"]);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = audit.command().stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(status.status.code(), Some(1), "{}", String::from_utf8_lossy(&status.stderr));
    assert_eq!(ground.fails(), ["ec2-imdsv2-required"]);
}

/// Runs a command that can write no file longer than this, as on a full disk.
fn on_a_full_disk(command: &Command, blocks: usize) -> std::process::Output {
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &blocks.to_string()]);
    limited.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    limited.env_clear();
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.output().unwrap()
}

/// Blocks of 512 bytes. With none not even a journal can be made; with more, the disk is full while the plan, an intent,
/// what came of a step or the end of the run is written.
#[cfg(unix)]
#[test]
fn on_a_full_disk_a_run_is_not_begun_or_can_be_gone_on_with() {
    let fix = ["fix", "--rule", RULES, "--yes"];
    let calm = Ground::new(BROKEN);
    assert_eq!(calm.run(&fix).code, Some(0));
    let whole = std::fs::metadata(calm.state().join("journal.db")).unwrap().len().div_ceil(512);
    let mut codes = std::collections::BTreeSet::new();
    // The journal is made of pages of 8 blocks; the last of them are written while the run is under way.
    for blocks in (0..=whole).rev().step_by(8).take(10).chain([0]) {
        let ground = Ground::new(BROKEN);
        let ended = on_a_full_disk(ground.audit(&fix).command(), usize::try_from(blocks).unwrap());
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        let code = ended.status.code().unwrap_or_else(|| panic!("{blocks} blocks: it was killed: {told}"));
        codes.insert(code);
        let changed = ground.proxy.mutating_calls().len();
        assert!(code != 2 || changed == 0, "{blocks} blocks: code 2 after {changed} changes: {told}");
        assert!(code == 0 || told.contains("error"), "{blocks} blocks: {told}");
        let runs = ground.run(&["runs", "list", "--format", "json"]);
        if changed > 0 {
            assert_eq!(runs.code, Some(0), "{blocks} blocks: {}", runs.stderr);
            let run = ground.only_run();
            if code != 0 {
                let resumed = ground.run(&["resume", &run]);
                assert_eq!(resumed.code, Some(0), "{blocks} blocks: {}\n{told}", resumed.stderr);
            }
            assert_eq!(ground.fails(), [""; 0], "{blocks} blocks");
            assert_eq!(ground.run(&["undo", &run, "--yes"]).code, Some(0), "{blocks} blocks");
        }
        assert_eq!(ground.fails().len(), BROKEN.len(), "{blocks} blocks");
    }
    assert!(codes.contains(&0) && codes.len() > 1, "{codes:?}");
}

#[cfg(unix)]
#[test]
fn runs_are_shown_from_a_folder_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let ground = Ground::new(BROKEN);
    assert_eq!(ground.run(&["fix", "--rule", RULES, "--yes"]).code, Some(0));
    let id = ground.only_run();
    let mode = |mode| std::fs::set_permissions(ground.state(), std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::set_permissions(ground.state().join("journal.db"), std::fs::Permissions::from_mode(0o400)).unwrap();
    mode(0o500);
    let before = std::fs::read_dir(ground.state()).unwrap().count();
    let listed = ground.run(&["runs", "list"]);
    let shown = ground.run(&["runs", "show", &id]);
    let after = std::fs::read_dir(ground.state()).unwrap().count();
    mode(0o700);
    assert_eq!((listed.code, shown.code), (Some(0), Some(0)), "{}{}", listed.stderr, shown.stderr);
    assert!(shown.stdout.contains(&id), "{}", shown.stdout);
    assert_eq!(before, after);
}

#[test]
fn a_journal_without_its_latest_part_is_refused_and_nothing_is_taken_back() {
    let ground = Ground::new(BROKEN);
    assert_eq!(ground.run(&["fix", "--rule", RULES, "--yes"]).code, Some(0));
    let id = ground.only_run();
    let names: Vec<String> = std::fs::read_dir(ground.state())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("journal"))
        .collect();
    assert!(names.iter().all(|name| name == "journal.db" || name == "journal.db-journal"), "{names:?}");
    // The one file, and nothing beside it.
    std::fs::remove_file(ground.state().join("journal.db-journal")).ok();
    let journal = rusqlite::Connection::open(ground.state().join("journal.db")).unwrap();
    journal.execute("DELETE FROM steps WHERE number = 2", []).unwrap();
    drop(journal);
    let changes = ground.proxy.mutating_calls().len();
    for arguments in [&["undo", &id, "--yes"][..], &["runs", "show", &id], &["resume", &id]] {
        let refused = ground.run(arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}: {}", refused.stdout);
        assert!(refused.stderr.contains(&format!("not as it was written ({id})")), "{}", refused.stderr);
    }
    assert_eq!(ground.proxy.mutating_calls().len(), changes);
}

/// Runs on one account from two machines: each has a state of its own.
#[test]
fn a_run_from_another_state_folder_is_refused_while_one_is_under_way() {
    let ground = Ground::new(BROKEN);
    ground.proxy.inject(Fault::on_mutating(Kind::HoldBefore).nth(1));
    let (mut child, _folder) = ground.spawn(&["fix", "--rule", "ec2-detailed-monitoring", "--yes"]);
    let held = ground.proxy.held(PATIENCE).expect("a call that changes something");
    let id = ground.only_run();

    let elsewhere = ground.path("elsewhere");
    let fix = ["fix", "--rule", "ec2-imdsv2-required", "--yes"];
    let other = |arguments: &[&str]| ground.audit(arguments).env("SSM_AUDIT_STATE", elsewhere.to_str().unwrap()).run();
    let refused = other(&fix);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains(&format!("run {id} on ")), "{}", refused.stderr);
    assert!(refused.stderr.contains("its lock expires at"), "{}", refused.stderr);

    // Killed, it leaves its lock: others are kept away until it expires, and the run itself is resumed at once.
    child.kill().unwrap();
    child.wait().unwrap();
    drop(held);
    ground.proxy.clear();
    assert_eq!(other(&fix).code, Some(2));
    assert_eq!(ground.run(&["resume", &id]).code, Some(0));
    assert_eq!(other(&fix).code, Some(0));
    assert!(ground.fails().is_empty());
    let changed = ground.proxy.mutating_calls().into_iter().filter(|call| call.reached).map(|call| call.action);
    assert_eq!(changed.collect::<Vec<_>>(), ["ec2:MonitorInstances", "ec2:ModifyInstanceMetadataOptions"]);
}

/// A role has no region: runs in different regions may change the same one.
#[test]
fn runs_in_two_regions_do_not_change_a_role_at_once() {
    let ground = Ground::in_regions(&["us-east-1", "eu-west-1"], &["iam-role-ssm-core", "ec2-detailed-monitoring"]);
    let fix = |rule: &'static str, region: &'static str| ["fix", "--rule", rule, "--yes", "--region", region];
    ground.proxy.inject(Fault::on_mutating(Kind::HoldBefore).nth(1));
    let (mut child, _folder) = ground.spawn(&fix("iam-role-ssm-core", "eu-west-1"));
    let held = ground.proxy.held(PATIENCE).expect("a call that changes something");
    let id = ground.only_run();
    let elsewhere = ground.path("elsewhere");
    let other = |rule| ground.audit(&fix(rule, "us-east-1")).env("SSM_AUDIT_STATE", elsewhere.to_str().unwrap()).run();
    let refused = other("iam-role-ssm-core");
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains(&format!("run {id} on ")), "{}", refused.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
    drop(held);
    ground.proxy.clear();
    assert_eq!(ground.run(&["resume", &id]).code, Some(0));
    // The lock of what has no region may not be had, where a policy closes that region.
    ground.proxy.inject(Fault::on("ssm:PutParameter", Kind::Denied).nth(2));
    let undone = ground.run(&["undo", &id, "--yes"]);
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert!(undone.stderr.contains("a run in another region may change the same roles"), "{}", undone.stderr);
}

#[test]
fn an_account_that_cannot_be_locked_is_not_changed() {
    let ground = Ground::new(BROKEN);
    ground.proxy.inject(Fault::on("ssm:PutParameter", Kind::Denied));
    let fix = ["fix", "--rule", "ec2-detailed-monitoring", "--yes"];
    let refused = ground.run(&fix);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("--no-account-lock"), "{}", refused.stderr);
    assert!(ground.proxy.mutating_calls().is_empty());
    assert_eq!(ground.json(&["runs", "list"])["runs"], json!([]));
    assert_eq!(ground.run(&[&fix[..], &["--no-account-lock"]].concat()).code, Some(0));
}
