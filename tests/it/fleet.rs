//! Several accounts in one report: which there are, the way into each, and what is said of one that is closed to us.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::audit::{Audit, Outcome};
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};

const REGIONS: &str = "eu-west-1,us-east-1";

/// An organisation with two accounts below `prod` (one of them in a unit of its own), one beside it, and one that was
/// closed.
struct Organization {
    management: String,
    units: BTreeMap<String, String>,
    accounts: BTreeMap<String, String>,
}

impl Organization {
    fn new(empty: bool) -> Self {
        let management = fresh_account();
        let plan = json!({"regions": REGIONS.split(',').collect::<Vec<_>>(), "empty": empty, "accounts": [
            {"name": "web", "unit": "prod/eu", "tags": {"env": "prod"}, "break": ["kms-rotation-enabled"]},
            {"name": "db", "unit": "prod", "tags": {"env": "prod", "tier": "data"}, "break": ["sg-no-ingress"]},
            {"name": "old", "unit": "prod", "close": true},
            {"name": "lab", "unit": "dev"},
        ]});
        let made = Emulator::moto().organization(&management, &plan);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            management,
            units: made["units"].as_object().unwrap().iter().map(|(path, id)| (path.clone(), text(id))).collect(),
            accounts: made["accounts"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(id, of)| (text(&of["name"]), id.clone()))
                .collect(),
        }
    }

    fn scan(&self, arguments: &[&str]) -> Audit {
        let audit = Audit::on(Emulator::moto(), &self.management, "us-east-1", &["scan", "--format", "json"]);
        audit.args(&["--regions", REGIONS]).args(arguments)
    }

    /// The names of the accounts that a report has scopes of.
    fn covered(&self, scanned: &Outcome) -> BTreeSet<&str> {
        let report = scanned.json();
        let ids: BTreeSet<&str> =
            report["scopes"].as_array().unwrap().iter().map(|scope| scope["account"].as_str().unwrap()).collect();
        let named = self.accounts.iter().filter(|(_, id)| ids.contains(id.as_str()));
        let names: BTreeSet<&str> = named.map(|(name, _)| name.as_str()).collect();
        assert_eq!(names.len(), ids.len(), "an account that nobody knows: {ids:?}");
        names
    }
}

/// Rule and account of every finding that is not a pass.
fn problems(report: &Value) -> BTreeSet<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["verdict"] != "pass")
        .map(|finding| (text(&finding["rule"]), text(&finding["resource"]["account"])))
        .collect()
}

fn text(parts: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    parts.iter().map(|(rule, account)| ((*rule).to_owned(), (*account).to_owned())).collect()
}

#[test]
fn the_accounts_of_an_organisation_are_judged_each_for_itself() {
    let organization = Organization::new(false);
    let scanned = organization.scan(&["--organization", "--role", "SsmAuditScan"]).run();
    assert_eq!(scanned.code, Some(1), "{}", scanned.stderr);
    assert_eq!(organization.covered(&scanned), BTreeSet::from(["db", "lab", "management", "web"]));
    let old = &organization.accounts["old"];
    assert_eq!(scanned.stderr, format!("warning: 1 account is left out: {old} (old): suspended\n"));
    let report = scanned.json();
    let broken = [
        ("kms-rotation-enabled", organization.accounts["web"].as_str()),
        ("sg-no-ingress", organization.accounts["db"].as_str()),
    ];
    assert_eq!(problems(&report), text(&broken));
    // Four accounts, with two regions and what has no region.
    let scopes = report["scopes"].as_array().unwrap();
    assert_eq!(scopes.len(), 12);
    assert!(scopes.iter().all(|scope| scope["complete"] == true));
    // Sorted, whichever account was done first.
    let places: Vec<(String, String)> = scopes
        .iter()
        .map(|scope| (scope["account"].to_string(), scope["region"].as_str().unwrap_or_default().to_owned()))
        .collect();
    assert!(places.is_sorted(), "{places:?}");

    // Each account alone gives the findings that it has in the fleet.
    for account in organization.accounts.values().filter(|account| *account != old) {
        let arguments = ["scan", "--format", "json", "--regions", REGIONS];
        let alone = Audit::on(Emulator::moto(), account, "us-east-1", &arguments).run().json();
        let findings: Vec<&Value> = report["findings"].as_array().unwrap().iter().collect();
        let own: Vec<&Value> =
            findings.into_iter().filter(|finding| finding["resource"]["account"] == **account).collect();
        assert!(own.into_iter().eq(alone["findings"].as_array().unwrap()), "{account}");
    }
}

#[test]
fn units_tags_lists_and_exclusions_choose_accounts() {
    let organization = Organization::new(true);
    let Organization { units, accounts, management } = &organization;
    let covered = |arguments: &[&str]| {
        let scanned = organization.scan(&[&["--role", "SsmAuditScan"], arguments].concat()).run();
        organization.covered(&scanned).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(covered(&["--ou", &units["prod"]]), ["db", "web"]);
    assert_eq!(covered(&["--ou", &format!("{},{}", units["prod/eu"], units["dev"])]), ["lab", "web"]);
    assert_eq!(covered(&["--ou", &units[""], "--exclude-account", management]), ["db", "lab", "web"]);
    assert_eq!(covered(&["--account-tag", "env=prod"]), ["db", "web"]);
    assert_eq!(covered(&["--account-tag", "env=prod", "--account-tag", "tier=data"]), ["db"]);
    assert_eq!(covered(&["--ou", &units["prod/eu"], "--account-tag", "env=prod"]), ["web"]);
    assert_eq!(covered(&["--accounts", &format!("self,{}", accounts["lab"])]), ["lab", "management"]);

    let configuration = format!(
        "fleet:\n  organization: {{ous: [{}], tags: {{env: prod}}, exclude: [{}]}}\n  role: SsmAuditScan\n  regions: \
         [eu-west-1]\n",
        units["prod"], accounts["db"]
    );
    let configured = || {
        let arguments = ["scan", "--format", "json"];
        Audit::on(Emulator::moto(), management, "us-east-1", &arguments).file("ssm-audit.yaml", &configuration)
    };
    let scanned = configured().run();
    assert_eq!(organization.covered(&scanned), BTreeSet::from(["web"]));
    let regions = |report: &Value| -> BTreeSet<String> {
        report["scopes"].as_array().unwrap().iter().map(|scope| scope["region"].to_string()).collect()
    };
    assert_eq!(regions(&scanned.json()), BTreeSet::from(["\"eu-west-1\"".to_owned(), "null".to_owned()]));
    // Flags win, each over what it names.
    let scanned = configured().args(&["--accounts", "self", "--region", "us-east-1"]).run();
    assert_eq!(organization.covered(&scanned), BTreeSet::from(["management"]));
    assert_eq!(regions(&scanned.json()), BTreeSet::from(["\"us-east-1\"".to_owned(), "null".to_owned()]));
}

#[test]
fn an_account_that_is_closed_to_us_stands_in_the_report_with_the_reason() {
    let organization = Organization::new(false);
    let proxy = Proxy::start(Emulator::moto().url());
    let (lab, web) = (&organization.accounts["lab"], &organization.accounts["web"]);
    proxy.inject(Fault::on("sts:AssumeRole", Kind::Denied).containing(lab));
    let scan = |arguments: &[&str]| {
        organization.scan(arguments).args(&["--role", "SsmAuditScan"]).env("AWS_ENDPOINT_URL", &proxy.url()).run()
    };
    let scanned = scan(&["--organization", "--fail-on", "never"]);
    assert_eq!(scanned.code, Some(3), "{}", scanned.stderr);
    let report = scanned.json();
    let gap = json!({"kind": "denied", "call": "sts:AssumeRole", "code": "AccessDenied"});
    for scope in report["scopes"].as_array().unwrap() {
        let closed = scope["account"] == **lab;
        assert_eq!(scope["complete"], !closed, "{scope}");
        assert_eq!(scope["read"] == false, closed, "{scope}");
        assert_eq!(scope["gaps"] == json!([gap]), closed, "{scope}");
    }
    assert_eq!(organization.covered(&scanned), BTreeSet::from(["db", "lab", "management", "web"]));
    // Every rule that could have spoken of it is unknown, and the others are what they were.
    let of_lab: Vec<(String, String)> = problems(&report).into_iter().filter(|(_, account)| account == lab).collect();
    assert!(of_lab.len() > 40, "{of_lab:?}");
    let others: BTreeSet<_> = problems(&report).into_iter().filter(|(_, account)| account != lab).collect();
    let broken = [("kms-rotation-enabled", web.as_str()), ("sg-no-ingress", organization.accounts["db"].as_str())];
    assert_eq!(others, text(&broken));

    // The caller's own account needs no role.
    proxy.clear();
    proxy.inject(Fault::on("sts:AssumeRole", Kind::Denied));
    let scanned = scan(&["--accounts", &format!("self,{lab}")]);
    assert_eq!(scanned.code, Some(3), "{}", scanned.stderr);
    let report = scanned.json();
    let read = |account: &str| {
        let mut scopes = report["scopes"].as_array().unwrap().iter().filter(|scope| scope["account"] == account);
        scopes.all(|scope| scope["complete"] == true)
    };
    assert!(read(&organization.management) && !read(lab));

    // A role is asked for as often as it was said.
    proxy.clear();
    proxy.inject(Fault::on("sts:AssumeRole", Kind::ServerError));
    let asks = organization.scan(&["--accounts", lab]).args(&["--role", "SsmAuditScan"]);
    let scanned = asks.env("AWS_ENDPOINT_URL", &proxy.url()).env("AWS_MAX_ATTEMPTS", "2").run();
    assert_eq!(scanned.code, Some(3), "{}", scanned.stderr);
    assert_eq!(proxy.calls().iter().filter(|call| call.action == "sts:AssumeRole").count(), 2);
}

#[test]
fn roles_are_assumed_in_turn_with_what_they_ask_for_and_for_no_more_than_is_needed() {
    let organization = Organization::new(true);
    let proxy = Proxy::start(Emulator::moto().url());
    let (hub, lab) = (&organization.accounts["db"], &organization.accounts["lab"]);
    let configuration = format!(
        "fleet:\n  accounts: [{lab}]\n  role: \"arn:${{partition}}:iam::${{account}}:role/audit/Scan\"\n  via: \
         [\"arn:aws:iam::{hub}:role/Hub\"]\n  external_id: tell-me\n  session_name: nightly\n"
    );
    let arguments = ["scan", "--format", "json", "--rule", "ssm-idle-timeout"];
    let scanned = Audit::on(Emulator::moto(), &organization.management, "eu-west-1", &arguments)
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .file("ssm-audit.yaml", &configuration)
        .run();
    assert_eq!(organization.covered(&scanned), BTreeSet::from(["lab"]), "{}", scanned.stderr);
    let calls = proxy.calls();
    let assumed: Vec<_> = calls.iter().filter(|call| call.action == "sts:AssumeRole").collect();
    let [to_hub, to_lab] = assumed[..] else { panic!("{} roles were assumed", assumed.len()) };
    assert_eq!(to_hub.access_key, organization.management);
    // The second with the credentials of the first, in the region of the caller.
    assert_ne!(to_lab.access_key, organization.management);
    assert_eq!(to_lab.region, "eu-west-1");
    assert!(to_hub.body.contains(&format!("RoleArn=arn%3Aaws%3Aiam%3A%3A{hub}%3Arole%2FHub")), "{}", to_hub.body);
    assert!(!to_hub.body.contains("ExternalId") && !to_hub.body.contains("Policy="), "{}", to_hub.body);
    for part in [&format!("iam%3A%3A{lab}%3Arole%2Faudit%2FScan"), "ExternalId=tell-me", "RoleSessionName=nightly"] {
        assert!(to_lab.body.contains(part), "{part}: {}", to_lab.body);
    }
    // The session may do what the rule needs, and ask for the regions.
    assert!(to_lab.body.contains("ssm%3AGetDocument") && !to_lab.body.contains("kms%3A"), "{}", to_lab.body);
    // With these credentials, once for all services and regions.
    let others = calls.iter().filter(|call| !call.action.starts_with("sts:"));
    assert!(others.clone().count() > 0 && others.into_iter().all(|call| call.access_key != organization.management));
}

#[test]
fn profiles_lead_to_accounts() {
    let accounts = [fresh_account(), fresh_account()];
    let profile = |name: &str, account: &str| {
        format!("[profile {name}]\nregion = us-east-1\naws_access_key_id = {account}\naws_secret_access_key = x\n")
    };
    let [first, second] = &accounts;
    let configuration = [
        profile("a", first),
        profile("b", second),
        profile("again", first),
        "[profile nobody]\nregion = us-east-1\n".to_owned(),
    ]
    .concat();
    let scan = |profiles: &str| {
        Audit::new(&["scan", "--format", "json", "--profiles", profiles, "--fail-on", "never"])
            .env("AWS_ENDPOINT_URL", Emulator::moto().url())
            .file(".aws/config", &configuration)
            .run()
    };
    let scanned = scan("a,b");
    assert_eq!(scanned.code, Some(0), "{}", scanned.stderr);
    let report = scanned.json();
    let covered: BTreeSet<&str> =
        report["scopes"].as_array().unwrap().iter().map(|scope| scope["account"].as_str().unwrap()).collect();
    assert_eq!(covered, accounts.iter().map(String::as_str).collect());

    let scanned = scan("a,again");
    assert_eq!(scanned.code, Some(2));
    let expected = format!("error: the profiles a and again both lead to {}: choose one of them\n", accounts[0]);
    assert_eq!(scanned.stderr, expected);

    // One that leads nowhere does not keep the others from being read.
    let scanned = scan("a,nobody");
    assert_eq!(scanned.code, Some(3), "{}", scanned.stderr);
    let report = scanned.json();
    let unread: Vec<&Value> =
        report["scopes"].as_array().unwrap().iter().filter(|scope| scope["read"] == false).collect();
    let [unread] = unread[..] else { panic!("{unread:?}") };
    assert!(unread["gaps"][0]["message"].as_str().unwrap().starts_with("the profile nobody: "), "{unread}");
}

#[test]
fn choices_that_come_to_nothing_are_told() {
    let account = fresh_account();
    let told = |arguments: &[&str]| {
        let scanned = Audit::on(Emulator::moto(), &account, "us-east-1", &[&["scan"], arguments].concat()).run();
        assert_eq!((scanned.code, scanned.stdout.as_str()), (Some(2), ""));
        scanned.stderr.replace(&account, "[OWN]")
    };
    let other = "999999999999";
    insta::assert_snapshot!(
        [
            &["--accounts", other][..],
            &["--organization"],
            &["--accounts", "self", "--exclude-account", &account],
            &["--accounts", "self", "--profiles", "a"],
            &["--accounts", "12"],
            &["--accounts", other, "--role", "arn:aws:iam::111111111111:role/Scan"],
            &["--ou", "somewhere"],
        ]
        .map(told)
        .join("\n")
    );
}

#[test]
fn a_service_that_is_silent_costs_some_accounts_their_patience_and_not_all() {
    // A server of its own: what is slow for want of a processor must not look silent.
    let emulator = Emulator::moto_alone();
    let proxy = Proxy::start(emulator.url());
    proxy.inject(Fault::on("ec2:*", Kind::Hang).in_region("us-east-1"));
    let accounts: Vec<String> = (0..30).map(|_| fresh_account()).collect();
    let scanned = Audit::on(&emulator, &fresh_account(), "us-east-1", &["scan", "--format", "json"])
        .args(&["--regions", REGIONS, "--accounts", &accounts.join(","), "--role", "SsmAuditScan"])
        .args(&["--concurrency", "16", "--cli-read-timeout", "4", "--call-timeout", "8"])
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .run();
    assert_eq!(scanned.code, Some(3), "{}", scanned.stderr);
    let report = scanned.json();
    for scope in report["scopes"].as_array().unwrap() {
        let silent = scope["region"] == "us-east-1";
        assert_eq!(scope["complete"], !silent, "{scope}");
        assert!(!silent || scope["gaps"][0]["kind"] == "timeout", "{scope}");
    }
    assert_eq!(report["scopes"].as_array().unwrap().len(), 3 * accounts.len());
    let asked =
        proxy.calls().iter().filter(|call| call.action.starts_with("ec2:") && call.region == "us-east-1").count();
    assert!(asked < 2 * accounts.len(), "{asked} calls were made to a service that does not answer");
}

#[test]
fn an_account_that_takes_too_long_is_given_up_with_what_was_read() {
    let organization = Organization::new(true);
    let proxy = Proxy::start(Emulator::moto().url());
    proxy.inject(Fault::on("ssm:GetDocument", Kind::Hang).in_region("us-east-1"));
    let scanned = organization.scan(&["--account-timeout", "3"]).env("AWS_ENDPOINT_URL", &proxy.url()).run();
    assert_eq!(scanned.code, Some(3), "{}", scanned.stderr);
    let report = scanned.json();
    let late: Vec<&Value> =
        report["scopes"].as_array().unwrap().iter().filter(|scope| scope["complete"] == false).collect();
    let [late] = late[..] else { panic!("{late:?}") };
    assert_eq!((&late["region"], &late["read"]), (&json!("us-east-1"), &Value::Null));
    let gap = json!({"kind": "timeout", "call": "ssm:GetDocument", "message": "the account took too long"});
    assert_eq!(late["gaps"], json!([gap]));
}
