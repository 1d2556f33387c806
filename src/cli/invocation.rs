//! The invocation: the subcommand, and the flags that were given with it, on the command line or by the environment.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// A subcommand and its flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Invocation {
    /// `ssm-audit`, and the names of the subcommand.
    pub(crate) command: Vec<String>,
    /// The flags and arguments that have a value from outside, in the order of the help.
    pub(crate) flags: Vec<Flag>,
}

/// A flag or an argument that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    /// `--fail-on`, or `INPUT` for an argument.
    pub(crate) name: String,
    /// Its values; none for a switch.
    pub(crate) values: Vec<String>,
    /// The variable of the environment that gave it; none for the command line.
    pub(crate) variable: Option<String>,
}

impl Invocation {
    /// Reads what clap found.
    pub(crate) fn of(command: &Command, matches: &ArgMatches) -> Self {
        let (mut command, mut matches) = (command, matches);
        let mut path = vec![command.get_name().to_owned()];
        while let Some((name, inner)) = matches.subcommand() {
            let Some(found) = command.find_subcommand(name) else { break };
            (command, matches) = (found, inner);
            path.push(name.to_owned());
        }
        Self { command: path, flags: command.get_arguments().filter_map(|argument| flag(argument, matches)).collect() }
    }

    /// The command with the names of its flags and arguments, for people to whom the values are no business.
    pub(crate) fn without_values(&self) -> String {
        let flags = self.flags.iter().map(|flag| flag.name.as_str());
        self.command.iter().map(String::as_str).chain(flags).collect::<Vec<_>>().join(" ")
    }
}

fn flag(argument: &clap::Arg, matches: &ArgMatches) -> Option<Flag> {
    let id = argument.get_id().as_str();
    // `help` and `version` are no values.
    if !matches.try_contains_id(id).unwrap_or(false) {
        return None;
    }
    let variable = match matches.value_source(id)? {
        ValueSource::CommandLine => None,
        ValueSource::EnvVariable => Some(argument.get_env()?.to_string_lossy().into_owned()),
        // A default is no choice of the caller.
        _ => return None,
    };
    let name = match (argument.get_long(), argument.get_value_names()) {
        (Some(long), _) => format!("--{long}"),
        (None, Some([name, ..])) => name.to_string(),
        (None, _) => id.to_owned(),
    };
    let takes_values = argument.get_action().takes_values();
    let raw = matches.get_raw(id).filter(|_| takes_values).into_iter().flatten();
    Some(Flag { name, values: raw.map(|value| value.to_string_lossy().into_owned()).collect(), variable })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn of(words: &[&str]) -> Invocation {
        let mut command = Cli::command();
        command.build();
        let matches = command.clone().try_get_matches_from(words).expect("a command line");
        Invocation::of(&command, &matches)
    }

    #[test]
    fn flags_that_were_given_are_listed_and_defaults_are_not() {
        let given =
            of(&["ssm-audit", "-q", "scan", "infra", "--param", "a.b=1", "--param", "c.d=2", "--fail-on", "high"]);
        assert_eq!(given.command, ["ssm-audit", "scan"]);
        let flag = |name: &str| given.flags.iter().find(|flag| flag.name == name).map(|flag| flag.values.join(" "));
        assert_eq!(flag("--param").as_deref(), Some("a.b=1 c.d=2"));
        assert_eq!(flag("--fail-on").as_deref(), Some("high"));
        assert_eq!(flag("--quiet").as_deref(), Some(""));
        assert_eq!(flag("INPUT").as_deref(), Some("infra"));
        assert_eq!(flag("--color"), None);
        assert!(!given.without_values().contains("a.b") && !given.without_values().contains("infra"));
        assert!(given.without_values().contains("--param"));
    }

    #[test]
    fn nested_commands_are_named_in_full() {
        assert_eq!(of(&["ssm-audit", "history", "show", "3"]).without_values(), "ssm-audit history show SWEEP");
    }
}
