//! Plans and states of one stack, as Terraform 1.11 wrote them with version 5 of the provider against the emulator:
//! the first plan, the state once that was applied, a plan of that stack with `lax = true`, and one with `-target`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{at, findings};
use crate::audit::{Audit, Outcome};

const SOURCE: &str = include_str!("../../fixtures/terraform/plans/main.tf");
const FIRST: &str = include_str!("../../fixtures/terraform/plans/first.json");
const CHANGED: &str = include_str!("../../fixtures/terraform/plans/changed.json");
const TARGET: &str = include_str!("../../fixtures/terraform/plans/target.json");
const STATE: &str = include_str!("../../fixtures/terraform/plans/state.json");

const ACCOUNT: &[&str] = &["--account", "123456789012"];

/// Scans a plan that lies alone.
fn alone(plan: &str) -> Outcome {
    Audit::new(&["scan", "plan.json", "--format", "json"]).args(ACCOUNT).file("plan.json", plan).run()
}

/// Verdicts by rule and address.
fn verdicts(outcome: &Outcome) -> BTreeMap<(String, String), String> {
    let text = |value: &Value| value.as_str().unwrap_or("*").to_owned();
    findings(outcome)
        .iter()
        .map(|finding| ((text(&finding["rule"]), text(&finding["resource"]["address"])), text(&finding["verdict"])))
        .collect()
}

fn of<'v>(verdicts: &'v BTreeMap<(String, String), String>, rule: &str, address: &str) -> &'v str {
    verdicts.get(&(rule.to_owned(), address.to_owned())).map_or("none", String::as_str)
}

#[test]
fn a_first_plan_beside_its_source_says_what_the_source_says() {
    let plan = Audit::new(&["scan", "infra/plan.json", "--format", "json"])
        .args(ACCOUNT)
        .file("infra/plan.json", FIRST)
        .file("infra/main.tf", SOURCE)
        .run();
    let code = Audit::new(&["scan", "infra", "--format", "json"]).args(ACCOUNT).file("infra/main.tf", SOURCE).run();
    // The provider sends `enabled` where a block of metadata options leaves the endpoint out, and a plan shows that.
    let alike = |outcome: &Outcome| {
        let mut verdicts = verdicts(outcome);
        verdicts.retain(|(rule, _), _| rule != "ec2-imds-endpoint-enabled");
        verdicts
    };
    assert_eq!(alike(&plan), alike(&code));
    let place = |outcome: &Outcome| at(&findings(outcome), "ssm-idle-timeout")["location"].clone();
    assert_eq!(place(&plan), place(&code));
    assert_eq!(of(&verdicts(&plan), "ssm-idle-timeout", "aws_ssm_document.preferences"), "fail");
    assert_eq!(of(&verdicts(&plan), "iam-role-writes-s3", "aws_iam_role.node"), "pass");
    // Which group each instance has is a matter of `count.index`.
    assert_eq!(of(&verdicts(&plan), "ec2-https-egress-allowed", "aws_instance.node[0]"), "pass");
    assert_eq!(of(&verdicts(&plan), "ec2-https-egress-allowed", "aws_instance.node[2]"), "fail");
}

#[test]
fn the_source_of_a_plan_may_be_one_folder_below_if_it_declares_the_same() {
    let below = |source: &str| {
        let audit = Audit::new(&["scan", "plan.json", "--format", "json"]).args(ACCOUNT).file("plan.json", FIRST);
        verdicts(&audit.file("infra/main.tf", source).run())
    };
    assert_eq!(of(&below(SOURCE), "ssm-idle-timeout", "aws_ssm_document.preferences"), "fail");
    let other = SOURCE.replace("resource \"aws_vpc\" \"main\"", "resource \"aws_vpc\" \"other\"");
    assert_eq!(of(&below(&other), "ssm-idle-timeout", "aws_ssm_document.preferences"), "unknown");
    // It was edited after the plan was made.
    let edited = SOURCE.replace("\"payments-sessions\"", "\"other-sessions\"");
    assert_eq!(of(&below(&edited), "ssm-idle-timeout", "aws_ssm_document.preferences"), "unknown");
}

#[test]
fn a_first_plan_alone_passes_nothing_that_it_does_not_show_and_names_the_remedy() {
    let outcome = alone(FIRST);
    let verdicts = verdicts(&outcome);
    for (rule, address) in [
        ("ssm-idle-timeout", "aws_ssm_document.preferences"),
        ("iam-role-writes-s3", "aws_iam_role.node"),
        ("ec2-no-default-security-group", "aws_instance.node[0]"),
    ] {
        assert_eq!(of(&verdicts, rule, address), "unknown", "{rule}");
    }
    let findings = findings(&outcome);
    let gap = at(&findings, "ssm-idle-timeout")["gaps"][0]["message"].as_str().unwrap().to_owned();
    assert!(gap.contains("scan the folder of the code"), "{gap}");
}

#[test]
fn a_peer_that_only_the_content_of_a_dynamic_block_names_is_no_absent_peer() {
    // The plan has the rule, and not whom it lets in; its configuration has nothing of the block.
    let plan = FIRST.replace(
        "\"vpc_security_group_ids\":{\"references\":[",
        "\"vpc_security_group_ids\":{\"references\":[\"aws_security_group.dynamic.id\",\"aws_security_group.dynamic\"]},\
         \"ignored\":{\"references\":[",
    );
    assert_ne!(plan, FIRST);
    assert_eq!(of(&verdicts(&alone(&plan)), "sg-no-ingress", "aws_security_group.dynamic"), "unknown");
}

#[test]
fn a_plan_of_an_existing_stack_is_judged_by_what_becomes_of_it() {
    let verdicts = verdicts(&alone(CHANGED));
    let expected = [
        // The state of the group still has the rule that the plan changes, inline.
        ("sg-egress-https-only", "aws_security_group.single", "fail"),
        ("sg-egress-https-only", "aws_security_group.several", "fail"),
        ("ec2-https-egress-allowed", "aws_instance.node[0]", "pass"),
        ("ec2-https-egress-allowed", "aws_instance.node[1]", "fail"),
        ("sg-no-ingress", "aws_security_group.dynamic", "fail"),
        // The state of the role still has the policies that the plan takes away.
        ("iam-role-ssm-core", "aws_iam_role.node", "fail"),
        ("iam-role-writes-s3", "aws_iam_role.node", "fail"),
        // So does the bucket have its key, and nobody else uses that.
        ("s3-encrypted", "aws_s3_bucket.sessions", "pass"),
        // What the provider adds to the tags of the resource.
        ("ec2-required-tags", "aws_instance.node[0]", "pass"),
        ("s3-required-tags", "aws_s3_bucket.sessions", "pass"),
        // What AWS chose is in the state.
        ("ec2-imds-hop-limit", "aws_instance.node[0]", "pass"),
    ];
    for (rule, address, verdict) in expected {
        assert_eq!(of(&verdicts, rule, address), verdict, "{rule} on {address}");
    }
    let hardened = Audit::new(&["scan", "plan.json", "--format", "json", "--rule", "s3-kms-encrypted"]);
    let outcome = hardened.args(&["--policy", "hardened"]).file("plan.json", CHANGED).run();
    assert_eq!(at(&findings(&outcome), "s3-kms-encrypted")["verdict"], "fail");
}

#[test]
fn a_state_is_judged_as_it_stands() {
    let outcome = alone(STATE);
    let verdicts = verdicts(&outcome);
    assert!(!verdicts.values().any(|verdict| verdict == "unknown"), "{verdicts:?}");
    assert_eq!(of(&verdicts, "sg-egress-https-only", "aws_security_group.single"), "pass");
    assert_eq!(of(&verdicts, "iam-role-ssm-core", "aws_iam_role.node"), "pass");
    assert_eq!(of(&verdicts, "ssm-idle-timeout", "aws_ssm_document.preferences"), "fail");
    let scopes = outcome.json()["scopes"].clone();
    assert_eq!((&scopes[0]["account"], &scopes[0]["region"]), (&"123456789012".into(), &"us-east-1".into()));
}

/// The state with another object at the address of an instance, as after a replacement that could not delete it.
fn with_deposed(position: usize) -> String {
    let mut state: Value = serde_json::from_str(STATE).expect("JSON");
    let resources = state["values"]["root_module"]["resources"].as_array_mut().expect("resources");
    let at = resources.iter().position(|one| one["address"] == "aws_instance.node[0]").expect("an instance");
    let mut deposed = resources[at].clone();
    deposed["deposed_key"] = "abcd1234".into();
    deposed["values"]["id"] = "i-0f0f0f0f0f0f0f0f0".into();
    deposed["values"]["metadata_options"][0]["http_tokens"] = "optional".into();
    resources[at]["values"]["metadata_options"][0]["http_tokens"] = "required".into();
    resources.insert(at + position, deposed);
    state.to_string()
}

#[test]
fn an_object_that_is_still_to_be_deleted_has_findings_of_its_own() {
    for position in [0, 1] {
        let verdicts = verdicts(&alone(&with_deposed(position)));
        assert_eq!(of(&verdicts, "ec2-imdsv2-required", "aws_instance.node[0]"), "pass");
        let deposed = "aws_instance.node[0] (deposed object abcd1234)";
        assert_eq!(of(&verdicts, "ec2-imdsv2-required", deposed), "fail");
    }
}

#[test]
fn the_deletion_of_a_deposed_object_says_nothing_of_its_successor() {
    let mut plan: Value = serde_json::from_str(FIRST).expect("JSON");
    let expected = verdicts(&alone(FIRST));
    let changes = plan["resource_changes"].as_array_mut().expect("changes");
    let deleted = changes.iter().filter(|change| change["mode"] == "managed").map(|change| {
        let mut deleted = change.clone();
        deleted["deposed"] = "abcd1234".into();
        deleted["change"] = json!({"actions": ["forget"], "before": null, "after": null, "after_unknown": {},
            "before_sensitive": false, "after_sensitive": false});
        deleted
    });
    let deleted: Vec<Value> = deleted.collect();
    changes.extend(deleted);
    assert_eq!(verdicts(&alone(&plan.to_string())), expected);
}

#[test]
fn a_plan_that_is_not_whole_says_so() {
    let outcome = alone(TARGET);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("-target"), "{}", outcome.stdout);
    let errored = TARGET.replace("\"errored\":false", "\"errored\":true");
    assert!(alone(&errored).stdout.contains("planning failed"));
    let deferred = TARGET.replace("\"errored\":false", "\"errored\":false,\"deferred_changes\":[{\"reason\":\"x\"}]");
    assert!(alone(&deferred).stdout.contains("defers 1 changes"));
}

#[test]
fn the_formats_in_which_terraform_stores_states_and_plans_are_named_with_the_remedy() {
    let state = "{\n  \"version\": 4,\n  \"terraform_version\": \"1.11.4\",\n  \"resources\": []\n}\n";
    for (name, content) in [("terraform.tfstate", state), ("saved", "PK\u{3}\u{4}\u{14}\0\u{8}\0tfplan...")] {
        let outcome = Audit::new(&["scan", name]).file(name, content).run();
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(&format!("terraform show -json {name}")), "{}", outcome.stderr);
    }
}
