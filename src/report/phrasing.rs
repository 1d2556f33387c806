//! Phrasing of values, resources, counts and coverage.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use super::RuleInfo;
use crate::model::fact::UNKNOWN;
use crate::model::finding::{Evidence, Location};
use crate::model::{AccountId, Finding, Gap, Region, Report, ResourceRef, Scope, Severity, Source, Verdict};

/// Returns one line for each value of an attribute: `path = value`.
pub(super) fn evidence(evidence: &Evidence) -> Vec<String> {
    let path = &evidence.path;
    match &evidence.value {
        Value::Null => vec![format!("{path} is absent")],
        Value::Object(_) if unknown(&evidence.value).is_some() => vec![format!("{path} is {}", value(&evidence.value))],
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().map(|item| format!("{path} = {}", value(item))).collect()
        }
        other => vec![format!("{path} = {}", value(other))],
    }
}

/// Returns a value in its shortest form: no quotes if none are needed, no absent members.
pub(super) fn value(json: &Value) -> String {
    match json {
        Value::Null => "absent".to_owned(),
        Value::String(text) if text.is_empty() || text.trim() != text => format!("{text:?}"),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            if let Some(gap) = unknown(json) {
                return format!("unknown ({gap})");
            }
            let members = members.iter().filter(|(_, member)| !member.is_null());
            let words: Vec<String> = members.map(|(name, member)| format!("{name}: {}", value(member))).collect();
            format!("{{{}}}", words.join(", "))
        }
        Value::Bool(_) | Value::Number(_) => json.to_string(),
    }
}

/// Returns the reason in `{"$unknown": gap}`.
fn unknown(json: &Value) -> Option<String> {
    let members = json.as_object().filter(|members| members.len() == 1)?;
    let gap = members.get(UNKNOWN)?;
    Some(serde_json::from_value::<Gap>(gap.clone()).map_or_else(|_| gap.to_string(), |gap| gap.to_string()))
}

/// Returns the name by which a person knows a resource.
pub(super) fn resource(resource: &ResourceRef) -> String {
    let id = match resource.address.as_deref() {
        None => resource.id.as_str(),
        Some(address) if address == resource.id => address,
        // The resource is in an account and comes from code.
        Some(address) => return format!("{} ({address})", resource.id),
    };
    match resource.name.as_deref().filter(|name| *name != id && !name.is_empty()) {
        _ if resource.id == "*" => format!("* (no {} could be listed)", resource.resource_type),
        Some(name) => format!("{id} ({name})"),
        None => id.to_owned(),
    }
}

/// Returns the place of a finding's resource: file and line, or account (if there are several) and region.
pub(super) fn place(finding: &Finding, accounts: Accounts) -> String {
    if let Some(location) = &finding.location {
        return self::location(location);
    }
    let region = finding.resource.region.as_ref().map(Region::as_str);
    match (&finding.resource.account, accounts) {
        (Some(account), Accounts::Several) => format!("{account} {}", region.unwrap_or("global")),
        (Some(_), Accounts::One) => region.unwrap_or("global").to_owned(),
        (None, _) => region.unwrap_or_default().to_owned(),
    }
}

/// `file:line:column`
pub(super) fn location(location: &Location) -> String {
    format!("{}:{}:{}", location.file, location.line, location.column)
}

/// Number of accounts in a report: the id of a single account need not be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Accounts {
    /// One, or none.
    One,
    /// More than one.
    Several,
}

impl Accounts {
    /// Returns the number of accounts in the report.
    pub(super) fn of(report: &Report) -> Self {
        if accounts(report).len() > 1 { Self::Several } else { Self::One }
    }
}

fn accounts(report: &Report) -> BTreeSet<&AccountId> {
    let scopes = report.scopes.iter().filter_map(|scope| scope.account.as_ref());
    scopes.chain(report.findings.iter().filter_map(|finding| finding.resource.account.as_ref())).collect()
}

/// Returns the reasons for which a finding is unknown, each once; its message if it has no reason.
pub(super) fn reasons(finding: &Finding) -> Vec<String> {
    let reasons = each_once(finding.gaps.iter().map(Gap::to_string));
    if reasons.is_empty() { vec![finding.message.clone()] } else { reasons }
}

/// Returns the texts without duplicates.
pub(super) fn each_once(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for text in texts {
        if !said.contains(&text) {
            said.push(text);
        }
    }
    said
}

/// Returns the remediation of a rule; none if there is no automatic fix.
pub(super) fn fix(info: &RuleInfo) -> Option<Fix> {
    let remediation = info.remediation.as_ref()?;
    Some(Fix { title: remediation.title.clone(), command: command(&info.id) })
}

/// Returns the remediation of one finding: a failure is fixed; an unknown or waived finding is left unchanged.
pub(super) fn fix_of(finding: &Finding, info: Option<&RuleInfo>) -> Option<Fix> {
    if finding.verdict != Verdict::Fail {
        return None;
    }
    let by_id = || Some(Fix { title: finding.remediation.clone()?, command: String::new() });
    let fix = info.and_then(fix).or_else(by_id)?;
    Some(Fix { command: command_of(finding), ..fix })
}

/// Returns the command that fixes the failures of a rule in the account.
pub(super) fn command(rule: &str) -> String {
    format!("ssm-audit fix --rule {}", as_argument(rule))
}

/// Returns the command that fixes the subject of a finding: the account, or the code.
pub(super) fn command_of(finding: &Finding) -> String {
    let rule = as_argument(&finding.rule);
    match &finding.folder {
        Some(folder) => format!("ssm-audit fix {} --rule {rule}", as_argument(folder)),
        // The finding is from a plan without its code, or from an older report.
        None if finding.resource.address.as_ref() == Some(&finding.resource.id) => {
            format!("ssm-audit fix FOLDER --rule {rule}")
        }
        None => command(&finding.rule),
    }
}

/// Returns a text as an argument of a shell.
pub fn as_argument(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+:@,=".contains(character);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    let text = if text.starts_with('-') { format!("./{text}") } else { text.to_owned() };
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Remediation of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fix {
    /// Action of the remediation, in one line.
    pub(super) title: String,
    /// Command that plans the fix, and asks before it applies it.
    pub(super) command: String,
}

/// Returns the statement of a finding that is not a pass, in one line: the problem, the reason why it is unknown, or
/// the owner of its waiver.
pub(super) fn statement(finding: &Finding) -> String {
    match finding.verdict {
        Verdict::Unknown => format!("unknown, because {}", reasons(finding).join("; ")),
        Verdict::Waived => waiver(finding),
        Verdict::Fail | Verdict::Pass => finding.message.clone(),
    }
}

/// Returns the waived verdict, the owner, the reason and the last day of the waiver.
pub(super) fn waiver(finding: &Finding) -> String {
    let Some(waiver) = &finding.waiver else { return finding.rule.clone() };
    let expires = waiver.expires.as_ref().map(|day| format!(" until {day}")).unwrap_or_default();
    let owner = waiver.owner.as_ref().map(|owner| format!(" by {owner}")).unwrap_or_default();
    let source = waiver.source.as_ref().map(|source| format!(" in {source}")).unwrap_or_default();
    format!("{} ({}), waived{expires}{owner}{source}: {}", finding.rule, waiver.verdict, waiver.reason)
}

/// Returns `7 fail (5 high, 2 low), 1 unknown, 41 pass`; zero counts are left out, except for fail and pass.
pub(super) fn counts(report: &Report) -> String {
    count_phrases(report).into_iter().map(|(_, phrase)| phrase).collect::<Vec<_>>().join(", ")
}

/// Returns the same counts, and the number of scopes that were not read.
pub fn counts_and_coverage(report: &Report) -> String {
    match incomplete(report).len() {
        0 => counts(report),
        many => format!("{}; {many} of {} scopes not read in full", counts(report), report.scopes.len()),
    }
}

/// Returns the same counts as phrases, each with the verdict that it counts; none if it counts no verdict.
pub(super) fn count_phrases(report: &Report) -> Vec<(Option<Verdict>, String)> {
    let summary = &report.summary;
    let fail = format!("{} fail{}", summary.fail, severities(report, Verdict::Fail));
    let mut phrases = vec![(Some(Verdict::Fail), fail)];
    let mut add = |count: u64, verdict: Option<Verdict>, word: &str| {
        if count > 0 || verdict == Some(Verdict::Pass) {
            phrases.push((verdict, format!("{count} {word}")));
        }
    };
    add(summary.unknown, Some(Verdict::Unknown), "unknown");
    add(summary.waived, Some(Verdict::Waived), "waived");
    add(summary.pass, Some(Verdict::Pass), "pass");
    add(summary.not_applicable, None, "not applicable");
    add(summary.in_baseline, None, "in the baseline");
    phrases
}

/// Returns the result of a scan in one line. That all checks passed is stated only if everything was read.
pub(super) fn headline(report: &Report) -> String {
    let summary = &report.summary;
    let judged = summary.pass + summary.fail + summary.unknown + summary.waived;
    match incomplete(report).len() {
        0 if summary.in_baseline > 0 => short_counts(report),
        0 if judged == 0 => "nothing to judge".to_owned(),
        0 if judged == summary.pass => format!("all {judged} checks hold"),
        0 => short_counts(report),
        many => format!("{}; {many} of {} scopes not read in full", short_counts(report), report.scopes.len()),
    }
}

/// `7 fail, 1 unknown`
fn short_counts(report: &Report) -> String {
    let summary = &report.summary;
    let more = [(summary.unknown, "unknown"), (summary.waived, "waived"), (summary.in_baseline, "in the baseline")];
    let more = more.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
    format!("{} fail{}", summary.fail, more.collect::<String>())
}

/// Returns a time as people read it, in seconds; unchanged if it is not a time.
pub(super) fn time(rfc_3339: &str) -> String {
    let time = rfc_3339.parse::<Timestamp>();
    time.map_or_else(|_error| rfc_3339.to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn severities(report: &Report, verdict: Verdict) -> String {
    let all = [Severity::Critical, Severity::High, Severity::Medium, Severity::Low, Severity::Info];
    let count = |severity: Severity| {
        report.findings.iter().filter(|finding| finding.verdict == verdict && finding.severity == severity).count()
    };
    let words: Vec<String> = all
        .into_iter()
        .map(|severity| (severity, count(severity)))
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| format!("{count} {severity}"))
        .collect();
    if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
}

/// Returns the coverage: one account by its id, several by their number; few regions by name.
pub(super) fn coverage(report: &Report) -> String {
    let accounts = accounts(report);
    let regions: BTreeSet<&Region> = report.scopes.iter().filter_map(|scope| scope.region.as_ref()).collect();
    let mut words = Vec::new();
    match accounts.first() {
        Some(account) if accounts.len() == 1 => words.push(format!("account {account}")),
        Some(_) => words.push(format!("{} accounts", accounts.len())),
        None => {}
    }
    if (1..=3).contains(&regions.len()) {
        words.push(regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    } else if !regions.is_empty() {
        words.push(format!("{} regions", regions.len()));
    }
    if report.scopes.iter().any(|scope| scope.source == Source::Terraform) {
        words.push("Terraform".to_owned());
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// Returns the name of a scope: account and region, or the one that is known.
pub(super) fn scope(scope: &Scope) -> String {
    let account = scope.account.as_ref().map(AccountId::as_str);
    let region = scope.region.as_ref().map(Region::as_str);
    match (account, region) {
        (Some(account), Some(region)) => format!("{account} {region}"),
        (Some(account), None) => format!("{account} global"),
        (None, Some(region)) => region.to_owned(),
        (None, None) => scope.source.as_str().to_owned(),
    }
}

/// Returns the names of scopes; an account that several consecutive scopes share is named once.
pub(super) fn scopes(scopes: &[&Scope]) -> String {
    let mut names: Vec<String> = Vec::new();
    for (index, one) in scopes.iter().enumerate() {
        let name = scope(one);
        let before = index.checked_sub(1).and_then(|before| scopes[before].account.as_ref());
        match (&one.account, before) {
            (Some(account), Some(before)) if account == before => {
                names.push(name.replacen(&format!("{account} "), "", 1));
            }
            _ => names.push(name),
        }
    }
    names.join(", ")
}

/// Returns `true` if two scopes were read equally far, for the same reasons.
pub(super) fn same_gaps(one: &Scope, other: &Scope) -> bool {
    one.read == other.read && one.gaps == other.gaps
}

/// Returns the scopes that were not read, or not in full.
pub(super) fn incomplete(report: &Report) -> Vec<&Scope> {
    report.scopes.iter().filter(|scope| !scope.complete || !scope.read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn say(value: Value) -> Vec<String> {
        evidence(&Evidence { path: "a.b".to_owned(), value })
    }

    #[test]
    fn values_are_said_briefly() {
        assert_eq!(say(json!("optional")), ["a.b = optional"]);
        assert_eq!(say(json!("")), ["a.b = \"\""]);
        assert_eq!(say(json!(null)), ["a.b is absent"]);
        assert_eq!(say(json!(false)), ["a.b = false"]);
        assert_eq!(say(json!(["x", 1])), ["a.b = [x, 1]"]);
        assert_eq!(say(json!([])), ["a.b = []"]);
        assert_eq!(
            say(
                json!([{"from_port": 22, "to_port": 22, "cidr_ipv6": null}, {"from_port": {UNKNOWN: {"kind": "denied"}}}])
            ),
            ["a.b = {from_port: 22, to_port: 22}", "a.b = {from_port: unknown (denied)}"]
        );
        assert_eq!(
            say(json!({UNKNOWN: {"kind": "denied", "call": "ec2:DescribeVolumes", "code": "UnauthorizedOperation"}})),
            ["a.b is unknown (denied: ec2:DescribeVolumes (UnauthorizedOperation))"]
        );
    }
}
