//! What a newcomer meets: every message is reviewed, and so is the exit code beside it.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::audit::Audit;
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};

/// An endpoint on which nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";

fn shown(mut audit: Audit) -> String {
    audit.run().shown(&audit)
}

fn credentials(audit: Audit) -> Audit {
    audit.env("AWS_ACCESS_KEY_ID", "123456789012").env("AWS_SECRET_ACCESS_KEY", "secret")
}

#[test]
fn no_region() {
    insta::assert_snapshot!(shown(Audit::new(&["scan"])));
}

#[test]
fn no_credentials() {
    insta::assert_snapshot!(shown(Audit::new(&["scan", "--region", "us-east-1"])));
}

#[test]
fn a_session_of_aws_login_is_not_read_and_the_way_around_is_named() {
    let config = "[profile own]\nregion = us-east-1\nlogin_session = arn:aws:iam::123456789012:user/own\n";
    let outcome = Audit::new(&["scan", "--profile", "own"]).file(".aws/config", config).run();
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("aws configure export-credentials"), "{}", outcome.stderr);
}

#[test]
fn no_such_profile() {
    let config = "[profile production]\nregion = us-east-1\n";
    let audit = Audit::new(&["scan", "--profile", "prodcution"]).file(".aws/config", config);
    insta::assert_snapshot!(shown(audit));
}

#[test]
fn a_region_that_is_none() {
    insta::assert_snapshot!(shown(Audit::new(&["scan", "--region", "Ireland"])));
    insta::assert_snapshot!(shown(credentials(Audit::new(&["scan", "--regions", "us-east-1,everywhere"]))));
}

#[test]
fn an_endpoint_that_nobody_answers_at() {
    let audit = Audit::new(&["scan", "--region", "us-east-1", "--endpoint-url", NOWHERE]).env("AWS_MAX_ATTEMPTS", "1");
    insta::assert_snapshot!(shown(credentials(audit)));
}

/// The SDK panics with it.
#[test]
fn an_endpoint_that_is_empty() {
    for variable in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"] {
        let outcome = credentials(Audit::new(&["scan", "--region", "us-east-1"])).env(variable, "").run();
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert!(outcome.stderr.contains(&format!("{variable} is set and has no value")), "{}", outcome.stderr);
    }
}

/// As companies have them that look into their own TLS: trusted through `AWS_CA_BUNDLE`, and not otherwise.
#[test]
fn an_endpoint_with_a_certificate_of_its_own() {
    let account = broken_account();
    let folder = tempfile::TempDir::new().unwrap();
    let certificate = folder.path().join("authority.pem");
    let secure = Emulator::moto().behind_tls(&certificate);
    let trusting = Audit::on(&secure, &account, "us-east-1", &["scan", "--format", "json"])
        .env("AWS_CA_BUNDLE", certificate.to_str().unwrap())
        .run();
    assert_eq!(trusting.code, Some(1), "{}", trusting.stderr);
    assert!(trusting.json()["scopes"].as_array().unwrap().iter().all(|scope| scope["complete"] == true));
    let mistrusting = Audit::on(&secure, &account, "us-east-1", &["scan"]).env("AWS_MAX_ATTEMPTS", "1").run();
    assert_eq!(mistrusting.code, Some(2));
    assert!(mistrusting.stderr.contains("invalid peer certificate"), "{}", mistrusting.stderr);
}

#[test]
fn credentials_that_have_expired() {
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("*", Kind::ExpiredCredentials));
    let audit = Audit::new(&["scan", "--region", "us-east-1", "--endpoint-url", &proxy.url()]);
    insta::assert_snapshot!(shown(credentials(audit)));
}

/// Nothing may be read: there is no verdict to be had, and nothing passes.
#[test]
fn a_user_without_a_single_permission() {
    let emulator = Emulator::ministack_with_authorization();
    let nothing = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}"#;
    let user = emulator.seed_with(&["--account", "123456789012", "--region", "us-east-1", "--user-policy", nothing]);
    let key = |name: &str| user["credentials"][name].as_str().unwrap().to_owned();
    let mut audit =
        Audit::new(&["scan", "--region", "us-east-1", "--endpoint-url", emulator.url(), "--format", "json"])
            .env("AWS_ACCESS_KEY_ID", &key("AWS_ACCESS_KEY_ID"))
            .env("AWS_SECRET_ACCESS_KEY", &key("AWS_SECRET_ACCESS_KEY"));
    let scanned = audit.run();
    assert_eq!(scanned.code, Some(3), "{}", scanned.stderr);
    let report = scanned.json();
    assert_eq!(report["summary"]["pass"], 0, "{report:#}");
    assert_eq!(report["summary"]["fail"], 0, "{report:#}");
    assert!(report["summary"]["unknown"].as_u64().unwrap() > 20, "{report:#}");
    let region = report["scopes"].as_array().unwrap().iter().find(|scope| scope["region"] == "us-east-1").unwrap();
    assert_eq!((&region["complete"], &region["read"]), (&false.into(), &false.into()), "{report:#}");
}

#[test]
fn broken_rules() {
    let rule = "id: another-id\ntitle: t\nseverity: medium\npolicy: guide\nresource: AWS::EC2::Instance\nsources: [aws]\n\
                description: d\nrationale: r\nassert: resource.metadata_options.http_token == \"required\" && resource.monitoring > 1\n\
                references: [https://example.com]\ntests: {pass: [{}]}\n";
    let duplicate = "id: ec2-imdsv2-required\ntitle: t\nseverity: huge\nnonsense: 1\n";
    let audit = Audit::new(&["rules", "test", "--rules", "mine"])
        .file("mine/my-rule.yaml", rule)
        .file("mine/ec2-imdsv2-required.yaml", duplicate)
        .file("mine/torn.yaml", "id: [\n");
    insta::assert_snapshot!(shown(audit));
}

#[test]
fn a_rule_whose_examples_do_not_come_out() {
    let rule = "id: my-rule\ntitle: t\nseverity: medium\npolicy: guide\nresource: AWS::EC2::Instance\nsources: [aws]\n\
                description: d\nrationale: r\nassert: resource.monitoring\n\
                references: [https://example.com]\ntests:\n  pass: [{monitoring: false}]\n  fail: [{monitoring: maybe}, {monitor: false}]\n";
    insta::assert_snapshot!(shown(Audit::new(&["rules", "test", "--rules", "mine"]).file("mine/my-rule.yaml", rule)));
}

#[test]
fn folders_without_rules() {
    insta::assert_snapshot!(shown(Audit::new(&["rules", "list", "--rules", "nowhere"])));
    insta::assert_snapshot!(shown(Audit::new(&["rules", "list", "--rules", "empty"]).file("empty/README.md", "")));
}

#[test]
fn snapshots_that_are_none() {
    for (name, content) in [
        ("torn.json", "{\"kind\": \"ssm-audit/snapshot\", \"schema_version\": 1, \"inventories\": ["),
        ("text.json", "not JSON"),
        ("report.json", "{\"kind\": \"ssm-audit/report\", \"schema_version\": 1}"),
        ("newer.json", "{\"kind\": \"ssm-audit/snapshot\", \"schema_version\": 2}"),
        ("older.json", "{\"kind\": \"ssm-audit/snapshot\", \"schema_version\": 0}"),
        (
            "empty.json",
            "{\"kind\": \"ssm-audit/snapshot\", \"schema_version\": 1, \"tool_version\": \"0.1.0\", \"inventories\": []}",
        ),
    ] {
        insta::assert_snapshot!(
            format!("snapshot_{}", name.replace('.', "_")),
            shown(Audit::new(&["scan", name]).file(name, content))
        );
    }
    insta::assert_snapshot!(shown(Audit::new(&["scan", "missing.json"])));
    insta::assert_snapshot!(shown(Audit::new(&["scan", "account.json", "--regions", "eu-west-1"])));
    insta::assert_snapshot!(shown(Audit::new(&["scan", "."])));
}

/// A snapshot that lacks what was not looked for, or that was damaged, must not look like an account in order.
#[test]
fn a_snapshot_that_lacks_something_is_never_in_order() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &[]);
    let collect = |arguments: &[&str]| {
        let mut audit =
            Audit::on(Emulator::moto(), &account, "us-east-1", &["collect", "-o", "account.json"]).args(arguments);
        assert_eq!(audit.run().code, Some(0));
        std::fs::read_to_string(audit.folder().join("account.json")).unwrap()
    };
    let scan =
        |snapshot: &str| Audit::new(&["scan", "account.json", "--format", "json"]).file("account.json", snapshot).run();
    let partial = scan(&collect(&["--rule", "ec2-imdsv2-required"]));
    assert_eq!(partial.code, Some(3), "{}", partial.stderr);
    let report = partial.json();
    assert_eq!(report["summary"]["fail"], 0, "{report:#}");
    assert!(
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["rule"] == "logs-retention-set" && finding["resource"]["id"] == "*")
    );

    let mut whole: serde_json::Value = serde_json::from_str(&collect(&[])).unwrap();
    assert_eq!(scan(&whole.to_string()).code, Some(0));
    let inventory = whole["inventories"][0].as_object_mut().unwrap();
    let groups = inventory.remove("security_groups").unwrap();
    inventory.insert("securty_groups".to_owned(), groups);
    let misspelt = scan(&whole.to_string());
    assert_eq!(misspelt.code, Some(2));
    assert!(misspelt.stderr.contains("securty_groups"), "{}", misspelt.stderr);
    whole["inventories"][0].as_object_mut().unwrap().remove("asked");
    whole["inventories"][0].as_object_mut().unwrap().remove("securty_groups");
    assert_eq!(scan(&whole.to_string()).code, Some(3));
}

/// A rule that is off gives the same alone as among others.
#[test]
fn a_rule_that_is_off_is_refused_alone_and_silent_among_others() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &[]);
    let scan = |arguments: &[&str]| {
        Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "--format", "json"]).args(arguments).run()
    };
    let alone = scan(&["--rule", "iam-role-uses-volume-key"]);
    assert_eq!(alone.code, Some(2));
    assert!(alone.stderr.contains("none of the selected rules"), "{}", alone.stderr);
    let among = scan(&["--rule", "iam-role-uses-volume-key", "--rule", "ec2-imdsv2-required"]);
    assert_eq!(among.code, Some(0), "{}", among.stderr);
    assert_eq!(among.json()["summary"]["pass"], 1);
}

#[test]
fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    let names = ["REGIONS", "RULE", "PARAM", "CONFIG", "OUTPUT", "QUIET", "FORMAT", "PROFILE", "POLICY", "CONCURRENCY"];
    let empty = names.map(|name| (format!("SSM_AUDIT_{name}"), ""));
    let listed = Audit::new(&["rules", "list"]).environment(empty).run();
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
}

#[test]
fn a_configuration_with_mistakes() {
    let config = "polcy: guide\npolicy: strict\nparams: {logs-retention-set: {min_day: 90, min_days: soon}}\n\
                  waivers: [{rule: no-such-rule, resource: '*'}]\ndisable: [ec2-detailed-monitorin]\n";
    insta::assert_snapshot!(shown(Audit::new(&["rules", "list"]).file("ssm-audit.yaml", config)));
    let config = "policy: guide\nparams: {logs-retention-set: {min_day: 90, min_days: soon}, nothing: {x: 1}}\n\
                  severity: {ec2-imdsv2-requird: low}\ndisable: [ec2-detailed-monitorin]\n";
    insta::assert_snapshot!(shown(Audit::new(&["rules", "list"]).file("ssm-audit.yaml", config)));
    insta::assert_snapshot!(shown(Audit::new(&["rules", "list", "--config", "nowhere.yaml"])));
}

#[test]
fn flags_that_do_not_fit() {
    for arguments in [
        ["scan", "--rule", "ec2-imdsv2-requird"],
        ["scan", "--param", "logs-retention-set.min_days=soon"],
        ["scan", "--param", "logs-retention-set.minimum=1"],
        ["scan", "--param", "min_days=1"],
        ["scan", "--rule", "kms-deletion-window"],
        ["scan", "--format", "docx"],
        ["scan", "-o", "report.docx"],
        ["scan", "--fail-on", "sometimes"],
        ["scan", "--cli-read-timeout", "0"],
        ["rules", "explain", "imdsv2"],
        ["rules", "schema", "AWS::EC2::Instances"],
    ] {
        let name: String =
            arguments.join("_").chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
        insta::assert_snapshot!(name, shown(credentials(Audit::new(&arguments)).env("AWS_REGION", "us-east-1")));
    }
}

/// An account with findings, to have something to write.
fn broken_account() -> String {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &["ec2-imdsv2-required"]);
    account
}

#[test]
fn a_report_that_cannot_be_written_is_an_error_and_leaves_nothing_behind() {
    let account = broken_account();
    let scan = |output: &str| Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "-o", output]);
    insta::assert_snapshot!("output_in_no_folder", shown(scan("no/such/folder/report.json")));
    let mut audit = scan("folder.json").file("folder.json/x", "");
    insta::assert_snapshot!("output_is_a_folder", audit.run().shown(&audit));
    let left: Vec<_> = std::fs::read_dir(audit.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["folder.json"]);
    if std::path::Path::new("/dev/full").exists() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut audit = Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "--format", "json"]);
        let ended = audit.command().stdout(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(2));
        insta::assert_snapshot!("output_is_full", String::from_utf8(ended.stderr).unwrap());
    }
}

#[test]
fn a_reader_that_stops_reading_is_no_error() {
    let account = broken_account();
    let mut audit = Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "--format", "json"]);
    let mut child = audit.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((status.code(), errors.as_str()), (Some(1), ""));
}

/// Ctrl-C ends a scan at once, with what is known and the rest marked as not read.
#[cfg(unix)]
#[test]
fn an_interrupted_scan_says_what_it_did_not_read() {
    let account = broken_account();
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("ec2:DescribeInstances", Kind::Hang));
    let mut audit = Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "--format", "json"])
        .env("AWS_ENDPOINT_URL", &proxy.url());
    let child = audit.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let waiting = Instant::now();
    while !proxy.actions().iter().any(|action| action == "logs:DescribeLogGroups") {
        assert!(waiting.elapsed() < Duration::from_secs(20), "the scan does not get going: {:?}", proxy.actions());
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    let interrupted = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(interrupted.elapsed() < Duration::from_secs(3), "it took {:?} to stop", interrupted.elapsed());
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["scopes"].as_array().unwrap().iter().any(|scope| scope["complete"] == false), "{report:#}");
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["resource"]["id"] == "*" && finding["verdict"] == "unknown"));
    assert!(findings.iter().any(|finding| finding["rule"] == "logs-retention-set" && finding["verdict"] == "pass"));
}

#[test]
fn help_and_version_are_reviewed() {
    insta::assert_snapshot!(shown(Audit::new(&["--help"]).env("COLUMNS", "100")));
    insta::assert_snapshot!(shown(Audit::new(&["scan", "--help"]).env("COLUMNS", "100")));
    let number = format!("ssm-audit {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(Audit::new(&["-V"]).run().stdout, number);
    let version = Audit::new(&["--version"]).run().stdout;
    let [commit, build] = version.strip_prefix(&number).unwrap().lines().collect::<Vec<_>>()[..] else {
        panic!("{version}")
    };
    assert!(commit.starts_with("commit  ") && build.starts_with("build   debug, "), "{version}");
}

#[test]
fn rules_are_listed_as_wide_as_the_terminal() {
    for columns in ["80", "140"] {
        let listed =
            Audit::new(&["rules", "list", "--policy", "hardened", "--rule", "s*"]).env("COLUMNS", columns).run();
        let widest = listed.stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.parse().unwrap(), "{}", listed.stdout);
        insta::assert_snapshot!(format!("rules_list_{columns}"), listed.stdout);
    }
}

#[test]
fn manual_pages_are_written_for_each_command() {
    let mut audit = Audit::new(&["man", "--to", "."]);
    assert_eq!(audit.run().code, Some(0));
    let page = std::fs::read_to_string(audit.folder().join("ssm-audit-scan.1")).unwrap();
    for part in [".SH NAME", ".SH EXTRA", "Exit codes", r"\-\-fail\-on"] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    assert!(audit.folder().join("ssm-audit-rules-explain.1").exists() && audit.folder().join("ssm-audit.1").exists());
    assert!(!audit.folder().join("ssm-audit-rules-pages.1").exists(), "hidden commands have no page");
}

#[test]
fn a_rule_is_explained() {
    insta::assert_snapshot!(shown(Audit::new(&["rules", "explain", "logs-retention-set"])));
    insta::assert_snapshot!(shown(Audit::new(&["rules", "explain", "ec2-imdsv2-required"])));
    insta::assert_snapshot!(shown(Audit::new(&["rules", "schema", "AWS::Logs::LogGroup"])));
}

#[test]
fn completions_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let printed = Audit::new(&["completions", shell]).run();
        assert_eq!(printed.code, Some(0));
        assert!(printed.stdout.contains("ssm-audit"), "{shell}");
        // The script asks the program, which answers in the words of that shell.
        let asked = ["--", "ssm-audit", "iam-p"];
        let answer = Audit::new(&asked).env("_SSM_AUDIT_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", "1").run();
        assert!(answer.stdout.lines().any(|line| line.starts_with("iam-policy")), "{shell}: {}", answer.stdout);
    }
}

#[test]
fn waivers_accept_what_they_name_and_say_when_they_do_not() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &["ec2-detailed-monitoring", "logs-retention-set"]);
    let config = "waivers:\n\
                  - {rule: ec2-detailed-monitoring, resource: 'i-*', reason: cost, owner: team-x, expires: 2999-12-31}\n\
                  - {rule: logs-*, resource: '*', reason: once, expires: 2020-01-01}\n\
                  - {rule: s3-*, resource: nowhere, reason: never}\n";
    let scan = |arguments: &[&str]| {
        let mut audit = Audit::on(Emulator::moto(), &account, "us-east-1", arguments).file("ssm-audit.yaml", config);
        audit.run()
    };
    let scanned = scan(&["scan", "--format", "json"]);
    assert_eq!(scanned.code, Some(1), "{}", scanned.stderr);
    let report = scanned.json();
    assert_eq!(report["summary"]["waived"], 1);
    let findings = report["findings"].as_array().unwrap();
    let waived = findings.iter().find(|finding| finding["verdict"] == "waived").unwrap();
    assert_eq!(waived["rule"], "ec2-detailed-monitoring");
    assert_eq!(waived["waiver"]["verdict"], "fail");
    insta::assert_snapshot!(scanned.stderr);
    let scanned = scan(&["scan", "--rule", "ec2-*", "--format", "json"]);
    assert_eq!(scanned.code, Some(0), "{}", scanned.stderr);
}

/// Workflows build arguments from names of branches and folders, which others choose.
#[test]
fn errors_about_arguments_give_no_commands_to_a_log() {
    let hostile = "x\n::error::y ##[error]z \u{202e}";
    for flag in ["--region", "--format", "--account", "--fail-on", "--color", "--engine"] {
        let refused = Audit::new(&["scan", "infra", flag, hostile]).run();
        assert_eq!(refused.code, Some(2), "{flag}");
        let obeyed = refused.stderr.lines().any(|line| line.trim_start().starts_with("::"));
        assert!(
            !obeyed && !refused.stderr.contains("##[") && !refused.stderr.contains('\u{202e}'),
            "{}",
            refused.stderr
        );
    }
    let of_environment = Audit::new(&["scan", "infra"]).env("SSM_AUDIT_FORMAT", hostile).run();
    assert!(!of_environment.stderr.contains("##["), "{}", of_environment.stderr);
}
