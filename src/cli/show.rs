//! `show`: write a saved report again, in any format, all of it or a part.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::Value as Json;

use super::output::OutputArgs;
use super::selection::{self, RulesFolders};
use super::{Error, Exit, Globals, saved_report};
use crate::engine::rule::Library;
use crate::engine::scan;
use crate::engine::waiver::Glob;
use crate::model::FailOn;
use crate::model::provenance::Setting;
use crate::model::{AccountId, Report, ResourceRef, Severity};
use crate::report::counts_and_coverage;
use crate::yaml::nearest;

/// The arguments of `show`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  ssm-audit show report.json --severity high
  ssm-audit show report.json --rule 'ec2-*' --account 123456789012 -f csv
  ssm-audit show report.json -o report.html -o report.sarif")]
pub(super) struct ShowArgs {
    /// The report, in JSON (from `ssm-audit scan -o report.json`)
    #[arg(value_name = "REPORT")]
    report: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
    /// Exit with 1 if a rule fails at or above this severity, and with 3 if it is unknown [default: always 0]
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    folders: RulesFolders,
}

/// Flags that choose findings of a report.
// No variable of the environment leaves findings out of a report that was asked for by name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Filters")]
struct FilterArgs {
    /// Show only findings of this rule id (* and ? match); can be repeated
    #[arg(short, long = "rule", value_name = "GLOB", value_delimiter = ',')]
    rules: Vec<String>,
    /// Show only findings of this severity or above
    #[arg(long, value_enum)]
    severity: Option<Severity>,
    /// Show only findings in this account (* and ? match); can be repeated
    #[arg(long = "account", value_name = "GLOB", value_delimiter = ',')]
    accounts: Vec<String>,
    /// Show only this resource: id, name, ARN or Terraform address (* and ? match); can be repeated
    #[arg(long = "resource", value_name = "GLOB")]
    resources: Vec<String>,
}

pub(super) fn run(arguments: &ShowArgs, globals: &Globals) -> Result<Exit, Error> {
    let outputs = arguments.output.outputs(globals)?;
    if outputs.writes(&arguments.report) {
        return Err(Error::Usage {
            message: format!("{} would be overwritten by a part of itself", arguments.report.display()),
            help: "name another file with -o, or unset SSM_AUDIT_OUTPUT".to_owned(),
        });
    }
    let mut report = saved_report::read(&arguments.report)?;
    let library = selection::library(&arguments.folders, globals)?;
    arguments.filter.apply(&mut report, &library)?;
    let rules = saved_report::rules(&report, &library)?;
    let counts = counts_and_coverage(&report);
    outputs.write(globals, &counts, |format, options, out| format.write(&report, &rules, options, out))?;
    Ok(arguments.fail_on.map_or(Exit::Success, |fail_on| fail_on.exit(&report)))
}

impl FilterArgs {
    /// Leaves out what is not chosen. What chooses nothing at all is refused: an empty report looks like a good one.
    fn apply(&self, report: &mut Report, library: &Library) -> Result<(), Error> {
        let settings = self.settings();
        if settings.is_empty() {
            return Ok(());
        }
        self.check(report, library)?;
        let filter = [globs(&self.rules), globs(&self.accounts), globs(&self.resources)];
        let [rules, accounts, resources] = &filter;
        let in_account = |account: Option<&AccountId>| any(accounts, account.map(AccountId::as_str).into_iter());
        report.findings.retain(|finding| {
            any(rules, std::iter::once(finding.rule.as_str()))
                && self.severity.is_none_or(|least| finding.severity >= least)
                && in_account(finding.resource.account.as_ref())
                // It is unknown which resources could not be listed.
                && (finding.resource.id == scan::ANY || any(resources, names(&finding.resource)))
        });
        // A scope without an account is about all of them.
        report.scopes.retain(|scope| scope.account.is_none() || in_account(scope.account.as_ref()));
        // What is counted and not listed cannot be told apart. What a baseline left out is told all the same.
        let in_baseline = report.summary.in_baseline;
        report.summary = scan::count(&report.findings, 0);
        report.summary.in_baseline = in_baseline;
        report.provenance.settings.extend(settings);
        Ok(())
    }

    /// The filters, for the report to name: it is not the whole report.
    fn settings(&self) -> Vec<Setting> {
        let severity: Vec<String> = self.severity.iter().map(ToString::to_string).collect();
        let filters = [
            ("--rule", &self.rules),
            ("--severity", &severity),
            ("--account", &self.accounts),
            ("--resource", &self.resources),
        ];
        let given = filters.into_iter().filter(|(_, values)| !values.is_empty());
        let value = |values: &[String]| match values {
            [one] => Json::from(one.as_str()),
            several => Json::from(several),
        };
        let setting = |(key, values): (&str, &Vec<String>)| Setting {
            key: key.to_owned(),
            value: value(values),
            origin: "ssm-audit show".to_owned(),
        };
        given.map(setting).collect()
    }

    fn check(&self, report: &Report, library: &Library) -> Result<(), Error> {
        let of_library = library.rules().map(|rule| rule.id.as_str());
        let rules: BTreeSet<&str> =
            of_library.chain(report.findings.iter().map(|finding| finding.rule.as_str())).collect();
        let of_scopes = report.scopes.iter().filter_map(|scope| scope.account.as_ref());
        let of_findings = report.findings.iter().filter_map(|finding| finding.resource.account.as_ref());
        let accounts: BTreeSet<&str> = of_scopes.chain(of_findings).map(AccountId::as_str).collect();
        let resources: BTreeSet<&str> = report.findings.iter().flat_map(|finding| names(&finding.resource)).collect();
        refuse_unmatched("--rule", &self.rules, &rules, "`ssm-audit rules list` lists the rules")?;
        refuse_unmatched("--account", &self.accounts, &accounts, "the report has findings of other accounts")?;
        refuse_unmatched("--resource", &self.resources, &resources, "no finding of the report is about it")
    }
}

fn globs(patterns: &[String]) -> Vec<Glob> {
    patterns.iter().map(|pattern| Glob::new(pattern)).collect()
}

/// Returns `true` if there are no patterns, or one matches a name.
fn any<'a>(globs: &[Glob], names: impl Iterator<Item = &'a str>) -> bool {
    let mut names = names;
    globs.is_empty() || names.any(|name| globs.iter().any(|glob| glob.matches(name)))
}

/// The names of a resource.
fn names(resource: &ResourceRef) -> impl Iterator<Item = &str> {
    let others = [&resource.arn, &resource.name, &resource.address];
    std::iter::once(resource.id.as_str()).chain(others.into_iter().filter_map(|name| name.as_deref()))
}

fn refuse_unmatched(flag: &str, patterns: &[String], known: &BTreeSet<&str>, otherwise: &str) -> Result<(), Error> {
    let unmatched = patterns.iter().find(|pattern| !known.iter().any(|name| Glob::new(pattern).matches(name)));
    let Some(pattern) = unmatched else { return Ok(()) };
    let help = nearest(pattern, known.iter().copied())
        .map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"));
    Err(Error::Usage { message: format!("nothing in the report matches `{flag} {pattern}`"), help })
}
