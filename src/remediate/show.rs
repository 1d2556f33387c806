//! A plan for people: each step with before and after, its call, how it is taken back, and what to know.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value as Json;

use super::plan::{Disruption, Plan, Purpose, Step, Undo};
use crate::terminal::{Paint, harmless, width, wrap};

/// Where it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) paint: Paint,
    pub(crate) width: usize,
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const BEFORE: Style = AnsiColor::Red.on_default();
const AFTER: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();

/// How far the labels of a step are set in.
const MARGIN: usize = 4;
/// The width of a label.
const LABEL: usize = 8;

/// Writes the plan.
pub(crate) fn plan(plan: &Plan, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let mut place = None;
    for step in &plan.steps {
        let here = (step.resource.account.clone(), step.resource.region.clone());
        if place.as_ref() != Some(&here) {
            let region = here.1.as_ref().map_or(String::new(), |region| format!(" {region}"));
            writeln!(out, "{}\n", look.paint.paint(BOLD, &format!("{}{region}", here.0)))?;
            place = Some(here);
        }
        show_step(plan, step, look, out)?;
    }
    if !plan.left_out.is_empty() {
        writeln!(out, "{}", look.paint.paint(BOLD, "Left out"))?;
        for left in &plan.left_out {
            let text = format!("{} {}: {}", left.rule, harmless(&left.resource.id), harmless(&left.reason));
            for (index, line) in wrap(&text, look.width.saturating_sub(4)).iter().enumerate() {
                writeln!(out, "{}{line}", if index == 0 { "  " } else { "    " })?;
            }
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", summary(plan))
}

/// What the plan does, in a line.
pub(crate) fn summary(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return match plan.purpose {
            Purpose::Fix => "There is nothing to change.".to_owned(),
            Purpose::Undo(_) => "There is nothing to take back.".to_owned(),
        };
    }
    let made = plan.steps.iter().filter(|step| step.creates).count();
    let changed: BTreeSet<_> = plan.steps.iter().filter(|step| !step.creates).map(|step| &step.resource).collect();
    let left = match plan.left_out.len() {
        0 => String::new(),
        left => format!(", {} left out", count(left, "finding")),
    };
    format!(
        "Plan {}: {}, {} changed, {} made, {} to be made right{left}.",
        plan.id,
        count(plan.steps.len(), "step"),
        count(changed.len(), "resource"),
        made,
        count(plan.findings.len(), "finding"),
    )
}

/// A number of things.
pub(crate) fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn show_step(plan: &Plan, step: &Step, look: Look, out: &mut dyn Write) -> io::Result<()> {
    let title = format!("{:>2}. {}: {}", step.number, harmless(&step.resource.id), harmless(&step.aspect.to_string()));
    writeln!(out, "{}", look.paint.paint(BOLD, &title))?;
    for line in difference(step, look) {
        writeln!(out, "{:MARGIN$}{line}", "")?;
    }
    let mut fact = |label: &str, text: &str, style: Option<Style>| -> io::Result<()> {
        for (index, line) in wrap(&harmless(text), look.width.saturating_sub(MARGIN + LABEL)).iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let line = style.map_or_else(|| line.clone(), |style| look.paint.paint(style, line));
            writeln!(out, "{:MARGIN$}{}{line}", "", look.paint.paint(DIM, &format!("{label:LABEL$}")))?;
        }
        Ok(())
    };
    fact("call", &step.call.call().to_string(), None)?;
    match &step.undo {
        Undo::By(call) => fact("undo", &call.call().to_string(), None)?,
        Undo::Deletes(call) => fact("undo", &format!("{}, only with --delete-replaced", call.call()), None)?,
        Undo::Not(why) => fact("undo", &format!("none: {why}"), Some(WARN))?,
    }
    if !step.needs.is_empty() {
        let needs: Vec<String> = step.needs.iter().map(ToString::to_string).collect();
        fact("after", &needs.join(", "), None)?;
    }
    let rules: BTreeSet<&str> =
        plan.findings.iter().filter(|aim| aim.steps.contains(&step.number)).map(|aim| aim.rule.as_str()).collect();
    if !rules.is_empty() {
        fact("for", &rules.into_iter().collect::<Vec<_>>().join(", "), None)?;
    }
    if step.disruption != Disruption::None {
        fact("effect", step.disruption.as_str(), Some(WARN))?;
    }
    for warning in &step.warnings {
        fact("note", warning, Some(WARN))?;
    }
    writeln!(out)
}

/// Before and after, member by member; what stays is left out.
fn difference(step: &Step, look: Look) -> Vec<String> {
    let change = |before: &Json, after: &Json| {
        let before = look.paint.paint(BEFORE, &harmless(&shown(before)));
        format!("{before} → {}", look.paint.paint(AFTER, &harmless(&shown(after))))
    };
    let (Json::Object(before), Json::Object(after)) = (&step.before, &step.after) else {
        return vec![change(&step.before, &step.after)];
    };
    let differing: Vec<_> = after
        .iter()
        .map(|(name, after)| (name, before.get(name).unwrap_or(&Json::Null), after))
        .filter(|(_, before, after)| before != after)
        .collect();
    let longest = differing.iter().map(|(name, ..)| width(name)).max().unwrap_or_default();
    differing.into_iter().map(|(name, before, after)| format!("{name:longest$}  {}", change(before, after))).collect()
}

fn shown(value: &Json) -> String {
    match value {
        Json::Null => "nothing".to_owned(),
        Json::String(text) => text.clone(),
        value => value.to_string(),
    }
}
