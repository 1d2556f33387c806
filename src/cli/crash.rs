//! The panic handler: it says that ssm-audit has a bug, and what to report of it. What it prints holds no value of a flag
//! and no text from accounts or code; the message of a panic may, and is shown only with `RUST_BACKTRACE`.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt::Write as _;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process::ExitCode;
use std::sync::OnceLock;

use crate::terminal;

/// The exit code of a crash, which is that of every Rust program.
pub const EXIT_CODE: u8 = 101;

/// The command without the values of its flags.
static COMMAND: OnceLock<String> = OnceLock::new();

/// Notes the command, so that a crash can name it.
pub(super) fn note_command(command: String) {
    // The first one is the command of the process.
    let _ = COMMAND.set(command);
}

/// Runs the program. A panic is reported on standard error and ends with the exit code 101. What was being written to
/// files is discarded, since it stands beside its place until it is whole.
pub fn run(program: impl FnOnce() -> ExitCode) -> ExitCode {
    panic::set_hook(Box::new(report));
    panic::catch_unwind(AssertUnwindSafe(program)).unwrap_or_else(|_reported| ExitCode::from(EXIT_CODE))
}

fn report(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let mut text = message(location.as_deref(), COMMAND.get().map(String::as_str));
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        // Writing to a string does not fail.
        let _ = write!(text, "  = message: {}\n{backtrace}\n", payload(panic.payload()));
    }
    // Where standard error is closed there is nobody left to tell.
    let _ = terminal::stderr().write_all(text.as_bytes());
}

fn payload(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("none")
}

/// What a person sees of a crash.
fn message(location: Option<&str>, command: Option<&str>) -> String {
    format!(
        "error: ssm-audit crashed, which is a bug: internal error at {}; report it with the lines below\n  \
         = version: ssm-audit {} on {} {}\n  \
         = command: {}\n  \
         = note: no file and no report is left half-written; after `fix`, `undo` or `resume`, `ssm-audit runs` lists what was \
         done\n  \
         = help: RUST_BACKTRACE=1 adds the message and the calls; read them before you pass them on, they can hold names \
         of your accounts\n",
        location.unwrap_or("an unknown place"),
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        command.unwrap_or("ssm-audit"),
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// In the process that the test below starts.
    const CRASHES: &str = "SSM_AUDIT_TEST_CRASH";

    #[test]
    #[expect(clippy::exit, reason = "the exit code is what is tested")]
    fn a_crash_says_what_to_report_and_no_secret_and_ends_with_101() {
        if std::env::var_os(CRASHES).is_some() {
            note_command("ssm-audit scan --account INPUT".to_owned());
            let code = run(|| panic!("the token is hunter2 ::error::x"));
            assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(EXIT_CODE)));
            std::process::exit(i32::from(EXIT_CODE));
        }
        let run = |backtrace: &str| {
            let name = "cli::crash::tests::a_crash_says_what_to_report_and_no_secret_and_ends_with_101";
            let test = std::env::current_exe().expect("this program");
            let mut command = Command::new(test);
            command.args([name, "--exact", "--nocapture"]).env(CRASHES, "1").env("RUST_BACKTRACE", backtrace);
            let output = command.output().expect("it runs");
            assert_eq!(output.status.code(), Some(101));
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let said = run("0");
        assert!(said.contains("error: ssm-audit crashed, which is a bug: internal error at src"), "{said}");
        assert!(said.contains("  = command: ssm-audit scan --account INPUT\n"), "{said}");
        assert!(said.contains(env!("CARGO_PKG_VERSION")) && !said.contains("hunter2"), "{said}");
        assert!(run("1").contains("  = message: the token is hunter2 ::error::x\n"));
    }
}
