//! `baseline`: make a baseline from a report, and take out of it what is no longer open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::apply::say;
use super::diff_filter::parse_baseline;
use super::{Error, Exit, Globals, report_input};
use crate::boundary::{Boundary, Refusal, read_named_json};
use crate::file_envelope::Form;
use crate::model::Report;
use crate::remediate::show::count;
use crate::report::baseline::{Baseline, Pruned};
use crate::report::output::to_file;

/// How many resources of a rule are named, unless all are.
const MOST: usize = 5;

/// The arguments of `baseline`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssm-audit scan -o report.json
  ssm-audit baseline create report.json -o baseline.json
  ssm-audit scan --baseline baseline.json
  ssm-audit scan --baseline none -o report.json && ssm-audit baseline prune baseline.json --from report.json")]
pub(super) struct BaselineArgs {
    #[command(subcommand)]
    command: BaselineCommand,
}

#[derive(Debug, Subcommand)]
enum BaselineCommand {
    /// Write the open findings of a report as a baseline: fingerprints, not the report
    Create {
        /// The report (`scan -o FILE.json`)
        #[arg(value_name = "REPORT")]
        report: PathBuf,
        /// The file to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Remove findings from a baseline that a later report shows to be fixed
    Prune {
        /// The baseline [default: `baseline` of the configuration]
        #[arg(value_name = "BASELINE")]
        baseline: Option<PathBuf>,
        /// The later report, made with `--baseline none`
        #[arg(long, value_name = "REPORT")]
        from: PathBuf,
    },
}

pub(super) fn run(arguments: &BaselineArgs, globals: &Globals) -> Result<Exit, Error> {
    match &arguments.command {
        BaselineCommand::Create { report, output } => create(report, output),
        BaselineCommand::Prune { baseline, from } => prune(baseline.as_deref(), from, globals),
    }
}

fn create(report: &Path, output: &Path) -> Result<Exit, Error> {
    let baseline = Baseline::of(&whole(report)?);
    to_file(output, |out| baseline.write(out))?;
    say(&format!("{} written to {}.", count(baseline.findings.len(), "finding"), output.display()));
    Ok(Exit::Success)
}

/// Reads a report that lists all findings of its scan.
fn whole(path: &Path) -> Result<Report, Error> {
    let report = report_input::read(path)?;
    let partial = |what: &str, help: &str| Error::Usage {
        message: format!("{} lists only a part of the findings: {what}", path.display()),
        help: help.to_owned(),
    };
    if report.summary.in_baseline > 0 {
        return Err(partial("a baseline was applied to it", "scan again with `--baseline none`"));
    }
    let filters = ["--changed-since", "--resource"];
    let mut settings = report.provenance.settings.iter();
    let filter = settings.find(|setting| filters.contains(&setting.key.as_str()) || setting.origin == "ssm-audit show");
    if let Some(setting) = filter {
        return Err(partial(&format!("it was made with {}", setting.key), "scan again without it"));
    }
    Ok(report)
}

fn prune(named: Option<&Path>, from: &Path, globals: &Globals) -> Result<Exit, Error> {
    let config = globals.config()?;
    let found = match named {
        Some(path) => Some((path, read_named_json(path))),
        None => config.baseline().zip(config.baseline_text()),
    };
    let (path, text) = found.ok_or_else(|| Error::Usage {
        message: "no baseline is named".to_owned(),
        help: "name the file, or set `baseline` in ssm-audit.yaml".to_owned(),
    })?;
    let mut baseline = parse_baseline(path, text)?;
    if Form::kind_of(path).as_deref() != Some(Baseline::KIND) {
        return Err(Error::Usage {
            message: format!("{} is a report, and prune would replace it", path.display()),
            help: "make a baseline from it: ssm-audit baseline create REPORT -o baseline.json".to_owned(),
        });
    }
    let pruned = baseline.prune(&whole(from)?);
    if pruned.is_empty() {
        say(&format!("Nothing to remove from {}, {} left.", path.display(), baseline.findings.len()));
        return Ok(Exit::Success);
    }
    let mut content = Vec::new();
    // Writing to memory does not fail.
    let _ = baseline.write(&mut content);
    let written = match named {
        Some(_) => in_place(path, &content),
        None => config.replace_baseline(path, &content),
    };
    written.map_err(|refusal| Error::Usage {
        message: format!("cannot write {}: {refusal}", path.display()),
        help: "nothing was changed; a symbolic link is not written through".to_owned(),
    })?;
    summarize(&pruned, globals);
    say(&format!(
        "{} removed from {}, {} left.",
        count(pruned.len(), "finding"),
        path.display(),
        baseline.findings.len()
    ));
    Ok(Exit::Success)
}

/// Replaces a file that the user names.
fn in_place(path: &Path, content: &[u8]) -> Result<(), Refusal> {
    let folder = path.parent().unwrap_or(Path::new(""));
    Boundary::of(folder, None).map_err(Refusal::Failed)?.replace(path, content)
}

/// Names what was removed: each rule with what became of its findings.
fn summarize(pruned: &[Pruned], globals: &Globals) {
    let mut by_rule: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for Pruned { known, because } in pruned {
        by_rule.entry((&known.rule, because)).or_default().push(&known.resource);
    }
    for ((rule, because), resources) in by_rule {
        let most = if globals.verbose > 0 { resources.len() } else { MOST };
        let more = resources.len().saturating_sub(most);
        let more = if more > 0 { format!(" and {more} more (-v lists all)") } else { String::new() };
        let listed: Vec<&str> = resources.into_iter().take(most).collect();
        say(&format!("{rule}: {}{more}: {because}", listed.join(", ")));
    }
}
