use super::*;
use crate::fleet::choice::Part;
use crate::fleet::role::RolePattern;
use crate::fleet::{Accounts, Regions};
use crate::model::{AccountId, Region};
use crate::terminal::Paint;

fn library() -> Library {
    crate::engine::rule::embedded().expect("the rules")
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
fn what_the_network_has_is_told_to_all_rules_that_ask() {
    let of = |text: &str| parse(text).expect("a configuration").params(&library()).expect("parameters");
    let ranges = |ranges: &[&str]| ParamValue::Texts(ranges.iter().map(|range| (*range).to_owned()).collect());
    let params = of("network: {endpoint_cidrs: [10.1.0.0/24, 10.2.0.5]}");
    assert_eq!(params["ec2-https-egress-allowed"]["endpoint_cidrs"], ranges(&["10.1.0.0/24", "10.2.0.5"]));
    // What is said of one rule counts for that rule.
    let params =
        of("network: {endpoint_cidrs: [10.1.0.0/24]}\nparams: {ec2-https-egress-allowed: {endpoint_cidrs: []}}");
    assert_eq!(params["ec2-https-egress-allowed"]["endpoint_cidrs"], ranges(&[]));
    assert!(of("policy: guide").is_empty());
    let complaint = complain("network: {endpoint_cidrs: [10.1.0.0/33, hub]}");
    for wrong in ["`10.1.0.0/33` is no range of addresses", "`hub` is no range of addresses"] {
        assert!(complaint.contains(wrong), "{complaint}");
    }
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
    let errors = Config::find(&Lookup { named: Some(Path::new("/nowhere/at-all.yaml")), ..Lookup::default() })
        .expect_err("an error");
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

#[test]
fn comments_in_code_can_be_denied_or_limited() {
    let inline = |text: &str| parse(text).expect("a configuration").inline_waivers;
    assert!(matches!(inline(""), InlineWaivers::Unsaid));
    let InlineWaivers::Denied(why) = inline("inline_waivers: deny") else { panic!("not denied") };
    assert_eq!(why, "ssm-audit.yaml says `inline_waivers: deny`");
    let InlineWaivers::Limited { rules, until } = inline("inline_waivers: {rules: [ec2-*], require: [reason, until]}")
    else {
        panic!("not limited")
    };
    assert!(until && rules.len() == 1 && rules[0].matches("ec2-x"));
    for (wrong, said) in [
        ("inline_waivers: allow", "expected `deny`, or a mapping with rules and require; found `allow`"),
        ("inline_waivers: {rules: [ec3-*]}", "there is no rule `ec3-*`"),
        ("inline_waivers: {require: [owner]}", "unknown value `owner`"),
        ("inline_waivers: {rules: [\" \"]}", "this is empty and matches nothing"),
        ("inline_waivers: true", "`deny`, or a mapping"),
    ] {
        assert!(complain(wrong).contains(said), "{wrong}: {}", complain(wrong));
    }
}

#[test]
fn every_key_that_is_set_is_named_with_its_value_and_secrets_are_not_shown() {
    let schema = serde_json::to_value(schema()).expect("a schema");
    let example = |key: &str| match key {
        "policy" => "hardened",
        "rules" => "[x]",
        "disable" => "[ec2-*]",
        "severity" => "{logs-retention-set: info}",
        "params" => "{logs-retention-set: {min_days: 90}}",
        "fleet" => "{accounts: [\"123456789012\"], role: x, external_id: hunter2, regions: [us-east-1]}",
        "waivers" => "[{rule: a, resource: b, reason: c}]",
        "inline_waivers" => "deny",
        // A key without an example here need only be named.
        _ => "{}",
    };
    for key in schema["properties"].as_object().expect("properties").keys() {
        let text = format!("{key}: {}\n", example(key));
        let source = SourceFile::new(FILE_NAME, text);
        let settings = origin::settings(&source, "here").expect("settings");
        assert_eq!(settings.iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), [key.as_str()]);
        assert!(!settings[0].value.is_null() && settings[0].origin == "here", "{settings:?}");
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
    }
    assert_eq!(parse(FULL).expect("a configuration").settings.len(), 6);
}

#[test]
fn a_base_stands_for_the_working_folder_and_nothing_above_it_is_read() {
    let outer = tempfile::tempdir().expect("a folder");
    let base = outer.path().join("base");
    std::fs::create_dir(&base).expect("a folder");
    std::fs::write(outer.path().join(FILE_NAME), "policy: hardened\n").expect("written");
    let find = |lookup: &Lookup<'_>| Config::find(lookup).expect("a configuration");
    let lookup = Lookup { base: Some(&base), ..Lookup::default() };
    assert!(find(&lookup).file.is_none());
    std::fs::write(base.join(FILE_NAME), "policy: guide\nrules: [own]\n").expect("written");
    let config = find(&lookup);
    assert_eq!(config.policy, Some(Policy::Guide));
    assert_eq!(config.rules, [base.join("own")]);
    let file = config.file.expect("a file");
    assert_eq!((file.file.as_str(), file.origin.as_str()), (FILE_NAME, "found"));
    let named = Lookup { named: Some(Path::new(FILE_NAME)), named_by: "--config", ..lookup };
    assert_eq!(find(&named).file.expect("a file").origin, "--config");
    assert!(find(&Lookup { none: true, ..named }).file.is_none());
}
