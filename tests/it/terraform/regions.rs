//! The twin in two regions: what is broken in one region is broken there, in the account and in the code, where the
//! second region has a provider of its own.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ALL;
use super::twin::{TWIN, TWINS, rules_of_both};
use crate::audit::{Audit, Outcome};
use crate::emulator::Emulator;

const HERE: &str = "us-east-1";
const THERE: &str = "eu-west-1";

/// The breakages of one region, each of another type of resource.
const BROKEN: &[&str] =
    &["ec2-imdsv2-required", "kms-rotation-enabled", "logs-retention-set", "s3-required-tags", "ssm-idle-timeout"];

/// The resources of the second region, in a module that is given its provider. Roles serve all regions.
fn there() -> String {
    let mut text = String::new();
    for block in TWIN.replace(HERE, THERE).split_inclusive("\n}\n") {
        let of_iam = block.trim_start().starts_with("resource \"aws_iam_");
        text.push_str(if of_iam { "" } else { block });
    }
    let profile = "aws_iam_instance_profile.node.name";
    assert!(text.contains(profile));
    text.replace(profile, "\"ssm-demo-profile\"")
        + "\noutput \"group\" { value = local.group }\noutput \"bucket\" { value = aws_s3_bucket.sessions.arn }\n\
           output \"session\" { value = aws_kms_key.session.arn }\noutput \"volumes\" { value = aws_kms_key.volumes.arn }\n"
}

/// The code of the first region with this change, the grants of the role for both regions, and the two providers.
fn here(from: &str, to: &str) -> String {
    assert_eq!(TWIN.matches(from).count(), 1, "{from}");
    let grants = [
        (
            "[local.group, \"${local.group}:*\"]",
            "[local.group, \"${local.group}:*\", module.there.group, \"${module.there.group}:*\"]",
        ),
        (
            "[\"${aws_s3_bucket.sessions.arn}/${local.prefix}/*\"]",
            "[\"${aws_s3_bucket.sessions.arn}/${local.prefix}/*\", \"${module.there.bucket}/${local.prefix}/*\"]",
        ),
        ("[aws_s3_bucket.sessions.arn]", "[aws_s3_bucket.sessions.arn, module.there.bucket]"),
        ("[aws_kms_key.session.arn]", "[aws_kms_key.session.arn, module.there.session]"),
        ("[aws_kms_key.volumes.arn]", "[aws_kms_key.volumes.arn, module.there.volumes]"),
    ];
    let mut text = TWIN.replace(from, to);
    for (own, both) in grants {
        assert_eq!(text.matches(own).count(), 1, "{own}");
        text = text.replace(own, both);
    }
    text + &format!(
        "\nprovider \"aws\" {{\n  region = \"{HERE}\"\n}}\n\nprovider \"aws\" {{\n  alias  = \"there\"\n  region = \"{THERE}\"\n}}\n\n\
         module \"there\" {{\n  source    = \"./there\"\n  providers = {{ aws = aws.there }}\n}}\n"
    )
}

/// Verdicts by rule, region, type and logical name.
fn verdicts(outcome: &Outcome, logical: impl Fn(&Value) -> String) -> BTreeMap<[String; 4], String> {
    let rules = rules_of_both();
    let report = outcome.json();
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("everywhere").to_owned();
    findings
        .filter(|finding| rules.contains(finding["rule"].as_str().unwrap()))
        .map(|finding| {
            let resource = &finding["resource"];
            let key = [text(&finding["rule"]), text(&resource["region"]), text(&resource["type"]), logical(resource)];
            (key, text(&finding["verdict"]))
        })
        .collect()
}

#[test]
fn two_regions_of_an_account_and_their_code_are_judged_alike() {
    let emulator = Emulator::moto_alone();
    let breaks: Vec<&str> = BROKEN.iter().flat_map(|name| ["--break", name]).collect();
    let made = emulator.seed_with(&[&["--matrix", "--region", HERE, "--region", THERE], &breaks[..]].concat());
    let made = made.as_array().unwrap();
    assert_eq!(made.len(), BROKEN.len());
    for account in made {
        let name = account["broken"].as_object().unwrap().keys().next().unwrap();
        let id = account["account"].as_str().unwrap();
        let keys: Vec<(&String, &str)> = [HERE, THERE]
            .iter()
            .flat_map(|region| account["regions"][*region]["keys"].as_object().unwrap())
            .map(|(name, arn)| (name, arn.as_str().unwrap()))
            .collect();
        let of_account = |resource: &Value| {
            let id = resource["id"].as_str().unwrap();
            match (keys.iter().find(|(_, arn)| arn.ends_with(id)), resource["type"].as_str().unwrap()) {
                (Some((name, _)), _) => (*name).clone(),
                (None, "AWS::EC2::Instance" | "AWS::EC2::SecurityGroup" | "AWS::IAM::Role") => "node".to_owned(),
                (None, "SSM::SessionPreferences") => "preferences".to_owned(),
                (None, _) => "sessions".to_owned(),
            }
        };
        let of_code = |resource: &Value| resource["id"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        let flags = [ALL, &["--format", "json"]].concat();
        let regions = format!("{HERE},{THERE}");
        let live = Audit::on(&emulator, id, HERE, &["scan", "--regions", &regions]).args(&flags).run();
        let (_, from, to) = TWINS.iter().find(|(twin, ..)| twin == name).unwrap();
        let code = Audit::new(&["scan", "code", "--account", id])
            .args(&flags)
            .file("code/main.tf", &here(from, to).replace("ACCOUNT", id))
            .file("code/there/main.tf", &there().replace("ACCOUNT", id))
            .run();
        let scopes =
            code.json()["scopes"].as_array().unwrap().iter().map(|scope| scope["region"].clone()).collect::<Vec<_>>();
        assert_eq!(scopes, [THERE, HERE], "{name}");
        let (live, code) = (verdicts(&live, of_account), verdicts(&code, of_code));
        assert!(code.iter().any(|([rule, region, ..], verdict)| rule == name && region == HERE && verdict == "fail"));
        assert_eq!(code, live, "{name}");
    }
}
