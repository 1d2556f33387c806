//! `sweep`: scan many accounts and keep what was found.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::aws_args::LiveArgs;
use super::collect_fleet::{self, Reader};
use super::notify::{self, NotifyArgs};
use super::output::{Outputs, ReportArgs};
use super::provenance::provenance;
use super::scan::information;
use super::selection::{Selection, SelectionArgs};
use super::shard_location::{PartTo, Place, parse_place};
use super::state_dir::StateArgs;
use super::{Error, Exit, Globals};
use crate::collect::Shutdown;
use crate::diagnostic::Diagnostic;
use crate::engine::scan::{self, Passes, Selected};
use crate::engine::waiver::{self, RuleNames, Tally, Waiver};
use crate::fleet::{Fleet, Shard, ShardChoice, Target};
use crate::history::lifecycle::Rules;
use crate::history::shard_file::{self, Header};
use crate::history::{Begun, History, HistoryError, Look, SweepLock, Terms};
use crate::model::{FailOn, Finding, Inventory, Verdict};
use crate::notify::Receiver;
use crate::remediate::remediation;
use crate::report::sweep;

/// The arguments of `sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// Continue an interrupted sweep; =12h starts a new one if it is older
    #[arg(long, value_name = "WITHIN", num_args = 0..=1, require_equals = true, default_missing_value = "last")]
    #[arg(value_parser = parse_resume, env = "SSM_AUDIT_RESUME")]
    resume: Option<Resume>,
    /// Store and list passes, not only their count
    #[arg(long, env = "SSM_AUDIT_INCLUDE_PASS")]
    include_pass: bool,
    #[command(flatten)]
    report: ReportArgs,
    /// Read one shard of the accounts; auto/N on Kubernetes, auto on AWS Batch
    #[arg(long, value_name = "I/N", requires = "to", conflicts_with = "notify", env = "SSM_AUDIT_SHARD")]
    shard: Option<ShardChoice>,
    /// Write the shard, for merge, to a new file or s3://BUCKET/PREFIX
    #[arg(long, value_name = "PLACE", requires = "shard", value_parser = parse_place, env = "SSM_AUDIT_TO")]
    to: Option<Place>,
    #[command(flatten)]
    notify: NotifyArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    live: LiveArgs,
}

/// Which sweep is taken up.
#[derive(Debug, Clone, Copy)]
enum Resume {
    /// The last one, which must have been cut off.
    Last,
    /// The last one if it was cut off and begun no longer ago, and otherwise none.
    Within(SignedDuration),
}

fn parse_resume(text: &str) -> Result<Resume, String> {
    if text == "last" {
        return Ok(Resume::Last);
    }
    let within = text.parse().map_err(|error| format!("{error}; expected a time such as 12h, or `last`"))?;
    Ok(Resume::Within(within))
}

pub(super) fn run(arguments: &SweepArgs, globals: &Globals) -> Result<Exit, Error> {
    // Everything that can be refused is refused before anything is read.
    let outputs = arguments.report.outputs(globals)?;
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let rules = selection.rules()?;
    let remedies = remediation::embedded(selection.library()).map_err(Error::Diagnostics)?;
    let needs = scan::needs(&rules);
    if needs.calls().next().is_none() {
        return Err(Error::Usage {
            message: "none of the selected rules can be judged in a live account".to_owned(),
            help: "`ssm-audit rules explain ID` says where a rule can be judged, and what its parameters are"
                .to_owned(),
        });
    }
    let shard = arguments.shard.map(shard_of).transpose()?;
    let part = shard.zip(arguments.to.as_ref()).map(|(shard, place)| PartTo::new(shard, place, &arguments.live));
    // What is taken up may have been kept just before it was cut off.
    if let Some(part) = part.as_ref().filter(|_| arguments.resume.is_none()) {
        part.refuse_if_there(globals)?;
    }
    let receiver = arguments.notify.receiver()?;
    let folder = arguments.state.folder()?;
    let _lock = SweepLock::take(&folder)?;
    let history = History::open(&folder)?;
    let chosen = arguments.live.choice(globals)?;
    let (profile, endpoint) = arguments.live.way();
    let way = json!({"schema": 1, "choice": chosen.kept(), "profile": profile, "endpoint": endpoint});
    let terms = Terms {
        policy: selection.policy.as_str().to_owned(),
        rules_digest: scan::digest(&rules),
        rules: rules.iter().map(|selected| (selected.rule.oldest_id().to_owned(), selected.digest())).collect(),
        information: information(&rules, &remedies),
        choice: way.to_string(),
        accounts: chosen.kept_accounts().to_string(),
        waivers: hexadecimal(&selection.waivers().iter().map(Waiver::terms).collect::<Json>().to_string()),
        include_pass: arguments.include_pass,
        provenance: provenance(&selection, globals),
    };
    let started_at = Timestamp::now();
    let mut reading = Sweeping {
        history: Mutex::new(history),
        terms,
        choice: String::new(),
        shard,
        resume: arguments.resume,
        receiver: receiver.as_ref(),
        begun: None,
        started_at: started_at.to_string(),
        today: day_of(started_at),
        oldest: rules.iter().map(|one| (one.rule.id.clone(), one.rule.oldest_id().to_owned())).collect(),
        rules: &rules,
        waivers: selection.waivers(),
        tally: Mutex::new(Tally::of(selection.waivers())),
        failure: Mutex::new(None),
    };
    let read = collect_fleet::read(&arguments.live, &needs, globals, &mut reading)?;
    let Sweeping { history, begun, tally, failure, today, terms, choice, oldest, .. } = reading;
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error.into());
    }
    let mut history = history.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Some(begun) = begun else { return Err(Error::Interrupted) };
    let mut finished_at = None;
    if !read.interrupted {
        let finished_at = finished_at.insert(history.seen_all(begun.sweep, &Timestamp::now().to_string())?);
        // A part that cannot be kept leaves a sweep that can be taken up.
        if let Some(part) = part {
            let sweep = history.sweep(begun.sweep)?;
            let header = Header {
                kind: shard_file::KIND.to_owned(),
                schema_version: shard_file::SCHEMA_VERSION,
                part: part.shard,
                tool_version: sweep.tool_version,
                started_at: sweep.started_at,
                finished_at: finished_at.clone(),
                terms: Terms { choice, ..terms },
                oldest,
                left_out: sweep.left_out,
                accounts: sweep.totals.accounts,
            };
            part.write(globals, |out| shard_file::write(&history, begun.sweep, &header, out))?;
        }
        // Of a sweep that was taken up, nobody knows what waivers covered in its first part.
        if begun.done.is_empty() {
            let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
            globals.warn(&tally.warnings(selection.waivers(), today));
        }
    }
    let exit = report(&history, begun.sweep, &outputs, arguments.report.fail_on(globals)?, globals)?;
    // What comes before this, `--resume` does again where it was cut off.
    let Some(finished_at) = finished_at else {
        let message = format!("sweep {} was cut off: `--resume` takes it up where it stopped", begun.sweep);
        globals.warn(&[Diagnostic::warning(message)]);
        return Ok(Exit::Interrupted);
    };
    history.finish(begun.sweep, &finished_at)?;
    notify::tell(&mut history, receiver, globals)?;
    Ok(exit)
}

fn day_of(time: Timestamp) -> Date {
    time.to_zoned(jiff::tz::TimeZone::UTC).date()
}

fn shard_of(choice: ShardChoice) -> Result<Shard, Error> {
    choice.shard(|name| std::env::var(name).ok()).map_err(|message| Error::Usage {
        message: format!("--shard: {message}"),
        help: "name the part, as in --shard 1/4".to_owned(),
    })
}

/// Writes the report of a sweep, and says how it ends.
pub(super) fn report(
    history: &History,
    id: i64,
    outputs: &Outputs,
    fail_on: FailOn,
    globals: &Globals,
) -> Result<Exit, Error> {
    let summary = history.sweep(id)?;
    let counts = sweep::counts(&summary);
    outputs.write(globals, &counts, |format, options, out| sweep::write(history, &summary, format, options, out))?;
    let fails = history.any(id, "fail", fail_on.least())?;
    let unknown = summary.totals.unread > 0 || history.any(id, "unknown", fail_on.least())?;
    Ok(fail_on.of(fails, unknown))
}

/// A sweep under way.
struct Sweeping<'a> {
    history: Mutex<History>,
    terms: Terms,
    /// What all parts of the sweep are about.
    choice: String,
    shard: Option<Shard>,
    resume: Option<Resume>,
    receiver: Option<&'a Receiver>,
    begun: Option<Begun>,
    started_at: String,
    today: Date,
    /// The oldest ids of the rules, by their ids.
    oldest: BTreeMap<String, String>,
    rules: &'a [Selected<'a>],
    waivers: &'a [Waiver],
    tally: Mutex<Tally>,
    /// Why the history cannot be written any more.
    failure: Mutex<Option<HistoryError>>,
}

impl Reader for &mut Sweeping<'_> {
    type Judged = u64;

    fn begin(&mut self, fleet: &mut Fleet) -> Result<(), Error> {
        let history = self.history.get_mut().unwrap_or_else(PoisonError::into_inner);
        let left_out: Vec<String> = fleet.left_out.iter().map(ToString::to_string).collect();
        let origin = fleet.origin();
        let (account, region) = (origin.map(|(account, _)| account), origin.and_then(|(_, region)| region));
        let origin = json!({"account": account, "region": region});
        self.choice = hexadecimal(&format!("{} {origin}", self.terms.choice));
        // `self` is another account with other credentials, and so is an organisation.
        self.terms.accounts = format!("{} {}", self.terms.accounts, json!(account));
        // A part is taken up as the same part.
        self.terms.choice = self.shard.map_or_else(|| self.choice.clone(), |shard| format!("{} {shard}", self.choice));
        let last = match self.resume {
            None => None,
            Some(Resume::Last) => Some(history.resume(&self.terms)?),
            Some(Resume::Within(within)) => history.resume_within(&self.terms, within)?,
        };
        let begun = match last {
            Some(last) => last,
            None => history.begin(&self.terms, &self.started_at, &left_out)?,
        };
        notify::announce(history, begun.sweep, self.receiver)?;
        fleet.targets.retain(|target| {
            let part = self.shard.is_none_or(|shard| shard.holds(&target.key()));
            part && !begun.done.contains(&target.subject())
        });
        if !fleet.targets.is_empty() {
            history.sees_more(begun.sweep)?;
        }
        // On what day it is for waivers, a sweep that is taken up agrees with itself.
        if let Ok(began) = begun.started_at.parse() {
            self.today = day_of(began);
        }
        self.begun = Some(begun);
        Ok(())
    }

    fn findings(&self, judged: &u64) -> u64 {
        *judged
    }

    fn judge(&self, target: &Target, inventory: Inventory, shutdown: &Shutdown) -> u64 {
        let Some(begun) = &self.begun else { return 0 };
        let passes = if self.terms.include_pass { Passes::Listed } else { Passes::Counted };
        let mut outcomes = scan::scan(&inventory, self.rules, passes);
        let mut tally = Tally::of(self.waivers);
        let names: Vec<RuleNames<'_>> =
            self.rules.iter().map(|one| RuleNames { id: &one.rule.id, aliases: &one.rule.aliases }).collect();
        waiver::cover(&mut outcomes.findings, &inventory.scopes, self.waivers, &names, self.today, &mut tally);
        // What was cut short is looked at again when the sweep is taken up.
        if shutdown.is_requested() {
            return 0;
        }
        let rules: &Rules = &self.terms.rules;
        let written = self.history.lock().unwrap_or_else(PoisonError::into_inner).record(&Look {
            sweep: begun.sweep,
            time: &begun.started_at,
            account: inventory.account.as_ref(),
            subject: &target.subject(),
            name: target.name.as_deref(),
            rules,
            oldest: &self.oldest,
            scopes: &inventory.scopes,
            findings: &outcomes.findings,
            passes: outcomes.passes,
            not_applicable: outcomes.not_applicable,
        });
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).add(&tally);
        if let Err(error) = written {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            shutdown.request();
        }
        let is_open = |finding: &&Finding| !matches!(finding.verdict, Verdict::Pass | Verdict::Waived);
        outcomes.findings.iter().filter(is_open).count() as u64
    }
}

fn hexadecimal(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in Sha256::digest(text) {
        // Writing to a string does not fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}
