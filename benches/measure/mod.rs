//! What a run of the program costs, as the operating system counts it.

use std::process::{Command, Stdio};

/// Runs a command and prints its wall time, its processor time, and its peak memory in kilobytes.
const MEASURE: &str = "import os,sys,time;b=time.monotonic();p=os.posix_spawn(sys.argv[1],sys.argv[1:],os.environ,\
    file_actions=[(os.POSIX_SPAWN_OPEN,1,'/dev/null',os.O_WRONLY,0)]);_,s,u=os.wait4(p,0);\
    print(time.monotonic()-b,u.ru_utime+u.ru_stime,u.ru_maxrss,os.waitstatus_to_exitcode(s))";

/// Runs the program on an account at this endpoint: seconds, seconds of processor, kilobytes. It must end with `code`,
/// or it has not done what is measured.
pub(crate) fn run(arguments: &[&str], endpoint: &str, account: &str, code: f64) -> [f64; 3] {
    let state = tempfile::TempDir::new().unwrap();
    let output = Command::new("python3")
        .args(["-c", MEASURE, env!("CARGO_BIN_EXE_ssm-audit")])
        .args(arguments)
        .current_dir(state.path())
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs([("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", account), ("AWS_SECRET_ACCESS_KEY", "test")])
        .env("SSM_AUDIT_STATE", state.path())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    assert_eq!(figures.get(3), Some(&code), "it did not end as it should have: {text}");
    [figures[0], figures[1], figures[2]]
}
