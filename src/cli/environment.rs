//! Variables of the environment, which one command shares with the others.
//!
//! A variable that is meant for another command does not break this one: it is left out if a flag on the command line
//! excludes it, if it needs a flag that is not there, or if its value is one of another command's flag only. A value that
//! no command knows is an error that names the variable.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};

use super::Error;

/// A command whose variables fit, and the variables that it reads.
pub(super) struct Fitting {
    /// The command.
    pub(super) command: Command,
    /// The variables that are set.
    pub(super) variables: BTreeSet<OsString>,
}

/// Variables that are never left out of a command with their flag: without them, each machine sweeps all accounts.
const DECISIVE: &[&str] = &["SSM_AUDIT_SHARD", "SSM_AUDIT_TO"];

/// Leaves out the variables that do not fit these arguments.
///
/// # Errors
/// For a value that no command knows.
pub(super) fn fit(command: Command, arguments: &[OsString]) -> Result<Fitting, Error> {
    let all = set_variables(&command);
    let whole = |command: Command| Fitting { command, variables: BTreeSet::new() };
    let parses = |variables: &BTreeSet<OsString>| try_with(&command, variables, arguments);
    // Most command lines are fine as they are, and many wrong ones are wrong without the environment.
    if all.is_empty() || parses(&all).is_ok() || parses(&BTreeSet::new()).is_err() {
        return Ok(whole(command));
    }
    let (mut kept, mut needy) = (BTreeSet::new(), BTreeSet::new());
    for variable in all {
        let Err(error) = parses(&BTreeSet::from([variable.clone()])) else {
            kept.insert(variable);
            continue;
        };
        match error.kind() {
            // The command line wins.
            ErrorKind::ArgumentConflict => {}
            ErrorKind::MissingRequiredArgument => {
                needy.insert(variable);
            }
            _ => {
                let value = std::env::var_os(&variable).unwrap_or_default();
                if !any_accepts(&command, &variable, &value) {
                    return Err(wrong(&variable, &value, &error));
                }
            }
        }
    }
    // Variables that need each other are kept together.
    let together: BTreeSet<OsString> = kept.union(&needy).cloned().collect();
    match parses(&together) {
        Ok(()) => kept = together,
        Err(error) => {
            if let Some(variable) = needy.iter().find(|variable| DECISIVE.iter().any(|name| *variable == name)) {
                return Err(wrong(variable, &std::env::var_os(variable).unwrap_or_default(), &error));
            }
        }
    }
    Ok(Fitting { command: with(command, &kept), variables: kept })
}

/// Every variable of a flag that is set.
fn set_variables(command: &Command) -> BTreeSet<OsString> {
    let own = command.get_arguments().filter_map(Arg::get_env).filter(|name| std::env::var_os(name).is_some());
    own.map(OsStr::to_owned).chain(command.get_subcommands().flat_map(set_variables)).collect()
}

/// The command with only these variables.
fn with(command: Command, variables: &BTreeSet<OsString>) -> Command {
    let is_left_out = |argument: &Arg| argument.get_env().is_some_and(|name| !variables.contains(name));
    let command =
        command.mut_args(|argument| if is_left_out(&argument) { argument.env(None::<&str>) } else { argument });
    command.mut_subcommands(|inner| with(inner, variables))
}

fn try_with(command: &Command, variables: &BTreeSet<OsString>, arguments: &[OsString]) -> Result<(), clap::Error> {
    with(command.clone(), variables).try_get_matches_from_mut(arguments).map(drop)
}

/// Returns `true` if a flag of any command takes this value from the variable.
fn any_accepts(command: &Command, variable: &OsStr, value: &OsStr) -> bool {
    let mut own = command.get_arguments().filter(|argument| argument.get_env() == Some(variable));
    own.any(|argument| accepts(argument, value))
        || command.get_subcommands().any(|inner| any_accepts(inner, variable, value))
}

fn accepts(argument: &Arg, value: &OsStr) -> bool {
    if !argument.get_action().takes_values() {
        return false;
    }
    let mut same = Arg::new("value").long("value").action(ArgAction::Append).allow_hyphen_values(true);
    same = same.value_parser(argument.get_value_parser().clone());
    if let Some(delimiter) = argument.get_value_delimiter() {
        same = same.value_delimiter(delimiter);
    }
    let words = [OsStr::new("x"), OsStr::new("--value"), value];
    Command::new("x").arg(same).try_get_matches_from(words).is_ok()
}

fn wrong(variable: &OsStr, value: &OsStr, error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let first = text.lines().next().unwrap_or_default();
    let problem = first.strip_prefix("error: ").unwrap_or(first);
    let others: Vec<&str> = text.lines().skip(1).map(str::trim).take_while(|line| !line.starts_with("Usage")).collect();
    let known = others.into_iter().find(|line| line.starts_with("[possible values")).unwrap_or_default();
    Error::Usage {
        message: format!("{}={}: {problem}", variable.display(), value.display()),
        help: format!("unset {}, or give it a value that the flag takes {known}", variable.display())
            .trim_end()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_value_is_known_if_any_command_has_it() {
        let command = Cli::command();
        let accepted = |variable: &str, value: &str| any_accepts(&command, OsStr::new(variable), OsStr::new(value));
        assert!(accepted("SSM_AUDIT_FORMAT", "sarif") && accepted("SSM_AUDIT_FORMAT", "table"));
        assert!(!accepted("SSM_AUDIT_FORMAT", "docx"));
        assert!(accepted("SSM_AUDIT_ACCOUNTS", "123456789012,self") && !accepted("SSM_AUDIT_ACCOUNTS", "1"));
        assert!(!accepted("SSM_AUDIT_QUIET", "perhaps"));
    }
}
