//! AWS-compatible servers for tests: installed on first use, started on free loopback ports, and ended
//! with the test process, however that ends. What accounts look like stands in `tests/emulator/`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
use serde_json::Value;

/// A running server. Its process reads a pipe that only this process holds, and ends when that closes:
/// so no server outlives its tests, not even tests that were killed.
pub(crate) struct Emulator {
    url: String,
    child: Child,
}

impl Emulator {
    /// moto with our additions: one for all tests of this process.
    pub(crate) fn moto() -> &'static Self {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(Self::moto_alone)
    }

    /// moto for one test alone; ends when it is dropped.
    pub(crate) fn moto_alone() -> Self {
        Self::start("moto", "moto_additions.py", &[])
    }

    /// ministack as it is, which lets everything be done.
    pub(crate) fn ministack() -> &'static Self {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("ministack", "ministack_server.py", &[]))
    }

    /// ministack enforcing the policies of users and roles.
    pub(crate) fn ministack_with_authorization() -> &'static Self {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(|| Self::start("ministack-auth", "ministack_server.py", &["--auth"]))
    }

    /// This server behind TLS; the certificate of its authority is written to the file.
    pub(crate) fn behind_tls(&self, certificate: &Path) -> Self {
        let certificate = certificate.to_str().expect("a path that is text");
        Self::start("tls", "tls.py", &["--upstream", self.url(), "--certificate", certificate])
    }

    fn start(name: &str, script: &str, arguments: &[&str]) -> Self {
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.log", std::process::id()));
        let errors = File::create(&log).expect("a log file for the emulator");
        let mut child = Command::new(python())
            .arg(folder().join(script))
            .args(arguments)
            .arg("--until-stdin-closes")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("the emulator starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output is piped"))
            .read_line(&mut line)
            .expect("the emulator says where it listens");
        let Some(url) = line.trim().strip_prefix("listening on ") else {
            panic!("{name} did not start, see {}: {line}", log.display());
        };
        Self { url: url.to_owned(), child }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Builds a compliant account with one instance a region, then breaks the first region in the given ways.
    /// Returns what `accounts.py` prints: ids by region, credentials, and what was broken.
    pub(crate) fn seed(&self, account: &str, regions: &[&str], breakages: &[&str]) -> Value {
        let mut arguments = vec!["--account", account];
        arguments.extend(regions.iter().flat_map(|region| ["--region", region]));
        arguments.extend(breakages.iter().flat_map(|name| ["--break", name]));
        self.seed_with(&arguments)
    }

    /// Any other use of `accounts.py`: `--vary`, `--hazard`, `--break-everything`, `--untouched`, `--instances`,
    /// `--matrix`, `--demo`, `--user-policy`.
    pub(crate) fn seed_with(&self, arguments: &[&str]) -> Value {
        script("accounts.py", &[&["--endpoint-url", self.url()], arguments].concat())
    }

    /// Everything about an account that a fix may change, without what is numbered anew each time.
    pub(crate) fn dump(&self, account: &str, regions: &[&str]) -> Value {
        let mut arguments = vec!["--endpoint-url", self.url(), "--account", account, "--comparable"];
        arguments.extend(regions.iter().flat_map(|region| ["--region", region]));
        script("dump.py", &arguments)
    }

    /// The dumps of accounts that are numbered in a row.
    pub(crate) fn dumps(&self, first: &str, count: usize, regions: &[String]) -> Vec<Value> {
        let count = count.to_string();
        let mut arguments = vec!["--endpoint-url", self.url(), "--account", first, "--comparable", "--copies", &count];
        arguments.extend(regions.iter().flat_map(|region| ["--region", region.as_str()]));
        serde_json::from_value(script("dump.py", &arguments)).expect("a list of dumps")
    }

    /// Changes in the region what fixes change, as somebody else might; gives what it changed.
    pub(crate) fn meddle(&self, account: &str, region: &str) -> Value {
        script("meddle.py", &["--endpoint-url", self.url(), "--account", account, "--region", region])
    }

    /// What the corrections to moto were to put right and did not.
    pub(crate) fn check(&self, account: &str) -> Value {
        script("check.py", &["--endpoint-url", self.url(), "--account", account])
    }

    /// Imports an ASFF report into Security Hub. Returns what `securityhub.py` prints: problems, and counts by status.
    pub(crate) fn import_findings(&self, report: &Path) -> Value {
        let report = report.to_str().expect("a path that is text");
        script("securityhub.py", &["--endpoint-url", self.url(), report])
    }

    /// Builds an organisation by the plan that `organization.py` documents. Returns what it prints.
    pub(crate) fn organization(&self, management: &str, plan: &Value) -> Value {
        let plan = plan.to_string();
        script("organization.py", &["--endpoint-url", self.url(), "--management", management, "--plan", &plan])
    }

    /// Environment variables that lead a client to this server and account.
    pub(crate) fn environment(&self, account: &str, region: &str) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.url.clone()),
            ("AWS_ACCESS_KEY_ID", account.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", region.to_owned()),
        ]
    }
}

/// A client of IAM for this server and account.
pub(crate) fn iam(emulator: &Emulator, account: &str) -> aws_sdk_iam::Client {
    let config = aws_sdk_iam::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(emulator.url())
        .credentials_provider(Credentials::new(account, "test", None, None, "tests"))
        .region(Region::new("us-east-1"));
    aws_sdk_iam::Client::from_conf(config.build())
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // A server that has ended already is what is wanted.
        drop(self.child.wait());
    }
}

static NEXT_ACCOUNT: AtomicU64 = AtomicU64::new(700_000_000_000);

/// An account that no other test of this process uses.
pub(crate) fn fresh_account() -> String {
    NEXT_ACCOUNT.fetch_add(1, Ordering::Relaxed).to_string()
}

/// Accounts in a row that no other test of this process uses, for `--copies`.
pub(crate) fn fresh_accounts(count: u64) -> Vec<String> {
    let first = NEXT_ACCOUNT.fetch_add(count, Ordering::Relaxed);
    (first..first + count).map(|account| account.to_string()).collect()
}

/// All breakages with the rules that fail beside theirs, all variations with the verdicts other than `pass`
/// that are right for them, and the rules that no emulated account can break.
pub(crate) fn names() -> &'static Value {
    static NAMES: OnceLock<Value> = OnceLock::new();
    NAMES.get_or_init(|| script("accounts.py", &["--names"]))
}

/// What differs between two dumps: path, before, after. What is new has null before it, what is gone null
/// after it, and what is inside of either is not listed.
pub(crate) fn differences(before: &Value, after: &Value) -> Vec<(String, Value, Value)> {
    let mut found = Vec::new();
    compare(before, after, "", &mut found);
    found
}

fn compare(before: &Value, after: &Value, path: &str, found: &mut Vec<(String, Value, Value)>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        if before != after {
            found.push((path.to_owned(), before.clone(), after.clone()));
        }
        return;
    };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let (was, is) = (old.get(name).unwrap_or(&Value::Null), new.get(name).unwrap_or(&Value::Null));
        compare(was, is, &format!("{path}/{name}"), found);
    }
}

/// What a script beside the emulators prints.
fn script(name: &str, arguments: &[&str]) -> Value {
    let output = Command::new(python())
        .arg(folder().join(name))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("the script starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?} failed:\n{errors}");
    serde_json::from_slice(&output.stdout).expect("the script prints JSON")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulator")
}

/// The folder of the programs that are installed with the emulators, such as the AWS CLI.
pub(crate) fn programs() -> &'static Path {
    python().parent().expect("a folder")
}

/// The Python of the environment that the emulators are installed in.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output = Command::new("python3")
            .arg(folder().join("install.py"))
            .stderr(Stdio::inherit())
            .output()
            .expect("python3 is installed: the emulators need it");
        assert!(output.status.success(), "the emulators could not be installed, see above");
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("bin/python")
    })
}
