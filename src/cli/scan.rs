//! `scan`: hold the rules against a live account, or a snapshot of one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::code::CodeArgs;
use super::exit::FailOn;
use super::live::{self, LiveArgs};
use super::selection::{Selection, SelectionArgs};
use super::{Error, Exit, Globals, output};
use crate::model::finding::Tool;
use crate::model::{Inventory, Report};
use crate::report::output::OutputFile;
use crate::report::{Detail, FORMATS, Format, RuleInfo};
use crate::rule::{Policy, Rule};
use crate::scan::{self, Outcomes, Passes, Selected};
use crate::source::snapshot;
use crate::source::terraform::{self, About, Places};
use crate::waiver::{self, RuleNames};

/// The arguments of `scan`.
#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// Snapshots (from `ssm-audit collect`), Terraform folders or plans (`terraform show -json`) to scan; without one,
    /// the live account is read
    #[arg(value_name = "INPUT", conflicts_with_all = ["profile", "regions", "endpoint_url"])]
    inputs: Vec<PathBuf>,
    /// The format on standard output [default: table]
    #[arg(long, value_parser = parse_format, env = "SSM_AUDIT_FORMAT")]
    format: Option<&'static Format>,
    /// Write the report to a file, in the format of its ending (.json .sarif .txt); can be repeated
    #[arg(short, long = "output", value_name = "FILE", env = "SSM_AUDIT_OUTPUT")]
    output: Vec<PathBuf>,
    /// The least severity that makes the scan fail; `never` lets failures pass, not what is unknown
    #[arg(long, value_enum, default_value = "info", env = "SSM_AUDIT_FAIL_ON")]
    fail_on: FailOn,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    code: CodeArgs,
}

fn parse_format(name: &str) -> Result<&'static Format, String> {
    Format::named(name).ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

pub(super) fn run(arguments: &ScanArgs, globals: &Globals) -> Result<Exit, Error> {
    // Everything that can be refused is refused before anything is read.
    let files = arguments.output.iter().map(OutputFile::new).collect::<Result<Vec<_>, _>>()?;
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let rules = selection.rules()?;
    let started_at = Timestamp::now();
    let needs = scan::needs(&rules);
    if arguments.inputs.is_empty() && needs.calls().next().is_none() {
        return Err(Error::Usage {
            message: "none of the selected rules can be judged in a live account".to_owned(),
            help: "`ssm-audit rules explain ID` says where a rule can be judged, and what its parameters are"
                .to_owned(),
        });
    }
    let (read, interrupted) = if arguments.inputs.is_empty() {
        let read = live::read(&arguments.live, &needs, globals)?;
        (vec![(read.inventory, None)], read.interrupted)
    } else {
        (read_inputs(arguments, started_at, globals)?, false)
    };
    let mut report = make_report(&read, &rules, selection.policy, started_at);
    let today = started_at.to_zoned(jiff::tz::TimeZone::UTC).date();
    let names: Vec<RuleNames<'_>> =
        rules.iter().map(|selected| RuleNames { id: &selected.rule.id, aliases: &selected.rule.aliases }).collect();
    let mut waivers = selection.waivers().to_vec();
    for places in read.iter().filter_map(|(_, places)| places.as_ref()) {
        let (of_code, problems) = terraform::waivers(places);
        globals.warn(&problems);
        waivers.extend(of_code);
    }
    globals.warn(&waiver::apply(&mut report, &waivers, &names, today));
    let detail = match globals.verbose {
        0 => Detail::Brief,
        1 => Detail::Full,
        _ => Detail::Everything,
    };
    let information: Vec<RuleInfo> = rules.iter().map(rule_info).collect();
    output::report(&report, &information, arguments.format, &files, detail, globals)?;
    Ok(if interrupted { Exit::Interrupted } else { arguments.fail_on.exit(&report) })
}

/// What was read, with the places of it where it is code.
type Read = (Inventory, Option<Places>);

fn read_inputs(arguments: &ScanArgs, started_at: Timestamp, globals: &Globals) -> Result<Vec<Read>, Error> {
    let mut seen: BTreeMap<_, &Path> = BTreeMap::new();
    let mut inventories = Vec::new();
    for input in &arguments.inputs {
        if terraform::is_code(input) {
            let (inventory, places) = arguments.code.read(input, arguments.live.region(), started_at, globals)?;
            inventories.push((inventory, Some(places)));
            continue;
        }
        if arguments.live.region().is_some() {
            return Err(Error::Usage {
                message: format!("--region says nothing of {}", input.display()),
                help: "a snapshot has the regions that it was collected in".to_owned(),
            });
        }
        for inventory in snapshot::read(input)?.inventories {
            if let Some(other) = seen.insert(inventory.account.clone(), input) {
                let account = inventory.account.as_ref().map_or("the same account", |account| account.as_str());
                return Err(Error::Usage {
                    message: format!("{account} is in {} and in {}", other.display(), input.display()),
                    help: "scan one snapshot of an account at a time".to_owned(),
                });
            }
            inventories.push((inventory, None));
        }
    }
    if inventories.iter().all(|(inventory, _)| inventory.scopes.is_empty()) {
        return Err(Error::Usage {
            message: "there is nothing in the snapshot".to_owned(),
            help: "collect it again".to_owned(),
        });
    }
    Ok(inventories)
}

fn make_report(read: &[Read], rules: &[Selected<'_>], policy: Policy, started_at: Timestamp) -> Report {
    let about: BTreeMap<&str, About> =
        if read.iter().any(|(_, places)| places.is_some()) { about(rules) } else { BTreeMap::new() };
    let mut outcomes = read
        .iter()
        .map(|(inventory, places)| {
            let mut outcomes = scan::scan(inventory, rules, Passes::Listed);
            if let Some(places) = places {
                places.locate(&mut outcomes.findings, &about);
            }
            outcomes
        })
        .reduce(Outcomes::join)
        .unwrap_or_default();
    scan::sort(&mut outcomes.findings);
    let mut scopes: Vec<_> = read.iter().flat_map(|(inventory, _)| inventory.scopes.iter().cloned()).collect();
    scopes.sort_by(|left, right| (&left.account, &left.region).cmp(&(&right.account, &right.region)));
    Report {
        kind: Report::KIND.to_owned(),
        schema_version: Report::SCHEMA_VERSION,
        tool: Tool {
            name: "ssm-audit".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            rules_digest: scan::digest(rules),
        },
        started_at: started_at.to_string(),
        finished_at: Timestamp::now().to_string(),
        policy: policy.as_str().to_owned(),
        scopes,
        summary: scan::count(&outcomes.findings, outcomes.not_applicable),
        findings: outcomes.findings,
    }
}

/// What there is to know of each rule to place its findings.
fn about<'r>(rules: &[Selected<'r>]) -> BTreeMap<&'r str, About> {
    rules.iter().map(|selected| (selected.rule.id.as_str(), about_rule(selected.rule))).collect()
}

fn about_rule(rule: &Rule) -> About {
    let mut reads: Vec<String> = rule.reads().map(ToString::to_string).collect();
    // What the message names comes first, in its order; then as the rule asserts it.
    reads.sort_by_cached_key(|path| {
        let named = rule.file.text().find(&format!("${{resource.{path}"));
        let asserted = rule.assert().find(path.replace("[]", "").as_str());
        (named.unwrap_or(usize::MAX), asserted.unwrap_or(usize::MAX))
    });
    About { oldest_id: rule.oldest_id().to_owned(), reads }
}

/// What the writers of reports need to know of a rule.
fn rule_info(selected: &Selected<'_>) -> RuleInfo {
    let rule = selected.rule;
    RuleInfo {
        id: rule.id.clone(),
        title: rule.title.clone(),
        severity: selected.severity,
        description: rule.description.clone(),
        rationale: rule.rationale.clone(),
        references: rule.references.clone(),
        remediation: None,
        resource_type: rule.resource_type,
        policy: rule.policy.as_str().to_owned(),
    }
}
