//! What a fix must handle with care, or refuse.

use serde_json::Value;

use crate::account::{Account, JournalCall, Run};
use crate::cells::told;
use crate::emulator::Emulator;

/// The plan for the account, as JSON.
fn plan(account: &Account<'_>) -> Value {
    account.plan().args(&["--format", "json"]).run().json()
}

/// Why the finding of this rule is left out of the plan; none where it is not.
fn left_out<'p>(plan: &'p Value, rule: &str) -> Option<&'p str> {
    plan["left_out"].as_array().unwrap().iter().find(|left| left["rule"] == rule)?["reason"].as_str()
}

fn fixed(account: &Account<'_>) -> Run {
    let outcome = account.fix().run();
    let run = account.latest();
    assert_eq!(run.holding(), run.all(), "{}", told(&outcome));
    run
}

fn undone(account: &Account<'_>, run: &Run) {
    let outcome = account.undo(&run.id).run();
    assert_eq!(outcome.code, Some(0), "{}", told(&outcome));
}

#[test]
fn a_session_key_is_set_after_every_role_may_decrypt() {
    let account = Account::one(Emulator::moto(), &["--hazard", "node-that-may-not-decrypt"]);
    let plan = plan(&account);
    let steps = plan["steps"].as_array().unwrap();
    let number = |aspect: &str, id: &str| {
        let is = |step: &&Value| step["aspect"]["of"] == aspect && step["aspect"]["id"] == id;
        steps.iter().find(is).unwrap_or_else(|| panic!("no step for {aspect} of {id}: {plan:#}"))["number"].clone()
    };
    let needs = |aspect: &str| {
        let step = steps.iter().find(|step| step["aspect"]["of"] == aspect).unwrap();
        step["needs"].as_array().unwrap().clone()
    };
    for role in ["role-without-key", "ssm-ec2-role"] {
        assert!(needs("PreferencesLatest").contains(&number("RolePolicy", role)), "{role}: {plan:#}");
    }
    fixed(&account);
}

#[test]
fn a_session_key_is_not_set_where_a_role_could_not_decrypt_whatever_it_is_granted() {
    let broken = ["--break", "iam-role-uses-session-key.denied", "--break", "ssm-session-key-set"];
    let account = Account::one(Emulator::moto(), &broken).with_key("alias/ssm-session");
    let plan = plan(&account);
    let reason = left_out(&plan, "ssm-session-key-set").unwrap_or_else(|| panic!("{plan:#}"));
    assert!(reason.contains("would refuse all sessions"), "{reason}");
}

#[test]
fn an_instance_that_another_service_manages_is_left_to_it() {
    let account = Account::one(Emulator::moto(), &["--hazard", "managed-instance"]);
    let plan = plan(&account);
    let reason = left_out(&plan, "ec2-root-volume-encrypted").unwrap_or_else(|| panic!("{plan:#}"));
    assert_eq!(reason, "eks.amazonaws.com manages the instance, and only it can change it");
}

#[test]
fn retention_is_never_shortened() {
    let account = Account::one(Emulator::moto(), &["--break", "logs-retention-set"]);
    let shorter = account.plan().args(&["--format", "json", "--param", "logs-retention-set.min_days=3"]).run().json();
    assert_eq!(shorter["steps"], Value::Array(Vec::new()));
    fixed(&account);
    assert_eq!(account.dump()["regions"]["us-east-1"]["log_groups"]["/ssm/sessions"]["retention"], 30);
}

#[test]
fn a_group_that_keeps_for_ever_is_changed_only_by_name_and_when_allowed() {
    let account = Account::one(Emulator::moto(), &["--break", "logs-retention-set.never"]).unnamed();
    let reason = left_out(&plan(&account), "logs-retention-set").unwrap().to_owned();
    assert!(reason.contains("--resource /ssm/sessions"), "{reason}");
    let named = account.plan().args(&["--resource", "/ssm/sessions", "--format", "json"]).run().json();
    assert_eq!(named["steps"][0]["disruption"], "irreversible", "{named:#}");
    let outcome = account.fix_named(&["/ssm/sessions"]).run();
    assert_eq!(outcome.code, Some(0), "{}", told(&outcome));
}

#[test]
fn an_oddly_written_key_policy_stays_byte_for_byte() {
    let emulator = Emulator::moto();
    let account = Account::one(emulator, &["--hazard", "oddly-written-key-policy"]);
    let policy = || {
        let keys = account.dump()["regions"]["us-east-1"]["keys"].clone();
        let texts = keys.as_object().unwrap().values().map(|key| key["policy"].as_str().unwrap().to_owned());
        texts.into_iter().find(|text| text.contains("Verwaltung") || text.contains("\\u00fc")).unwrap()
    };
    let before = policy();
    let run = fixed(&account);
    let after = policy();
    let (start, rest) = before.split_once("\"Statement\" :\t").unwrap();
    let (statement, end) = rest.split_once(",\n\n\"Id\"").unwrap();
    assert!(after.starts_with(&format!("{start}\"Statement\" :\t[{statement},")), "{after}");
    assert!(after.ends_with(&format!("],\n\n\"Id\"{end}")), "{after}");
    undone(&account, &run);
    assert_eq!(policy(), before);
}

#[test]
fn the_tags_that_aws_gave_a_bucket_stay() {
    let account = Account::one(Emulator::moto(), &["--hazard", "bucket-with-tags-of-aws"]);
    let before = account.dump();
    let tags = |dump: &Value| {
        let buckets = dump["regions"]["us-east-1"]["buckets"].as_object().unwrap();
        buckets.iter().find(|(name, _)| name.starts_with("ssm-sessions")).unwrap().1["tags"].clone()
    };
    let run = fixed(&account);
    for (name, value) in tags(&before).as_object().unwrap() {
        assert_eq!(&tags(&account.dump())[name], value, "{name}");
    }
    undone(&account, &run);
    assert_eq!(tags(&account.dump()), tags(&before));
}

#[test]
fn a_bucket_in_use_keeps_what_is_in_it() {
    let account = Account::one(Emulator::moto(), &["--hazard", "bucket-in-use"]);
    let plan = plan(&account);
    let step = |aspect: &str| plan["steps"].as_array().unwrap().iter().find(|step| step["aspect"]["of"] == aspect);
    let versioning = step("BucketVersioning").unwrap();
    assert!(versioning["warnings"].to_string().contains("lifecycle"), "{versioning:#}");
    assert!(step("BucketObjectLock").unwrap()["needs"].as_array().unwrap().contains(&versioning["number"]));
    let lifecycle = |dump: &Value| dump["regions"]["us-east-1"]["buckets"].to_string().contains("a-month");
    fixed(&account);
    assert!(lifecycle(&account.dump()));
    let unnamed = Account::one(Emulator::moto(), &["--hazard", "bucket-in-use"]).unnamed();
    let plan = self::plan(&unnamed);
    assert!(left_out(&plan, "s3-object-lock-enabled").unwrap().contains("--resource ssm-sessions-"), "{plan:#}");
}

#[test]
fn inputs_of_the_preferences_that_no_rule_speaks_of_stay() {
    let account = Account::one(Emulator::moto(), &["--break-everything"]);
    let inputs = || {
        let documents = &account.dump()["regions"]["us-east-1"]["documents"];
        let text = documents["SSM-SessionManagerRunShell"]["default"].as_str().unwrap().to_owned();
        serde_json::from_str::<Value>(&text).unwrap()["inputs"].clone()
    };
    let before = inputs();
    fixed(&account);
    let after = inputs();
    for name in ["shellProfile", "maxSessionDuration", "runAsEnabled", "s3BucketName", "kmsKeyId"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    assert_ne!(after["idleSessionTimeout"], before["idleSessionTimeout"]);
}

#[test]
fn whom_a_role_trusts_is_changed_only_by_name() {
    let account = Account::one(Emulator::moto(), &["--break", "iam-role-trusts-ec2-only"]).unnamed();
    let plan = plan(&account);
    assert_eq!(plan["steps"], Value::Array(Vec::new()));
    let reason = left_out(&plan, "iam-role-trusts-ec2-only").unwrap();
    assert!(reason.contains("--resource ssm-ec2-role"), "{reason}");
    let outcome = account.fix_named(&["ssm-ec2-role"]).run();
    assert_eq!(outcome.code, Some(0), "{}", told(&outcome));
}

#[test]
fn preferences_that_an_earlier_version_has_become_the_default_and_the_latest() {
    let account = Account::one(Emulator::moto(), &["--hazard", "preferences-that-were-right"]);
    let document = || account.dump()["regions"]["us-east-1"]["documents"]["SSM-SessionManagerRunShell"].clone();
    let before = document();
    let run = fixed(&account);
    let refused =
        |call: &&JournalCall| call.outcome.as_deref().is_some_and(|of| of.contains("DuplicateDocumentContent"));
    let after = document();
    assert_eq!(run.calls.iter().filter(refused).count(), 1, "{:#?}\n{before:#}\n{after:#}", run.calls);
    assert_eq!(after["default"], after["latest"], "{after:#}");
    assert_ne!(after["default"], before["default"]);
    undone(&account, &run);
    assert_eq!(document(), before);
}
