//! Evaluates rules on an inventory: sorted findings, and counts. Synchronous, parallel over resources.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::rule::eval::{Case, Outcome, location};
use super::rule::params::{BoundParams, ParamValue};
use super::rule::path::Place;
use super::rule::{Policy, Remediation, Rule};
use crate::model::call::Needs;
use crate::model::finding::Tool;
use crate::model::gap::SENSITIVE;
use crate::model::inventory::EntryRef;
use crate::model::schema::View;
use crate::model::{
    AccountId, Fact, Finding, Gap, GapKind, Inventory, Key, Partition, Provenance, Region, Report, ResourceRef,
    ResourceType, Scope, Severity, Source, Summary, Verdict,
};

/// Id of a finding on a whole type, if its resources could not be listed.
pub const ANY: &str = "*";

/// A rule as a scan evaluates it: with its configured severity and parameters.
#[derive(Debug)]
pub struct Selected<'r> {
    /// The rule.
    pub rule: &'r Rule,
    /// Severity of the rule in this scan.
    pub severity: Severity,
    params: BTreeMap<String, ParamValue>,
    /// Parameters for CEL, if they are the same everywhere.
    bound: Option<BoundParams>,
    /// `true` if the rule can apply to any resource with these parameters.
    active: bool,
}

impl<'r> Selected<'r> {
    /// Returns the rule with this severity, and these parameters on top of its defaults.
    pub fn new(rule: &'r Rule, severity: Option<Severity>, configured: BTreeMap<String, ParamValue>) -> Self {
        let mut params: BTreeMap<String, ParamValue> =
            rule.params.iter().map(|(name, param)| (name.clone(), param.default.clone())).collect();
        params.extend(configured);
        let bound = BoundParams::if_global(&params);
        let mut selected = Self { rule, severity: severity.unwrap_or(rule.severity), params, bound, active: true };
        selected.active = selected.can_apply();
        selected
    }
}

impl Selected<'_> {
    /// Returns `true` if the rule can apply to any resource with these parameters. `when` is evaluated on a resource
    /// with only unknown attributes; if the result is `false`, the rule needs no reads.
    fn can_apply(&self) -> bool {
        // If `when` names the location or the time, the result here does not apply to other locations.
        if self.rule.when().is_none_or(|when| ["partition", "dns_suffix", "now"].iter().any(|name| when.contains(name)))
        {
            return true;
        }
        let mut inventory = Inventory::new(Source::Aws, None, Partition::Aws, String::new());
        let key = Key::global("anything");
        let resource_type = self.rule.resource_type;
        let nothing = serde_json::Value::Object(serde_json::Map::new());
        if resource_type.insert(&mut inventory, key.clone(), Fact::Known(true), nothing).is_err() {
            return true;
        }
        let Some(entry) = inventory.entry(resource_type, &key) else { return true };
        let place = Place { inventory: &inventory, node: entry.attributes, identity: Some((resource_type, &key)) };
        let params = BoundParams::at(&self.params, location(place, &key));
        Case::new(self.rule, place, &key, &params).judge().0 != Outcome::NotApplicable
    }

    /// Returns the digest of the rule's file, severity and parameters.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        self.hash(&mut hasher);
        hexadecimal(&hasher.finalize())
    }

    fn hash(&self, hasher: &mut Sha256) {
        let params: Vec<String> = self.params.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        for part in [&self.rule.id, self.rule.file.text(), self.severity.as_str(), &params.join(",")] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }

    /// Returns the values of the rule's parameters.
    pub fn params(&self) -> &BTreeMap<String, ParamValue> {
        &self.params
    }

    /// Returns the values of the rule's parameters, for a file.
    pub(crate) fn params_as_json(&self) -> BTreeMap<String, serde_json::Value> {
        let json = |value: &ParamValue| match value {
            ParamValue::Bool(value) => (*value).into(),
            ParamValue::Int(value) => (*value).into(),
            ParamValue::Text(text) => text.as_str().into(),
            ParamValue::Texts(texts) => texts.clone().into(),
        };
        self.params.iter().map(|(name, value)| (name.clone(), json(value))).collect()
    }

    /// Returns `true` if the rule can be evaluated on the source of this inventory.
    fn judges(&self, source: Source) -> bool {
        self.active && self.rule.sources.contains(&source)
    }
}

/// Returns the reads that these rules need in a live account.
pub fn needs(selection: &[Selected<'_>]) -> Needs {
    let mut needs = Needs::default();
    for selected in selection {
        if selected.judges(Source::Aws) {
            needs.extend(selected.rule.needs());
        }
    }
    needs
}

/// Handling of passes: listed as evidence for auditors, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passes {
    /// A finding for each.
    Listed,
    /// A count, so that memory grows with the failures and not with the resources.
    Counted,
}

/// Result of the scan of one inventory.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// Findings: fails and unknowns, and passes if they are listed.
    pub findings: Vec<Finding>,
    /// Number of passes that are not listed.
    pub passes: u64,
    /// Number of checks that are not applicable.
    pub not_applicable: u64,
}

impl Outcomes {
    /// Merges two results; the findings are to be sorted afterwards.
    #[must_use]
    pub fn join(mut self, mut other: Self) -> Self {
        if self.findings.len() < other.findings.len() {
            std::mem::swap(&mut self.findings, &mut other.findings);
        }
        self.findings.append(&mut other.findings);
        self.passes += other.passes;
        self.not_applicable += other.not_applicable;
        self
    }
}

/// Steps for the evaluation of policies, for all checks of an inventory together, and at least for each check. All rules of
/// a role of the test fixtures take 60,000 to 200,000 steps.
const STEPS: u64 = 1_000_000_000;
const FEWEST_STEPS: u64 = 1_000_000;

/// Evaluates the rules on everything in the inventory.
pub fn scan(inventory: &Inventory, selection: &[Selected<'_>], passes: Passes) -> Outcomes {
    let mut by_type: BTreeMap<ResourceType, Vec<&Selected<'_>>> = BTreeMap::new();
    for selected in selection {
        by_type.entry(selected.rule.resource_type).or_default().push(selected);
    }
    let resources: Vec<(ResourceType, &Key, EntryRef<'_>)> = by_type
        .keys()
        .flat_map(|resource_type| {
            let entries = inventory.entries(*resource_type).into_iter();
            entries.map(|(key, entry)| (*resource_type, key, entry))
        })
        .filter(|(_, _, entry)| entry.in_scope && !matches!(entry.exists, Fact::Known(false)))
        .collect();
    let rules_of = |resource_type: &ResourceType| by_type.get(resource_type).map(Vec::as_slice).unwrap_or_default();
    let cases: usize = resources.iter().map(|(resource_type, ..)| rules_of(resource_type).len()).sum();
    let steps = (STEPS / cases.max(1) as u64).max(FEWEST_STEPS);
    let mut outcomes = resources
        .par_iter()
        .fold(Outcomes::default, |outcomes, (resource_type, key, entry)| {
            let judge =
                || judge_resource(outcomes, inventory, *resource_type, key, entry, rules_of(resource_type), passes);
            iam_policy::within(steps * rules_of(resource_type).len() as u64, judge)
        })
        .reduce(Outcomes::default, Outcomes::join);
    outcomes.findings.extend(unlisted(inventory, &by_type));
    sort(&mut outcomes.findings);
    outcomes
}

/// Result of one inventory.
#[derive(Debug)]
pub struct Judged {
    scopes: Vec<Scope>,
    outcomes: Outcomes,
}

impl Judged {
    /// Returns the number of findings that are no passes.
    pub fn open(&self) -> u64 {
        self.outcomes.findings.iter().filter(|finding| finding.verdict != Verdict::Pass).count() as u64
    }

    /// Returns the findings.
    pub fn findings(&self) -> &[Finding] {
        &self.outcomes.findings
    }

    /// Removes the findings that `keep` rejects.
    pub fn retain(&mut self, keep: impl FnMut(&Finding) -> bool) {
        self.outcomes.findings.retain(keep);
    }

    /// Returns the findings, for a caller that adds to them.
    pub fn findings_mut(&mut self) -> &mut [Finding] {
        &mut self.outcomes.findings
    }
}

/// Evaluates the rules on one inventory, with all findings listed.
pub fn judge(inventory: &Inventory, rules: &[Selected<'_>]) -> Judged {
    Judged { outcomes: scan(inventory, rules, Passes::Listed), scopes: inventory.scopes.clone() }
}

/// Evaluates the rules on all accounts that code deploys to.
pub fn judge_all(inventories: &[Inventory], rules: &[Selected<'_>]) -> Judged {
    let mut all = Judged { scopes: Vec::new(), outcomes: Outcomes::default() };
    for inventory in inventories {
        let one = judge(inventory, rules);
        all.scopes.extend(one.scopes);
        all.outcomes = all.outcomes.join(one.outcomes);
    }
    sort(&mut all.outcomes.findings);
    all
}

/// Merges the results of two engines for the same code, keeping the worse of each check: `names` are those of the
/// engines.
#[must_use]
pub fn worse(one: Judged, other: Judged, names: [&str; 2]) -> Judged {
    fn rank(verdict: Verdict) -> u8 {
        match verdict {
            Verdict::Fail => 3,
            Verdict::Unknown => 2,
            Verdict::Waived => 1,
            Verdict::Pass => 0,
        }
    }
    let mut theirs: BTreeMap<String, Finding> = BTreeMap::new();
    for finding in other.outcomes.findings {
        theirs.insert(finding.fingerprint.clone(), finding);
    }
    let as_read_by = |mut finding: Finding, name: &str| {
        if finding.verdict != Verdict::Pass {
            finding.message = format!("{} (as {name} reads the code)", finding.message);
        }
        finding
    };
    let mut findings = Vec::new();
    for finding in one.outcomes.findings {
        findings.push(match theirs.remove(&finding.fingerprint) {
            Some(other) if other.verdict == finding.verdict => finding,
            Some(other) if rank(other.verdict) > rank(finding.verdict) => as_read_by(other, names[1]),
            Some(_) | None => as_read_by(finding, names[0]),
        });
    }
    findings.extend(theirs.into_values().map(|finding| as_read_by(finding, names[1])));
    let mut scopes = one.scopes;
    for scope in other.scopes {
        let same = |known: &&mut Scope| (&known.account, &known.region) == (&scope.account, &scope.region);
        match scopes.iter_mut().find(same) {
            Some(known) => {
                known.complete &= scope.complete;
                for gap in scope.gaps {
                    if !known.gaps.contains(&gap) {
                        known.gaps.push(gap);
                    }
                }
            }
            None => scopes.push(scope),
        }
    }
    sort(&mut findings);
    let outcomes = Outcomes {
        findings,
        passes: one.outcomes.passes.min(other.outcomes.passes),
        not_applicable: one.outcomes.not_applicable.max(other.outcomes.not_applicable),
    };
    Judged { scopes, outcomes }
}

/// Returns the report on these results.
pub fn report(judged: Vec<Judged>, rules: &[Selected<'_>], policy: Policy, started_at: jiff::Timestamp) -> Report {
    let mut scopes = Vec::new();
    let mut outcomes = Outcomes::default();
    for mut one in judged {
        scopes.append(&mut one.scopes);
        outcomes = outcomes.join(one.outcomes);
    }
    sort(&mut outcomes.findings);
    scopes.sort_by(|left, right| (&left.account, &left.region).cmp(&(&right.account, &right.region)));
    Report {
        kind: Report::KIND.to_owned(),
        schema_version: Report::SCHEMA_VERSION,
        tool: Tool {
            name: "ssm-audit".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rules_digest: digest(rules),
        },
        started_at: started_at.to_string(),
        finished_at: jiff::Timestamp::now().to_string(),
        policy: policy.as_str().to_owned(),
        provenance: Provenance::default(),
        scopes,
        summary: count(&outcomes.findings, outcomes.not_applicable),
        findings: outcomes.findings,
    }
}

/// Sorts by account, region, type, id and rule; in place, since findings are large and many.
pub fn sort(findings: &mut [Finding]) {
    fn key(finding: &Finding) -> impl Ord {
        let ResourceRef { account, region, resource_type, id, .. } = &finding.resource;
        (account, region, resource_type.as_str(), id, &finding.rule, &finding.location)
    }
    findings.sort_unstable_by(|left, right| key(left).cmp(&key(right)));
}

/// Returns the number of findings of each verdict.
pub fn count(findings: &[Finding], not_applicable: u64) -> Summary {
    let mut summary = Summary { not_applicable, ..Summary::default() };
    for finding in findings {
        match finding.verdict {
            Verdict::Pass => summary.pass += 1,
            Verdict::Fail => summary.fail += 1,
            Verdict::Unknown => summary.unknown += 1,
            Verdict::Waived => summary.waived += 1,
        }
    }
    summary
}

/// Returns `sha256:` and the digest of the rules with their severities and parameters.
pub fn digest(selection: &[Selected<'_>]) -> String {
    let mut hasher = Sha256::new();
    for selected in selection {
        selected.hash(&mut hasher);
    }
    format!("sha256:{}", hexadecimal(&hasher.finalize()))
}

fn judge_resource(
    mut outcomes: Outcomes,
    inventory: &Inventory,
    resource_type: ResourceType,
    key: &Key,
    entry: &EntryRef<'_>,
    rules: &[&Selected<'_>],
    passes: Passes,
) -> Outcomes {
    let place = Place { inventory, node: entry.attributes, identity: Some((resource_type, key)) };
    for selected in rules {
        if !selected.rule.sources.contains(&inventory.source) {
            outcomes.not_applicable += 1;
            continue;
        }
        let here;
        let params = if let Some(bound) = &selected.bound {
            bound
        } else {
            here = BoundParams::at(&selected.params, location(place, key));
            &here
        };
        let case = Case::new(selected.rule, place, key, params);
        let (outcome, error) = case.judge();
        let verdict = match outcome {
            Outcome::NotApplicable => {
                outcomes.not_applicable += 1;
                continue;
            }
            Outcome::Pass if passes == Passes::Counted => {
                outcomes.passes += 1;
                continue;
            }
            Outcome::Pass => Verdict::Pass,
            Outcome::Fail => Verdict::Fail,
            Outcome::Unknown => Verdict::Unknown,
        };
        let mut gaps = error.map(|error| case.gaps(&error)).unwrap_or_default();
        let shown = inventory.shown.as_deref().map(|shown| shown_place(shown, resource_type, key));
        let case = match &shown {
            // Verdicts follow from the values that were read; everything else follows from the values that may be
            // shown.
            None => Some(case),
            Some(place) => place.map(|place| Case::new(selected.rule, place, key, params)),
        };
        if shown.is_some() {
            gaps = case.as_ref().map_or_else(|| vec![Gap::sensitive()], |case| case.shown_gaps(gaps));
        }
        if verdict != Verdict::Unknown {
            gaps.clear();
        }
        let message = match verdict {
            Verdict::Unknown => format!("not known: {}", listed(&gaps)),
            Verdict::Fail => {
                let message = case.as_ref().and_then(Case::message);
                message.unwrap_or_else(|| selected.rule.title.clone())
            }
            Verdict::Pass | Verdict::Waived => selected.rule.title.clone(),
        };
        let evidence = case.as_ref().map(|case| case.evidence(&outcome)).unwrap_or_default();
        let shown = shown.map_or(Some(place), |shown| shown);
        outcomes.findings.push(Finding {
            verdict,
            message,
            evidence,
            gaps,
            ..blank(selected, resource_ref(inventory, resource_type, key, place, shown))
        });
    }
    outcomes
}

/// Returns the resource as it may be shown, if it exists there.
fn shown_place<'a>(shown: &'a Inventory, resource_type: ResourceType, key: &'a Key) -> Option<Place<'a>> {
    let entry = shown.entry(resource_type, key)?;
    Some(Place { inventory: shown, node: entry.attributes, identity: Some((resource_type, key)) })
}

/// Adds one unknown for each rule on resources that could not be listed, so that no check is lost.
fn unlisted(inventory: &Inventory, by_type: &BTreeMap<ResourceType, Vec<&Selected<'_>>>) -> Vec<Finding> {
    let mut gaps: BTreeMap<(ResourceType, Option<Region>), BTreeSet<Gap>> = BTreeMap::new();
    // Types that were not requested are named below, with the call.
    for unlisted in inventory.unlisted.iter().filter(|unlisted| !unlisted.gap.is_not_collected()) {
        let place = (unlisted.resource_type, unlisted.region.clone());
        gaps.entry(place).or_default().insert(unlisted.gap.as_ref().clone());
    }
    for resource_type in by_type.keys() {
        for (region, gap) in not_asked(inventory, *resource_type) {
            gaps.entry((*resource_type, region)).or_default().insert(gap);
        }
    }
    let mut findings = Vec::new();
    for ((resource_type, region), gaps) in gaps {
        let gaps: Vec<Gap> = gaps.into_iter().collect();
        let rules = by_type.get(&resource_type).map(Vec::as_slice).unwrap_or_default();
        for selected in rules.iter().filter(|selected| selected.judges(inventory.source)) {
            let resource = ResourceRef {
                resource_type,
                id: ANY.to_owned(),
                arn: None,
                name: None,
                account: inventory.account.clone(),
                region: region.clone(),
                address: None,
            };
            findings.push(Finding {
                verdict: Verdict::Unknown,
                message: format!("not known, since not all could be listed: {}", listed(&gaps)),
                gaps: gaps.clone(),
                ..blank(selected, resource)
            });
        }
    }
    findings
}

/// Returns the regions of a live account in which resources of this type were not requested: the snapshot was collected
/// for other rules, or by a version that did not know the type.
fn not_asked(inventory: &Inventory, resource_type: ResourceType) -> Vec<(Option<Region>, Gap)> {
    if inventory.source != Source::Aws {
        return Vec::new();
    }
    let mut finding = Needs::default();
    finding.add_call(*resource_type.found_by());
    let finding = finding.with_prerequisites();
    let missing = finding.calls().map(ToString::to_string).find(|call| !inventory.asked.contains(call));
    let Some(call) = missing else { return Vec::new() };
    let gap = Gap::of_call(GapKind::NotCollected, call);
    let regions = inventory.scopes.iter().filter_map(|scope| scope.region.as_ref());
    let places: BTreeSet<Option<Region>> = regions.map(|region| resource_type.region_unlisted(Some(region))).collect();
    places.into_iter().map(|region| (region, gap.clone())).collect()
}

fn listed(gaps: &[Gap]) -> String {
    gaps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Returns all resources that exist, or may exist.
pub(crate) fn resources(inventory: &Inventory) -> Vec<ResourceRef> {
    let of_type = |resource_type: &ResourceType| {
        let there = |(_, entry): &(&Key, EntryRef<'_>)| !matches!(entry.exists, Fact::Known(false));
        let entries = inventory.entries(*resource_type).into_iter().filter(there);
        let described = |(key, entry): (&Key, EntryRef<'_>)| {
            let place = Place { inventory, node: entry.attributes, identity: Some((*resource_type, key)) };
            resource_ref(inventory, *resource_type, key, place, Some(place))
        };
        entries.map(described).collect::<Vec<_>>()
    };
    ResourceType::ALL.iter().flat_map(of_type).collect()
}

fn resource_ref(
    inventory: &Inventory,
    resource_type: ResourceType,
    key: &Key,
    place: Place<'_>,
    shown: Option<Place<'_>>,
) -> ResourceRef {
    let view = |name| shown.and_then(|shown| shown.node.view(name));
    let arn = match view("arn") {
        Some(View::Text(arn)) => Some(arn.to_owned()),
        _ => None,
    };
    let name = match (view("tags"), view("name")) {
        (Some(View::Map(tags)), _) if tags.contains_key("Name") => {
            tags.get("Name").filter(|name| *name != crate::model::symbol::PERHAPS).cloned()
        }
        (_, Some(View::Text(name))) => Some(name.to_owned()),
        (_, Some(View::Unknown(gap))) if gap.is_sensitive => Some(SENSITIVE.to_owned()),
        _ => None,
    };
    ResourceRef {
        resource_type,
        id: key.id.as_ref().to_owned(),
        arn,
        // Values of tags have at most this number of characters, but code may contain longer ones.
        name: name.filter(|name| **name != *key.id).map(|name| name.chars().take(256).collect()),
        account: inventory.account.clone(),
        region: key.region.clone().or_else(|| bucket_region(place)),
        address: None,
    }
}

/// Returns the region of a bucket: the name alone identifies a bucket, but it still is in a region.
fn bucket_region(place: Place<'_>) -> Option<Region> {
    match place.node.view("bucket_region") {
        Some(View::Text(region)) => region.parse().ok(),
        _ => None,
    }
}

/// Returns a finding of this rule on this resource, with all other fields to be filled in.
fn blank(selected: &Selected<'_>, resource: ResourceRef) -> Finding {
    let rule = selected.rule;
    Finding {
        rule: rule.id.clone(),
        severity: selected.severity,
        verdict: Verdict::Unknown,
        message: String::new(),
        location: None,
        related: Vec::new(),
        folder: None,
        evidence: Vec::new(),
        gaps: Vec::new(),
        waiver: None,
        remediation: match &rule.remediation {
            Some(Remediation::Id(id)) => Some(id.clone()),
            Some(Remediation::None { .. }) | None => None,
        },
        fingerprint: fingerprint(rule, &resource),
        code: None,
        edit: None,
        resource,
    }
}

/// Returns the identity of a finding over time. It is derived from the parts of an ARN, and not from the ARN: a read
/// that is denied today must not change the identity. For the same reason the region counts only if it is part of the
/// resource's identity.
fn fingerprint(rule: &Rule, resource: &ResourceRef) -> String {
    let account = resource.account.as_ref().map_or("", |account| account.as_str());
    digest_of(rule, resource.resource_type, account, resource.region.as_ref(), &resource.id)
}

/// Returns the fingerprint of a rule's finding on a resource of an account.
pub(crate) fn fingerprint_of(
    rule: &Rule,
    resource_type: ResourceType,
    account: &AccountId,
    region: Option<&Region>,
    id: &str,
) -> String {
    digest_of(rule, resource_type, account.as_str(), region, id)
}

fn digest_of(rule: &Rule, resource_type: ResourceType, account: &str, region: Option<&Region>, id: &str) -> String {
    let region = region.filter(|_| resource_type.is_regional());
    let parts = [rule.oldest_id(), resource_type.as_str(), account, region.map_or("", Region::as_str), id];
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
        hasher.update([0]);
    }
    hexadecimal(&hasher.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
