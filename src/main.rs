//! The `ssm-audit` binary: parses the command line, runs the command, returns the exit code.

use std::process::ExitCode;

use ssm_audit::cli::{Cli, crash};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    crash::run(|| Cli::from_command_line().map_or_else(|code| code, |cli| cli.run()))
}
