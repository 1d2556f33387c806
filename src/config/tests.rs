use super::*;
use crate::fleet::choice::Part;
use crate::fleet::role::RolePattern;
use crate::fleet::{Accounts, Regions};
use crate::model::{AccountId, Region};
use crate::terminal::Paint;

fn library() -> Library {
    crate::rule::embedded().expect("the rules")
}

fn parse(text: &str) -> Result<Config, Vec<Diagnostic>> {
    Config::parse(&SourceFile::new(FILE_NAME, text), Path::new("conf"))
}

fn complain(text: &str) -> String {
    let errors = match parse(text) {
        Ok(config) => config.check(&library()).expect_err("errors"),
        Err(errors) => errors,
    };
    let mut out = Vec::new();
    crate::diagnostic::write_all(&errors, Paint::Plain, &mut out).expect("written");
    String::from_utf8(out).expect("text")
}

const FULL: &str = "\
policy: hardened
rules: [./rules]
disable: [logs-retention-*]
severity: {logs-retention-set: info}
params: {logs-retention-set: {min_days: 90}}
waivers:
  - {rule: logs-*, resource: /ssm/*, account: 012345678901, reason: cost, owner: team-x, expires: 2027-03-01}
  - {rule: logs-retention-set, resource: \"*\", reason: later}
";

#[test]
fn every_key_is_read() {
    let config = parse(FULL).expect("a configuration");
    let library = library();
    config.check(&library).expect("nothing wrong");
    let rule = library.rule("logs-retention-set").expect("a rule");
    assert_eq!(config.policy, Some(Policy::Hardened));
    assert_eq!(config.rules, [Path::new("conf/./rules")]);
    assert!(config.disables(rule));
    assert_eq!(config.severity(rule), Some(Severity::Info));
    assert_eq!(config.params(&library).expect("parameters")["logs-retention-set"]["min_days"], ParamValue::Int(90));
    // An account id that begins with zero is not taken for a number.
    assert_eq!(config.waivers[0].account.to_string(), "012345678901");
    assert_eq!(config.waivers[0].expires.map(|day| day.to_string()).as_deref(), Some("2027-03-01"));
    assert_eq!(config.waivers[1].account.to_string(), "*");
}

#[test]
fn an_empty_file_configures_nothing() {
    for text in ["", "# nothing\n", "waivers:\n  # - rule: x\ndisable:\n"] {
        let config = parse(text).expect("a configuration");
        assert!(config.waivers.is_empty() && config.policy.is_none());
    }
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    let unreadable = "\
polcy: guide
policy: strict
flet: {regions: all}
severity: {logs-retention-set: huge}
waivers:
  - {rule: x, resource: y}
  - {rule: x, resource: y, reason: z, expires: 2027-13-01}
  - {rule: x, resource: y, reason: z, expires: 20270301}
";
    let wrong = "\
disable: [\"\"]
waivers:
  - {rule: x, resource: y, reason: \" \"}
  - {rule: x, resource: y, account: \"*\", reason: again}
";
    let unknown = "\
disable: [ec3-*]
severity: {logs-retention: info}
params: {logs-retention-set: {min_day: 90, min_days: lots}, nothing-like-it: {}}
waivers: [{rule: logs-retention-sat, resource: \"*\", reason: r}]
";
    insta::assert_snapshot!([unreadable, wrong, unknown].map(complain).join("\n"));
}

#[test]
fn a_fleet_is_read() {
    let choice = |text: &str| parse(text).expect("a configuration").fleet.expect("a fleet");
    let listed = choice(
        "fleet:\n  accounts: [111111111111, self]\n  role: SsmAuditScan\n  via: [\"arn:aws:iam::222222222222:role/Hub\"]\n  \
         external_id: x-1\n  session_name: nightly\n  regions: [us-east-1, eu-west-1]\n",
    );
    let Accounts::Listed(accounts) = &listed.accounts else { panic!("{:?}", listed.accounts) };
    assert_eq!(accounts.len(), 2);
    assert_eq!(listed.access.role.as_ref().map(RolePattern::as_str), Some("SsmAuditScan"));
    assert_eq!((listed.access.via.len(), listed.access.session_name.as_str()), (1, "nightly"));
    assert_eq!(listed.regions.first().map(Region::as_str), Some("eu-west-1"));

    assert_eq!(choice("fleet: {organization: true}").accounts, Accounts::Organization(Part::default()));
    assert_eq!(choice("fleet: {organization: false}").accounts, Accounts::Own);
    assert_eq!(choice("fleet: {accounts: [], regions: all}").regions, Regions::Enabled);
    let part = choice("fleet: {organization: {ous: [ou-ab12-cd34ef56], tags: {env: prod}, exclude: [012345678901]}}");
    assert_eq!(part.excluded.first().map(AccountId::as_str), Some("012345678901"));
    assert!(
        matches!(part.accounts, Accounts::Organization(part) if part.units.len() == 1 && part.tags["env"] == "prod")
    );
    assert!(matches!(choice("fleet: {profiles: [a, b]}").accounts, Accounts::Profiles(names) if names.len() == 2));
}

#[test]
fn every_mistake_of_a_fleet_is_reported_with_its_place() {
    let unreadable = "\
fleet:
  accounts: [111111111111, 11111]
  organization: {ous: [ou-1], tag: {env: prod}}
  role: arn:aws:iam::111111111111:role/Scan
  external_id: a b
  regions: [us-east]
";
    let wrong = "\
fleet:
  accounts: [self]
  organization: true
  profiles: [a]
  role: Scan
";
    insta::assert_snapshot!([unreadable, wrong, "fleet: {regions: everywhere}\n"].map(complain).join("\n"));
}

#[test]
fn the_nearest_file_upward_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).expect("folders");
    std::fs::write(folder.path().join(FILE_NAME), "").expect("written");
    assert_eq!(above(&deep), Some(folder.path().join(FILE_NAME)));
    std::fs::write(folder.path().join("a").join(FILE_NAME), "").expect("written");
    assert_eq!(above(&deep), Some(folder.path().join("a").join(FILE_NAME)));
}

#[test]
fn a_named_file_that_is_not_there_is_an_error() {
    let errors = Config::find(Some(Path::new("/nowhere/at-all.yaml"))).expect_err("an error");
    assert!(errors[0].to_string().starts_with("/nowhere/at-all.yaml: failed to read the configuration"));
}

#[test]
fn a_configuration_holds_to_the_published_schema() {
    let schema = serde_json::to_value(schema()).expect("a schema");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let read = |text: &str| yaml::parse::<Json>(&SourceFile::new("f", text)).expect("YAML");
    assert!(validator.is_valid(&read(FULL)));
    for fleet in [
        "accounts: [\"111111111111\", self], role: Scan, via: [a], external_id: x-1, regions: [us-east-1]",
        "organization: true, regions: all",
        "organization: {ous: [ou-ab12-cd34ef56], tags: {env: prod}, exclude: [\"111111111111\"]}",
        "profiles: [a, b]",
    ] {
        assert!(validator.is_valid(&read(&format!("fleet: {{{fleet}}}"))), "{fleet}");
    }
    for wrong in [
        "fleet: {account: [self]}",
        "fleet: {organization: {ous: [x]}}",
        "policy: strict",
        "waivers: [{rule: x, resource: y}]",
        "waivers: [{rule: x, resource: y, reason: ''}]",
    ] {
        assert!(!validator.is_valid(&read(wrong)), "{wrong}");
    }
}
