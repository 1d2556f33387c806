//! Example report with every kind of content, for the tests of all formats.

use serde_json::{Value, json};

use super::{ControlInfo, Format, Options, RemediationInfo, RuleInfo};
use crate::model::finding::{AppliedWaiver, Location, Tool};
use crate::model::provenance::{ConfigurationFile, RulesFolder, Setting, WaiverFile};
use crate::model::{
    Evidence, Finding, Gap, GapKind, Provenance, Report, ResourceRef, ResourceType, Scope, Severity, Source, Summary,
    Verdict,
};

const PRODUCTION: &str = "123456789012";
const STAGING: &str = "210987654321";

/// Returns a report as a format writes it.
pub(crate) fn written(format: &Format, report: &Report) -> String {
    let mut out = Vec::new();
    format.write(report, &rules(), &Options::default(), &mut out).expect("written");
    String::from_utf8(out).expect("text")
}

/// Returns the report with the findings of each account together, as all reports have them.
pub(crate) fn by_account(mut report: Report) -> Report {
    report.findings.sort_by(|one, other| one.resource.account.cmp(&other.resource.account));
    report
}

pub(crate) fn finding(rule: &str, severity: Severity, verdict: Verdict, id: &str) -> Finding {
    Finding {
        rule: rule.to_owned(),
        severity,
        verdict,
        message: String::new(),
        resource: ResourceRef {
            resource_type: ResourceType::Instance,
            id: id.to_owned(),
            arn: Some(format!("arn:aws:ec2:us-east-1:{PRODUCTION}:instance/{id}")),
            name: None,
            account: PRODUCTION.parse().ok(),
            region: "us-east-1".parse().ok(),
            address: None,
        },
        location: None,
        related: Vec::new(),
        folder: None,
        evidence: Vec::new(),
        gaps: Vec::new(),
        waiver: None,
        remediation: None,
        fingerprint: format!("{:0>64x}", rule.len() * 1000 + id.bytes().map(usize::from).sum::<usize>()),
        code: None,
        edit: None,
    }
}

impl Finding {
    fn saying(mut self, message: &str) -> Self {
        message.clone_into(&mut self.message);
        self
    }

    fn showing(mut self, path: &str, value: Value) -> Self {
        self.evidence.push(Evidence { path: path.to_owned(), value });
        self
    }

    fn named(mut self, name: &str) -> Self {
        self.resource.name = Some(name.to_owned());
        self
    }

    fn on(mut self, resource_type: ResourceType, arn: Option<&str>) -> Self {
        self.resource.resource_type = resource_type;
        self.resource.arn = arn.map(ToOwned::to_owned);
        self
    }

    fn within(mut self, account: &str, region: Option<&str>) -> Self {
        self.resource.account = account.parse().ok();
        self.resource.region = region.and_then(|region| region.parse().ok());
        self
    }

    fn lacking(mut self, gap: Gap) -> Self {
        self.gaps.push(gap);
        self
    }
}

fn denied(call: &str, code: &str) -> Gap {
    Gap::of_call(GapKind::Denied, call).with_code(code)
}

fn control(rule: &str) -> Option<ControlInfo> {
    let (id, title) = match rule {
        "ec2-imdsv2-required" => ("EC2.8", "EC2 instances should use Instance Metadata Service Version 2 (IMDSv2)"),
        "kms-rotation-enabled" => ("KMS.4", "AWS KMS key rotation should be enabled"),
        _ => return None,
    };
    Some(ControlInfo {
        framework: "AWS Security Hub CSPM controls".to_owned(),
        id: id.to_owned(),
        title: title.to_owned(),
    })
}

pub(crate) fn rules() -> Vec<RuleInfo> {
    let rule = |id: &str, severity, resource_type, title: &str, remediation: Option<(&str, &str)>| RuleInfo {
        id: id.to_owned(),
        title: title.to_owned(),
        severity,
        description: format!("{title}, for every one that the account has."),
        rationale: "Whoever can reach it can use it, and nobody would see that in the logs.".to_owned(),
        references: vec![
            "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html".to_owned(),
        ],
        page: None,
        remediation: remediation.map(|(id, title)| RemediationInfo { id: id.to_owned(), title: title.to_owned() }),
        resource_type,
        policy: "guide".to_owned(),
        controls: control(id).into_iter().collect(),
    };
    vec![
        rule(
            "ec2-imdsv2-required",
            Severity::High,
            ResourceType::Instance,
            "Instances should accept only IMDSv2 session tokens",
            Some(("ec2-require-imdsv2", "Accept only IMDSv2 session tokens")),
        ),
        rule(
            "iam-role-ssm-core",
            Severity::High,
            ResourceType::Role,
            "Roles should allow what Session Manager needs",
            None,
        ),
        rule("kms-rotation-enabled", Severity::Medium, ResourceType::KmsKey, "Keys should be rotated every year", None),
        rule(
            "logs-retention-set",
            Severity::Medium,
            ResourceType::LogGroup,
            "Session log groups should keep their events for a set time",
            Some(("logs-set-retention", "Keep events for a set number of days")),
        ),
        rule(
            "sg-egress-https-only",
            Severity::High,
            ResourceType::SecurityGroup,
            "Groups should let out HTTPS only",
            None,
        ),
        rule(
            "sg-rules-described",
            Severity::Info,
            ResourceType::SecurityGroup,
            "Rules should say what they are for",
            None,
        ),
        rule(
            "ssm-logs-streamed",
            Severity::Medium,
            ResourceType::SessionPreferences,
            "Sessions should be streamed",
            None,
        ),
    ]
}

fn instances() -> Vec<Finding> {
    let imds = |verdict, id: &str| finding("ec2-imdsv2-required", Severity::High, verdict, id);
    let mut findings: Vec<Finding> = (0..12)
        .map(|number| {
            let mut failed = imds(Verdict::Fail, &format!("i-0a1b2c3d4e5f607{number:02}"))
                .saying("IMDSv1 is still accepted")
                .showing("metadata_options.http_tokens", json!("optional"));
            failed.remediation = Some("ec2-require-imdsv2".to_owned());
            if number < 2 { failed.named(["web", "größe 名前\u{1b}[2J"][number]) } else { failed }
        })
        .collect();
    findings.push(
        imds(Verdict::Unknown, "*")
            .saying("could not be decided")
            .within(PRODUCTION, Some("eu-west-1"))
            .lacking(denied("ec2:DescribeInstances", "UnauthorizedOperation")),
    );
    findings
        .push(imds(Verdict::Pass, "i-0fedcba9876543210").showing("metadata_options.http_tokens", json!("required")));
    findings.push(waived());
    findings
}

fn waived() -> Finding {
    let mut waived = finding("ec2-imdsv2-required", Severity::High, Verdict::Waived, "i-0abcabcabcabcabca")
        .saying("IMDSv1 is still accepted")
        .showing("metadata_options.http_tokens", json!("optional"));
    waived.waiver = Some(Box::new(AppliedWaiver {
        verdict: Verdict::Fail,
        reason: "the vendor's agent cannot do better yet".to_owned(),
        owner: Some("team-x".to_owned()),
        expires: Some("2027-03-01".to_owned()),
        source: Some("ssm-audit.yaml:12:5".to_owned()),
        inline: false,
    }));
    waived
}

fn others() -> Vec<Finding> {
    let group = |id: &str| {
        finding("sg-egress-https-only", Severity::High, Verdict::Fail, id)
            .on(
                ResourceType::SecurityGroup,
                Some("arn:aws:ec2:us-east-1:123456789012:security-group/sg-0123456789abcdef0"),
            )
            .named("bastion")
            .saying("2 rules let out more than HTTPS")
    };
    let role = "a-role-with-a-very-long-name-as-terraform-likes-to-make-them-20261";
    let key = "arn:aws:kms:us-east-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab";
    let mut code = finding("logs-retention-set", Severity::Medium, Verdict::Fail, "aws_cloudwatch_log_group.sessions")
        .on(ResourceType::LogGroup, None)
        .saying("events are kept for ever, wanted 30")
        .showing("retention_in_days", json!(null));
    code.resource.account = None;
    code.resource.region = None;
    code.resource.address = Some("module.logs.aws_cloudwatch_log_group.sessions[0]".to_owned());
    code.resource.id = "module.logs.aws_cloudwatch_log_group.sessions[0]".to_owned();
    code.location = Some(Location { file: "modules/logs/main tf.tf".to_owned(), line: 12, column: 3, end_line: 19 });
    code.related = vec![Location { file: "main.tf".to_owned(), line: 4, column: 1, end_line: 4 }];
    vec![
        group("sg-0123456789abcdef0").showing(
            "egress",
            json!([
                {"ip_protocol": "-1", "from_port": null, "to_port": null, "cidr_ipv4": "0.0.0.0/0", "description": ""},
                {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr_ipv4": "10.0.0.0/8", "description": "to the inner hosts"},
            ]),
        ),
        finding("logs-retention-set", Severity::Medium, Verdict::Fail, "/ssm/sessions")
            .on(ResourceType::LogGroup, Some("arn:aws:logs:us-east-1:123456789012:log-group:/ssm/sessions"))
            .saying("events are kept for 7 days, wanted 30")
            .showing("retention_in_days", json!(7)),
        code,
        finding("iam-role-ssm-core", Severity::High, Verdict::Unknown, role)
            .on(ResourceType::Role, Some(&format!("arn:aws:iam::{STAGING}:role/{role}")))
            .within(STAGING, None)
            .saying("could not be decided")
            .lacking(denied("iam:ListAttachedRolePolicies", "AccessDenied"))
            .lacking(Gap::of_call(GapKind::Throttled, "iam:GetRolePolicy").with_code("Throttling")),
        finding("kms-rotation-enabled", Severity::Medium, Verdict::Fail, key)
            .on(ResourceType::KmsKey, Some(key))
            .within(STAGING, Some("us-east-1"))
            .saying("Keys should be rotated every year")
            .showing("enable_key_rotation", json!(false)),
        finding("ssm-logs-streamed", Severity::Medium, Verdict::Pass, "SSM-SessionManagerRunShell")
            .on(ResourceType::SessionPreferences, None)
            .showing("inputs.cloud_watch_streaming_enabled", json!(true)),
    ]
}

fn scope(account: &str, region: &str, gaps: Vec<Gap>) -> Scope {
    let read = !gaps.iter().any(|gap| gap.kind == GapKind::Timeout);
    Scope {
        source: Source::Aws,
        account: account.parse().ok(),
        region: region.parse().ok(),
        complete: gaps.is_empty(),
        read,
        gaps,
    }
}

fn report_of(scopes: Vec<Scope>, findings: Vec<Finding>) -> Report {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count() as u64;
    Report {
        kind: Report::KIND.to_owned(),
        schema_version: Report::SCHEMA_VERSION,
        tool: Tool {
            name: "ssm-audit".to_owned(),
            version: "0.1.0".to_owned(),
            rules_digest: format!("sha256:{}", "ab".repeat(32)),
        },
        started_at: "2026-11-22T15:00:00Z".to_owned(),
        finished_at: "2026-11-22T15:00:07Z".to_owned(),
        policy: "guide".to_owned(),
        provenance: Provenance::default(),
        scopes,
        summary: Summary {
            pass: count(Verdict::Pass),
            fail: count(Verdict::Fail),
            unknown: count(Verdict::Unknown),
            waived: count(Verdict::Waived),
            not_applicable: 12,
            in_baseline: 0,
        },
        findings,
    }
}

/// Returns a configuration, a flag, rules and waivers.
fn provenance() -> Provenance {
    let setting = |key: &str, value: Value, origin: &str| Setting { key: key.into(), value, origin: origin.into() };
    Provenance {
        configuration: Some(ConfigurationFile {
            file: "ssm-audit.yaml".to_owned(),
            origin: "found".to_owned(),
            base: None,
            digest: format!("sha256:{}", "cd".repeat(32)),
        }),
        settings: vec![
            setting("disable", json!(["logs-*", "<b>"]), "ssm-audit.yaml"),
            setting("params", json!({"kms-deletion-window": {"min_days": 7}}), "ssm-audit.yaml"),
            setting("--fail-on", json!("high"), "SSM_AUDIT_FAIL_ON"),
        ],
        rules: vec![RulesFolder {
            folder: "policies".to_owned(),
            origin: "ssm-audit.yaml".to_owned(),
            rules: 3,
            digest: format!("sha256:{}", "ef".repeat(32)),
        }],
        waivers: vec![
            WaiverFile { file: "ssm-audit.yaml".to_owned(), inline: false, accepted: 2, refused: 0 },
            WaiverFile { file: "infra/main.tf".to_owned(), inline: true, accepted: 0, refused: 1 },
        ],
    }
}

pub(crate) fn report() -> Report {
    let scopes = vec![
        scope(PRODUCTION, "", vec![]),
        scope(PRODUCTION, "eu-west-1", vec![denied("ec2:DescribeInstances", "UnauthorizedOperation")]),
        scope(PRODUCTION, "us-east-1", vec![]),
        scope(STAGING, "", vec![denied("iam:ListAttachedRolePolicies", "AccessDenied")]),
        scope(
            STAGING,
            "eu-west-1",
            vec![Gap::of_call(GapKind::Timeout, "sts:AssumeRole").with_message("no answer in 10 s")],
        ),
        scope(STAGING, "us-east-1", vec![]),
    ];
    Report { provenance: provenance(), ..report_of(scopes, instances().into_iter().chain(others()).collect()) }
}

/// Returns a report in which every check passes.
pub(crate) fn calm() -> Report {
    let findings = vec![finding("ec2-imdsv2-required", Severity::High, Verdict::Pass, "i-0fedcba9876543210")];
    report_of(vec![scope(PRODUCTION, "", vec![]), scope(PRODUCTION, "us-east-1", vec![])], findings)
}

/// Returns a report without applicable checks.
pub(crate) fn empty() -> Report {
    report_of(vec![scope(PRODUCTION, "us-east-1", vec![])], Vec::new())
}
