//! What a scan costs: four regions with 128 instances each, every answer recorded from an emulated account
//! and replayed with 20 ms of latency, so that the emulator's own slowness does not count.
//!
//! `cargo bench --bench scan [-- RUNS]`. The figures are those of the whole process, as the operating
//! system counts them.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "figures for people")]

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/emulator.rs"]
mod emulator;
#[expect(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../tests/it/proxy.rs"]
mod proxy;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use emulator::Emulator;
use proxy::Proxy;

const REGIONS: &str = "eu-central-1,eu-west-1,us-east-1,us-west-2";
const ACCOUNT: &str = "123456789012";
const LATENCY: Duration = Duration::from_millis(20);

/// Runs a command and prints its wall time, its processor time, and its peak memory in kilobytes.
const MEASURE: &str = "import os,sys,time;b=time.monotonic();p=os.posix_spawn(sys.argv[1],sys.argv[1:],os.environ,\
    file_actions=[(os.POSIX_SPAWN_OPEN,1,'/dev/null',os.O_WRONLY,0)]);_,s,u=os.wait4(p,0);\
    print(time.monotonic()-b,u.ru_utime+u.ru_stime,u.ru_maxrss,os.waitstatus_to_exitcode(s))";

fn main() {
    let runs: usize = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(7);
    let emulator = Emulator::moto_alone();
    let mut seeding = vec!["--account", ACCOUNT, "--instances", "128"];
    seeding.extend(REGIONS.split(',').flat_map(|region| ["--region", region]));
    emulator.seed_with(&seeding);
    let recorder = Proxy::record(emulator.url());
    measure(&recorder.url());
    let recording = recorder.recording();
    drop(recorder);
    drop(emulator);

    let mut figures: Vec<[f64; 3]> = Vec::new();
    let mut calls: Vec<String> = Vec::new();
    for _ in 0..runs {
        let replayed = Proxy::replay(recording.clone(), LATENCY);
        figures.push(measure(&replayed.url()));
        calls = replayed.calls().into_iter().map(|call| call.action).collect();
    }
    let mut by_action: BTreeMap<&str, usize> = BTreeMap::new();
    for action in &calls {
        *by_action.entry(action).or_default() += 1;
    }
    println!("4 regions, 512 instances, {} calls at {} ms each, {runs} runs:", calls.len(), LATENCY.as_millis());
    for (index, (name, unit)) in [("wall", "s"), ("cpu", "s"), ("peak memory", "kB")].into_iter().enumerate() {
        let mut values: Vec<f64> = figures.iter().map(|run| run[index]).collect();
        values.sort_by(f64::total_cmp);
        println!("{name:12} {:10.3} {unit} (least {:.3}, most {:.3})", values[runs / 2], values[0], values[runs - 1]);
    }
    for (action, count) in by_action {
        println!("{count:5} {action}");
    }
}

/// Scans at this endpoint: seconds, seconds of processor, kilobytes.
fn measure(endpoint: &str) -> [f64; 3] {
    let output = Command::new("python3")
        .args(["-c", MEASURE, env!("CARGO_BIN_EXE_ssm-audit"), "scan", "--regions", REGIONS, "--format", "json"])
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs([("AWS_ENDPOINT_URL", endpoint), ("AWS_ACCESS_KEY_ID", ACCOUNT), ("AWS_SECRET_ACCESS_KEY", "test")])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text.split_whitespace().map(|figure| figure.parse().unwrap()).collect();
    assert_eq!(figures.get(3), Some(&0.0), "the scan did not find everything in order: {text}");
    [figures[0], figures[1], figures[2]]
}
