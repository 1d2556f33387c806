//! The `ssm-audit` binary: parses the command line, runs the command, returns the exit code.

use std::process::ExitCode;

use clap::Parser;
use ssm_audit::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
