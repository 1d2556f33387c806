//! Sweeps remember: what is new, what is fixed, what is open and since when, and what nobody could see. A sweep that was
//! cut off is taken up where it stopped.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{Audit, Outcome};
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};

/// Accounts that are looked at again and again, with a history of their own.
struct Fleet {
    state: tempfile::TempDir,
    accounts: Vec<String>,
    endpoint: String,
}

impl Fleet {
    fn of(accounts: Vec<String>) -> Self {
        Self { state: tempfile::TempDir::new().unwrap(), accounts, endpoint: Emulator::moto().url().to_owned() }
    }

    fn state(&self) -> &str {
        self.state.path().to_str().unwrap()
    }

    fn audit(&self, arguments: &[&str]) -> Audit {
        let accounts = self.accounts.join(",");
        Audit::on(Emulator::moto(), &self.accounts[0], "us-east-1", &["sweep", "--format", "json"])
            .args(&["--state", self.state(), "--accounts", &accounts, "--role", "SsmAuditScan"])
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
    }

    fn sweep(&self, arguments: &[&str]) -> Value {
        let swept = self.audit(arguments).run();
        assert!(matches!(swept.code, Some(0 | 1 | 3)), "{}", swept.stderr);
        swept.json()
    }

    fn history(&self, arguments: &[&str]) -> Outcome {
        Audit::new(&["history", "--state", self.state()]).args(arguments).run()
    }
}

/// Rule, account and reason of what stands so in a report.
fn standing(report: &Value, standing: &str) -> BTreeSet<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lists = ["findings", "stale", "fixed"].iter().flat_map(|list| report[*list].as_array().unwrap());
    lists
        .filter(|finding| finding["standing"] == standing)
        .map(|finding| (text(&finding["rule"]), text(&finding["resource"]["account"]), text(&finding["because"])))
        .collect()
}

fn only(rule: &str, account: &str, because: &str) -> BTreeSet<(String, String, String)> {
    BTreeSet::from([(rule.to_owned(), account.to_owned(), because.to_owned())])
}

fn counts(report: &Value) -> Value {
    json!([report["sweep"]["new"], report["sweep"]["open"], report["sweep"]["fixed"], report["sweep"]["stale"]])
}

#[test]
fn a_sweep_tells_what_is_new_and_fixed_and_since_when_the_rest_is_open() {
    let mut fleet = Fleet::of(vec![fresh_account(), fresh_account()]);
    let (calm, broken) = (fleet.accounts[0].clone(), fleet.accounts[1].clone());
    Emulator::moto().seed(&calm, &["us-east-1"], &[]);
    let made = Emulator::moto().seed(&broken, &["us-east-1"], &["kms-rotation-enabled"]);
    let first = fleet.sweep(&[]);
    assert_eq!(standing(&first, "new"), only("kms-rotation-enabled", &broken, "first_look"));
    let second = fleet.sweep(&[]);
    assert_eq!(counts(&second), json!([0, 1, 0, 0]));
    let since = |report: &Value| report["findings"][0]["since"].clone();
    assert_eq!((since(&second), since(&first)), (first["started_at"].clone(), first["started_at"].clone()));

    // The account cannot be entered: what is open there is stale, and not fixed.
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("sts:AssumeRole", Kind::Denied).containing(&broken));
    fleet.endpoint = proxy.url();
    let third = fleet.sweep(&[]);
    assert_eq!(counts(&third), json!([0, 0, 0, 1]));
    assert_eq!(standing(&third, "stale"), only("kms-rotation-enabled", &broken, "not_read"));
    fleet.endpoint = Emulator::moto().url().to_owned();

    // A rule that is not held says nothing of what it found before.
    let narrow = fleet.sweep(&["--rule", "sg-*"]);
    assert_eq!(standing(&narrow, "stale"), only("kms-rotation-enabled", &broken, "not_held"));

    let again = fleet.sweep(&[]);
    assert_eq!(counts(&again), json!([0, 1, 0, 0]));
    assert_eq!(since(&again), first["started_at"]);

    // A rule that changes is told from an account that does.
    let stricter = fleet.sweep(&["--param", "ssm-idle-timeout.max_minutes=1"]);
    let new = standing(&stricter, "new");
    assert!(new.iter().all(|(rule, _, because)| rule == "ssm-idle-timeout" && because == "rules"), "{new:?}");
    assert_eq!(new.len(), 2);
    let key = made["regions"]["us-east-1"]["keys"].as_object().unwrap();
    assert!(!key.is_empty());
    rotate(&broken, made["broken"]["kms-rotation-enabled"][0]["id"].as_str().unwrap());
    let last = fleet.sweep(&[]);
    let fixed: BTreeSet<_> = standing(&last, "fixed").into_iter().map(|(rule, _, because)| (rule, because)).collect();
    let expected = [("kms-rotation-enabled", "account"), ("ssm-idle-timeout", "rules")];
    assert_eq!(fixed, expected.map(|(rule, because)| (rule.to_owned(), because.to_owned())).into());

    // What is fixed is said once.
    assert_eq!(counts(&fleet.sweep(&[])), json!([0, 0, 0, 0]));
    let listed = fleet.history(&["list", "--format", "json"]).json();
    assert_eq!(listed["sweeps"].as_array().unwrap().len(), 8);
    let differences = fleet.history(&["diff", "1", "8"]);
    assert!(differences.stdout.starts_with("fixed     medium   kms-rotation-enabled  "), "{}", differences.stdout);
    assert!(differences.stdout.ends_with("sweep 1 to 8: 0 appeared, 1 fixed, 0 stale\n"), "{}", differences.stdout);
    let stale = fleet.history(&["diff", "1", "3"]).stdout;
    assert!(stale.ends_with("sweep 1 to 3: 0 appeared, 0 fixed, 1 stale\n"), "{stale}");

    // Forgetting keeps what the next sweep is compared with.
    assert_eq!(fleet.history(&["prune", "--keep", "1"]).code, Some(0));
    assert_eq!(counts(&fleet.sweep(&[])), json!([0, 0, 0, 0]));
}

/// Makes the key rotate.
fn rotate(account: &str, key: &str) {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(Emulator::moto().url())
        .credentials_provider(aws_sdk_kms::config::Credentials::new(account, "test", None, None, "tests"))
        .region(aws_sdk_kms::config::Region::new("us-east-1"));
    let client = aws_sdk_kms::Client::from_conf(config.build());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client.enable_key_rotation().key_id(key).send()).unwrap();
}

#[test]
fn a_sweep_finds_what_a_scan_finds_and_its_report_holds_to_the_schema() {
    let fleet = Fleet::of(vec![fresh_account()]);
    Emulator::moto().seed(&fleet.accounts[0], &["us-east-1"], &["sg-no-ingress", "logs-retention-set"]);
    let swept = fleet.sweep(&["--include-pass"]);
    let scanned =
        Audit::on(Emulator::moto(), &fleet.accounts[0], "us-east-1", &["scan", "--format", "json"]).run().json();
    let mut findings = swept["findings"].clone();
    for finding in findings.as_array_mut().unwrap() {
        for added in ["standing", "because", "since", "seen"] {
            finding.as_object_mut().unwrap().remove(added);
        }
    }
    assert!(findings == scanned["findings"], "the findings are not those of a scan");
    for part in ["kind", "schema_version", "tool", "policy", "scopes", "summary"] {
        assert_eq!(swept[part], scanned[part], "{part}");
    }
    let schema =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/report.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&swept).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    // Without passes, they are counted all the same.
    let counted = fleet.sweep(&[]);
    assert_eq!(counted["summary"], swept["summary"]);
    assert_eq!(counted["findings"].as_array().unwrap().len(), 2);
    // Formats that are no streams have it too.
    let sarif = fleet.history(&["show", "1", "--format", "sarif"]).json();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 2);
}

/// Everything of a report but what differs from run to run.
fn lasting(report: &Value) -> Value {
    let mut report = report.clone();
    for time in ["started_at", "finished_at"] {
        report[time] = Value::Null;
    }
    report["sweep"]["id"] = Value::Null;
    for list in ["findings", "stale", "fixed"] {
        for finding in report[list].as_array_mut().unwrap() {
            finding["since"] = Value::Null;
            finding["seen"] = Value::Null;
        }
    }
    report
}

/// Formats that know of verdicts only: a failure that could not be seen now is not gone, and one that is fixed is taken
/// back where somebody keeps it until then.
#[test]
fn every_format_has_what_could_not_be_seen_and_ledgers_have_what_is_fixed() {
    let accounts = vec![fresh_account(), fresh_account()];
    let closed = accounts[1].clone();
    Emulator::moto().seed(&accounts[0], &["us-east-1"], &[]);
    Emulator::moto().seed(&closed, &["us-east-1"], &["kms-rotation-enabled"]);
    let proxy = Proxy::start(Emulator::moto().url());
    let fleet = Fleet { endpoint: proxy.url(), ..Fleet::of(accounts) };
    // The account keeps its logs for 30 days.
    let first = fleet.sweep(&["--param", "logs-retention-set.min_days=90"]);
    assert_eq!(counts(&first), json!([3, 0, 0, 0]));
    let key = first["findings"].as_array().unwrap().iter().find(|one| one["rule"] == "kms-rotation-enabled").unwrap();
    let key = key["resource"]["id"].as_str().unwrap();
    let shown = |sweep: &str, format: &str| fleet.history(&["show", sweep, "--format", format]).stdout;

    let second = fleet.sweep(&[]);
    assert_eq!(counts(&second), json!([0, 1, 2, 0]));
    for (format, passed) in [("ocsf", "\"status\":\"Pass\""), ("asff", "\"Status\":\"PASSED\"")] {
        let shown = shown("2", format);
        let lines = shown.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let findings = lines.flat_map(|line| line.as_array().cloned().unwrap_or_else(|| vec![line]));
        let taken_back: Vec<String> =
            findings.map(|one| one.to_string()).filter(|one| one.contains("logs-retention-set")).collect();
        assert_eq!(taken_back.len(), 2, "{format}: {shown}");
        assert!(taken_back.iter().all(|one| one.contains(passed) && one.contains("and holds now")), "{taken_back:?}");
    }
    for format in ["csv", "junit"] {
        assert!(!shown("2", format).contains("/ssm/sessions"), "{format}");
    }

    proxy.inject(Fault::on("sts:AssumeRole", Kind::Denied).containing(&closed));
    let third = fleet.audit(&[]).run();
    assert_eq!((third.code, counts(&third.json())), (Some(3), json!([0, 0, 0, 1])));
    for format in ["csv", "junit", "sarif", "ocsf", "asff", "markdown", "html"] {
        let shown = shown("3", format);
        assert!(shown.contains(key), "{format}: {shown}");
        assert!(!shown.contains("\"FAILED\"") && !shown.contains("\"kind\": \"fail\""), "{format}: {shown}");
    }
}

#[test]
fn a_sweep_that_was_killed_is_taken_up_where_it_stopped() {
    let accounts: Vec<String> = (0..12).map(|_| fresh_account()).collect();
    Emulator::moto().seed(&accounts[3], &["us-east-1"], &["sg-no-ingress"]);
    Emulator::moto().seed(&accounts[7], &["us-east-1"], &["kms-rotation-enabled"]);
    let proxy = Proxy::start(Emulator::moto().url());
    let calm = Fleet { endpoint: proxy.url(), ..Fleet::of(accounts.clone()) };
    let undisturbed = calm.sweep(&["--concurrency", "8"]);
    let calls = proxy.calls().len();
    let mut taken_up = 0;
    for eighth in 0..8 {
        let proxy = Proxy::start(Emulator::moto().url());
        proxy.inject(Fault::on("*", Kind::Late(Duration::from_millis(15))));
        let fleet = Fleet { endpoint: proxy.url(), ..Fleet::of(accounts.clone()) };
        let mut audit = fleet.audit(&["--concurrency", "8"]);
        let mut child = audit.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        proxy.wait_for_calls(calls * eighth / 8);
        child.kill().unwrap();
        child.wait().unwrap();
        let done = subjects(fleet.state.path());
        proxy.clear();
        let resumed = fleet.audit(&["--concurrency", "8", "--resume"]).run();
        if resumed.code == Some(2) {
            // Nothing had begun, or all had ended.
            assert!(resumed.stderr.contains("there is no sweep to resume"), "{}", resumed.stderr);
            continue;
        }
        taken_up += 1;
        assert_eq!(lasting(&resumed.json()), lasting(&undisturbed), "killed after {eighth}/8 of the calls");
        // What was done is not looked at again.
        let assumed: Vec<String> =
            proxy.calls().into_iter().filter(|call| call.action == "sts:AssumeRole").map(|call| call.body).collect();
        assert_eq!(assumed.len(), accounts.len() - done.len());
        assert!(!assumed.iter().any(|body| done.iter().any(|account| body.contains(account))));
    }
    assert!(taken_up >= 6, "only {taken_up} sweeps were cut off in their middle");
}

/// The accounts that the last sweep of a history has looked at.
fn subjects(state: &Path) -> Vec<String> {
    let shown = Audit::new(&["history", "list", "--format", "json", "--state", state.to_str().unwrap()]).run();
    if shown.code != Some(0) {
        assert!(shown.stderr.starts_with("error: there is no history in "), "{}", shown.stderr);
        return Vec::new();
    }
    let Some(sweep) = shown.json()["sweeps"][0]["id"].as_i64() else { return Vec::new() };
    let shown =
        Audit::new(&["history", "show", &sweep.to_string(), "--format", "json", "--state", state.to_str().unwrap()])
            .run();
    let report = shown.json();
    let accounts: BTreeSet<String> = report["scopes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|scope| scope["account"].as_str().map(str::to_owned))
        .collect();
    accounts.into_iter().collect()
}

#[test]
fn a_sweep_that_was_interrupted_says_so_and_is_taken_up_with_the_same_terms_only() {
    let accounts: Vec<String> = (0..6).map(|_| fresh_account()).collect();
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("*", Kind::Late(Duration::from_millis(100))));
    let fleet = Fleet { endpoint: proxy.url(), ..Fleet::of(accounts) };
    let mut audit = fleet.audit(&["--concurrency", "4"]);
    let child = audit.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    proxy.wait_for_calls(20);
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("--resume"), "{}", String::from_utf8_lossy(&ended.stderr));
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(report["sweep"]["state"], "running");
    // What was read in part stands in no look, and that it is not all is said.
    let (cut, looked_at): (Vec<&Value>, Vec<&Value>) =
        report["scopes"].as_array().unwrap().iter().partition(|scope| scope["account"].is_null());
    assert!(looked_at.iter().all(|scope| scope["complete"] == true), "{report:#}");
    assert_eq!(cut[0]["gaps"][0]["message"], "the sweep was cut off: not all accounts were looked at");
    let state = fleet.state.path().to_str().unwrap();
    for format in ["table", "markdown", "sarif", "csv", "junit", "html"] {
        let shown = Audit::new(&["history", "show", "1", "--format", format, "--state", state]).run();
        assert!(shown.stdout.contains("cut off"), "{format}: {}", shown.stdout);
    }
    proxy.clear();
    let other = fleet.audit(&["--resume", "--rule", "sg-*"]).run();
    assert_eq!(other.code, Some(2));
    assert_eq!(
        other.stderr,
        "error: sweep 1 was begun with other rules or parameters: run without --resume to begin a new one\n"
    );
    let resumed = fleet.sweep(&["--resume=1h"]);
    assert_eq!((&resumed["sweep"]["id"], &resumed["sweep"]["state"]), (&json!(1), &json!("finished")));
    assert_eq!(resumed["scopes"].as_array().unwrap().len(), 12);
    let again = fleet.audit(&["--resume"]).run();
    assert_eq!(again.code, Some(2), "{}", again.stderr);
    // With a limit a new one is begun, where none was cut off and where it is too long ago.
    assert_eq!(fleet.sweep(&["--resume=1h"])["sweep"]["id"], 2);
    let sweeps = rusqlite::Connection::open(fleet.state.path().join("history.sqlite")).unwrap();
    sweeps
        .execute("UPDATE sweeps SET state = 'running', started_at = '2026-01-01T00:00:00Z' WHERE id = 2", [])
        .unwrap();
    drop(sweeps);
    assert_eq!(fleet.sweep(&["--resume=24h"])["sweep"]["id"], 3);
}

#[test]
fn histories_that_cannot_be_used_are_refused_and_left_as_they_are() {
    let fleet = Fleet::of(vec![fresh_account()]);
    fleet.sweep(&[]);
    let file = fleet.state.path().join("history.sqlite");
    let sound = std::fs::read(&file).unwrap();
    let refused = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        let refused = fleet.audit(&[]).run();
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
        assert!(std::fs::read(&file).unwrap() == content, "the file was changed");
        refused.stderr
    };
    let mut torn = sound.clone();
    let middle = sound.len() / 2;
    torn[middle..middle + 4096].fill(0xa5);
    assert!(refused(&torn).contains("is damaged"));
    assert!(refused(&sound[..sound.len() / 3]).contains("is damaged"));
    assert!(refused(b"not a database at all").contains("is damaged or is no history"));
    // Bytes 60 to 63 of the header are the version.
    let mut newer = sound.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    let told = refused(&newer);
    assert!(told.contains("is of version 99") && told.contains("use a newer ssm-audit"), "{told}");
    std::fs::write(&file, &sound).unwrap();
    fleet.sweep(&[]);
}

/// Damage that is met only while the report is written.
#[test]
fn a_report_on_a_damaged_history_is_written_whole_or_not_at_all() {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &["ec2-imdsv2-required", "logs-retention-set", "sg-no-ingress"]);
    let fleet = Fleet::of(vec![account]);
    fleet.sweep(&[]);
    let file = fleet.state.path().join("history.sqlite");
    let bodies = rusqlite::Connection::open(&file).unwrap();
    let last = "UPDATE bodies SET text = '{' WHERE id = (SELECT max(body) FROM findings)";
    assert_eq!(bodies.execute(last, []).unwrap(), 1);
    drop(bodies);
    let state = fleet.state.path().display().to_string();
    for format in ["json", "sarif", "csv", "junit", "ocsf", "html", "markdown"] {
        let shown = Audit::new(&["history", "--state", &state, "show", "--format", format]).run();
        assert_eq!((shown.code, shown.stdout.as_str()), (Some(2), ""), "{format}");
        assert!(shown.stderr.contains("failed to make the report: "), "{}", shown.stderr);
        assert!(shown.stderr.contains("; nothing was written to standard output"), "{}", shown.stderr);
    }
}

#[test]
fn two_sweeps_on_one_history_are_refused() {
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("ec2:DescribeInstances", Kind::HoldBefore).nth(1));
    let fleet = Fleet { endpoint: proxy.url(), ..Fleet::of(vec![fresh_account()]) };
    let mut audit = fleet.audit(&[]);
    let mut first = audit.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let held = proxy.held(Duration::from_mins(1)).expect("a call to hold");
    let second = fleet.audit(&[]).run();
    held.go_on();
    assert_eq!(second.code, Some(2), "{}", second.stderr);
    assert!(second.stderr.starts_with("error: another sweep uses "), "{}", second.stderr);
    assert!(matches!(first.wait().unwrap().code(), Some(0 | 1 | 3)));
}

/// Everything of a report but its times and its number, byte by byte.
fn text(outcome: &Outcome) -> String {
    lasting(&outcome.json()).to_string()
}

#[test]
fn parts_that_were_looked_at_elsewhere_make_the_sweep_that_one_would_have_made() {
    let accounts: Vec<String> = (0..10).map(|_| fresh_account()).collect();
    Emulator::moto().seed(&accounts[2], &["us-east-1"], &["sg-no-ingress"]);
    Emulator::moto().seed(&accounts[8], &["us-east-1"], &["kms-rotation-enabled"]);
    let whole = Fleet::of(accounts.clone());
    let undivided = whole.audit(&[]).run();
    let folder = tempfile::TempDir::new().unwrap();
    let file = |number: u32| folder.path().join(format!("part-{number}.jsonl")).to_str().unwrap().to_owned();
    let look = || {
        for number in 1..=3_u32 {
            let part = Fleet::of(accounts.clone());
            // As Kubernetes says it.
            let swept = part
                .audit(&["--shard", "auto/3", "--to", &file(number)])
                .env("JOB_COMPLETION_INDEX", &(number - 1).to_string())
                .run();
            assert!(matches!(swept.code, Some(0 | 1)), "{}", swept.stderr);
        }
    };
    look();
    let state = tempfile::TempDir::new().unwrap();
    let merge = |parts: &[&str]| {
        Audit::new(&["merge", "--format", "json", "--state", state.path().to_str().unwrap()]).args(parts).run()
    };
    let all = folder.path().to_str().unwrap();
    let merged = merge(&[all]);
    assert_eq!((merged.code, undivided.code), (Some(1), Some(1)), "{}", merged.stderr);
    assert!(text(&merged) == text(&undivided), "{}\n{}", text(&merged), text(&undivided));
    // Merged again, they are the same sweep; none is written over.
    let again = merge(&[all]);
    assert_eq!((again.code, &again.json()["sweep"]), (Some(1), &merged.json()["sweep"]));
    let over = Fleet::of(accounts.clone()).audit(&["--shard", "2/3", "--to", &file(2)]).run();
    assert_eq!(over.code, Some(2));
    assert!(over.stderr.contains("part-2.jsonl is there already, and is not written over"), "{}", over.stderr);
    // The next time, nothing is new, in whatever order the parts come.
    let old = tempfile::TempDir::new().unwrap();
    (1..=3).for_each(|number| {
        std::fs::rename(file(number), old.path().join(format!("{number}.jsonl"))).unwrap();
    });
    look();
    let again = merge(&[&file(3), &file(1), &file(2)]).json();
    assert_eq!(counts(&again), json!([0, 2, 0, 0]));

    let told = |parts: &[&str]| {
        let merged = merge(parts);
        assert_eq!((merged.code, merged.stdout.as_str()), (Some(2), ""));
        merged.stderr.replace(all, "[PARTS]")
    };
    let one_is_old = told(&[&file(1), old.path().join("2.jsonl").to_str().unwrap(), &file(3)]);
    assert!(one_is_old.ends_with("already: parts are merged in the order of time\n"), "{one_is_old}");
    assert_eq!(told(&[&file(1), &file(3)]), "error: of 3 parts, 2 is missing: run what is missing again\n");
    assert_eq!(
        told(&[all, &file(2)]),
        "error: part 2/3 is there twice: [PARTS]/part-2.jsonl and [PARTS]/part-2.jsonl\n"
    );
    let second = std::fs::read_to_string(file(2)).unwrap();
    let cut = second.trim_end().rsplit_once('\n').unwrap().0;
    std::fs::write(file(2), cut).unwrap();
    assert!(told(&[all]).ends_with("it is not whole\n"));
    std::fs::write(file(2), &second[..second.len() - 20]).unwrap();
    assert!(told(&[all]).contains("is no part of a sweep: line "));
    std::fs::remove_file(file(2)).unwrap();
    let other = Fleet::of(accounts.clone());
    other.audit(&["--shard", "2/3", "--to", &file(2), "--rule", "sg-*"]).run();
    assert!(told(&[all]).ends_with("are not of one sweep: they have other rules or parameters\n"));
    // Nothing of it was kept.
    let listed = Audit::new(&["history", "list", "--format", "json", "--state", state.path().to_str().unwrap()]).run();
    assert_eq!(listed.json()["sweeps"].as_array().unwrap().len(), 2);
}
