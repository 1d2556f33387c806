//! `waive`: add waivers to `ssm-audit.yaml`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use super::apply::say;
use super::report_input;
use super::selection::{self, RulesFolders, no_such_rule};
use super::{Error, Exit, Globals, output};
use crate::boundary::{Boundary, Refusal};
use crate::config::{self, Config, FILE_NAME, NewWaiver};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::engine::rule::Library;
use crate::engine::scan::ANY;
use crate::engine::waiver::{Glob, Waiver};
use crate::model::{Finding, Report, ResourceRef, ResourceType, Verdict};
use crate::remediate::show::count;
use crate::repository::Repository;
use crate::terminal::Encoding;
use crate::yaml;

/// The byte order mark that a file may begin with.
const MARK: &[u8] = "\u{FEFF}".as_bytes();

/// The arguments of `waive`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssm-audit waive ec2-imds-hop-limit i-0abc123 --reason 'runs containers' --until 2027-03-01
  ssm-audit waive --from report.json --reason 'before adoption' --until 2027-03-01
  ssm-audit waive 'ec2-*' --from report.json --reason 'replaced in spring' --until 2027-03-01

Exit codes: 0 the waivers are in the file, 1 the file cannot be edited safely (the lines to paste are on standard output) \
or a waiver of the same name has expired, 2 not started")]
pub(super) struct WaiveArgs {
    /// The rule, by id (* and ? match)
    #[arg(value_name = "RULE", required_unless_present = "from")]
    rule: Option<String>,
    /// The resource, by id, ARN or Terraform address (* and ? match)
    #[arg(value_name = "RESOURCE", required_unless_present = "from")]
    resource: Option<String>,
    /// Waive each failure of this report (`scan -o FILE.json`); RULE and RESOURCE select some of them
    #[arg(long, value_name = "REPORT")]
    from: Option<PathBuf>,
    /// The reason, for whoever reviews it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The last day on which the waiver applies (YYYY-MM-DD), or `never` to expire
    #[arg(long, visible_alias = "expires", value_name = "DAY", value_parser = parse_until)]
    until: Until,
    /// The account; without it, all accounts, or the account of each failure of the report
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// The owner: a person or a team
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    #[command(flatten)]
    folders: RulesFolders,
}

/// The end of a waiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Day(Date),
    Never,
}

fn parse_until(text: &str) -> Result<Until, String> {
    if text == "never" {
        return Ok(Until::Never);
    }
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    match text.parse::<Date>() {
        Ok(day) if day.to_string() != text => Err("expected a day such as 2027-03-01, or `never`".to_owned()),
        Ok(day) if day < today => Err(format!("the day is over: today is {today} (UTC)")),
        Ok(day) => Ok(Until::Day(day)),
        Err(_) => Err("expected a day such as 2027-03-01, or `never`".to_owned()),
    }
}

pub(super) fn run(arguments: &WaiveArgs, globals: &Globals) -> Result<Exit, Error> {
    refuse_empty(arguments)?;
    if globals.base.is_some() || globals.no_config {
        return Err(Error::Usage {
            message: "waive edits the configuration of the working folder".to_owned(),
            help: "leave out --base and --no-config, or name the file with --config".to_owned(),
        });
    }
    let library = selection::library(&arguments.folders, globals)?;
    let config = globals.config()?;
    let asked = match &arguments.from {
        None => Asked { waivers: vec![arguments.waiver(&library)?], unsaid: Vec::new() },
        Some(report) => arguments.of_report(&report_input::read(report)?, &library)?,
    };
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let Sorted { new, known, expired } = sort(asked.waivers, config, today);
    globals.warn(&expired);
    asked.unsaid.iter().for_each(|text| say(text));
    if known > 0 {
        say(&format!("{} already in the configuration.", count(known, "waiver")));
    }
    let complete = if expired.is_empty() { Exit::Success } else { Exit::Failed };
    if new.is_empty() {
        say("No waiver was added.");
        return Ok(complete);
    }
    refuse_elsewhere(config, globals)?;
    if let Some(file) = write(config, &new)? {
        say(&format!("{} added to {file}.", count(new.len(), "waiver")));
        return Ok(complete);
    }
    output::to_stdout(Encoding::Text, |out| out.write_all(config::lines(&new).as_bytes()))?;
    let file = config.source().map_or(FILE_NAME, |(_, source)| source.name());
    say(&format!(
        "{file} cannot be edited without changing its layout: add the lines on standard output to its `waivers`."
    ));
    Ok(Exit::Failed)
}

fn refuse_empty(arguments: &WaiveArgs) -> Result<(), Error> {
    let given = [
        ("RULE", arguments.rule.as_deref()),
        ("RESOURCE", arguments.resource.as_deref()),
        ("--reason", Some(arguments.reason.as_str())),
        ("--account", arguments.account.as_deref()),
    ];
    match given.iter().find(|(_, text)| text.is_some_and(|text| text.trim().is_empty())) {
        None => Ok(()),
        Some((name, _)) => Err(Error::Usage {
            message: format!("{name} is empty"),
            help: "`*` matches everything, and a reason is a few words".to_owned(),
        }),
    }
}

/// The waivers that are asked for, and what is left out of them.
struct Asked {
    waivers: Vec<NewWaiver>,
    unsaid: Vec<String>,
}

impl WaiveArgs {
    /// The waiver of the rule and the resource.
    fn waiver(&self, library: &Library) -> Result<NewWaiver, Error> {
        let rule = self.rule.clone().unwrap_or_default();
        let glob = Glob::new(&rule);
        if !library.rules().any(|known| names(known).any(|name| glob.matches(name))) {
            return Err(no_such_rule(&rule, library));
        }
        Ok(self.of(rule, self.resource.clone().unwrap_or_default(), self.account.clone()))
    }

    fn of(&self, rule: String, resource: String, account: Option<String>) -> NewWaiver {
        let until = if let Until::Day(day) = self.until { Some(day) } else { None };
        NewWaiver { rule, resource, account, reason: self.reason.trim().to_owned(), owner: self.owner.clone(), until }
    }

    /// A waiver for each failure of the report.
    fn of_report(&self, report: &Report, library: &Library) -> Result<Asked, Error> {
        let concerned = |finding: &&Finding| self.concerns(finding);
        let of = |verdict| report.findings.iter().filter(move |finding| finding.verdict == verdict).filter(concerned);
        let mut waivers = Vec::new();
        let mut seen = BTreeSet::new();
        let mut unsaid = Vec::new();
        for finding in of(Verdict::Fail) {
            if library.rule(&finding.rule).is_none() {
                return Err(no_such_rule(&finding.rule, library));
            }
            let resource = exact_name(&finding.resource, finding.folder.is_some());
            if resource.contains(['*', '?']) {
                unsaid.push(format!(
                    "{} on {resource} is not waived: a waiver of that name would cover other resources, too.",
                    finding.rule
                ));
                continue;
            }
            let account = finding.resource.account.as_ref().map(ToString::to_string);
            if seen.insert((finding.rule.clone(), resource.to_owned(), account.clone())) {
                waivers.push(self.of(finding.rule.clone(), resource.to_owned(), account));
            }
        }
        if of(Verdict::Fail).any(|finding| finding.folder.is_some()) {
            unsaid.push(
                "A waiver of a Terraform address applies in every folder that is scanned with this configuration."
                    .to_owned(),
            );
        }
        let unknown = of(Verdict::Unknown).count();
        if unknown > 0 {
            unsaid.push(format!("{} unknown: what could not be read is not waived.", count(unknown, "finding")));
        }
        if waivers.is_empty() && unsaid.is_empty() {
            unsaid.push("No selected finding of the report fails.".to_owned());
        }
        Ok(Asked { waivers, unsaid })
    }

    /// Returns `true` if the finding of a report is selected.
    fn concerns(&self, finding: &Finding) -> bool {
        let resource = &finding.resource;
        let names = [Some(&resource.id), resource.arn.as_ref(), resource.address.as_ref()];
        let account = resource.account.as_ref().map_or("", |account| account.as_str());
        let matches =
            |glob: &Option<String>, name: &str| glob.as_ref().is_none_or(|glob| Glob::new(glob).matches(name));
        matches(&self.rule, &finding.rule)
            && names.into_iter().flatten().any(|name| matches(&self.resource, name))
            && matches(&self.account, account)
    }
}

/// The name that stands for this resource alone: its address in code; otherwise its id, or its ARN where ids are names
/// that another region can have, too.
fn exact_name(resource: &ResourceRef, is_code: bool) -> &str {
    if let (true, Some(address)) = (is_code, &resource.address) {
        return address;
    }
    match &resource.arn {
        Some(arn) if resource.region.is_some() && resource.id != ANY && !is_generated(resource.resource_type) => arn,
        _ => &resource.id,
    }
}

/// Returns `true` for types whose ids AWS makes, such as `i-0abc…`, which no other region has.
fn is_generated(resource_type: ResourceType) -> bool {
    use ResourceType::{Instance, ManagedInstance, SecurityGroup, Volume, VpcEndpoint};
    matches!(resource_type, Instance | ManagedInstance | SecurityGroup | Volume | VpcEndpoint)
}

fn names(rule: &crate::engine::rule::Rule) -> impl Iterator<Item = &str> {
    std::iter::once(rule.id.as_str()).chain(rule.aliases.iter().map(String::as_str))
}

/// Waivers that are to be written, and those that the configuration has.
struct Sorted {
    new: Vec<NewWaiver>,
    known: usize,
    /// A warning for each that has expired: two waivers of one name are an error.
    expired: Vec<Diagnostic>,
}

fn sort(asked: Vec<NewWaiver>, config: &Config, today: Date) -> Sorted {
    let mut sorted = Sorted { new: Vec::new(), known: 0, expired: Vec::new() };
    for waiver in asked {
        let is_same = |other: &&Waiver| {
            other.rule.to_string() == waiver.rule
                && other.resource.to_string() == waiver.resource
                && other.account.to_string() == waiver.account.as_deref().unwrap_or(ANY)
        };
        match config.waivers.iter().find(is_same) {
            None => sorted.new.push(waiver),
            Some(other) => match other.expires.filter(|last| *last < today) {
                None => sorted.known += 1,
                Some(last) => {
                    let message = format!("the waiver of {} for {} expired after {last}", waiver.rule, waiver.resource);
                    let expired = Diagnostic { message, ..other.place.clone() };
                    sorted.expired.push(expired.help("change its `until` to a later day, or delete it"));
                }
            },
        }
    }
    sorted
}

/// Refuses a configuration that was found above the repository of the working folder: it is that of others, too.
fn refuse_elsewhere(config: &Config, globals: &Globals) -> Result<(), Error> {
    let Some((path, _)) = config.source().filter(|_| globals.config_file.is_none()) else { return Ok(()) };
    let repository = |folder: &Path| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        folder.canonicalize().ok().and_then(|folder| Repository::above(&folder)).map(|found| found.top().to_owned())
    };
    let own = repository(Path::new("."));
    if own.is_none() || own == repository(path.parent().unwrap_or(Path::new(""))) {
        return Ok(());
    }
    Err(Error::Usage {
        message: format!("{} lies outside of this repository", path.display()),
        help: "nothing was written: name the file with --config, or make one here with `ssm-audit init`".to_owned(),
    })
}

/// Writes the waivers; the name of the file, or none where it cannot be edited safely.
fn write(config: &Config, waivers: &[NewWaiver]) -> Result<Option<String>, Error> {
    let Some((path, source)) = config.source() else {
        let empty = SourceFile::new(FILE_NAME, "");
        let Some(text) = config::with_waivers(&empty, waivers) else { return Ok(None) };
        let path = Path::new(FILE_NAME);
        boundary(path)
            .and_then(|boundary| boundary.create(path, text.as_bytes()))
            .map_err(|refusal| failed(path, &refusal))?;
        return Ok(Some(FILE_NAME.to_owned()));
    };
    let Some(text) = config::with_waivers(source, waivers) else { return Ok(None) };
    let written = boundary(path).and_then(|boundary| {
        let now = boundary.read(path, yaml::LARGEST)?;
        let unmarked = now.strip_prefix(MARK).unwrap_or(&now);
        if unmarked != source.text().as_bytes() {
            return Ok(false);
        }
        let mark = &now[..now.len() - unmarked.len()];
        boundary.replace(path, &[mark, text.as_bytes()].concat()).map(|()| true)
    });
    if written.map_err(|refusal| failed(path, &refusal))? {
        return Ok(Some(source.name().to_owned()));
    }
    Err(Error::Usage {
        message: format!("{} has changed since it was read", source.name()),
        help: "nothing was written: run the command again".to_owned(),
    })
}

/// The boundary of a file that is written: its repository, or its folder.
fn boundary(path: &Path) -> Result<Boundary, Refusal> {
    Boundary::of(path.parent().unwrap_or(Path::new("")), None).map_err(Refusal::Failed)
}

fn failed(path: &Path, refusal: &Refusal) -> Error {
    Error::Usage {
        message: format!("cannot write {}: {refusal}", path.display()),
        help: "nothing was written; a symbolic link is not written through".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_generated_is_a_name() {
        let of = |resource_type, id: &str| ResourceRef {
            account: None,
            region: Some("eu-west-1".parse().expect("a region")),
            resource_type,
            id: id.to_owned(),
            arn: Some(format!("arn:{id}")),
            name: None,
            address: None,
        };
        assert_eq!(exact_name(&of(ResourceType::Instance, "i-0abc1234"), false), "i-0abc1234");
        assert_eq!(exact_name(&of(ResourceType::LogGroup, "logs-20240101"), false), "arn:logs-20240101");
    }

    #[test]
    fn a_last_day_is_a_day_to_come() {
        assert_eq!(parse_until("never"), Ok(Until::Never));
        assert!(matches!(parse_until("2999-12-31"), Ok(Until::Day(_))));
        for wrong in ["2020-01-01", "soon", "", "29991231", "2999-13-01"] {
            assert!(parse_until(wrong).is_err(), "{wrong}");
        }
    }
}
