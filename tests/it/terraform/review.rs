//! What a pull request needs: edits in SARIF that are those of `fix`, other places that matter, and only what is new.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use rayon::prelude::*;
use serde_json::Value;

use super::breakages::BREAKAGES;
use super::fix::{CONFIG, fix};
use super::{ALL, COMPLIANT, PLACE, at, findings, scan};
use crate::audit::{Audit, Outcome};

/// The text with the replacements of an artifact change made, from the last on.
fn applied(text: &str, change: &Value) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let offset = |line: &Value, column: &Value| {
        let line = usize::try_from(line.as_u64().unwrap()).unwrap() - 1;
        let before: usize = lines[..line].iter().map(|line| line.len()).sum();
        let columns = usize::try_from(column.as_u64().unwrap()).unwrap() - 1;
        before + lines.get(line).map_or(0, |line| line.chars().take(columns).map(char::len_utf8).sum())
    };
    let mut text = text.to_owned();
    for replacement in change["replacements"].as_array().unwrap().iter().rev() {
        let region = &replacement["deletedRegion"];
        let start = offset(&region["startLine"], &region["startColumn"]);
        let end = offset(&region["endLine"], &region["endColumn"]);
        text.replace_range(start..end, replacement["insertedContent"]["text"].as_str().unwrap());
    }
    text
}

fn results(outcome: &Outcome) -> Vec<Value> {
    outcome.json()["runs"][0]["results"].as_array().unwrap().clone()
}

#[test]
fn the_edits_in_sarif_are_those_of_fix() {
    let compared: Vec<bool> = BREAKAGES
        .par_iter()
        .map(|breakage| {
            let broken = COMPLIANT.replace(breakage.from, breakage.to);
            let flags = [PLACE, ALL, &["--rule", breakage.rule]].concat();
            let scan = Audit::new(&["scan", "code", "--format", "sarif"])
                .args(&flags)
                .file("code/main.tf", &broken)
                .file("ssm-audit.yaml", CONFIG)
                .run();
            let result = &results(&scan)[0];
            let (_, fixed) = fix(&broken, &[&flags[..], &["--yes"]].concat());
            let Some(edit) = result["fixes"].get(0) else {
                assert_eq!(fixed, broken, "{}: there is an edit, and SARIF does not have it", breakage.rule);
                return false;
            };
            let change = &edit["artifactChanges"][0];
            assert_eq!(change["artifactLocation"]["uri"], "code/main.tf");
            assert_eq!(applied(&broken, change), fixed, "{}", breakage.rule);
            true
        })
        .collect();
    assert!(compared.iter().filter(|compared| **compared).count() > 30);
}

#[test]
fn a_finding_names_the_places_that_its_rule_reads_through() {
    let broken = COMPLIANT.replace("cidr_ipv4         = \"0.0.0.0/0\"", "cidr_ipv4 = \"10.0.0.0/8\"");
    let findings = findings(&scan(&broken, PLACE));
    let related = at(&findings, "ec2-https-egress-allowed")["related"].as_array().unwrap().clone();
    let group = broken[..broken.find("resource \"aws_security_group\" \"node\"").unwrap()].matches('\n').count() + 1;
    assert!(related.iter().any(|place| place["line"] == group), "{related:#?}");
}

fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

const TWO: &str = "resource \"aws_instance\" \"old\" {\n  ami = \"ami-1\"\n}\n\nresource \"aws_instance\" \"new\" {\n  ami = \"ami-1\"\n}\n";

#[test]
fn only_what_stands_on_changed_lines_is_reported() {
    let rule = ["--rule", "ec2-detailed-monitoring", "--format", "json", "--changed-since", "HEAD"];
    let mut audit = Audit::new(&["scan", "in fra"]).args(&rule).file("in fra/main.tf", TWO);
    git(audit.folder(), &["init"]);
    git(audit.folder(), &["add", "."]);
    git(audit.folder(), &["commit", "-m", "a"]);
    let outcome = audit.run();
    assert_eq!((outcome.code, findings(&outcome).len()), (Some(0), 0), "{}", outcome.stderr);
    let addresses = |outcome: &Outcome| {
        let address = |finding: &Value| finding["resource"]["address"].as_str().unwrap().to_owned();
        findings(outcome).iter().map(address).collect::<Vec<_>>()
    };
    audit = audit.file("in fra/main.tf", &TWO.replace("\"new\" {\n  ami = \"ami-1\"", "\"new\" {\n  ami = \"ami-2\""));
    let outcome = audit.run();
    assert_eq!((outcome.code, addresses(&outcome)), (Some(1), vec!["aws_instance.new".to_owned()]));
    // A line that was taken away is a change as well, and so is a file that Git does not know.
    audit = audit.file("in fra/main.tf", &TWO.replace("\"old\" {\n  ami = \"ami-1\"\n", "\"old\" {\n"));
    assert_eq!(addresses(&audit.run()), ["aws_instance.old"]);
    audit = audit.file("in fra/main.tf", TWO).file("in fra/more.tf", &TWO.replace("old", "o").replace("new", "n"));
    assert_eq!(addresses(&audit.run()), ["aws_instance.n", "aws_instance.o"]);
    // What cannot be read is never left out.
    audit = audit.file("in fra/bad.tf", "resource {");
    let outcome = audit.run();
    assert!(findings(&outcome).iter().any(|finding| finding["resource"]["id"] == "*"));
}

#[test]
fn a_revision_that_is_none_is_refused() {
    for revision in ["nonsense", "--output=x"] {
        let flag = format!("--changed-since={revision}");
        let mut audit = Audit::new(&["scan", "infra", &flag]).file("infra/main.tf", TWO);
        git(audit.folder(), &["init"]);
        let outcome = audit.run();
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.stderr.contains("a revision of the Git repository"), "{}", outcome.stderr);
        assert!(!audit.folder().join("x").exists());
    }
}

#[test]
fn only_what_a_baseline_does_not_have_is_reported() {
    let rules = ["--rule", "ec2-detailed-monitoring,ec2-imds-hop-limit"];
    for name in ["base.json", "base.sarif"] {
        let mut first = Audit::new(&["scan", "infra", "-o", name]).args(&rules).file("infra/main.tf", TWO);
        assert_eq!(first.run().code, Some(1));
        let baseline = std::fs::read_to_string(first.folder().join(name)).unwrap();
        let again = |code: &str| {
            let flags = ["scan", "infra", "--format", "json", "--baseline", name];
            Audit::new(&flags).args(&rules).file("infra/main.tf", code).file(name, &baseline).run()
        };
        let same = again(&format!("# moved\n\n{TWO}"));
        assert_eq!((same.code, findings(&same).len()), (Some(0), 0), "{}", same.stdout);
        assert_eq!(same.json()["summary"]["in_baseline"], 4);
        // What was unknown and fails now is new.
        let worse = TWO.replacen("  ami", "  metadata_options {\n    http_put_response_hop_limit = 3\n  }\n  ami", 1);
        let worse = again(&worse);
        assert_eq!((worse.code, findings(&worse).len()), (Some(1), 1), "{}", worse.stdout);
    }
    let outcome =
        Audit::new(&["scan", "infra", "--baseline", "x.json"]).file("infra/main.tf", TWO).file("x.json", "[]").run();
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("is no baseline"), "{}", outcome.stderr);
}

/// A file at the top of the repository.
fn published(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn what_others_wrote_is_pinned_in_one_version_and_nothing_is_put_into_scripts() {
    let mut pinned: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in ["action.yml", ".github/workflows/ci.yml", "deploy/github/ssm-audit.yml"] {
        for line in published(file).lines() {
            let Some(used) = line.trim().trim_start_matches("- ").strip_prefix("uses: ") else { continue };
            let (name, commit) = used.split_once('@').unwrap();
            let commit = commit.split(' ').next().unwrap();
            assert!(commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit()), "{line}");
            let repository: Vec<&str> = name.splitn(3, '/').take(2).collect();
            pinned.entry(repository.join("/")).or_default().insert(commit.to_owned());
        }
    }
    assert!(pinned.len() >= 4 && pinned.values().all(|commits| commits.len() == 1), "{pinned:#?}");
    let action = published("action.yml");
    for script in action.split("run: |\n").skip(1) {
        let script: String = script.lines().take_while(|line| line.starts_with("        ")).collect();
        assert!(!script.contains("${{"), "{script}");
    }
}

/// The command of each hook, as pre-commit puts it together.
#[test]
fn the_hooks_run_what_there_is() {
    let hooks = published(".pre-commit-hooks.yaml");
    let entries = hooks.lines().filter_map(|line| line.trim().strip_prefix("entry: "));
    for entry in entries.collect::<Vec<_>>() {
        let words: Vec<&str> = entry.split(' ').collect();
        assert_eq!(words[0], "ssm-audit");
        let outcome = Audit::new(&words[1..]).args(&["infra"]).file("infra/main.tf", TWO).run();
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    }
}
