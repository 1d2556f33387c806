//! `scan`: hold the rules against a live account, or a snapshot of one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::aws_args::LiveArgs;
use super::code::{CodeArgs, Subject, about, refuse_what_cannot_be_read};
use super::collect_fleet::{self, Judge};
use super::diff_filter::NarrowArgs;
use super::drift::OriginArgs;
use super::output::ReportArgs;
use super::provenance::{self, provenance};
use super::selection::{Selection, SelectionArgs};
use super::{Error, Exit, Globals};
use crate::collect::snapshot;
use crate::collect::terraform::{self, Code, Options, SourceMap};
use crate::engine::rule::framework::{self, Framework};
use crate::engine::rule::{Remediation, Rule};
use crate::engine::scan::{self, Judged, Selected};
use crate::model::{ControlInfo, Inventory, RemediationInfo, RuleInfo, Severity};
use crate::remediate::remediation::{self, RemediationSpecs};
use crate::report::counts_and_coverage;
use crate::report::site;

/// The arguments of `scan`.
#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// Snapshots (from `ssm-audit collect`), Terraform folders or plans (`terraform show -json`) to scan; without one,
    /// the live account is read
    #[arg(
        value_name = "INPUT",
        group = "code",
        conflicts_with_all = [
            "profile", "regions", "endpoint_url", "accounts", "organization", "units", "tags", "profiles", "role"
        ]
    )]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    report: ReportArgs,
    /// Evaluate only rules of this severity or above
    #[arg(long, value_enum, env = "SSM_AUDIT_SCAN_SEVERITY")]
    severity: Option<Severity>,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    live: LiveArgs,
    #[command(flatten)]
    code: CodeArgs,
    #[command(flatten)]
    origin: OriginArgs,
    #[command(flatten)]
    narrow: NarrowArgs,
}

pub(super) fn run(arguments: &ScanArgs, globals: &Globals) -> Result<Exit, Error> {
    // Everything that can be refused is refused before anything is read.
    let outputs = arguments.report.outputs(globals)?;
    let selection = Selection::from_args(&arguments.selection, globals)?
        .at_least(arguments.severity)
        .ignoring_inline_waivers(arguments.code.ignore_inline_waivers);
    let rules = selection.rules()?;
    let remedies = remediation::embedded(selection.library()).map_err(Error::Diagnostics)?;
    let narrow = arguments.narrow.read(globals)?;
    let state = arguments.origin.state()?;
    let started_at = Timestamp::now();
    let needs = scan::needs(&rules);
    if arguments.inputs.is_empty() && needs.calls().next().is_none() {
        return Err(Error::Usage {
            message: "none of the selected rules can be judged in a live account".to_owned(),
            help: "`ssm-audit rules explain ID` says where a rule can be judged, and what its parameters are"
                .to_owned(),
        });
    }
    let judge = |inventory: Inventory| scan::judge(&inventory, &rules);
    // The one format that tells how code is fixed.
    let edits_wanted = outputs.formats().any(|format| format.name == "sarif");
    let mut of_code = Vec::new();
    let mut provenance = provenance(&selection, globals);
    let (mut judged, interrupted) = if arguments.inputs.is_empty() {
        let read = collect_fleet::read(&arguments.live, &needs, globals, Judge(judge, Judged::open))?;
        (read.accounts, read.interrupted)
    } else {
        let mut judged = Vec::new();
        for Read { input, inventories, source_map, engines } in read_inputs(arguments, started_at, globals)? {
            let mut of_one = scan::judge_all(&inventories, &rules);
            if let Some(source_map) = source_map {
                source_map.locate(of_one.findings_mut(), &inventories, &about(&rules));
                let (waivers, problems) = terraform::waivers(&source_map);
                let (mut accepted, refused) = selection.accept_inline(waivers);
                // What both engines read is accepted once.
                let known: BTreeSet<String> = of_code.iter().map(|waiver| format!("{waiver:?}")).collect();
                accepted.retain(|waiver| engines != Engines::Second || !known.contains(&format!("{waiver:?}")));
                globals.warn(&problems);
                globals.warn(&refused);
                provenance::add_inline(&mut provenance, &accepted, &refused);
                of_code.extend(accepted);
                narrow.to_changes(input, &mut of_one, &source_map)?;
                // How code is fixed that two engines read differently is not for a report to say.
                if edits_wanted && input.is_dir() && engines == Engines::One {
                    let options = arguments.code.options(arguments.live.region(), started_at, globals)?;
                    let subject = Subject { root: input, options, selection: &selection, rules: &rules, started_at };
                    let mut edits = subject.edits(&remedies, globals)?;
                    for finding in of_one.findings_mut() {
                        finding.edit = edits.remove(&finding.fingerprint).map(Box::new);
                    }
                }
            }
            if engines == Engines::Second
                && let Some(first) = judged.pop()
            {
                of_one = scan::worse(first, of_one, ["Terraform", "OpenTofu"]);
            }
            judged.push(of_one);
        }
        (judged, false)
    };
    if let Some(state) = &state {
        let options = arguments.code.options(arguments.live.region(), started_at, globals)?;
        let subject = |root, account| Subject {
            root,
            options: Options { account, ..options.clone() },
            selection: &selection,
            rules: &rules,
            started_at,
        };
        arguments.origin.trace(&mut judged, state, &subject, globals)?;
    }
    let in_baseline = narrow.to_new(&mut judged);
    let mut report = selection.report(judged, &rules, &of_code, started_at, globals);
    report.summary.in_baseline = in_baseline;
    report.provenance = provenance;
    let information = information(&rules, &remedies);
    let counts = counts_and_coverage(&report);
    outputs.write(globals, &counts, |format, options, out| format.write(&report, &information, options, out))?;
    Ok(if interrupted { Exit::Interrupted } else { arguments.report.fail_on(globals)?.exit(&report) })
}

/// What was read, with the places of it where it is code.
struct Read<'a> {
    input: &'a Path,
    /// One, or of code one for each account.
    inventories: Vec<Inventory>,
    source_map: Option<SourceMap>,
    engines: Engines,
}

/// As how many engines have it the code is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engines {
    One,
    First,
    Second,
}

fn read_inputs<'a>(arguments: &'a ScanArgs, started_at: Timestamp, globals: &Globals) -> Result<Vec<Read<'a>>, Error> {
    let mut seen: BTreeMap<_, &Path> = BTreeMap::new();
    let mut read = Vec::new();
    for input in &arguments.inputs {
        if terraform::is_code(input) {
            let all = arguments.code.read(input, arguments.live.region(), started_at, globals)?;
            let engines: &[Engines] = if all.len() == 1 { &[Engines::One] } else { &[Engines::First, Engines::Second] };
            for (code, engines) in all.into_iter().zip(engines) {
                let Code { inventories, source_map, .. } = code;
                read.push(Read { input, inventories, source_map: Some(source_map), engines: *engines });
            }
            continue;
        }
        refuse_what_cannot_be_read(input, "scan")?;
        let by_flag = globals.origin_of("--region") == "--region";
        if arguments.live.region().is_some() && by_flag {
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
            let inventories = vec![inventory];
            read.push(Read { input, inventories, source_map: None, engines: Engines::One });
        }
    }
    if read.iter().flat_map(|read| &read.inventories).all(|inventory| inventory.scopes.is_empty()) {
        return Err(Error::Usage {
            message: "there is nothing in the snapshot".to_owned(),
            help: "collect it again".to_owned(),
        });
    }
    Ok(read)
}

/// What the writers of reports need to know of the rules.
pub(super) fn information(rules: &[Selected<'_>], remedies: &RemediationSpecs) -> Vec<RuleInfo> {
    rules.iter().map(|selected| rule_info(selected, remedies)).collect()
}

fn rule_info(selected: &Selected<'_>, remedies: &RemediationSpecs) -> RuleInfo {
    let rule = selected.rule;
    let remedy = match &rule.remediation {
        Some(Remediation::Id(id)) => remedies.get(id),
        Some(Remediation::None { .. }) | None => None,
    };
    RuleInfo {
        id: rule.id.clone(),
        title: rule.title.clone(),
        severity: selected.severity,
        description: rule.description.clone(),
        rationale: rule.rationale.clone(),
        references: rule.references.clone(),
        page: rule.is_built_in().then(|| site::rule_page(&rule.id)).flatten(),
        remediation: remedy.map(|remedy| RemediationInfo { id: remedy.id.clone(), title: remedy.title.clone() }),
        resource_type: rule.resource_type,
        policy: rule.policy.as_str().to_owned(),
        controls: framework::all().iter().flat_map(|framework| controls(rule, framework)).collect(),
    }
}

/// The controls of a framework that a rule answers for.
fn controls<'a>(rule: &'a Rule, framework: &'a Framework) -> impl Iterator<Item = ControlInfo> + 'a {
    let name = match framework.version.as_str() {
        "unversioned" => framework.title.clone(),
        version => format!("{} {version}", framework.title),
    };
    let answered = framework.controls.iter().filter(|(_, control)| control.rules.contains(&rule.id));
    answered.map(move |(id, control)| ControlInfo {
        framework: name.clone(),
        id: id.clone(),
        title: control.title.clone(),
    })
}
