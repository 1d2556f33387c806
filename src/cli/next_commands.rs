//! Next commands: the command line of this run, as arguments of the commands that a report can name.

use std::collections::BTreeMap;

use clap::CommandFactory;

use super::invocation::{Flag, Invocation};
use super::{Cli, Globals};
use crate::report::{Commands, Subject, as_argument};

/// Flags that say how a report is written, which a command that is named does anew.
const OF_REPORTS: &[&str] = &[
    "--format",
    "--output",
    "--verbose",
    "--quiet",
    "--color",
    "--fail-on",
    "--no-details",
    "--summary",
    "--resume",
    "--notify",
    "--allow",
];

/// Flags that select findings, for which a command names a rule instead.
const OF_SELECTION: &[&str] = &["--rule", "--exclude-rule", "--severity", "--resource", "--account", "--changed-since"];

/// Flags whose values are no secrets. A log may keep what is printed, so those of others are left out.
const SHOWN: &[&str] = &[
    "INPUT",
    "REPORT",
    "--account",
    "--account-tag",
    "--accounts",
    "--base",
    "--baseline",
    "--changed-since",
    "--concurrency",
    "--config",
    "--engine",
    "--exclude-account",
    "--exclude-rule",
    "--ou",
    "--param",
    "--policy",
    "--profile",
    "--profiles",
    "--region",
    "--regions",
    "--resource",
    "--role",
    "--root",
    "--rule",
    "--rules",
    "--severity",
    "--state",
    "--terraform",
    "--terraform-state",
    "--var-file",
    "--workspace",
];

impl Globals {
    /// Returns the commands that a report can name.
    pub(super) fn next_commands(&self) -> Commands {
        commands(&self.invocation)
    }
}

fn commands(invocation: &Invocation) -> Commands {
    let names: Vec<&str> = invocation.command.iter().skip(1).map(String::as_str).collect();
    let files: Vec<&str> = ["INPUT", "REPORT"].into_iter().flat_map(|name| values(invocation, name)).collect();
    let subject = match names.as_slice() {
        ["show"] => Subject::Report(files.first().copied().unwrap_or_default().to_owned()),
        ["scan"] if !files.is_empty() => Subject::Files,
        ["scan" | "sweep"] => Subject::Accounts,
        _ => Subject::History,
    };
    let again = invocation.flags.iter().filter(|flag| !OF_REPORTS.contains(&flag.name.as_str()));
    // A sweep is not made again to see more of it: its history has it.
    let own = flags_of_command(&names);
    let again = match names.as_slice() {
        ["scan" | "show"] => Some(format!("ssm-audit {}{}", names.join(" "), words(again, &own))),
        _ => None,
    };
    let flags_of = |path: &[&str]| {
        let known = flags_of_command(path);
        let is_known = |flag: &&Flag| {
            let name = flag.name.as_str();
            let of_account = name == "--account" && subject == Subject::Files;
            known.contains_key(name) && !OF_REPORTS.contains(&name) && (of_account || !OF_SELECTION.contains(&name))
        };
        words(invocation.flags.iter().filter(is_known), &known)
    };
    Commands {
        again,
        fix: flags_of(&["fix"]),
        explain: flags_of(&["rules", "explain"]),
        policy: flags_of(&["iam-policy"]),
        history: flags_of(&["history", "show"]),
        subject,
    }
}

fn values<'a>(invocation: &'a Invocation, name: &str) -> impl Iterator<Item = &'a str> {
    let named = invocation.flags.iter().filter(move |flag| flag.name == name);
    named.flat_map(|flag| &flag.values).map(String::as_str).collect::<Vec<_>>().into_iter()
}

/// The names of the flags of a subcommand, with `true` where one takes several values with commas between them.
fn flags_of_command(path: &[&str]) -> BTreeMap<String, bool> {
    let mut root = Cli::command();
    root.build();
    let found = path.iter().try_fold(&root, |command, name| command.find_subcommand(name));
    let flags = found.into_iter().flat_map(clap::Command::get_arguments);
    let named =
        |argument: &clap::Arg| Some((format!("--{}", argument.get_long()?), argument.get_value_delimiter().is_some()));
    flags.filter_map(named).collect()
}

/// The flags as words of a shell, each after a blank. What the environment says is still there for the next command.
fn words<'a>(flags: impl Iterator<Item = &'a Flag>, known: &BTreeMap<String, bool>) -> String {
    let mut text = String::new();
    for flag in flags.filter(|flag| flag.variable.is_none()) {
        let is_shown = SHOWN.contains(&flag.name.as_str());
        let mut values: Vec<String> =
            flag.values.iter().map(|value| if is_shown { as_argument(value) } else { hidden(value) }).collect();
        if known.get(&flag.name) == Some(&true) && is_shown {
            values = vec![as_argument(&flag.values.join(","))];
        }
        let name = Some(flag.name.as_str()).filter(|name| name.starts_with("--"));
        let switch = name.filter(|_| values.is_empty()).map(str::to_owned);
        let pairs =
            values.into_iter().map(|value| name.map_or_else(|| value.clone(), |name| format!("{name} {value}")));
        for word in switch.into_iter().chain(pairs) {
            text.push(' ');
            text.push_str(&word);
        }
    }
    text
}

/// A value that may be a secret: `…`, after the name where there is one.
fn hidden(value: &str) -> String {
    match value.split_once('=') {
        Some((name, _)) => format!("{}=…", as_argument(name)),
        // The address of an endpoint has no secret, unless it has a password.
        None if value.starts_with("http") && !value.contains('@') => as_argument(value),
        None => "…".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Commands {
        let mut command = Cli::command();
        command.build();
        let matches = command.clone().try_get_matches_from(words).expect("a command line");
        commands(&Invocation::of(&command, &matches))
    }

    #[test]
    fn arguments_are_kept_as_far_as_the_next_command_has_them() {
        let live =
            of(&["ssm-audit", "scan", "--profile", "prod", "--regions", "us-east-1,eu-west-1", "-o", "x.json", "-v"]);
        assert_eq!(live.again.as_deref(), Some("ssm-audit scan --profile prod --regions us-east-1,eu-west-1"));
        assert_eq!(live.fix, " --profile prod --regions us-east-1,eu-west-1");
        assert_eq!((live.explain.as_str(), live.subject), ("", Subject::Accounts));
        let code = of(&[
            "ssm-audit",
            "scan",
            "my code",
            "--account",
            "123456789012",
            "--region",
            "us-east-1",
            "--rule",
            "ec2-*",
        ]);
        assert_eq!(
            code.again.as_deref(),
            Some("ssm-audit scan 'my code' --rule 'ec2-*' --region us-east-1 --account 123456789012")
        );
        assert_eq!(code.fix, " --region us-east-1 --account 123456789012");
        let own = of(&["ssm-audit", "scan", "--rules", "mine", "--policy", "hardened", "--no-config"]);
        assert_eq!(own.explain, " --rules mine --no-config");
        assert_eq!(own.policy, " --policy hardened --rules mine --no-config");
    }

    #[test]
    fn what_may_be_a_secret_is_not_printed() {
        let said = of(&["ssm-audit", "scan", "infra", "--var", "password=hunter2"]);
        assert!(said.again.as_deref().is_some_and(|again| again.contains("--var password=…")), "{said:?}");
        let said =
            of(&["ssm-audit", "scan", "--external-id", "hunter2", "--role", "Audit", "--accounts", "123456789012"]);
        assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
    }

    #[test]
    fn every_listed_flag_exists() {
        let known: BTreeMap<String, bool> =
            ["scan", "sweep", "fix"].into_iter().flat_map(|name| flags_of_command(&[name])).collect();
        for name in OF_REPORTS.iter().chain(OF_SELECTION).chain(SHOWN).filter(|name| name.starts_with("--")) {
            assert!(known.contains_key(*name), "{name}");
        }
    }
}
