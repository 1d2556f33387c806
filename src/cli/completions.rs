//! `completions`: scripts for shells.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Error, Exit, output};
use crate::terminal::Encoding;

/// The arguments of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &CompletionsArgs) -> Result<Exit, Error> {
    // Into memory first: the generator panics where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "ssm-audit", &mut script);
    output::to_stdout(Encoding::Verbatim, |out| out.write_all(&script))?;
    Ok(Exit::Success)
}
