//! Help beyond what the flags say: groups of commands, examples, exit codes and environment variables.

use std::fmt::Write as _;

use clap::builder::{PossibleValue, Styles};
use clap::{Arg, Command};

/// Groups of commands, in the order of the overview.
const GROUPS: &[(&str, &[&str])] = &[
    ("Scan", &["scan", "show", "diff", "collect", "rules"]),
    ("Fix", &["fix", "undo", "resume", "runs", "waive", "baseline"]),
    ("Many accounts", &["sweep", "merge", "history"]),
    ("Set up", &["init", "config", "iam-policy", "completions", "man"]),
];

/// Examples of a command, each with its purpose.
type Examples = &'static [(&'static str, &'static str)];

/// Examples of each command, by its words.
const EXAMPLES: &[(&str, Examples)] = &[
    (
        "scan",
        &[
            ("ssm-audit scan --profile production --regions eu-west-1,us-east-1", "a live account"),
            ("ssm-audit scan infra/ --account 123456789012 --region us-east-1", "Terraform code"),
            ("ssm-audit scan account.json --format table -o report.html", "a snapshot, with a report in a file"),
        ],
    ),
    (
        "show",
        &[
            ("ssm-audit show report.json --severity high", "a saved report, in part"),
            ("ssm-audit show report.json -f csv", "in another format"),
        ],
    ),
    (
        "diff",
        &[
            ("ssm-audit diff monday.json tuesday.json", "new, fixed, stale and open findings"),
            ("ssm-audit diff monday.json tuesday.json --fail-on high", "fail if a failure is new"),
        ],
    ),
    (
        "fix",
        &[
            ("ssm-audit fix --rule ec2-imdsv2-required", "show the plan, and ask on a terminal"),
            ("ssm-audit fix --out plan.json", "save the plan for review"),
            ("ssm-audit fix --plan plan.json --yes", "apply exactly that plan"),
        ],
    ),
    (
        "undo",
        &[
            ("ssm-audit undo 20261130T073723Z-fb4abf", "show what is restored, and ask"),
            ("ssm-audit undo 20261130T073723Z-fb4abf --yes", "restore it"),
        ],
    ),
    (
        "resume",
        &[
            ("ssm-audit resume 20261130T073723Z-fb4abf", "continue an interrupted run"),
            (
                "ssm-audit resume 20261130T073723Z-fb4abf --delete-replaced --allow irreversible --resource i-0abc",
                "delete the volume that a run replaced",
            ),
        ],
    ),
    (
        "runs list",
        &[("ssm-audit runs list", "the newest run first"), ("ssm-audit runs list --format json", "for programs")],
    ),
    (
        "runs show",
        &[
            ("ssm-audit runs show 20261130T073723Z-fb4abf", "every step and call"),
            ("ssm-audit runs show 20261130T07 --format json", "the beginning of an id is enough"),
        ],
    ),
    (
        "collect",
        &[
            ("ssm-audit collect -o account.json", "save a snapshot"),
            ("ssm-audit collect --regions all -o account.json", "of all enabled regions"),
        ],
    ),
    (
        "sweep",
        &[
            ("ssm-audit sweep --organization --role SsmAuditScan --regions all", "all accounts of the organization"),
            ("ssm-audit sweep --profiles production,staging -o sweep.json", "accounts of profiles, with a report"),
            ("ssm-audit sweep --organization --role SsmAuditScan --resume", "continue an interrupted sweep"),
        ],
    ),
    (
        "merge",
        &[
            ("ssm-audit merge parts/", "shards in a folder"),
            ("ssm-audit merge s3://BUCKET/PREFIX -o sweep.json", "shards in S3, with a report"),
        ],
    ),
    ("history list", &[("ssm-audit history list", "the newest sweep first")]),
    (
        "history show",
        &[
            ("ssm-audit history show", "the last finished sweep"),
            ("ssm-audit history show 7 --format json", "sweep 7, for programs"),
        ],
    ),
    (
        "history diff",
        &[("ssm-audit history diff 5", "since sweep 5"), ("ssm-audit history diff 5 7", "between two sweeps")],
    ),
    (
        "history prune",
        &[
            ("ssm-audit history prune --keep 30", "keep the last 30 sweeps"),
            ("ssm-audit history prune --older-than 365", "delete sweeps older than a year"),
        ],
    ),
    (
        "rules list",
        &[
            ("ssm-audit rules list --policy hardened", "all rules"),
            ("ssm-audit rules list --rule 's3-*' -v", "some, with titles"),
        ],
    ),
    (
        "rules explain",
        &[
            ("ssm-audit rules explain ec2-imdsv2-required", "on the terminal"),
            ("ssm-audit rules explain ec2-imdsv2-required --format markdown", "as its page in the documentation"),
        ],
    ),
    ("rules test", &[("ssm-audit rules test --rules ./rules", "your own rules, too")]),
    (
        "rules schema",
        &[
            ("ssm-audit rules schema AWS::EC2::Instance", "the attributes of a type"),
            ("ssm-audit rules schema --format json", "all, for programs"),
        ],
    ),
    (
        "iam-policy",
        &[
            ("ssm-audit iam-policy --for scan", "permissions of a scan"),
            ("ssm-audit iam-policy --for fix --rule 'ec2-*'", "of fixes of some rules"),
            ("ssm-audit iam-policy --for scan --cloudformation", "a role for other accounts"),
        ],
    ),
    (
        "completions",
        &[
            ("ssm-audit completions bash > ~/.local/share/bash-completion/completions/ssm-audit", "bash"),
            ("ssm-audit completions zsh > ~/.zfunc/_ssm-audit", "zsh, with ~/.zfunc in $fpath"),
            ("ssm-audit completions fish > ~/.config/fish/completions/ssm-audit.fish", "fish"),
        ],
    ),
    (
        "waive",
        &[
            ("ssm-audit waive ec2-imds-hop-limit i-0abc --reason containers --until 2027-03-01", "accept one finding"),
            (
                "ssm-audit waive --from report.json --reason adoption --until 2027-03-01",
                "accept each failure of a report",
            ),
        ],
    ),
    ("baseline create", &[("ssm-audit baseline create report.json -o baseline.json", "from a report in JSON")]),
    ("baseline prune", &[("ssm-audit baseline prune baseline.json --from report.json", "remove what is fixed")]),
    (
        "init",
        &[
            ("ssm-audit init", "ssm-audit.yaml, and the check that suits the folder"),
            ("ssm-audit init --pre-commit", "with a pre-commit hook"),
        ],
    ),
    (
        "config show",
        &[
            ("ssm-audit config show", "each value, with its origin"),
            ("ssm-audit config show --format json", "for programs"),
        ],
    ),
    ("config schema", &[("ssm-audit config schema > ssm-audit.schema.json", "for editors")]),
    ("man", &[("ssm-audit man --to ~/.local/share/man/man1", "then: man ssm-audit-scan")]),
];

/// Exit codes with their meanings.
type ExitCodes = &'static [(&'static str, &'static str)];

const ALL_CODES: ExitCodes = &[
    ("0", "all rules pass, or all selected findings are fixed"),
    ("1", "a rule fails, or a finding is not fixed"),
    ("2", "error: no report is made, or no change is started"),
    ("3", "nothing fails, but a verdict is unknown or an account was not read"),
    ("101", "ssm-audit crashed, which is a bug"),
    ("130", "interrupted by Ctrl-C or SIGTERM"),
];

const SCAN_CODES: ExitCodes = &[
    ("0", "all rules pass"),
    ("1", "a rule fails at or above --fail-on"),
    ("2", "no report: usage, configuration, credentials or output"),
    ("3", "nothing fails, but a verdict is unknown or an account was not read"),
    ("130", "interrupted; the report has what was read"),
];

const FIX_CODES: ExitCodes = &[
    ("0", "all selected findings are fixed, or the run is undone"),
    ("1", "a finding is not fixed: planned, left out, refused or failed"),
    ("2", "not started: usage, plan, credentials or journal"),
    ("3", "none of these, but a verdict is unknown or an account was not read"),
    ("130", "interrupted; the message names the command that resumes or undoes"),
];

const SHOW_CODES: ExitCodes = &[
    ("0", "done"),
    ("1", "with --fail-on: a rule fails at or above it"),
    ("2", "error"),
    ("3", "with --fail-on: nothing fails, but a verdict is unknown or an account was not read"),
];

const DIFF_CODES: ExitCodes = &[
    ("0", "done"),
    ("1", "with --fail-on: a failure at or above it is new"),
    ("2", "error"),
    ("3", "with --fail-on: none is new, but one was not read again"),
];

const WAIVE_CODES: ExitCodes = &[
    ("0", "the waivers are in the file"),
    ("1", "not written: the lines to add are printed, or a waiver of the same name has expired"),
    ("2", "error"),
];

const OTHER_CODES: ExitCodes = &[("0", "done"), ("2", "error")];

/// Returns the command with its help completed.
pub(super) fn complete(command: Command) -> Command {
    let overview = overview(&command);
    let codes = section("Exit codes", &columns(ALL_CODES));
    let environment =
        "Flags can also be set by environment variables and ssm-audit.yaml: see the help of each command.";
    command
        .help_template(format!(
            "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{overview}{}\n{{options}}{{after-help}}",
            heading("Options")
        ))
        .after_help(format!("{codes}{environment}"))
        .mut_subcommands(|command| of_subcommand(command, ""))
        .mut_args(brief)
}

/// Leaves out of the help of a flag what the help of its command says once, and puts its values into one line.
fn brief(argument: Arg) -> Arg {
    let argument = argument.hide_env(true);
    let values: Vec<_> = argument.get_value_parser().possible_values().into_iter().flatten().collect();
    if argument.is_hide_possible_values_set() || values.iter().all(|value| value.get_help().is_none()) {
        return argument;
    }
    let names: Vec<&str> = values.iter().filter(|value| !value.is_hide_set()).map(PossibleValue::get_name).collect();
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    argument.hide_possible_values(true).help(format!("{help} [possible values: {}]", names.join(", ")))
}

/// Lists the commands by groups. A command without a group comes last.
fn overview(command: &Command) -> String {
    let literal = Styles::styled().get_literal().to_owned();
    let shown: Vec<&Command> = command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let width = shown.iter().map(|command| command.get_name().len()).max().unwrap_or_default();
    let line = |command: &Command| {
        let (name, about) = (command.get_name(), command.get_about().map(ToString::to_string).unwrap_or_default());
        format!("  {literal}{name}{literal:#}{:1$}  {about}\n", "", width - name.len())
    };
    let grouped = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let mut text = String::new();
    for (title, names) in GROUPS {
        let lines: String = names.iter().filter_map(|name| command.find_subcommand(name)).map(line).collect();
        text += &section(title, &lines);
    }
    let others: String =
        shown.iter().filter(|command| !grouped(command.get_name())).map(|command| line(command)).collect();
    if !others.is_empty() {
        text += &section("Others", &others);
    }
    text
}

fn of_subcommand(command: Command, parents: &str) -> Command {
    let words = format!("{parents} {}", command.get_name()).trim().to_owned();
    let mut help = String::new();
    if let Some((_, examples)) = EXAMPLES.iter().find(|(of, _)| *of == words) {
        let lines: Vec<String> =
            examples.iter().map(|(example, about)| format!("  # {about}\n  {example}\n")).collect();
        help += &section("Examples", &lines.concat());
    }
    if command.has_subcommands() {
        return command.mut_subcommands(|command| of_subcommand(command, &words)).mut_args(brief);
    }
    help += &section("Exit codes", &columns(codes(&words)));
    help += &environment(&command);
    command.mut_args(brief).after_help(help.trim_end().to_owned())
}

fn codes(words: &str) -> ExitCodes {
    match words {
        "scan" | "sweep" | "merge" => SCAN_CODES,
        "fix" | "undo" | "resume" => FIX_CODES,
        "show" => SHOW_CODES,
        "diff" => DIFF_CODES,
        "waive" => WAIVE_CODES,
        _ => OTHER_CODES,
    }
}

/// Says by which variables of the environment the flags of a command can be set.
fn environment(command: &Command) -> String {
    let mut without = Vec::new();
    let mut others = Vec::new();
    let mut example = None;
    for argument in command.get_arguments() {
        let Some(long) = argument.get_long().filter(|long| !matches!(*long, "help" | "version")) else { continue };
        let regular = format!("SSM_AUDIT_{}", long.to_uppercase().replace('-', "_"));
        match argument.get_env().map(|variable| variable.to_string_lossy().into_owned()) {
            Some(variable) if variable == regular => {
                example.get_or_insert((variable, long));
            }
            Some(variable) => others.push(format!("{variable} sets --{long}")),
            None => without.push(format!("--{long}")),
        }
    }
    if example.is_none() && others.is_empty() {
        return String::new();
    }
    let mut text = "SSM_AUDIT_ and the name of a flag set that flag".to_owned();
    if let Some((variable, long)) = example {
        let _ = write!(text, ", e.g. {variable} sets --{long}");
    }
    for other in others {
        let _ = write!(text, "; {other}");
    }
    if !without.is_empty() {
        let _ = write!(text, "; {} cannot be set so", without.join(", "));
    }
    section("Environment", &format!("  {text}.\n"))
}

fn columns(rows: &[(&str, &str)]) -> String {
    let lines: Vec<String> = rows.iter().map(|(name, about)| format!("  {name:<4} {about}\n")).collect();
    lines.concat()
}

fn section(title: &str, lines: &str) -> String {
    format!("{}\n{lines}\n", heading(title))
}

fn heading(title: &str) -> String {
    let styles = Styles::styled();
    let header = styles.get_header();
    format!("{header}{title}:{header:#}")
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::super::Cli;
    use super::*;

    /// Commands that are shown and have no commands below them, by their words.
    fn leaves(command: &Command, parents: &str, found: &mut Vec<String>) {
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            let words = format!("{parents} {}", command.get_name()).trim().to_owned();
            if command.has_subcommands() { leaves(command, &words, found) } else { found.push(words) }
        }
    }

    #[test]
    fn each_command_has_a_group_and_examples() {
        let command = Cli::command();
        let mut found = Vec::new();
        leaves(&command, "", &mut found);
        assert!(found.len() > 15, "{found:?}");
        for words in found {
            let first = words.split(' ').next().expect("a word");
            assert_eq!(GROUPS.iter().filter(|(_, names)| names.contains(&first)).count(), 1, "{first} has no group");
            assert!(EXAMPLES.iter().any(|(of, _)| *of == words), "{words} has no example");
        }
    }

    #[test]
    fn each_example_is_taken_by_its_command() {
        for (words, examples) in EXAMPLES {
            for (example, _) in *examples {
                let line = example.split(" > ").next().expect("a command").replace('\'', "");
                assert!(line.starts_with(&format!("ssm-audit {words}")), "{line} is of another command");
                let parsed = Cli::try_parse_from(line.split_whitespace());
                assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("an error"));
            }
        }
    }

    #[test]
    fn no_line_of_help_says_the_same_twice() {
        let mut command = complete(Cli::command());
        command.build();
        let mut pending = vec![command];
        while let Some(mut command) = pending.pop() {
            let help = command.render_help().to_string();
            let mut lines: Vec<&str> = help.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            let all = lines.len();
            lines.sort_unstable();
            lines.dedup();
            assert_eq!(lines.len(), all, "{help}");
            pending.extend(command.get_subcommands().cloned());
        }
    }
}
