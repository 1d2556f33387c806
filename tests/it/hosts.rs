//! The hosts that the program talks to: those that SECURITY.md lists, and no others. Each name that is looked up and each
//! address that is connected to is noted, below everything that the program is made of.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::audit::{Audit, Outcome};
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::Proxy;

/// The library that notes and refuses.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hosts.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/hosts.c");
        let flags = ["-shared", "-fPIC", "-Wall", "-Werror", "-o"];
        let built = Command::new("cc").args(flags).arg(&library).arg(source).arg("-ldl").output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        library
    })
}

/// Runs the program, and gives what it looked up and connected to.
fn hosts(mut audit: Audit) -> (Outcome, BTreeSet<String>) {
    let log = audit.folder().join("hosts.log");
    std::fs::write(&log, "").unwrap();
    audit.command().env("LD_PRELOAD", library()).env("HOSTS_LOG", &log);
    let outcome = audit.run();
    (outcome, std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect())
}

fn names(hosts: &[&str]) -> BTreeSet<String> {
    hosts.iter().map(|host| (*host).to_owned()).collect()
}

const CODE: &str = "module \"m\" {\n  source = \"https://modules.example.com/m.zip\"\n}\n\
                    module \"n\" {\n  source = \"git::https://git.example.com/n.git\"\n}\n\
                    data \"http\" \"x\" {\n  url = \"https://data.example.com\"\n}\n\
                    resource \"aws_instance\" \"a\" {}\n";

#[test]
fn work_on_code_and_on_files_talks_to_nobody() {
    let commands: &[&[&str]] = &[
        &["scan", "infra", "-o", "report.html", "-o", "report.sarif"],
        &["scan", "infra", "--changed-since", "HEAD"],
        &["fix", "infra", "--yes"],
        &["rules", "list"],
        &["rules", "explain", "ec2-imdsv2-required"],
        &["iam-policy", "--for", "fix"],
        &["runs", "list"],
        &["history", "list"],
        &["--version"],
    ];
    for command in commands {
        // With credentials at hand, and an endpoint that does not exist.
        let audit = Audit::new(command)
            .environment([("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_REGION", "us-east-1")])
            .file("infra/main.tf", CODE);
        let (_, hosts) = hosts(audit);
        assert_eq!(hosts, BTreeSet::new(), "{command:?}");
    }
}

/// An emulator that takes no credentials of others sees all calls; nothing else is connected to.
#[test]
fn work_on_an_account_talks_to_its_endpoint_alone() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &["ec2-imdsv2-required"]);
    for command in
        [&["scan"][..], &["collect", "-o", "snapshot.json"], &["sweep", "--state", "state"], &["fix", "--yes"]]
    {
        let proxy = Proxy::start(Emulator::moto().url());
        let audit = Audit::on(Emulator::moto(), &account, "us-east-1", command).env("AWS_ENDPOINT_URL", &proxy.url());
        let (outcome, hosts) = hosts(audit);
        assert!(matches!(outcome.code, Some(0 | 1 | 3)), "{command:?}: {}", outcome.stderr);
        assert_eq!(hosts, names(&["address 127.0.0.1"]), "{command:?}");
    }
}

#[test]
fn without_an_endpoint_the_first_host_is_that_of_sts_in_the_region() {
    let credentials = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_MAX_ATTEMPTS", "1")];
    for region in ["eu-west-1", "us-east-1"] {
        let audit = Audit::new(&["scan", "--region", region, "--call-timeout", "5"]).environment(credentials);
        let (outcome, hosts) = hosts(audit);
        assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
        assert_eq!(hosts, names(&[&format!("name sts.{region}.amazonaws.com")]));
    }
}

#[test]
fn without_credentials_the_instance_is_asked_and_nobody_else() {
    let audit = Audit::new(&["scan", "--region", "us-east-1"]).env("AWS_EC2_METADATA_DISABLED", "false");
    let (outcome, hosts) = hosts(audit);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert_eq!(hosts, names(&["address 169.254.169.254"]));
    let (_, hosts) = self::hosts(Audit::new(&["scan", "--region", "us-east-1"]));
    assert_eq!(hosts, BTreeSet::new());
}

#[test]
fn the_list_in_the_documentation_names_every_service_that_is_called() {
    let listed = include_str!("../../SECURITY.md");
    let mut services: BTreeSet<&str> = ssm_audit::model::call::ALL.iter().map(|call| call.service).collect();
    services.extend(["sts", "organizations"]);
    for service in services {
        assert!(listed.contains(&format!("`{service}`")), "{service}");
    }
}
