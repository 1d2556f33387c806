//! `man`: the manual pages.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::{Cli, Error, Exit, help, version};
use crate::report::output::to_file;

/// The arguments of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Folder to write the pages to; it must exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

pub(super) fn run(arguments: &ManArgs) -> Result<Exit, Error> {
    let mut command = help::complete(Cli::command().long_version(version::NUMBER));
    command.build();
    write(&command, &arguments.to)?;
    Ok(Exit::Success)
}

/// Writes the page of a command, and the pages of the commands below it.
fn write(command: &Command, folder: &Path) -> Result<(), Error> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        write(below, folder)?;
    }
    let man = Man::new(command.clone()).source(format!("ssm-audit {}", version::NUMBER)).manual("ssm-audit");
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    to_file(&folder.join(format!("{name}.1")), |mut out| man.render(&mut out))?;
    Ok(())
}
