//! Baselines: the failures and unknowns that existed when checking began, by fingerprint.
//!
//!
//! A baseline is a small file of its own. A whole report (JSON or SARIF) is also read as a baseline.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::engine::scan::ANY;
use crate::model::{AccountId, Finding, Region, Report, Scope, Source, Verdict};

/// Known findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// `ssm-audit/baseline`
    pub kind: String,
    /// 1
    pub schema_version: u32,
    /// Start of the scan that the findings are of, RFC 3339.
    pub scanned_at: Option<String>,
    /// The findings, in the order of the report.
    pub findings: Vec<Known>,
}

/// A known finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Fingerprint of the finding, its only identity.
    pub fingerprint: String,
    /// `fail` or `unknown`: a known unknown is reported when it fails.
    pub verdict: Verdict,
    /// Rule of the finding, for people and for `baseline prune`.
    pub rule: String,
    /// Account of the finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Region of the finding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Folder of the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Id or Terraform address of the resource.
    pub resource: String,
}

/// A finding that a later report shows to be no longer open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// The finding.
    pub known: Known,
    /// Reason why the finding is no longer open.
    pub because: &'static str,
}

impl Baseline {
    /// The `kind` that every baseline begins with.
    pub const KIND: &'static str = "ssm-audit/baseline";
    /// The version of the format.
    pub const SCHEMA_VERSION: u32 = 1;

    /// Returns the failures and unknowns of this report. A waived finding is left to its waiver.
    pub fn of(report: &Report) -> Self {
        let open = report.findings.iter().filter(|finding| is_open(finding));
        Self::new(Some(report.started_at.clone()), open.map(|finding| Known::of(finding, finding.verdict)).collect())
    }

    fn new(scanned_at: Option<String>, findings: Vec<Known>) -> Self {
        Self { kind: Self::KIND.to_owned(), schema_version: Self::SCHEMA_VERSION, scanned_at, findings }
    }

    /// Reads a baseline, or a report in JSON or SARIF as one.
    ///
    /// # Errors
    /// If the text is none of these, with the reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        let json: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let baseline = match json["kind"].as_str() {
            Some(Self::KIND) => Self::of_own_form(json)?,
            Some(Report::KIND) => Self::new(json["started_at"].as_str().map(str::to_owned), of_report(&json)?),
            _ if json["runs"].is_array() => Self::new(None, of_sarif(&json)?),
            _ => return Err("it is neither a baseline nor a report in JSON or SARIF".to_owned()),
        };
        let is_open = |known: &Known| matches!(known.verdict, Verdict::Fail | Verdict::Unknown);
        Ok(Self { findings: baseline.findings.into_iter().filter(is_open).collect(), ..baseline })
    }

    fn of_own_form(json: Json) -> Result<Self, String> {
        let version = &json["schema_version"];
        if *version != Self::SCHEMA_VERSION {
            return Err(format!(
                "it is of version {version}, and this ssm-audit reads version {}",
                Self::SCHEMA_VERSION
            ));
        }
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    /// Returns the verdicts by fingerprint.
    pub fn verdicts(self) -> BTreeMap<String, Verdict> {
        self.findings.into_iter().map(|known| (known.fingerprint, known.verdict)).collect()
    }

    /// Removes the findings that this report shows to be no longer open. Findings that the report does not cover stay:
    /// those of rules that were not selected, of accounts and regions that were not read, and of types whose resources
    /// could not be listed.
    pub fn prune(&mut self, report: &Report) -> Vec<Pruned> {
        let seen = Seen::of(report);
        let mut pruned = Vec::new();
        self.findings.retain(|known| match seen.became(known) {
            None => true,
            Some(because) => {
                pruned.push(Pruned { known: known.clone(), because });
                false
            }
        });
        self.scanned_at = Some(report.started_at.clone());
        pruned
    }

    /// Writes the baseline, one finding a line, so that each added or removed finding is one line of a diff.
    ///
    /// # Errors
    /// If the baseline cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{{\n  \"kind\": \"{}\",\n  \"schema_version\": {},", self.kind, self.schema_version)?;
        writeln!(out, "  \"scanned_at\": {},\n  \"findings\": [", serde_json::to_string(&self.scanned_at)?)?;
        for (index, known) in self.findings.iter().enumerate() {
            let comma = if index + 1 < self.findings.len() { "," } else { "" };
            writeln!(out, "    {}{comma}", serde_json::to_string(known)?)?;
        }
        writeln!(out, "  ]\n}}")
    }
}

impl Known {
    fn of(finding: &Finding, verdict: Verdict) -> Self {
        let resource = &finding.resource;
        Self {
            fingerprint: finding.fingerprint.clone(),
            verdict,
            rule: finding.rule.clone(),
            account: resource.account.as_ref().map(ToString::to_string),
            region: resource.region.as_ref().map(ToString::to_string),
            folder: finding.folder.as_deref().map(str::to_owned),
            resource: resource.address.clone().unwrap_or_else(|| resource.id.clone()),
        }
    }
}

fn is_open(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Fail | Verdict::Unknown)
}

/// Returns the findings of a report in JSON, which an earlier version may have written: only the needed fields are
/// required.
fn of_report(json: &Json) -> Result<Vec<Known>, String> {
    let findings = json["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let known = findings.iter().map(|finding| {
        let verdict = match &finding["waiver"]["verdict"] {
            Json::Null => &finding["verdict"],
            waived => waived,
        };
        let resource = &finding["resource"];
        let name = [&resource["address"], &resource["id"]].into_iter().find_map(Json::as_str);
        let place = [&resource["account"], &resource["region"], &finding["folder"]];
        known(&finding["fingerprint"], verdict, &finding["rule"], place, name)
    });
    known.collect()
}

fn of_sarif(json: &Json) -> Result<Vec<Known>, String> {
    let list = |value: &'_ Json, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let runs = list(json, "runs");
    let names: BTreeSet<&str> = runs.iter().filter_map(|run| run["tool"]["driver"]["name"].as_str()).collect();
    if names.iter().any(|name| *name != "ssm-audit") {
        return Err("it is of another tool".to_owned());
    }
    let results = runs.iter().flat_map(|run| list(run, "results"));
    let known = results.map(|result| {
        let of = &result["properties"];
        let name = [&of["address"], &of["resourceId"]].into_iter().find_map(Json::as_str);
        let fingerprint = &result["partialFingerprints"]["ssmAuditFinding/v1"];
        known(fingerprint, &of["verdict"], &result["ruleId"], [&of["account"], &of["region"], &of["folder"]], name)
    });
    known.collect()
}

fn known(
    fingerprint: &Json,
    verdict: &Json,
    rule: &Json,
    [account, region, folder]: [&Json; 3],
    resource: Option<&str>,
) -> Result<Known, String> {
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let (Some(fingerprint), Ok(verdict)) = (text(fingerprint), Verdict::deserialize(verdict)) else {
        return Err("a finding in it has no fingerprint or no verdict".to_owned());
    };
    Ok(Known {
        fingerprint,
        verdict,
        rule: text(rule).unwrap_or_default(),
        account: text(account),
        region: text(region),
        folder: text(folder),
        resource: resource.unwrap_or_default().to_owned(),
    })
}

/// Findings of a report.
struct Seen<'a> {
    report: &'a Report,
    verdicts: BTreeMap<&'a str, Verdict>,
    rules: BTreeSet<&'a str>,
}

impl<'a> Seen<'a> {
    fn of(report: &'a Report) -> Self {
        Self {
            report,
            verdicts: report.findings.iter().map(|finding| (finding.fingerprint.as_str(), finding.verdict)).collect(),
            rules: report.findings.iter().map(|finding| finding.rule.as_str()).collect(),
        }
    }

    /// Returns the reason why a finding is no longer open; none if it is open or its state is not known.
    fn became(&self, known: &Known) -> Option<&'static str> {
        match self.verdicts.get(known.fingerprint.as_str()) {
            Some(Verdict::Pass) => Some("passes"),
            Some(Verdict::Waived) => Some("waived"),
            None if self.rules.contains(known.rule.as_str()) && self.covers(known) => Some("no longer exists"),
            Some(Verdict::Fail | Verdict::Unknown) | None => None,
        }
    }

    /// Returns `true` if the place of the finding was read, and the resources of its rule were listed there.
    fn covers(&self, known: &Known) -> bool {
        let is_account = |account: Option<&str>| account == known.account.as_deref();
        let is_there = |scope: &&Scope| {
            let region = scope.region.as_ref().map(Region::as_str);
            // A folder of code is another place than the account that it makes.
            let source = if known.folder.is_some() { Source::Terraform } else { Source::Aws };
            scope.source == source
                && is_account(scope.account.as_ref().map(AccountId::as_str))
                && region == known.region.as_deref()
        };
        let is_of_folder = |finding: &Finding| finding.folder.as_deref() == known.folder.as_deref();
        if known.folder.is_some() && !self.report.findings.iter().any(is_of_folder) {
            return false;
        }
        let mut scopes = self.report.scopes.iter().filter(is_there).peekable();
        let is_read = scopes.peek().is_some() && scopes.all(|scope| scope.read && scope.complete);
        let is_unlisted = self.report.findings.iter().any(|finding| {
            finding.rule == known.rule
                && finding.resource.id == ANY
                && is_account(finding.resource.account.as_ref().map(AccountId::as_str))
        });
        is_read && !is_unlisted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    fn text(baseline: &Baseline) -> String {
        let mut out = Vec::new();
        baseline.write(&mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_baseline_is_small_and_reads_back() {
        let report = example::report();
        let baseline = Baseline::of(&report);
        let open = report.findings.iter().filter(|finding| is_open(finding)).count();
        assert_eq!(baseline.findings.len(), open);
        let written = text(&baseline);
        assert_eq!(Baseline::parse(&written).expect("a baseline"), baseline);
        assert_eq!(written.lines().count(), open + 7);
        let whole = serde_json::to_string(&report).expect("JSON");
        assert!(written.len() * 3 < whole.len(), "{} of {}", written.len(), whole.len());
        let schema = serde_json::to_value(schemars::schema_for!(Baseline)).expect("a schema");
        let value: Json = serde_json::from_str(&written).expect("JSON");
        assert!(jsonschema::validator_for(&schema).expect("a schema").is_valid(&value));
    }

    #[test]
    fn a_whole_report_is_still_a_baseline() {
        let report = example::report();
        let read = Baseline::parse(&serde_json::to_string(&report).expect("JSON")).expect("a baseline");
        // A finding that a report has waived was known to earlier versions.
        let waived = report.findings.iter().filter(|finding| finding.verdict == Verdict::Waived).count();
        assert_eq!(read.findings.len(), Baseline::of(&report).findings.len() + waived);
    }

    #[test]
    fn what_is_no_baseline_is_refused_with_the_reason() {
        for (text, problem) in [
            ("[]", "it is neither"),
            ("{", "EOF"),
            ("{\"kind\": \"ssm-audit/baseline\", \"schema_version\": 2}", "it is of version 2"),
            ("{\"kind\": \"ssm-audit/baseline\", \"schema_version\": 1}", "missing field"),
            ("{\"kind\": \"ssm-audit/report\", \"findings\": [{}]}", "no fingerprint"),
            ("{\"runs\": [{\"tool\": {\"driver\": {\"name\": \"x\"}}}]}", "another tool"),
        ] {
            let found = Baseline::parse(text).expect_err("a problem");
            assert!(found.contains(problem), "{text}: {found}");
        }
    }

    #[test]
    fn only_what_a_report_shows_to_be_over_is_pruned() {
        let report = example::report();
        let mut baseline = Baseline::of(&report);
        let all = baseline.clone();
        assert_eq!(baseline.prune(&report), [], "all is open");
        assert_eq!(baseline, all);

        let mut later = report.clone();
        let fixed = later.findings.iter_mut().find(|finding| finding.verdict == Verdict::Fail).expect("a failure");
        fixed.verdict = Verdict::Pass;
        let fixed = fixed.fingerprint.clone();
        let pruned = baseline.prune(&later);
        assert_eq!(pruned.len(), 1);
        assert_eq!((pruned[0].known.fingerprint.as_str(), pruned[0].because), (fixed.as_str(), "passes"));

        // A report on other rules or other accounts proves nothing about the finding.
        let mut other = report.clone();
        other.findings.clear();
        assert_eq!(baseline.clone().prune(&other), []);
        let mut elsewhere = report.clone();
        elsewhere.scopes.clear();
        elsewhere.findings.retain(|finding| !is_open(finding));
        assert_eq!(baseline.prune(&elsewhere), []);
    }

    #[test]
    fn a_resource_that_is_gone_is_pruned_where_everything_was_read() {
        let mut report = example::report();
        let gone = report.findings.iter().find(|finding| {
            let same = |other: &&Finding| other.rule == finding.rule;
            finding.verdict == Verdict::Fail
                && report.findings.iter().filter(same).count() > 1
                && !report.findings.iter().any(|other| same(&other) && other.resource.id == ANY)
        });
        let gone = gone.expect("a failure").fingerprint.clone();
        let mut baseline = Baseline::of(&report);
        report.findings.retain(|finding| finding.fingerprint != gone);
        for scope in &mut report.scopes {
            (scope.complete, scope.read) = (true, true);
        }
        let pruned = baseline.prune(&report);
        assert_eq!(pruned.iter().map(|pruned| pruned.because).collect::<Vec<_>>(), ["no longer exists"]);
    }
}
