//! Plans and runs for people: each step with before and after, its call, how it is taken back, what to know, and what
//! came of it.

mod difference;
mod groups;
mod outcome;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value as Json;

pub(crate) use self::groups::{Group, groups};
use self::groups::{difference_of, ranges, rules_by_step};
pub(crate) use self::outcome::{Rows, listed};
pub(crate) use self::run::{ended, run, runs, undone};
use super::change_limit::ChangeLimit;
use super::plan::{Disruption, LeftOut, Plan, Purpose, Step, Undo};
use crate::model::finding::Tool;
use crate::model::{AccountId, Region};
use crate::terminal::{Paint, harmless, wrap};

/// Where it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) paint: Paint,
    pub(crate) width: usize,
    /// Whether everything is listed that is shortened otherwise (`-v`).
    pub(crate) all: bool,
}

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BEFORE: Style = AnsiColor::Red.on_default();
pub(crate) const AFTER: Style = AnsiColor::Green.on_default();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();

/// How far what is said of a step is set in.
const MARGIN: usize = 4;
/// The width of a label.
const LABEL: usize = 8;

/// Writes the plan: like steps once, with their resources.
pub(crate) fn plan(plan: &Plan, cap: Option<ChangeLimit>, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let rules = rules_by_step(plan);
    let mut place = None;
    for group in groups(plan) {
        let Some(first) = group.steps.first() else { continue };
        heading(&mut place, first, look, out)?;
        shown(plan, &group, rules.get(&first.number), look, out)?;
    }
    left_out(plan, look, out)?;
    Page { look, out }.text(0, &summary(plan))?;
    for excess in cap.iter().flat_map(|cap| cap.exceeded(plan)) {
        Page { look, out }.painted(WARN, &format!("Over the limit: {excess} (--max-changes)."))?;
    }
    Ok(())
}

/// Writes a group of a plan.
pub(crate) fn group(plan: &Plan, group: &Group<'_>, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = group.steps.first() else { return Ok(()) };
    heading(&mut None, first, look, out)?;
    shown(plan, group, rules_by_step(plan).get(&first.number), look, out)
}

fn shown(
    plan: &Plan,
    group: &Group<'_>,
    rules: Option<&BTreeSet<&str>>,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let [first, others @ ..] = group.steps.as_slice() else { return Ok(()) };
    let page = &mut Page { look, out };
    if others.is_empty() {
        page.title(plan, first)?;
    } else {
        page.title_of_group(group, first)?;
    }
    for line in difference_of(first, look) {
        writeln!(page.out, "{:MARGIN$}{line}", "")?;
    }
    about(plan, first, group.steps.len(), rules, page)?;
    if !others.is_empty() {
        page.resources(plan, group)?;
    }
    writeln!(page.out)
}

/// Says of a saved plan which version made it, when, for what, and with which parameters of rules.
pub(crate) fn origin(plan: &Plan, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let page = &mut Page { look, out };
    let Tool { name, version, .. } = &plan.tool;
    page.text(0, &format!("Plan {}, made at {} by {name} {version}.", plan.id, plan.created_at))?;
    for (account, extent) in &plan.scopes {
        let regions: Vec<&str> = extent.regions.iter().map(Region::as_str).collect();
        let resources = count(extent.resources, "resource");
        page.text(0, &format!("Account {account}, {}: {resources} looked at.", regions.join(", ")))?;
    }
    for (rule, params) in plan.rules.iter().filter(|(_, params)| !params.is_empty()) {
        let params: Vec<String> = params.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        page.text(0, &format!("Rule {rule} with {}.", params.join(", ")))?;
    }
    writeln!(page.out)
}

/// Names the account and the region where they are others than those of the step before.
fn heading<'p>(
    place: &mut Option<(&'p AccountId, Option<&'p Region>)>,
    step: &'p Step,
    look: Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let here = (&step.resource.account, step.resource.region.as_ref());
    if place.replace(here) == Some(here) {
        return Ok(());
    }
    let region = here.1.map_or(String::new(), |region| format!(", {region}"));
    writeln!(out, "{}\n", look.paint.paint(BOLD, &format!("Account {}{region}", here.0)))
}

/// What there is to say of a step beside before and after.
fn about(
    plan: &Plan,
    step: &Step,
    number: usize,
    rules: Option<&BTreeSet<&str>>,
    page: &mut Page<'_>,
) -> io::Result<()> {
    let call = step.call.call().to_string();
    match &step.undo {
        Undo::By(undo) if undo.call() == step.call.call() => {
            page.fact("call", &format!("{call}, undone by the same"))?;
        }
        Undo::By(undo) => page.fact("call", &format!("{call}, undone by {}", undo.call()))?,
        Undo::Deletes(undo) => {
            page.fact("call", &format!("{call}, undone by {} with --delete-replaced", undo.call()))?;
        }
        Undo::Not(_) if plan.purpose != Purpose::Fix => page.fact("call", &call)?,
        Undo::Not(why) => {
            page.fact("call", &call)?;
            page.warning("no undo", why)?;
        }
    }
    page.parameters(&step.call.beside())?;
    if let Some(unit) = &step.unit {
        page.fact("unit", &format!("{unit}: what is done of it is taken back if a step of it fails"))?;
    }
    if !step.needs.is_empty() {
        page.fact("after", &steps_in_words(step.needs.iter().copied()))?;
    }
    if let Some(rules) = rules {
        page.fact("for", &rules.iter().copied().collect::<Vec<_>>().join(", "))?;
    }
    let effect = match step.disruption {
        Disruption::None => None,
        Disruption::Brief => Some("interrupts for seconds"),
        Disruption::Restart => Some("stops and starts the instance"),
        Disruption::Replace => Some("replaces a part, with the instance stopped"),
        Disruption::Irreversible => Some("cannot be taken back"),
    };
    if let Some(effect) = effect {
        page.warning("effect", effect)?;
    }
    if step.shared {
        page.warning("shared", "others use it too")?;
    }
    if step.nature().wants_name() {
        let wanted = match number {
            1 => format!("wants `--resource {}`, or its name typed", step.resource.id),
            _ => "each wants `--resource ID`, or its name typed".to_owned(),
        };
        page.fact("by name", &wanted)?;
    }
    for warning in &step.warnings {
        page.warning("note", warning)?;
    }
    Ok(())
}

/// Numbers of steps: `step 3`, `steps 1-182`.
fn steps_in_words(numbers: impl IntoIterator<Item = usize>) -> String {
    let ranges = ranges(numbers);
    let is_one = ranges.len() == 1 && !ranges.iter().any(|range| range.contains('-'));
    format!("{} {}", if is_one { "step" } else { "steps" }, ranges.join(", "))
}

/// What the plan does not do: each reason once for a rule, with the resources.
fn left_out(plan: &Plan, look: Look, out: &mut dyn Write) -> io::Result<()> {
    left_out_of(&plan.left_out, |id| plan.with_name(id), look, out)
}

fn left_out_of(left_out: &[LeftOut], name: impl Fn(&str) -> String, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if left_out.is_empty() {
        return Ok(());
    }
    writeln!(out, "{}\n", look.paint.paint(BOLD, "Left out"))?;
    let mut reasons: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for left in left_out {
        reasons.entry((&left.rule, &left.reason)).or_default().push(name(&left.resource.id));
    }
    let page = &mut Page { look, out };
    for ((rule, reason), resources) in reasons {
        let subject = if rule.is_empty() { "" } else { &format!("{rule}: ") };
        if let [resource] = resources.as_slice() {
            page.text(2, &format!("{subject}{resource}"))?;
        } else {
            page.text(2, &format!("{subject}{}", count(resources.len(), "resource")))?;
            for line in listed(&resources, look.all, look.width.saturating_sub(MARGIN)) {
                writeln!(page.out, "{:MARGIN$}{line}", "")?;
            }
        }
        page.text(MARGIN, reason)?;
    }
    if left_out.iter().any(|left| left.failed) {
        page.text(2, "Not all of that may be left out: the run will count as failed.")?;
    }
    writeln!(page.out)
}

/// What the plan does, in a line.
pub(crate) fn summary(plan: &Plan) -> String {
    let left = match plan.left_out.len() {
        0 => String::new(),
        left => format!(", {} left out", count(left, "finding")),
    };
    if plan.steps.is_empty() {
        return match plan.purpose {
            Purpose::Fix if plan.left_out.is_empty() => "There is nothing to change.".to_owned(),
            Purpose::Fix => format!("There is nothing that can be changed{left}."),
            Purpose::Undo(_) => "There is nothing to take back.".to_owned(),
            Purpose::Discard(_) if plan.left_out.is_empty() => "There is nothing to delete.".to_owned(),
            Purpose::Discard(_) => "There is nothing that can be deleted.".to_owned(),
        };
    }
    let made = match plan.steps.iter().filter(|step| step.creates).count() {
        0 => String::new(),
        made => format!(", {made} made"),
    };
    let changed: usize = plan.accounts().into_iter().map(|account| plan.changed_in(account).len()).sum();
    let aims = match &plan.purpose {
        Purpose::Fix => format!(", {} to fix", count(plan.findings.len(), "finding")),
        Purpose::Undo(run) => format!(", to undo run {run}"),
        Purpose::Discard(run) => format!(", to delete what run {run} replaced"),
    };
    format!(
        "Plan {}: {}, {} changed{made}{aims}{left}.",
        plan.id,
        count(plan.steps.len(), "step"),
        count(changed, "resource"),
    )
}

/// A number of things.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// What is being written, line by line.
struct Page<'a> {
    look: Look,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    /// The number and the resource of a step, and what of it.
    fn title(&mut self, plan: &Plan, step: &Step) -> io::Result<()> {
        self.title_with(step, &plan.with_name(&step.resource.id))
    }

    fn title_with(&mut self, step: &Step, id: &str) -> io::Result<()> {
        let id = harmless(id);
        let aspect = step.aspect.beside(&step.resource.id);
        let made = if step.creates { " (new)" } else { "" };
        let title = format!("{:>2}. {id}{made}", step.number);
        writeln!(self.out, "{}  {}", self.look.paint.paint(BOLD, &title), harmless(&aspect))
    }

    /// The numbers and the resources of like steps, and what of them.
    fn title_of_group(&mut self, group: &Group<'_>, step: &Step) -> io::Result<()> {
        let numbers = ranges(group.steps.iter().map(|step| step.number)).join(", ");
        let made = if step.creates { " (new)" } else { "" };
        let count = group.steps.len();
        let title = format!("{numbers:>2}. {count} × {}{made}", step.resource.resource_type);
        let aspect = step.aspect.beside(&step.resource.id);
        writeln!(self.out, "{}  {}", self.look.paint.paint(BOLD, &title), harmless(&aspect))
    }

    /// The resources of like steps: the first of them, or all with their numbers.
    fn resources(&mut self, plan: &Plan, group: &Group<'_>) -> io::Result<()> {
        if !self.look.all {
            let names: Vec<String> = group.steps.iter().map(|step| plan.with_name(&step.resource.id)).collect();
            return self.lines("on", Style::new(), &listed(&names, false, self.columns()));
        }
        for (index, step) in group.steps.iter().enumerate() {
            let label = self.look.paint.paint(DIM, &format!("{:LABEL$}", if index == 0 { "on" } else { "" }));
            let name = plan.with_name(&step.resource.id);
            writeln!(self.out, "{:MARGIN$}{label}{:>3}. {}", "", step.number, harmless(&name))?;
        }
        Ok(())
    }

    /// A text, wrapped and painted.
    fn painted(&mut self, style: Style, text: &str) -> io::Result<()> {
        for line in wrap(&harmless(text), self.look.width) {
            writeln!(self.out, "{}", self.look.paint.paint(style, &line))?;
        }
        Ok(())
    }

    /// A text, wrapped, so far from the left.
    fn text(&mut self, indent: usize, text: &str) -> io::Result<()> {
        for line in wrap(&harmless(text), self.look.width.saturating_sub(indent)) {
            writeln!(self.out, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    fn fact(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.labelled(label, text, Style::new())
    }

    /// Parameters of a call that before and after do not show.
    fn parameters(&mut self, parameters: &Json) -> io::Result<()> {
        let set_in = MARGIN + LABEL;
        let look = Look { width: self.look.width.saturating_sub(LABEL), ..self.look };
        for (index, line) in difference::lines(&Json::Null, parameters, look).into_iter().enumerate() {
            let label = if index == 0 { "with" } else { "" };
            let label = self.look.paint.paint(DIM, &format!("{label:LABEL$}"));
            writeln!(self.out, "{:1$}{label}{line}", "", set_in - LABEL)?;
        }
        Ok(())
    }

    fn warning(&mut self, label: &str, text: &str) -> io::Result<()> {
        self.labelled(label, text, WARN)
    }

    fn labelled(&mut self, label: &str, text: &str, style: Style) -> io::Result<()> {
        self.lines(label, style, &wrap(&harmless(text), self.columns()))
    }

    /// The columns beside a label.
    fn columns(&self) -> usize {
        self.look.width.saturating_sub(MARGIN + LABEL)
    }

    fn lines(&mut self, label: &str, style: Style, lines: &[String]) -> io::Result<()> {
        for (index, line) in lines.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let label = self.look.paint.paint(DIM, &format!("{label:LABEL$}"));
            writeln!(self.out, "{:MARGIN$}{label}{}", "", self.look.paint.paint(style, line))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
