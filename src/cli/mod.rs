//! The command line: one file a subcommand. Here are the flags that all have, and errors as people see them.

mod apply;
mod aws_args;
mod baseline;
mod cleanup;
mod code;
mod collect;
mod collect_fleet;
mod completions;
mod config_show;
mod confirm;
pub mod crash;
mod diff;
mod diff_filter;
mod drift;
mod environment;
pub mod exit;
mod fix;
mod fleet;
mod help;
mod history;
mod iam_policy;
mod init;
mod invocation;
mod man;
mod member_role;
mod merge;
mod named;
mod next_commands;
mod notify;
mod output;
mod provenance;
mod report_input;
mod resume;
mod rules;
mod runs;
mod saved_report;
mod scan;
mod selection;
mod shard_location;
mod show;
mod state_dir;
mod sweep;
mod undo;
mod verify;
mod version;
mod waive;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::aws::ConnectionError;
use crate::collect::terraform::{CodeError, StateError};
use crate::config::{self, Config, Lookup};
use crate::diagnostic::{self, Diagnostic};
use crate::file_envelope::SavedError;
use crate::fleet::{FleetError, StoreError};
use crate::history::HistoryError;
use crate::history::shard_file::PartError;
use crate::notify::NotSent;
use crate::remediate::journal::JournalError;
use crate::remediate::plan_builder::Contradiction;
use crate::report::output::OutputError;
use crate::terminal::{self, harmless};
use exit::Exit;
use invocation::Invocation;

/// Check AWS Session Manager against its documented setup, and fix what differs
#[derive(Debug, Parser)]
#[command(name = "ssm-audit", version, long_version = version::LONG, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    globals: Globals,
}

/// Flags that all commands have.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Configuration file, or `none` [default: ssm-audit.yaml, here or above]
    #[arg(long = "config", value_name = "FILE", global = true, env = "SSM_AUDIT_CONFIG")]
    config_file: Option<PathBuf>,
    /// Use no configuration file
    #[arg(long, global = true, conflicts_with = "config_file", env = "SSM_AUDIT_NO_CONFIG")]
    no_config: bool,
    /// Take configuration, --rules and --baseline from this folder, such as the base branch
    #[arg(long, value_name = "DIR", global = true, env = "SSM_AUDIT_BASE")]
    base: Option<PathBuf>,
    /// Use colours
    #[arg(long, value_enum, default_value = "auto", global = true, env = "SSM_AUDIT_COLOR")]
    color: Color,
    /// List every resource; twice: passes, too
    #[arg(short, long, action = clap::ArgAction::Count, global = true, env = "SSM_AUDIT_VERBOSE")]
    verbose: u8,
    /// Show no progress and no warnings
    #[arg(short, long, global = true, env = "SSM_AUDIT_QUIET")]
    quiet: bool,
    #[arg(skip)]
    loaded: OnceCell<Config>,
    #[arg(skip)]
    invocation: Invocation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Evaluate rules on an account, a snapshot or Terraform code
    Scan(scan::ScanArgs),
    /// Write a saved report again, in any format or in part
    Show(show::ShowArgs),
    /// Compare two saved reports: what is new, fixed, still open
    Diff(diff::DiffArgs),
    /// Plan, apply and verify fixes
    Fix(fix::FixArgs),
    /// Undo a fix run
    Undo(undo::UndoArgs),
    /// Resume an interrupted run
    Resume(resume::ResumeArgs),
    /// List fix and undo runs and their API calls
    Runs(runs::RunsArgs),
    /// Save what a scan reads as a snapshot
    Collect(collect::CollectArgs),
    /// Scan many accounts and track findings over time
    Sweep(Box<sweep::SweepArgs>),
    /// Merge shard results into one sweep
    Merge(Box<merge::MergeArgs>),
    /// Query sweep history
    History(history::HistoryArgs),
    /// Add waivers to ssm-audit.yaml
    Waive(waive::WaiveArgs),
    /// Make and prune baselines: findings that scans leave out
    Baseline(baseline::BaselineArgs),
    /// Write a commented ssm-audit.yaml, and the check for a repository
    Init(init::InitArgs),
    /// Show the effective configuration
    Config(config_show::ConfigArgs),
    /// List, explain and test rules
    Rules(rules::RulesArgs),
    /// Print the least-privilege IAM policy of a command
    IamPolicy(iam_policy::IamPolicyArgs),
    /// Print the completion script of a shell
    Completions(completions::CompletionsArgs),
    /// Write the manual pages
    Man(man::ManArgs),
}

/// Why a command gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Rules or configuration that cannot be used.
    #[error("{} in rules or configuration", count(.0.len()))]
    Diagnostics(Vec<Diagnostic>),
    /// The flags do not fit together, or name what does not exist.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        help: String,
    },
    /// An account that cannot be read at all.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// Code that cannot be scanned.
    #[error(transparent)]
    Code(#[from] Box<CodeError>),
    /// Accounts that cannot be found.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// A state of Terraform that cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A snapshot, a report or a plan that cannot be used.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// Parts of a sweep that make no whole.
    #[error(transparent)]
    Part(#[from] PartError),
    /// Parts that cannot be kept in S3, or fetched from there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A history that cannot be used.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A notification that was not sent, or may not have been.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// A report that cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A plan that contradicts itself.
    #[error(transparent)]
    Plan(#[from] Contradiction),
    /// The journal of fixes cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The user stopped a run before its end.
    #[error("run {0} was cut off; `ssm-audit resume {0}` goes on with it, `ssm-audit undo {0}` takes it back")]
    CutOff(String),
    /// The user cannot be asked after all.
    #[error("failed to ask on the terminal: {0}")]
    Terminal(#[source] io::Error),
    /// The user stopped it before there was anything to report.
    #[error("interrupted before anything was read")]
    Interrupted,
    /// The runtime could not be started.
    #[error("failed to start: {0}")]
    Start(#[source] io::Error),
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

/// Prints help, the version, or what is wrong with the command line: others may have written its arguments.
fn refused(error: &clap::Error, variables: &BTreeSet<OsString>) -> ExitCode {
    // Where the stream is closed there is nobody left to tell.
    let _ = if error.use_stderr() {
        let mut out = terminal::stderr();
        let names = variables.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join(", ");
        let note = |names: &str| format!("\nset in the environment: {}\n", harmless(names));
        let note = if names.is_empty() { String::new() } else { note(&names) };
        write!(out, "{}{note}", error.render().ansi()).and_then(|()| out.flush())
    } else {
        error.print()
    };
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

impl Cli {
    /// Returns what the command line says. A variable that is set to nothing counts as not set, as scripts leave them.
    ///
    /// # Errors
    /// Returns the exit code if help or the version was printed, or if the command line is wrong, which was said.
    pub fn from_command_line() -> Result<Self, ExitCode> {
        if let Some(code) = completions::answer() {
            return Err(code);
        }
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let fitting = environment::fit(without_empty_variables(help::complete(Self::command())), &arguments).map_err(
            |error| {
                // Where standard error is closed there is nobody left to tell.
                let _ = tell(&error, Color::Auto);
                ExitCode::from(Exit::NoResult)
            },
        )?;
        let mut command = fitting.command;
        let matches =
            command.try_get_matches_from_mut(&arguments).map_err(|error| refused(&error, &fitting.variables))?;
        let invocation = Invocation::of(&command, &matches);
        crash::note_command(invocation.without_values());
        let mut cli = Self::from_arg_matches(&matches).map_err(|error| refused(&error, &fitting.variables))?;
        cli.globals.invocation = invocation;
        Ok(cli)
    }

    /// Runs the command, says on standard error what went wrong, and gives the exit code.
    pub fn run(&self) -> ExitCode {
        let globals = &self.globals;
        let done = match &self.command {
            Command::Scan(arguments) => scan::run(arguments, globals),
            Command::Show(arguments) => show::run(arguments, globals),
            Command::Diff(arguments) => diff::run(arguments, globals),
            Command::Fix(arguments) => fix::run(arguments, globals),
            Command::Undo(arguments) => undo::run(arguments, globals),
            Command::Resume(arguments) => resume::run(arguments, globals),
            Command::Runs(arguments) => runs::run(arguments, globals),
            Command::Collect(arguments) => collect::run(arguments, globals),
            Command::Sweep(arguments) => sweep::run(arguments, globals),
            Command::Merge(arguments) => merge::run(arguments, globals),
            Command::History(arguments) => history::run(arguments, globals),
            Command::Waive(arguments) => waive::run(arguments, globals),
            Command::Baseline(arguments) => baseline::run(arguments, globals),
            Command::Init(arguments) => init::run(arguments, globals),
            Command::Config(arguments) => config_show::run(arguments, globals),
            Command::Rules(arguments) => rules::run(arguments, globals),
            Command::IamPolicy(arguments) => iam_policy::run(arguments, globals),
            Command::Completions(arguments) => completions::run(arguments),
            Command::Man(arguments) => man::run(arguments),
        };
        done.unwrap_or_else(|error| {
            // Where standard error is closed there is nobody left to tell.
            let _ = globals.tell(&error);
            if matches!(error, Error::Interrupted | Error::CutOff(_)) { Exit::Interrupted } else { Exit::NoResult }
        })
        .into()
    }
}

/// Writes an error to standard error.
fn tell(error: &Error, color: Color) -> io::Result<()> {
    let mut out = terminal::stderr();
    match error {
        Error::Diagnostics(diagnostics) => {
            diagnostic::write_all(diagnostics, output::paint_stderr(color), &mut out)?;
            writeln!(out, "\nerror: {error}")
        }
        Error::Usage { message, help } => {
            writeln!(out, "error: {}\n  = help: {}", harmless(message), harmless(help))
        }
        error => writeln!(out, "error: {}", harmless(&error.to_string())),
    }
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |argument: &clap::Arg| {
        let variable = argument.get_env().and_then(std::env::var_os);
        variable.is_some_and(|value| value.is_empty())
    };
    let command = command.mut_args(|argument| if is_empty(&argument) { argument.env(None::<&str>) } else { argument });
    command.mut_subcommands(without_empty_variables)
}

impl Globals {
    /// The configuration, read once.
    fn config(&self) -> Result<&Config, Error> {
        if let Some(config) = self.loaded.get() {
            return Ok(config);
        }
        let named = self.config_file.as_deref();
        let none = self.no_config || named == Some(Path::new("none"));
        if let Some(base) = self.base.as_deref().filter(|base| !base.is_dir()) {
            return Err(Error::Usage {
                message: format!("--base {}: no such folder", base.display()),
                help: "name a checkout of what judges, such as the base branch".to_owned(),
            });
        }
        let lookup = Lookup { named, named_by: self.origin_of("--config"), none, base: self.base.as_deref() };
        let config = Config::find(&lookup).map_err(Error::Diagnostics)?;
        Ok(self.loaded.get_or_init(|| config))
    }

    /// The variable of the environment that gave a flag, or the flag itself.
    fn origin_of<'a>(&'a self, flag: &'a str) -> &'a str {
        let given = self.invocation.flags.iter().find(|given| given.name == flag);
        given.and_then(|given| given.variable.as_deref()).unwrap_or(flag)
    }

    /// A path of something that decides the result: one that is relative lies in the base, where there is one.
    fn in_base(&self, path: &Path) -> PathBuf {
        config::under(self.base.as_deref(), path)
    }

    fn tell(&self, error: &Error) -> io::Result<()> {
        tell(error, self.color)
    }

    /// Says on standard error what was done.
    fn note(&self, text: &str) {
        if !self.quiet {
            // Where standard error is closed there is nobody left to tell.
            let _ = writeln!(terminal::stderr(), "{}", harmless(text));
        }
    }

    /// Says what the user should know, on standard error.
    fn warn(&self, warnings: &[Diagnostic]) {
        if !self.quiet && !warnings.is_empty() {
            // Where standard error is closed there is nobody left to tell.
            let _ = diagnostic::write_all(warnings, output::paint_stderr(self.color), &mut terminal::stderr());
        }
    }
}
