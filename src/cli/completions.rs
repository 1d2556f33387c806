//! `completions`: scripts for shells, and the candidates that the scripts ask for.
//!
//! The script asks the program each time, which knows rule ids, runs and profiles. That also avoids a fault of the
//! static scripts of clap_complete: in bash, they complete nothing after a program whose name has a hyphen.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};

use super::state_dir::StateArgs;
use super::{Cli, Error, Exit, help, output};
use crate::aws::nearest::REGIONS;
use crate::engine::rule;
use crate::report::FORMATS;
use crate::terminal::Encoding;

/// The variable by which a script says which shell asks.
const VARIABLE: &str = "_SSM_AUDIT_COMPLETE";

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell that reads the script
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArgs) -> Result<Exit, Error> {
    let shells = Shells::builtins();
    let shell = arguments.shell.to_string();
    let completer = shells.completer(&shell).ok_or_else(|| Error::Usage {
        message: format!("there are no completions for {shell}"),
        help: format!("use one of: {}", shells.names().collect::<Vec<_>>().join(", ")),
    })?;
    output::to_stdout(Encoding::Verbatim, |out| {
        let mut script = Vec::new();
        completer.write_registration(VARIABLE, "ssm-audit", "ssm-audit", "ssm-audit", &mut script)?;
        // Bash quotes candidates only if they are said to be names of files: a file can be named `$(…)`.
        let script =
            String::from_utf8_lossy(&script).replace("complete -o nospace", "complete -o filenames -o nospace");
        out.write_all(script.as_bytes())?;
        if arguments.shell == Shell::Zsh { out.write_all(ZSH_FIRST_TAB.as_bytes()) } else { Ok(()) }
    })?;
    Ok(Exit::Success)
}

/// Completes at the first TAB, too: zsh then loads the script as a function, which only registers the completer.
const ZSH_FIRST_TAB: &str = r#"
if [ "$funcstack[1]" = "_ssm-audit" ]; then
    _clap_dynamic_completer_ssm_audit "$@"
fi
"#;

/// Answers the script of a shell, if one asks.
pub(super) fn answer() -> Option<ExitCode> {
    env::var_os(VARIABLE)?;
    let completing = CompleteEnv::with_factory(|| with_candidates(help::complete(Cli::command()))).var(VARIABLE);
    match completing.try_complete(env::args_os(), env::current_dir().ok().as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        // A shell shows nothing but candidates.
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Adds what the values of flags can be, where the parser alone does not know.
fn with_candidates(command: Command) -> Command {
    command.mut_args(candidates_of).mut_subcommands(with_candidates)
}

fn candidates_of(argument: Arg) -> Arg {
    let positional = argument.get_long().is_none().then(|| argument.get_id().as_str().to_owned());
    let candidates: fn() -> Vec<CompletionCandidate> = match (argument.get_long(), positional.as_deref()) {
        (Some("rule" | "exclude-rule"), _) | (None, Some("id")) => rules,
        (Some("format"), _) if argument.get_possible_values().is_empty() => formats,
        (Some("profile" | "profiles"), _) => profiles,
        (Some("region"), _) => regions,
        (Some("regions"), _) => all_regions,
        (None, Some("run")) => runs,
        _ => return argument,
    };
    argument.add(ArgValueCandidates::new(candidates))
}

fn candidates<T: Into<String>>(values: impl IntoIterator<Item = T>) -> Vec<CompletionCandidate> {
    values.into_iter().map(|value| CompletionCandidate::new(value.into())).collect()
}

fn rules() -> Vec<CompletionCandidate> {
    candidates(rule::embedded_ids())
}

fn formats() -> Vec<CompletionCandidate> {
    candidates(FORMATS.iter().map(|format| format.name))
}

fn regions() -> Vec<CompletionCandidate> {
    candidates(REGIONS.iter().copied())
}

fn all_regions() -> Vec<CompletionCandidate> {
    candidates(["all"].iter().chain(REGIONS).copied())
}

/// The runs in the journal, the newest first.
fn runs() -> Vec<CompletionCandidate> {
    let state = StateArgs::default();
    let runs = state.journal_if_there().ok().flatten().and_then(|journal| journal.runs().ok());
    candidates(runs.into_iter().flatten().rev().map(|run| run.plan.id))
}

/// The profiles in the configuration and credentials files of the AWS CLI.
fn profiles() -> Vec<CompletionCandidate> {
    let file = |variable: &str, name: &str| {
        let set = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        let path = set.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".aws").join(name)));
        path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default()
    };
    let texts = [file("AWS_CONFIG_FILE", "config"), file("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
    let names: BTreeSet<&str> = texts.iter().flat_map(|text| text.lines()).filter_map(profile).collect();
    candidates(names)
}

/// Returns the profile that a line begins. A name that a shell would not take as a word is left out.
fn profile(line: &str) -> Option<&str> {
    let section = line.trim().strip_prefix('[')?.split(']').next()?.trim();
    let name = section.strip_prefix("profile ").map_or(section, str::trim);
    let plain = |character: char| character.is_ascii_alphanumeric() || "._@+-".contains(character);
    let other = section.starts_with("sso-session ") || section.starts_with("services ");
    (!other && !name.is_empty() && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_from_sections_and_nothing_that_a_shell_would_run() {
        assert_eq!(profile("[default]"), Some("default"));
        assert_eq!(profile("[profile production]"), Some("production"));
        assert_eq!(profile("  [ profile team.x_1 ] # mine"), Some("team.x_1"));
        for none in
            ["[sso-session x]", "[services x]", "region = us-east-1", "[profile $(touch x)]", "[]", "[profile a b]"]
        {
            assert_eq!(profile(none), None, "{none}");
        }
    }
}
