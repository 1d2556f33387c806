//! Sweeps of an organisation of sixty accounts in three regions: every verdict is right in calm and in bad weather, and
//! parts make what one sweep makes, whatever the format.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{Audit, Outcome};
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};

const REGIONS: [&str; 3] = ["eu-west-1", "us-east-1", "us-west-2"];

/// The organisation, on a server of its own, behind a proxy.
struct Organization {
    emulator: Emulator,
    proxy: Proxy,
    management: String,
    accounts: Vec<String>,
    /// Rule and account of all that is broken.
    broken: BTreeSet<(String, String)>,
}

impl Organization {
    fn of(members: usize) -> Self {
        let breakages = ["kms-rotation-enabled", "sg-no-ingress", "logs-retention-set", "ssm-idle-timeout"];
        let accounts: Vec<Value> = (0..members)
            .map(|number| {
                let broken: Vec<&str> = breakages.iter().skip(number % 5).take(1).copied().collect();
                json!({"name": format!("a{number}"), "unit": format!("u{}", number % 3), "break": broken})
            })
            .collect();
        let management = fresh_account();
        let emulator = Emulator::moto_alone();
        let made = emulator.organization(&management, &json!({"regions": REGIONS, "accounts": accounts}));
        let made = made["accounts"].as_object().unwrap();
        let rules = |of: &Value| of["broken"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let broken = made.iter().flat_map(|(id, of)| rules(of).into_iter().map(|rule| (rule, id.clone()))).collect();
        let accounts = made.keys().filter(|id| **id != management).cloned().collect();
        Self { proxy: Proxy::start(emulator.url()), emulator, management, accounts, broken }
    }

    fn sweep(&self, state: &tempfile::TempDir, arguments: &[&str]) -> Outcome {
        Audit::on(&self.emulator, &self.management, "us-east-1", &["sweep", "--format", "json", "--organization"])
            .args(&["--role", "SsmAuditScan", "--regions", &REGIONS.join(",")])
            .args(&["--state", state.path().to_str().unwrap()])
            .args(arguments)
            .env("AWS_ENDPOINT_URL", &self.proxy.url())
            .run()
    }
}

/// Rule and account of what fails.
fn failing(report: &Value) -> BTreeSet<(String, String)> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "fail");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    findings.map(|finding| (text(&finding["rule"]), text(&finding["resource"]["account"]))).collect()
}

fn counts(report: &Value) -> Value {
    json!([report["sweep"]["new"], report["sweep"]["open"], report["sweep"]["fixed"], report["sweep"]["stale"]])
}

/// What the last sweep of a history gives in this format, with its times taken out.
fn shown(state: &tempfile::TempDir, format: &str, report: &Value) -> String {
    let state = state.path().to_str().unwrap();
    let shown = Audit::new(&["history", "show", "--format", format, "--state", state]).env("COLUMNS", "120").run();
    assert_eq!(shown.code, Some(0), "{format}: {}", shown.stderr);
    let times = ["started_at", "finished_at"].map(|name| report[name].as_str().unwrap());
    let milliseconds = |time: &str| time.parse::<jiff::Timestamp>().unwrap().as_millisecond().to_string();
    // Also as pages for people, JUnit and OCSF write them.
    let forms: [&dyn Fn(&str) -> String; 5] = [
        &str::to_owned,
        &milliseconds,
        &|time| time[..19].to_owned(),
        &|time| time.replace('T', " ")[..19].to_owned(),
        &|time| time[..10].to_owned(),
    ];
    let text = forms
        .iter()
        .fold(shown.stdout, |text, form| times.iter().fold(text, |text, time| text.replace(&form(time), "[TIME]")));
    // The next commands name the history.
    let text = text.replace(state, "[STATE]");
    // The duration is given in seconds, too.
    text.lines().filter(|line| !line.starts_with("<testsuites ")).collect::<Vec<_>>().join("\n")
}

fn temporary() -> tempfile::TempDir {
    tempfile::TempDir::new().unwrap()
}

#[test]
fn sixty_accounts_are_judged_rightly_in_calm_and_in_bad_weather_and_in_parts() {
    let organization = Organization::of(60);
    let Organization { proxy, broken, .. } = &organization;
    assert_eq!(broken.len(), 48);
    let state = temporary();
    let swept = organization.sweep(&state, &[]);
    let calm = swept.json();
    assert_eq!((swept.code, failing(&calm) == *broken), (Some(1), true), "{}", swept.stderr);
    assert_eq!(calm["summary"]["unknown"], 0);
    assert_eq!(calm["scopes"].as_array().unwrap().len(), 61 * 4);
    let calls_when_calm = proxy.calls().len();

    // In four parts, kept in S3.
    bucket(&organization, "parts");
    for number in 1..=4 {
        let place = "s3://parts/sweeps/1";
        let part = organization.sweep(&temporary(), &["--shard", &format!("{number}/4"), "--to", place]);
        assert!(matches!(part.code, Some(0 | 1)), "{}", part.stderr);
    }
    let joined = temporary();
    let merged = Audit::on(&organization.emulator, &organization.management, "us-east-1", &["merge"])
        .args(&["s3://parts/sweeps/1/", "--format", "json", "--state", joined.path().to_str().unwrap()])
        .run();
    assert_eq!(merged.code, Some(1), "{}", merged.stderr);
    let merged = merged.json();
    for format in ["json", "table", "csv", "sarif", "junit", "ocsf", "asff", "markdown", "html"] {
        let (one, parts) = (shown(&state, format, &calm), shown(&joined, format, &merged));
        let differs = one.lines().zip(parts.lines()).find(|(one, parts)| one != parts);
        assert!(one == parts, "{format}: {differs:?}");
        assert!(one.contains("sg-no-ingress"), "{format}");
    }

    proxy.clear();
    let denied = &organization.accounts[..3];
    for account in denied {
        proxy.inject(Fault::on("sts:AssumeRole", Kind::Denied).containing(account));
    }
    proxy.inject(Fault::on("*", Kind::Throttled).one_in(10));
    proxy.inject(Fault::on("*", Kind::ServerError).one_in(50));
    proxy.inject(Fault::on("*", Kind::Cut).one_in(100));
    let swept = organization.sweep(&state, &[]);
    assert_eq!(swept.code, Some(1), "{}", swept.stderr);
    let stormy = swept.json();
    let readable: BTreeSet<(String, String)> =
        broken.iter().filter(|(_, account)| !denied.contains(account)).cloned().collect();
    assert_eq!(failing(&stormy), readable);
    let unread: BTreeSet<&str> = stormy["scopes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|scope| scope["complete"] == false)
        .map(|scope| scope["account"].as_str().unwrap())
        .collect();
    assert_eq!(unread, denied.iter().map(String::as_str).collect());
    // What cannot be seen is stale, nothing is fixed, and nothing is new.
    let stale = broken.len() - readable.len();
    assert_eq!(counts(&stormy), json!([0, readable.len(), 0, stale]));
    let calls = proxy.calls().len();
    assert!(calls * 2 < calls_when_calm * 3, "{calls} calls, {calls_when_calm} when it is calm");
}

fn bucket(organization: &Organization, name: &str) {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(organization.emulator.url())
        .force_path_style(true)
        .credentials_provider(aws_sdk_s3::config::Credentials::new(&organization.management, "x", None, None, "tests"))
        .region(aws_sdk_s3::config::Region::new("us-east-1"));
    let client = aws_sdk_s3::Client::from_conf(config.build());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client.create_bucket().bucket(name).send()).unwrap();
}

#[test]
fn parts_in_s3_are_whole_and_never_written_over() {
    let organization = Organization::of(4);
    bucket(&organization, "kept");
    let proxy = &organization.proxy;
    let place = "s3://kept/one";
    let sweep = |state: &tempfile::TempDir, more: &[&str]| {
        organization.sweep(state, &[&["--shard", "1/1", "--to", place][..], more].concat())
    };
    // The part cannot be kept: the sweep is not finished, and is taken up without another look.
    let state = temporary();
    proxy.inject(Fault::on("s3:PutObject", Kind::Denied));
    let refused = sweep(&state, &[]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("AWS denied s3:PutObject (AccessDenied)"), "{}", refused.stderr);
    proxy.clear();
    // S3 keeps it, and its answer is lost: what is there is what was sent.
    proxy.inject(Fault::on("s3:PutObject", Kind::AnswerLost).nth(1));
    let kept = sweep(&state, &["--resume"]);
    assert_eq!(kept.code, Some(1), "{}", kept.stderr);
    let asked = |action: &str| proxy.calls().iter().filter(|call| call.action == action).count();
    assert_eq!((asked("sts:AssumeRole"), asked("s3:PutObject")), (0, 2));
    proxy.clear();
    // Another one of the same name is refused before anything is read.
    let twice = sweep(&temporary(), &[]);
    assert_eq!(twice.code, Some(2));
    assert!(twice.stderr.contains("s3://kept/one/part-00001-of-00001.jsonl is there already"), "{}", twice.stderr);
    assert_eq!(asked("sts:AssumeRole"), 0);
    // Where that cannot be told before, S3 refuses it after.
    proxy.inject(Fault::on("s3:HeadObject", Kind::Denied).nth(1));
    let late = sweep(&temporary(), &[]);
    assert_eq!(late.code, Some(2));
    assert!(late.stderr.contains("is there already, and is not written over"), "{}", late.stderr);
    let merge = |place: &str| {
        Audit::on(&organization.emulator, &organization.management, "us-east-1", &["merge", "--format", "json", place])
            .args(&["--state", temporary().path().to_str().unwrap()])
            .run()
    };
    assert_eq!(failing(&merge(place).json()), organization.broken);
    let none = merge("s3://kept/two");
    assert_eq!((none.code, none.stderr.as_str()), (Some(2), "error: there are no parts to merge\n"));
    let nowhere = merge("s3://nowhere/one");
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.stderr.starts_with("error: failed to use s3://nowhere/one/: "), "{}", nowhere.stderr);
}

#[test]
fn a_region_that_hangs_is_given_up_and_the_others_are_read() {
    let organization = Organization::of(12);
    let state = temporary();
    let calm = organization.sweep(&state, &[]).json();
    organization.proxy.inject(Fault::on("*", Kind::Hang).in_region("us-west-2"));
    let begun = std::time::Instant::now();
    let swept = organization.sweep(&state, &["--account-timeout", "15"]);
    let took = begun.elapsed();
    assert!(matches!(swept.code, Some(1 | 3)), "{}", swept.stderr);
    let report = swept.json();
    for scope in report["scopes"].as_array().unwrap() {
        assert_eq!(scope["complete"] == false, scope["region"] == "us-west-2", "{scope}");
    }
    let elsewhere = |report: &Value| -> BTreeSet<String> {
        let findings = report["findings"].as_array().unwrap().iter();
        findings
            .filter(|finding| finding["verdict"] == "fail" && finding["resource"]["region"] != "us-west-2")
            .map(|finding| finding["fingerprint"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(elsewhere(&report), elsewhere(&calm));
    assert_eq!(report["sweep"]["fixed"], 0);
    // All accounts side by side wait for it once.
    assert!(took < Duration::from_mins(1), "{took:?}");
}

#[test]
fn a_hard_limit_does_not_lead_to_a_storm_of_retries() {
    let organization = Organization::of(12);
    let state = temporary();
    let calm = organization.sweep(&state, &[]).json();
    let calls_when_calm = organization.proxy.calls().len();
    for limit in [5.0, 4.0] {
        organization.proxy.clear();
        organization.proxy.inject(Fault::on("*", Kind::Throttled).over(limit));
        let limited = organization.sweep(&state, &[]).json();
        let calls = organization.proxy.calls();
        let throttled = calls.iter().filter(|call| call.fault.is_some()).count();
        assert!(throttled > 0, "the limit of {limit} a second was not felt");
        let unknown = limited["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "unknown");
        let gaps: Vec<&Value> = unknown.map(|finding| &finding["gaps"]).collect();
        assert_eq!(failing(&limited), failing(&calm), "{gaps:?}");
        assert_eq!(limited["summary"], calm["summary"]);
        let (calls, calm) = (calls.len(), calls_when_calm);
        assert!(calls * 2 <= calm * 3, "{calls} calls with {limit} a second, {throttled} throttled; {calm} when calm");
    }
}
