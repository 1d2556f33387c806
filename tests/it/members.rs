//! Answers of which a member is missing, empty, or has a value that AWS has added since: for every member of every
//! answer of a scan, no verdict turns into a pass, and no finding goes away, unless what is missing says just that.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde_json::Value;

use crate::audit::{Audit, Subject, verdicts};
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Call, Change, Fault, Kind, Member, Proxy, Recording};
use crate::sample::sample;

/// The members that hold a value of an enumeration and that rules look at, by the ends of their paths.
const ENUMERATIONS: &[&str] = &[
    "instanceState/name",
    "monitoring/state",
    "metadataOptions/httpTokens",
    "metadataOptions/httpEndpoint",
    "metadataOptions/instanceMetadataTags",
    "rootDeviceType",
    "KeyMetadata/KeyManager",
    "KeyMetadata/KeySpec",
    "KeyMetadata/Origin",
    "KeyMetadata/KeyState",
    "ObjectLockConfiguration/ObjectLockEnabled",
    "DefaultRetention/Mode",
    "ApplyServerSideEncryptionByDefault/SSEAlgorithm",
    "InstanceInformationList/PingStatus",
    "InstanceInformationList/ResourceType",
    "InstanceInformationList/PlatformType",
    "logGroups/logGroupClass",
    "DocumentType",
    "ServiceSetting/Status",
];

/// Members that AWS leaves out where there is nothing to say, and the rules that then have something else to say, or
/// nothing. An empty one says the same.
const MEANS_NONE: &[(&str, &[&str])] = &[
    // No profile: no role of an instance.
    ("instancesSet/item/iamInstanceProfile", &["iam-", "ec2-instance-profile-attached"]),
    ("InstanceProfile/Roles", &["iam-", "ec2-instance-profile-attached"]),
    ("Roles/member", &["iam-", "ec2-instance-profile-attached"]),
    // No key.
    ("logGroups/kmsKeyId", &["kms-"]),
    ("ApplyServerSideEncryptionByDefault/KMSMasterKeyID", &["kms-"]),
    // The agent on an instance that has none is another service's matter.
    ("instancesSet/item/operator", &[]),
];

/// The report on what was recorded, and the calls that asked for something without a name.
fn scan(recording: Recording, account: &str) -> Result<(Value, Vec<String>), String> {
    let proxy = Proxy::replay(recording, std::time::Duration::ZERO);
    let arguments = ["scan", "--policy", "hardened", "--format", "json", "--call-timeout", "20"];
    let mut audit = Audit::on(Emulator::moto(), account, "us-east-1", &arguments)
        .env("AWS_ENDPOINT_URL", &proxy.url())
        .env("AWS_MAX_ATTEMPTS", "1");
    let scanned = audit.run();
    let nameless = proxy.calls().into_iter().filter(is_nameless).map(|call| format!("{} {}", call.action, call.body));
    let nameless = nameless.collect();
    match scanned.code {
        Some(0 | 1 | 3) => Ok((scanned.json(), nameless)),
        code => Err(format!("exit code {code:?}: {}", scanned.stderr)),
    }
}

/// Whether a member of the request is an empty text.
fn is_nameless(call: &Call) -> bool {
    let in_form = || call.body.contains("Action=") && call.body.split('&').any(|member| member.ends_with('='));
    call.body.contains(":\"\"") || in_form()
}

#[test]
fn an_answer_without_a_member_never_becomes_a_pass() {
    let broken = [
        "ec2-imdsv2-required",
        "ec2-detailed-monitoring",
        "kms-rotation-enabled",
        "kms-key-usable",
        "s3-access-logging",
        "ssm-idle-timeout",
    ];
    let account = fresh_account();
    let place = ["--account", &account, "--region", "us-east-1", "--vary", "default-retention"];
    let broken: Vec<&str> = broken.iter().flat_map(|name| ["--break", name]).collect();
    Emulator::moto().seed_with(&[&place[..], &broken].concat());
    let recorder = Proxy::record(Emulator::moto().url());
    let mut calm =
        Audit::on(Emulator::moto(), &account, "us-east-1", &["scan", "--policy", "hardened", "--format", "json"])
            .env("AWS_ENDPOINT_URL", &recorder.url());
    let before = verdicts(&calm.run().json());
    let recording = recorder.recording();
    drop(recorder);
    assert_eq!(verdicts(&scan(recording.clone(), &account).unwrap().0), before, "the recording is another account");

    let cells: Vec<(Member, Change)> = recording
        .members()
        .into_iter()
        .filter(|member| !member.action.starts_with("sts:"))
        .flat_map(|member| {
            let path = member.path.join("/");
            // An item less is a resource less; a root less is no answer.
            let is_item = ["item", "member"].contains(&member.path.last().map_or("", String::as_str));
            let missing = (member.path.len() > 1 || member.is_leaf) && !is_item;
            let new = member.is_leaf && ENUMERATIONS.iter().any(|end| path.ends_with(end));
            let changes = [(missing, Change::Missing), (member.is_leaf, Change::Empty), (new, Change::New)];
            changes.into_iter().filter(|(applies, _)| *applies).map(move |(_, change)| (member.clone(), change))
        })
        .collect();
    let met: Vec<&&str> = ENUMERATIONS
        .iter()
        .filter(|end| {
            !cells.iter().any(|(member, change)| *change == Change::New && member.path.join("/").ends_with(**end))
        })
        .collect();
    assert!(met.is_empty(), "no answer has these members: {met:?}");
    assert!(cells.len() > 150, "only {} members were met", cells.len());
    let cells = sample(cells);

    let threads = rayon::ThreadPoolBuilder::new().num_threads(6).build().unwrap();
    let wrong: Vec<String> = threads.install(|| {
        cells
            .par_iter()
            .flat_map_iter(|(member, change)| check(&recording, &account, member, *change, &before))
            .collect()
    });
    assert!(wrong.is_empty(), "{} problems:\n{}", wrong.len(), wrong.join("\n"));
}

fn check(
    recording: &Recording,
    account: &str,
    member: &Member,
    change: Change,
    before: &BTreeMap<Subject, String>,
) -> Vec<String> {
    let path = member.path.join("/");
    let what = format!("{} {path} {change:?}", member.action);
    let (report, nameless) = match scan(recording.with(member, change), account) {
        Ok(scanned) => scanned,
        Err(problem) => return vec![format!("{what}: {problem}")],
    };
    let after = verdicts(&report);
    let excused: Vec<&str> =
        MEANS_NONE.iter().filter(|(end, _)| path.ends_with(end)).flat_map(|(_, rules)| rules.iter().copied()).collect();
    let mut wrong: Vec<String> =
        nameless.iter().map(|call| format!("{what}: asks for nothing by name: {call}")).collect();
    for (subject, was) in before {
        let all = |region: &str| (subject.0.clone(), subject.1.clone(), region.to_owned(), "*".to_owned());
        let now = after.get(subject).or_else(|| after.get(&all(&subject.2))).or_else(|| after.get(&all("")));
        let is_excused = excused.iter().any(|rule| subject.0.starts_with(rule));
        match now.map(String::as_str) {
            None if !is_excused => wrong.push(format!("{what}: {subject:?} went away")),
            Some("pass") if was != "pass" && !is_excused => {
                wrong.push(format!("{what}: {subject:?} was {was} and passes"));
            }
            Some("fail") if was == "pass" && change == Change::New => {
                wrong.push(format!("{what}: {subject:?} fails for a value that is not known"));
            }
            _ => {}
        }
    }
    wrong
}

/// The verdicts on an account when this goes wrong, beside those without.
fn with_fault(fault: Fault) -> (BTreeMap<Subject, String>, BTreeMap<Subject, String>) {
    let account = fresh_account();
    Emulator::moto().seed(&account, &["us-east-1"], &[]);
    let scan = |fault: Option<Fault>| {
        let proxy = Proxy::start(Emulator::moto().url());
        if let Some(fault) = fault {
            proxy.inject(fault);
        }
        let arguments = ["scan", "--format", "json"];
        let mut audit = Audit::on(Emulator::moto(), &account, "us-east-1", &arguments);
        audit = audit.env("AWS_ENDPOINT_URL", &proxy.url());
        verdicts(&audit.run().json())
    };
    (scan(None), scan(Some(fault)))
}

const fn refused(code: &'static str) -> Kind {
    Kind::Refused { status: 400, code, message: "refused" }
}

/// Where Systems Manager knows no such setting, nobody can have switched default host management on.
#[test]
fn a_setting_that_does_not_exist_is_off() {
    let (before, after) = with_fault(Fault::on("ssm:GetServiceSetting", refused("ServiceSettingNotFound")));
    assert_eq!(before, after);
}

/// Nothing is hidden where EC2 does not know of hidden resources.
#[test]
fn a_partition_that_knows_no_hidden_resources_is_asked_without() {
    for action in ["ec2:DescribeInstances", "ec2:DescribeVolumes"] {
        let fault = Fault::on(action, refused("UnknownParameter")).containing("IncludeManagedResources");
        let (before, after) = with_fault(fault);
        assert_eq!(before, after, "{action}");
    }
}

#[test]
fn a_version_that_is_refused_is_no_document_that_is_missing() {
    for version in ["$DEFAULT", "$LATEST"] {
        let fault = Fault::on("ssm:GetDocument", refused("InvalidDocument")).containing(version);
        let (before, after) = with_fault(fault);
        for (subject, verdict) in &after {
            assert!(
                verdict == "unknown" || before.get(subject) == Some(verdict),
                "{version}: {subject:?} is {verdict}"
            );
        }
        let valid = after.iter().find(|(subject, _)| subject.0 == "ssm-preferences-valid").unwrap();
        assert_eq!(valid.1, "unknown", "{version}");
    }
}
