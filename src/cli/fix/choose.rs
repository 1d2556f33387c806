//! `--interactive`: the user chooses group by group, as with `git add -p`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use super::FixArgs;
use crate::cli::apply::look;
use crate::cli::code::Subject;
use crate::cli::confirm::{answer, can_ask};
use crate::cli::{Error, Globals};
use crate::model::Finding;
use crate::remediate::plan::Plan;
use crate::remediate::remediation::RemediationSpecs;
use crate::remediate::show::{self, Look, count};
use crate::terminal;
use crate::terraform_fix::{self, Fixed, Patch};

const HELP: &str = "\
y  apply these changes
n  do not apply them
d  show all of them
a  apply these and all that follow
q  do not apply these, nor any that follow
?  show this help
Ctrl-C or Ctrl-D stops without any change.
";

/// The groups that were chosen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    /// The numbers of the groups.
    groups: BTreeSet<usize>,
    /// The user quit before the last group.
    pub(super) has_quit: bool,
}

/// Refuses to ask where nobody can answer.
pub(super) fn needs_terminal() -> Result<(), Error> {
    if can_ask() {
        return Ok(());
    }
    Err(Error::Usage {
        message: "--interactive asks on a terminal, and there is none".to_owned(),
        help: "`--rule`, `--severity` and `--resource` select what is fixed; `--yes` applies it without asking"
            .to_owned(),
    })
}

/// Asks for each of so many groups, with a question for each; none where the user closed the terminal.
fn ask_each(
    questions: &[String],
    mut show: impl FnMut(usize, bool, &mut dyn Write) -> Result<(), Error>,
    mut read: impl FnMut(&str) -> Result<Option<String>, Error>,
) -> Result<Option<Chosen>, Error> {
    let mut chosen = Chosen::default();
    for (index, question) in questions.iter().enumerate() {
        show(index, false, &mut terminal::stderr())?;
        loop {
            let prompt = format!("({}/{}) {question} [y,n,d,a,q,?]? ", index + 1, questions.len());
            let Some(answer) = read(&prompt)? else { return Ok(None) };
            match answer.to_lowercase().as_str() {
                "y" | "yes" => drop(chosen.groups.insert(index)),
                "n" | "no" => {}
                "a" | "all" => {
                    chosen.groups.extend(index..questions.len());
                    return Ok(Some(chosen));
                }
                "q" | "quit" => {
                    chosen.has_quit = true;
                    return Ok(Some(chosen));
                }
                "d" | "diff" => {
                    show(index, true, &mut terminal::stderr())?;
                    continue;
                }
                _ => {
                    terminal::stderr().write_all(HELP.as_bytes()).map_err(Error::Terminal)?;
                    continue;
                }
            }
            break;
        }
    }
    Ok(Some(chosen))
}

/// Asks for each group of a plan; the chosen part of the plan, or none where the user closed the terminal.
pub(super) fn of_plan(plan: &Plan, globals: &Globals) -> Result<Option<(Plan, Chosen)>, Error> {
    let groups = show::groups(plan);
    let questions: Vec<String> = groups.iter().map(|group| question(group.steps.len(), "change")).collect();
    let show = |index: usize, all: bool, out: &mut dyn Write| {
        let shown = show::group(plan, &groups[index], Look { all, ..look(globals) }, out);
        shown.and_then(|()| out.flush()).map_err(Error::Terminal)
    };
    let Some(chosen) = ask_each(&questions, show, answer)? else { return Ok(None) };
    let steps = chosen.groups.iter().flat_map(|index| &groups[*index].steps).map(|step| step.number).collect();
    let part = plan.narrowed(&steps);
    let dropped = steps.len() - part.steps.len();
    if dropped > 0 {
        let text =
            format!("{} not made: nothing needs them without what was not chosen.\n", count(dropped, "chosen change"));
        terminal::stderr().write_all(text.as_bytes()).map_err(Error::Terminal)?;
    }
    Ok(Some((part, chosen)))
}

fn question(number: usize, noun: &str) -> String {
    let these = if number == 1 { format!("this {noun}") } else { format!("these {number} {noun}s") };
    format!("Apply {these}")
}

/// Fixes in code that do the same for the same rule.
fn groups_of(patch: &Patch) -> Vec<Vec<&Fixed>> {
    let mut groups: Vec<Vec<&Fixed>> = Vec::new();
    let mut index: BTreeMap<(&str, &str, &[String]), usize> = BTreeMap::new();
    for fixed in &patch.fixed {
        let key = (fixed.finding.rule.as_str(), fixed.title.as_str(), fixed.hazards.as_slice());
        let at = *index.entry(key).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[at].push(fixed);
    }
    groups
}

/// Asks for each group of fixes in code; the fingerprints of those that were not chosen, or none where the user closed
/// the terminal.
pub(super) fn of_patch(
    patch: &Patch,
    first: &terraform_fix::Look,
    (subject, remedies, arguments): (&Subject<'_>, &RemediationSpecs, &FixArgs),
    globals: &Globals,
) -> Result<Option<(BTreeSet<String>, Chosen)>, Error> {
    let groups = groups_of(patch);
    let questions: Vec<String> = groups.iter().map(|group| question(group.len(), "edit")).collect();
    let show = |index: usize, all: bool, out: &mut dyn Write| {
        let group = &groups[index];
        terraform_fix::show::group(group, Look { all, ..look(globals) }, out).map_err(Error::Terminal)?;
        if all {
            let concerns =
                |finding: &Finding| group.iter().any(|fixed| fixed.finding.fingerprint == finding.fingerprint);
            let alone = subject.ask(remedies, arguments.unsafe_fixes, &concerns, globals, |request| {
                terraform_fix::plan(request, first)
            })?;
            terraform_fix::show::diff(&alone, look(globals), out).map_err(Error::Terminal)?;
        }
        flush(out)
    };
    let Some(chosen) = ask_each(&questions, show, answer)? else { return Ok(None) };
    let dropped = groups.iter().enumerate().filter(|(index, _)| !chosen.groups.contains(index));
    let dropped = dropped.flat_map(|(_, group)| group).map(|fixed| fixed.finding.fingerprint.clone()).collect();
    Ok(Some((dropped, chosen)))
}

fn flush(out: &mut dyn Write) -> Result<(), Error> {
    out.flush().map_err(|error: io::Error| Error::Terminal(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is chosen of three groups with these answers, and how often a group was shown.
    fn chosen(answers: &[&str]) -> (Option<Chosen>, Vec<(usize, bool)>) {
        let mut answers = answers.iter();
        let mut shown = Vec::new();
        let questions = ["a", "b", "c"].map(str::to_owned);
        let show = |index, all, _: &mut dyn Write| {
            shown.push((index, all));
            Ok(())
        };
        let chosen = ask_each(&questions, show, |_| Ok(answers.next().map(|answer| (*answer).to_owned())));
        (chosen.expect("answers"), shown)
    }

    fn groups(groups: &[usize], has_quit: bool) -> Chosen {
        Chosen { groups: groups.iter().copied().collect(), has_quit }
    }

    #[test]
    fn each_answer_does_what_git_has_it_do() {
        assert_eq!(chosen(&["y", "n", "Yes"]).0, Some(groups(&[0, 2], false)));
        assert_eq!(chosen(&["n", "a"]).0, Some(groups(&[1, 2], false)));
        assert_eq!(chosen(&["y", "q"]).0, Some(groups(&[0], true)));
        assert_eq!(chosen(&["y", "d", "?", "", "n", "n"]).0, Some(groups(&[0], false)));
        assert_eq!(chosen(&["d", "n", "n", "n"]).1, [(0, false), (0, true), (1, false), (2, false)]);
        // Whoever closes the terminal has chosen nothing.
        assert_eq!(chosen(&["y", "y"]).0, None);
    }
}
