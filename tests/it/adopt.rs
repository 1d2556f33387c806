//! Adopting ssm-audit where much fails: waivers, baselines, and the configuration that holds them.

use std::path::Path;

use crate::audit::{Audit, Outcome};

/// A snapshot of an account in which some rules fail.
fn account() -> String {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/account.json");
    let recorded = std::fs::read_to_string(recorded).unwrap();
    let changes = [
        ("\"http_tokens\":\"required\"", "\"http_tokens\":\"optional\""),
        ("\"enable_key_rotation\":true", "\"enable_key_rotation\":false"),
        ("\"retention_in_days\":30", "\"retention_in_days\":7"),
    ];
    changes.into_iter().fold(recorded, |text, (was, is)| {
        assert!(text.contains(was), "{was}");
        text.replace(was, is)
    })
}

/// A folder with the snapshot, and the commands that are run in it one after another.
struct Folder {
    audit: Audit,
}

impl Folder {
    fn new() -> Self {
        Self { audit: Audit::new(&[]).file("account.json", &account()) }
    }

    fn with(self, name: &str, content: &str) -> Self {
        Self { audit: self.audit.file(name, content) }
    }

    fn path(&self) -> &Path {
        self.audit.folder()
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        Audit::new(arguments).within(self.path()).run()
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// What is counted by a scan.
    fn summary(&self, more: &[&str]) -> serde_json::Value {
        self.run(&[&["scan", "account.json", "--format", "json"], more].concat()).json()["summary"].clone()
    }
}

const REASON: &[&str] = &["--reason", "before adoption", "--until", "2999-03-01"];

#[test]
fn what_fails_in_a_report_is_waived_one_by_one() {
    let config = "# Ours.\npolicy: guide\n\nwaivers:   # with the team\n  - {rule: kms-*, resource: nowhere, reason: none yet}\n\n# End.\n";
    let folder = Folder::new().with("ssm-audit.yaml", config);
    let before = folder.summary(&[]);
    let failures = before["fail"].as_u64().unwrap();
    assert!(failures > 0 && before["waived"] == 0);
    folder.run(&["scan", "account.json", "-o", "report.json"]);
    let waived = folder.run(&[&["waive", "--from", "report.json"], REASON].concat());
    assert_eq!(waived.code, Some(0), "{}", waived.stderr);
    let after = folder.summary(&[]);
    assert_eq!((after["fail"].as_u64(), after["waived"].as_u64()), (Some(0), Some(failures)), "{}", waived.stderr);
    assert_eq!(after["unknown"], before["unknown"], "what could not be read is not waived");
    let edited = folder.read("ssm-audit.yaml");
    assert!(edited.starts_with(config.strip_suffix("\n# End.\n").unwrap()), "{edited}");
    assert!(edited.ends_with("\n\n# End.\n"), "{edited}");
    // A second time there is nothing to add.
    let again = folder.run(&[&["waive", "--from", "report.json"], REASON].concat());
    assert_eq!(again.code, Some(0));
    assert!(again.stderr.contains("already in the configuration"), "{}", again.stderr);
    assert_eq!(folder.read("ssm-audit.yaml"), edited);
}

#[test]
fn a_waiver_makes_a_configuration_where_there_is_none() {
    let folder = Folder::new();
    let waive =
        |resource: &str, more: &[&str]| folder.run(&[&["waive", "ec2-imds-hop-limit", resource], more].concat());
    let first = waive("i-0abc*", &["--reason", "it's: containers", "--until", "never", "--owner", "team #1"]);
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), ""), "{}", first.stderr);
    let second = waive("i-0def", &["--reason", "x", "--expires", "2999-03-01", "--account", "012345678901"]);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    insta::assert_snapshot!(folder.read("ssm-audit.yaml"));
    assert_eq!(folder.run(&["scan", "account.json", "--fail-on", "never", "--rule", "kms-*"]).code, Some(0));
}

#[test]
fn a_file_that_cannot_be_edited_safely_is_left_and_the_lines_are_printed() {
    let config = "waivers: &all\n  - {rule: kms-*, resource: nowhere, reason: none yet}\n";
    let folder = Folder::new().with("ssm-audit.yaml", config);
    let waive = [&["waive", "ec2-imds-hop-limit", "i-0abc*"], REASON].concat();
    let printed = folder.run(&waive);
    insta::assert_snapshot!(printed.shown(&folder.audit));
    assert_eq!(folder.read("ssm-audit.yaml"), config);
}

#[test]
fn waivers_that_cannot_be_are_refused() {
    let folder = Folder::new().with(
        "ssm-audit.yaml",
        "waivers:\n  - {rule: ec2-imds-hop-limit, resource: i-0abc, reason: once, until: 2020-01-01}\n",
    );
    let mut said = Vec::new();
    let mut refused = |arguments: &[&str]| {
        let outcome = folder.run(&[&["waive"], arguments].concat());
        assert_ne!(outcome.code, Some(0), "{arguments:?}");
        said.push(format!("{}\n{}", arguments.join(" "), outcome.shown(&folder.audit)));
    };
    refused(&["ec2-imds-hop-limt", "i-0abc", "--reason", "x", "--until", "never"]);
    refused(&["ec2-imds-hop-limit", "i-0abc", "--reason", " ", "--until", "never"]);
    refused(&["ec2-imds-hop-limit", "i-0abc", "--reason", "x", "--until", "2020-01-01"]);
    refused(&["ec2-imds-hop-limit", "i-0abc", "--reason", "x", "--until", "2999-03-01"]);
    refused(&["ec2-imds-hop-limit", "--reason", "x", "--until", "never"]);
    refused(&["ec2-imds-hop-limit", "i-0abc", "--reason", "x", "--until", "never", "--no-config"]);
    refused(&["--from", "nowhere.json", "--reason", "x", "--until", "never"]);
    insta::assert_snapshot!(said.join("\n"));
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let folder = Folder::new().with("home/secret.yaml", "policy: guide\n").with("home/known.json", "{}");
    let repository = folder.path().join("work");
    std::fs::create_dir_all(repository.join(".git")).unwrap();
    let link = |from: &str, to: &str| std::os::unix::fs::symlink(from, repository.join(to)).unwrap();
    link("../home/secret.yaml", "ssm-audit.yaml");
    link("inside.json", "known.json");
    let within = |arguments: &[&str]| Audit::new(arguments).within(&repository).run();
    let waive = [&["waive", "ec2-imds-hop-limit", "i-0abc"], REASON].concat();
    for more in [&[][..], &["--config", "ssm-audit.yaml"]] {
        let refused = within(&[&waive[..], more].concat());
        assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    }
    assert_eq!(folder.read("home/secret.yaml"), "policy: guide\n");
    // A link inside of the repository is not replaced by a file, either.
    std::fs::remove_file(repository.join("ssm-audit.yaml")).unwrap();
    std::fs::write(repository.join("real.yaml"), "policy: guide\n").unwrap();
    link("real.yaml", "ssm-audit.yaml");
    let refused = within(&waive);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(refused.stderr.contains("it is a symbolic link"), "{}", refused.stderr);
    assert_eq!(folder.read("work/real.yaml"), "policy: guide\n");
}

#[test]
fn a_baseline_is_made_used_and_pruned() {
    let folder = Folder::new();
    let before = folder.summary(&[]);
    let open = before["fail"].as_u64().unwrap() + before["unknown"].as_u64().unwrap();
    folder.run(&["scan", "account.json", "-o", "report.json"]);
    let made = folder.run(&["baseline", "create", "report.json", "-o", "baseline.json"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let (small, whole) = (folder.read("baseline.json"), folder.read("report.json"));
    assert!(small.len() * 5 < whole.len(), "{} of {}", small.len(), whole.len());
    for known in ["baseline.json", "report.json"] {
        let after = folder.summary(&["--baseline", known]);
        assert_eq!((after["fail"].as_u64(), after["in_baseline"].as_u64()), (Some(0), Some(open)), "{known}");
    }
    // By the configuration, which the report names; a flag sets it aside.
    let folder = folder.with("ssm-audit.yaml", "policy: guide\nbaseline: baseline.json\nfail_on: high\nformat: json\n");
    let scanned = folder.run(&["scan", "account.json"]);
    let report = scanned.json();
    assert_eq!(report["summary"]["in_baseline"].as_u64(), Some(open), "{}", scanned.stderr);
    let settings = report["provenance"]["settings"].as_array().unwrap();
    for (key, value) in [("baseline", "baseline.json"), ("fail_on", "high")] {
        let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
        assert_eq!((&setting["value"], &setting["origin"]), (&value.into(), &"ssm-audit.yaml".into()));
    }
    assert_eq!(folder.summary(&["--baseline", "none"])["fail"], before["fail"]);

    // A report that lists only what is new says nothing of what is known.
    folder.run(&["scan", "account.json", "-o", "new.json"]);
    let refused = folder.run(&["baseline", "prune", "--from", "new.json"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--baseline none"), "{}", refused.stderr);
    let pruned = folder.run(&["baseline", "prune", "--from", "report.json"]);
    assert!(pruned.stderr.contains("Nothing to remove"), "{}", pruned.stderr);
    assert_eq!(folder.read("baseline.json"), small);
    // Once fixed, it is taken out.
    let fixed = account().replace("\"enable_key_rotation\":false", "\"enable_key_rotation\":true");
    let folder = folder.with("account.json", &fixed);
    folder.run(&["scan", "account.json", "--baseline", "none", "-o", "report.json"]);
    let pruned = folder.run(&["baseline", "prune", "--from", "report.json"]);
    assert_eq!(pruned.code, Some(0), "{}", pruned.stderr);
    assert!(pruned.stderr.contains("kms-rotation-enabled") && pruned.stderr.contains("passes"), "{}", pruned.stderr);
    assert!(folder.read("baseline.json").len() < small.len());
}

#[test]
fn the_configuration_decides_when_a_scan_fails_and_a_flag_wins() {
    let folder = Folder::new().with("ssm-audit.yaml", "fail_on: never\n");
    let code =
        |more: &[&str]| folder.run(&[&["scan", "account.json", "--rule", "kms-rotation-enabled"], more].concat()).code;
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--fail-on", "info"]), Some(1));
    assert_eq!(code(&["--no-config"]), Some(1));
    let folder = folder.with("ssm-audit.yaml", "fail_on: sometimes\nformat: docx\n");
    let refused = folder.run(&["scan", "account.json"]);
    insta::assert_snapshot!(refused.shown(&folder.audit));
    let folder = folder.with("ssm-audit.yaml", "format: docx\n");
    insta::assert_snapshot!(folder.run(&["scan", "account.json"]).shown(&folder.audit));
}

#[test]
fn the_effective_configuration_names_the_origin_of_each_value() {
    let config = "policy: guide\n# Ours.\nfail_on: high\nparams:\n  logs-retention-set: {min_days: 90}\n\
                  fleet: {accounts: [self], role: Scan, external_id: tell-me}\nfix:\n  bucket: logs\nwaivers:\n  \
                  - {rule: ec2-imds-hop-limit, resource: \"*\", reason: once, until: 2999-01-01}\n";
    let folder = Folder::new().with("ssm-audit.yaml", config);
    let show = |arguments: &[&str]| {
        let arguments = [&["config", "show"], arguments].concat();
        Audit::new(&arguments).within(folder.path()).env("SSM_AUDIT_POLICY", "hardened").env("COLUMNS", "100").run()
    };
    let shown = show(&["--fail-on", "never", "--param", "logs-retention-set.allow_never=true"]);
    insta::assert_snapshot!(shown.shown(&folder.audit));
    let json = show(&["--format", "json"]).json();
    let value =
        |key: &str| json["values"].as_array().unwrap().iter().find(|value| value["key"] == key).unwrap().clone();
    assert_eq!(
        (&value("policy")["origin"], &value("policy")["value"]),
        (&"SSM_AUDIT_POLICY".into(), &"hardened".into())
    );
    assert_eq!((&value("fail_on")["origin"], &value("fail_on")["line"]), (&"ssm-audit.yaml".into(), &3.into()));
    assert!(!json.to_string().contains("tell-me"));
    let schema = folder.run(&["config", "schema"]).json();
    assert!(schema["properties"]["waivers"].is_object());
}

/// A repository with code in a folder.
fn repository(with: &[(&str, &str)]) -> Folder {
    let folder =
        Folder::new().with("infra/main.tf", "resource \"aws_kms_key\" \"a\" {}\n").with(".git/HEAD", "ref: x\n");
    let folder = with.iter().fold(folder, |folder, (name, content)| folder.with(name, content));
    std::fs::create_dir_all(folder.path().join(".git/objects")).unwrap();
    std::fs::create_dir_all(folder.path().join(".git/refs")).unwrap();
    folder
}

#[test]
fn init_writes_a_configuration_and_the_check_and_overwrites_nothing() {
    let folder = repository(&[(".github/CODEOWNERS", "")]);
    let init = |within: &str, arguments: &[&str]| {
        let folder = folder.path().join(within);
        Audit::new(&[&["init"], arguments].concat()).within(&folder).run()
    };
    let first = init("infra", &[]);
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), ""), "{}", first.stderr);
    insta::assert_snapshot!(first.shown(&folder.audit));
    insta::assert_snapshot!(folder.read(".github/workflows/ssm-audit.yml"));
    assert!(folder.read("ssm-audit.yaml").starts_with("# yaml-language-server: $schema=./ssm-audit.schema.json\n"));
    let schema: serde_json::Value = serde_json::from_str(&folder.read("ssm-audit.schema.json")).unwrap();
    assert!(schema["properties"]["policy"].is_object());
    assert_eq!(folder.run(&["config", "show"]).code, Some(0));

    let folder =
        folder.with("ssm-audit.yaml", "policy: guide # mine\n").with(".github/workflows/ssm-audit.yml", "mine");
    let init =
        |arguments: &[&str]| Audit::new(&[&["init"], arguments].concat()).within(&folder.path().join("infra")).run();
    assert_eq!(init(&["--workflow", "--pre-commit"]).code, Some(0));
    assert_eq!(folder.read("ssm-audit.yaml"), "policy: guide # mine\n");
    assert_eq!(folder.read(".github/workflows/ssm-audit.yml"), "mine");
    let hooks = folder.read(".pre-commit-config.yaml");
    insta::assert_snapshot!(hooks);
    let again = init(&["--pre-commit"]);
    assert_eq!((again.code, format!("repos:\n{}", again.stdout)), (Some(0), hooks.clone()), "{}", again.stderr);
    assert_eq!(folder.read(".pre-commit-config.yaml"), hooks);
}

#[test]
fn init_outside_of_a_repository_writes_the_configuration_alone() {
    let folder = Folder::new();
    assert_eq!(folder.run(&["init", "--workflow"]).code, Some(2));
    let folder = Folder::new();
    let made = folder.run(&["init", "--schema", "https://example.com/schema.json"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(folder.read("ssm-audit.yaml").contains("$schema=https://example.com/schema.json\n"));
    assert!(!folder.path().join("ssm-audit.schema.json").exists() && !folder.path().join(".github").exists());
}

#[cfg(unix)]
#[test]
fn init_writes_nothing_through_a_link() {
    let folder = repository(&[]);
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join(".github")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("new.yaml"), folder.path().join("ssm-audit.schema.json")).unwrap();
    let made = Audit::new(&["init", "--workflow"]).within(&folder.path().join("infra")).run();
    assert_eq!(made.code, Some(2), "{}", made.stderr);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0, "{}", made.stderr);
}
