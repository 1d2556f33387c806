//! The `ssm-audit` binary: parses the command line, runs the command, returns the exit code.

use std::process::ExitCode;

use ssm_audit::cli::Cli;

fn main() -> ExitCode {
    Cli::from_command_line().run()
}
