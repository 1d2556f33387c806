//! A plan as commands of the AWS CLI, in order: to look at, to review, or to run by hand.
//!
//! A script does not do all that `fix` does: it does not look whether something has changed since, keeps no journal and
//! takes nothing back. It says so.

mod answer;
mod quote;

use std::collections::{BTreeMap, BTreeSet};

use self::answer::{query, waiter};
use self::quote::quote;
pub(crate) use self::quote::word;
use super::operation::Operation;
use super::plan::{Plan, Step, Undo};
use super::step_output::{self, Part, Reference, Text};
use crate::model::Region;
use crate::terminal::{harmless, harmless_json, wrap};

/// What a step builds on that the AWS CLI has no way to tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step} leaves {member}, which no command tells")]
pub(crate) struct Untold {
    step: usize,
    member: String,
}

/// The width of comments.
const COLUMNS: usize = 100;

/// The plan as a shell script.
///
/// # Errors
/// Where a step builds on something that no command tells.
pub(crate) fn script(plan: &Plan) -> Result<String, Untold> {
    let mut members: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for step in &plan.steps {
        for Reference { step: made, member } in step_output::all(&step.call) {
            members.entry(made).or_default().insert(member);
        }
    }
    for step in &plan.steps {
        if let Some(member) = waiter(&step.call).and_then(|waiter| waiter.made) {
            members.entry(step.number).or_default().insert(member.to_owned());
        }
    }
    let mut script = Script::default();
    script.head(plan);
    let mut account = None;
    for step in &plan.steps {
        if account.replace(&step.resource.account) != Some(&step.resource.account) {
            script.line(&format!("wants {}", step.resource.account));
        }
        let none = BTreeSet::new();
        script.step(plan, step, members.get(&step.number).unwrap_or(&none))?;
    }
    Ok(script.text)
}

#[derive(Default)]
struct Script {
    text: String,
}

impl Script {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn comment(&mut self, text: &str) {
        for (index, line) in wrap(&harmless(text), COLUMNS).iter().enumerate() {
            self.line(&format!("# {}{line}", if index == 0 { "" } else { "  " }));
        }
    }

    /// What takes a step back, as a comment in one line.
    fn taken_back_by(&mut self, call: &Operation, region: Option<&Region>) {
        let command = command(call, region, &quote(&harmless_json(&call.written().in_words())));
        self.line(&format!("# Taken back by: {}", harmless(&command)));
    }

    fn head(&mut self, plan: &Plan) {
        self.line("#!/bin/sh");
        self.comment(&format!("Plan {} of ssm-audit {}, made at {}.", plan.id, plan.tool.version, plan.created_at));
        self.comment(
            "Unlike `ssm-audit fix`, it does not look whether something has changed since, keeps no journal, and \
             does not look at what came of it.",
        );
        self.line("set -eu");
        self.line("export AWS_PAGER=");
        if let Some(region) = plan.scopes.values().flat_map(|extent| &extent.regions).next() {
            self.line(&format!("export AWS_DEFAULT_REGION=\"${{AWS_DEFAULT_REGION:-{region}}}\""));
        }
        self.line("");
        self.comment("Stops where the credentials are for another account.");
        self.line("wants() {");
        self.line("  account=$(aws sts get-caller-identity --query Account --output text)");
        self.line("  [ \"$account\" = \"$1\" ] && return");
        self.line("  echo \"the credentials are for account $account, and what follows is for $1\" >&2");
        self.line("  exit 1");
        self.line("}");
        self.line("");
        self.comment("Tries again for a minute: what was just made may not be seen everywhere yet.");
        self.line("patiently() {");
        self.line("  for pause in 5 10 15 30; do");
        self.line("    \"$@\" && return");
        self.line("    sleep \"$pause\"");
        self.line("  done");
        self.line("  \"$@\"");
        self.line("}");
        self.line("");
    }

    fn step(&mut self, plan: &Plan, step: &Step, members: &BTreeSet<String>) -> Result<(), Untold> {
        let region = step.resource.region.as_ref();
        let id = &step.resource.id;
        let place = region.map_or(String::new(), |region| format!(", {region}"));
        self.line("");
        let title = format!("{}. {id}: {}", step.number, step.aspect.beside(id));
        self.comment(&format!("{title} (account {}{place})", step.resource.account));
        let aims = plan.findings.iter().filter(|aim| aim.steps.contains(&step.number));
        let rules: BTreeSet<&str> = aims.map(|aim| aim.rule.as_str()).collect();
        if !rules.is_empty() {
            self.comment(&format!("For {}.", rules.into_iter().collect::<Vec<_>>().join(", ")));
        }
        for warning in &step.warnings {
            self.comment(&format!("Note: {warning}."));
        }
        match &step.undo {
            Undo::By(call) | Undo::Deletes(call) => self.taken_back_by(call, region),
            Undo::Not(why) => self.comment(&format!("Not taken back: {why}.")),
        }
        let new = |needed: &usize| plan.step(*needed).is_some_and(|needed| needed.creates);
        let patiently = if step.needs.iter().any(new) { "patiently " } else { "" };
        let input = with_variables(&step.call.written(), |text| harmless_json(text).into_owned());
        let command = format!("{patiently}{}", command(&step.call, region, &input));
        let queries = members
            .iter()
            .map(|member| {
                query(step.call.call(), member).ok_or_else(|| Untold { step: step.number, member: member.clone() })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if queries.is_empty() {
            self.line(&format!("{command} > /dev/null"));
        } else {
            self.capture(step, &command, members, &queries);
        }
        self.wait(step, region)
    }

    /// Runs a command and keeps what later steps build on.
    fn capture(&mut self, step: &Step, command: &str, members: &BTreeSet<String>, queries: &[&str]) {
        let number = step.number;
        self.line(&format!("step_{number}=$({command} \\\n  --query '[{}]' --output text)", queries.join(", ")));
        for (index, member) in members.iter().enumerate() {
            let name = variable(number, member);
            self.line(&format!("{name}=$(printf '%s\\n' \"$step_{number}\" | cut -f {})", index + 1));
        }
    }

    /// Waits until it is so, where a call is answered before that.
    fn wait(&mut self, step: &Step, region: Option<&Region>) -> Result<(), Untold> {
        let Some(waiter) = waiter(&step.call) else { return Ok(()) };
        let subject = if let Some(member) = waiter.made {
            format!("\"${}\"", variable(step.number, member))
        } else {
            let text = step.call.text_of(waiter.given);
            let text = text.ok_or_else(|| Untold { step: step.number, member: waiter.given.to_owned() })?;
            with_variables(&text, str::to_owned)
        };
        self.line(&format!(
            // With `=`, since a name may begin with a hyphen.
            "aws {} wait {}{} {}={subject}",
            service(step.call.call().service),
            waiter.name,
            in_region(step.call.call().service, region),
            waiter.flag
        ));
        Ok(())
    }
}

/// The command that makes the call with this input.
fn command(call: &Operation, region: Option<&Region>, input: &str) -> String {
    let name = call.call();
    let region = in_region(name.service, region);
    format!("aws {} {}{region} --cli-input-json {input}", service(name.service), kebab(name.operation))
}

fn in_region(service: &str, region: Option<&Region>) -> String {
    match region {
        Some(region) if service != "iam" => format!(" --region {region}"),
        _ => String::new(),
    }
}

/// The name of the service on the command line.
fn service(prefix: &str) -> &str {
    if prefix == "s3" { "s3api" } else { prefix }
}

/// The name of the operation on the command line: words that begin with a capital, with hyphens between them.
/// <https://github.com/boto/botocore/blob/develop/botocore/__init__.py> (`xform_name`)
fn kebab(operation: &str) -> String {
    let letters: Vec<char> = operation.chars().collect();
    let mut name = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_small = index > 0 && !letters[index - 1].is_ascii_uppercase();
        let before_small = index > 0 && letters.get(index + 1).is_some_and(char::is_ascii_lowercase);
        if letter.is_ascii_uppercase() && (after_small || before_small) {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// The shell variable for a member of what a step makes.
fn variable(step: usize, member: &str) -> String {
    let member: String =
        member.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    format!("step_{step}_{member}")
}

/// A text as one word of the shell, with its references as variables.
fn with_variables(text: &Text, written: impl Fn(&str) -> String) -> String {
    let words = text.parts().iter().map(|part| match part {
        Part::Plain(text) => quote(&written(text)),
        Part::Made(Reference { step, member }) => format!("\"${}\"", variable(*step, member)),
    });
    if text.parts().is_empty() { quote("") } else { words.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_named_as_on_the_command_line() {
        for (operation, name) in [
            ("ModifyInstanceMetadataOptions", "modify-instance-metadata-options"),
            ("AssociateKmsKey", "associate-kms-key"),
            ("PutBucketEncryption", "put-bucket-encryption"),
            ("CreateDBInstance", "create-db-instance"),
        ] {
            assert_eq!(kebab(operation), name);
        }
    }

    #[test]
    fn references_are_variables_outside_of_the_quotes() {
        let arn = Reference::to(3, "KeyMetadata.Arn").into();
        let text = Text::of_json(
            &serde_json::json!({"Key": "", "Who": "it's", "Like": "@{3.Arn}"}),
            &BTreeMap::from([("/Key".to_owned(), arn)]),
        );
        let shown = with_variables(&text, str::to_owned);
        let expected = "'{\"Key\":\"'\"$step_3_KeyMetadata_Arn\"'\",\"Who\":\"it'\\''s\",\"Like\":\"@{3.Arn}\"}'";
        assert_eq!(shown, expected);
    }
}
