//! What runs did, and what the rules say after them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;

use super::difference::pretty;
use super::groups::difference_of;
use super::outcome::Rows;
use super::{AFTER, BEFORE, BOLD, DIM, Look, MARGIN, Page, WARN, count, heading, left_out_of};
use crate::model::AccountId;
use crate::remediate::journal::{CallRecord, Record, RunState, Status};
use crate::remediate::plan::{Plan, Purpose, Step};
use crate::remediate::run::{RunList, RunReport, RunSummary};
use crate::remediate::verify::{Result as Verification, Verified};
use crate::terminal::{Columns, Paint, harmless, width, wrap};

/// Results in the order of the table that a run ends with.
const RESULTS: &[&str] =
    &["fixed", "failed", "still failing", "unknown", "no longer applies", "not verified", "left out"];
/// The same of an undo.
const UNDO_RESULTS: &[&str] = &["restored", "removed", "changed since", "failed", "not done", "kept"];

/// Writes the table of what came of each finding, and how the run is undone.
pub(crate) fn ended(
    plan: &Plan,
    verified: &[Verified],
    records: &BTreeMap<usize, Record>,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rows = Rows::default();
    for one in verified {
        let (result, why) = result_of(one, records);
        rows.add(result, &one.aim.rule, plan.with_name(&one.aim.resource.id), why.as_deref());
    }
    for left in &plan.left_out {
        rows.add(("left out", WARN), &left.rule, plan.with_name(&left.resource.id), Some(&left.reason));
    }
    rows.write("finding", RESULTS, look, out)?;
    let counts = rows.counts(RESULTS);
    if !counts.is_empty() {
        writeln!(out, "\n{counts}.")?;
    }
    writeln!(out, "`ssm-audit undo {}` undoes this run.", plan.id)
}

/// The result of a finding, and the reason where it is not fixed: what went wrong with its steps, or what the rule says.
fn result_of(one: &Verified, records: &BTreeMap<usize, Record>) -> ((&'static str, Style), Option<String>) {
    let undone = |number: &usize| records.get(number).filter(|record| !record.status.holds());
    let problem = one.aim.steps.iter().filter_map(undone).find_map(|record| record.problem.clone());
    match (one.result, problem) {
        (Some(Verification::Fixed), _) => (("fixed", AFTER), None),
        (Some(Verification::StillFailing) | None, Some(problem)) => (("failed", BEFORE), Some(problem)),
        (Some(result), _) => {
            let style = if result == Verification::StillFailing { BEFORE } else { WARN };
            ((result.words(), style), one.message.clone())
        }
        (None, None) => (("not verified", WARN), None),
    }
}

/// Writes the table of what an undo has restored.
pub(crate) fn undone(
    plan: &Plan,
    records: &BTreeMap<usize, Record>,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut rows = Rows::default();
    for step in &plan.steps {
        let record = records.get(&step.number).cloned().unwrap_or_default();
        let result = match record.status {
            Status::Done | Status::Found if step.after.is_null() => ("removed", AFTER),
            Status::Done | Status::Found => ("restored", AFTER),
            Status::Refused => ("changed since", WARN),
            Status::Failed => ("failed", BEFORE),
            Status::Pending | Status::Intended | Status::Stopped | Status::TakenBack => ("not done", WARN),
        };
        let why = record.problem.or_else(|| restored(step));
        let aspect = step.aspect.beside(&step.resource.id);
        rows.add(result, &aspect, plan.with_name(&step.resource.id), why.as_deref());
    }
    for left in &plan.left_out {
        rows.add(("kept", WARN), &left.rule, plan.with_name(&left.resource.id), Some(&left.reason));
    }
    rows.write("change", UNDO_RESULTS, look, out)?;
    let counts = rows.counts(UNDO_RESULTS);
    if counts.is_empty() { Ok(()) } else { writeln!(out, "\n{counts}.") }
}

/// Before and after of a step, where they are short.
fn restored(step: &Step) -> Option<String> {
    const PLAIN: Look = Look { paint: Paint::Plain, width: 72, all: false };
    const MOST: usize = 3;
    let lines = difference_of(step, PLAIN);
    let is_short = lines.len() <= MOST && lines.iter().all(|line| line.contains('→'));
    is_short.then(|| lines.iter().map(|line| words_of(line)).collect::<Vec<_>>().join(", "))
}

/// A line without what aligns it with others.
fn words_of(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn findings(verified: &[Verified], look: Look, out: &mut dyn Write) -> io::Result<()> {
    let words = |one: &Verified| one.result.map_or("not looked at again", Verification::words);
    let column = verified.iter().map(|one| words(one).len()).max().unwrap_or_default();
    for one in verified {
        let style = match one.result {
            Some(Verification::Fixed) => AFTER,
            Some(Verification::StillFailing) => BEFORE,
            Some(Verification::Unknown | Verification::NotApplicable) | None => WARN,
        };
        let result = look.paint.paint(style, &format!("{:column$}", words(one)));
        writeln!(out, "{result}  {}  {}", one.aim.rule, harmless(&one.aim.resource.id))?;
        let page = &mut Page { look, out };
        if let Some(message) = &one.message {
            page.text(column + 2, message)?;
        }
        if one.result != Some(Verification::Fixed) {
            for evidence in &one.evidence {
                page.text(column + 4, &format!("{} = {}", evidence.path, evidence.value))?;
            }
        }
    }
    if verified.is_empty() { Ok(()) } else { writeln!(out) }
}

/// Writes the list of runs.
pub(crate) fn runs(list: &RunList, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if list.runs.is_empty() {
        return writeln!(out, "There are no runs.");
    }
    let headers = &["run", "started", "state", "accounts", "steps", "purpose"];
    let mut columns = Columns::new(headers, look.paint, None);
    for run in list.runs.iter().rev() {
        let accounts: Vec<&str> = run.accounts.iter().map(AccountId::as_str).collect();
        let purpose = match &run.purpose {
            Purpose::Fix => "fix".to_owned(),
            Purpose::Undo(undone) => format!("undo of {undone}"),
            Purpose::Discard(run) => format!("deletion of what {run} replaced"),
        };
        let steps = format!("{} of {} done", run.done, count(run.steps, "step"));
        let state = (style_of(run.state, run.under_way), state(run.state, run.under_way));
        let (plain, accounts) = (Style::new(), accounts.join(", "));
        let started = (plain, run.started_at.get(..16).unwrap_or(&run.started_at));
        columns.row([(BOLD, &*run.id), started, state, (plain, &*accounts), (plain, &*steps), (plain, &*purpose)]);
    }
    columns.write(out)?;
    for run in list.runs.iter().rev().filter(|run| run.state == RunState::Open && !run.under_way) {
        writeln!(out, "\n{}", advice(run))?;
    }
    Ok(())
}

fn advice(run: &RunSummary) -> String {
    cut_off(&run.id, &run.purpose)
}

/// What to do with a run that was cut off.
fn cut_off(id: &str, purpose: &Purpose) -> String {
    match purpose {
        Purpose::Fix => {
            format!("{id} was cut off: `ssm-audit resume {id}` goes on with it, `ssm-audit undo {id}` takes it back.")
        }
        Purpose::Discard(run) => {
            format!("{id} was cut off: `ssm-audit resume {id}` goes on deleting what {run} replaced.")
        }
        Purpose::Undo(undone) => format!("{id} was cut off: `ssm-audit resume {id}` goes on taking {undone} back."),
    }
}

fn state(state: RunState, under_way: bool) -> &'static str {
    match (state, under_way) {
        (RunState::Open, true) => "under way",
        (RunState::Open, false) => "cut off",
        (RunState::Finished, _) => "finished",
        (RunState::Undone, _) => "undone",
    }
}

fn style_of(state: RunState, under_way: bool) -> Style {
    if state == RunState::Open && !under_way { WARN } else { Style::new() }
}

/// Writes a run: each step with its calls, and what the rules said after it.
pub(crate) fn run(run: &RunReport, under_way: bool, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let purpose = match &run.purpose {
        Purpose::Fix => "fix".to_owned(),
        Purpose::Undo(undone) => format!("undo of {undone}"),
        Purpose::Discard(run) => format!("deletion of what {run} replaced"),
    };
    let ended = run.finished_at.as_ref().map(|at| format!(" to {}", moment(at))).unwrap_or_default();
    let state = look.paint.paint(style_of(run.state, under_way), state(run.state, under_way));
    writeln!(out, "{}  {purpose}, {state}", look.paint.paint(BOLD, &run.id))?;
    writeln!(out, "{}{ended}\n", moment(&run.started_at))?;
    let mut place = None;
    for step in &run.steps {
        heading(&mut place, &step.step, look, out)?;
        let page = &mut Page { look, out };
        page.title_with(&step.step, &step.step.resource.id)?;
        let status = step.status.as_str().replace('_', " ");
        match (&step.problem, step.status) {
            (None, Status::Done | Status::Found) => page.fact("status", &status)?,
            (None, _) => page.warning("status", &status)?,
            (Some(problem), _) => page.warning("status", &format!("{status}: {problem}"))?,
        }
        for sent in &step.calls {
            call(sent, look, page.out)?;
        }
        writeln!(page.out)?;
    }
    findings(&run.findings, look, out)?;
    left_out_of(&run.left_out, str::to_owned, look, out)?;
    let unverified = !run.findings.is_empty() && run.findings.iter().all(|finding| finding.result.is_none());
    match (&run.purpose, run.state) {
        (_, RunState::Open) if !under_way => writeln!(out, "{}", cut_off(&run.id, &run.purpose)),
        (Purpose::Fix, RunState::Finished) if unverified => writeln!(
            out,
            "The run ended before its rules were evaluated again: `ssm-audit resume {0}` does that, `ssm-audit undo {0}` \
             takes the run back.",
            run.id
        ),
        (Purpose::Fix, RunState::Finished) => writeln!(out, "`ssm-audit undo {}` undoes this run.", run.id),
        _ => Ok(()),
    }
}

/// A call: when, what, with which parameters, and what came of it.
fn call(sent: &CallRecord, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let page = &mut Page { look, out };
    page.fact("call", &format!("{} at {}", sent.call, moment(&sent.sent_at)))?;
    let parameters = serde_json::to_string(&sent.parameters).unwrap_or_default();
    let indent = MARGIN + super::LABEL;
    if indent + width(&parameters) <= look.width {
        page.text(indent, &parameters)?;
    } else {
        for line in pretty(&sent.parameters, look.width.saturating_sub(indent)).lines() {
            let depth = indent + line.len() - line.trim_start().len();
            for part in wrap(&harmless(line.trim_start()), look.width.saturating_sub(depth)) {
                writeln!(page.out, "{:depth$}{}", "", look.paint.paint(DIM, &part))?;
            }
        }
    }
    let request = sent.request_id.as_ref().map(|id| format!(" (request {id})")).unwrap_or_default();
    match (&sent.outcome, &sent.answered_at) {
        (Some(outcome), Some(at)) => page.fact("", &format!("{outcome} at {}{request}", moment(at))),
        _ => page.warning("", "no answer was had: the process ended first"),
    }
}

/// A time, to the millisecond.
fn moment(time: &str) -> String {
    let parsed: Result<jiff::Timestamp, _> = time.parse();
    parsed.map_or_else(|_| time.to_owned(), |time| time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}
