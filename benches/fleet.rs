//! What a sweep costs: many accounts with four regions of fifty instances each, every call answered after 30 ms by a
//! fleet that is not there (the recorded answers of one account, given for all).
//!
//! `cargo bench --bench fleet [-- ACCOUNTS …]`. The figures are those of the whole process, as the operating system
//! counts them.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "figures for people")]

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/emulator.rs"]
mod emulator;
mod measure;
#[expect(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../tests/it/proxy.rs"]
mod proxy;

use std::time::Duration;

use emulator::Emulator;
use proxy::{Proxy, Recording};

const REGIONS: &str = "eu-central-1,eu-west-1,us-east-1,us-west-2";
const TEMPLATE: &str = "123456789012";
const LATENCY: Duration = Duration::from_millis(30);
const CONCURRENCY: u32 = 64;

fn main() {
    let mut sizes: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![100, 1000, 3000];
    }
    let recording = record();
    println!(
        "{:>8} {:>8} {:>8} {:>10} {:>8} {:>10} {:>8}",
        "accounts", "wall s", "cpu s", "memory MB", "calls", "calls/scope", "of ideal"
    );
    for size in sizes {
        let fleet = Proxy::fleet(recording.clone(), TEMPLATE, LATENCY);
        let [wall, cpu, memory] = sweep_all(&fleet.url(), size);
        let calls = u32::try_from(fleet.calls().len()).unwrap();
        let ideal = f64::from(calls) / f64::from(CONCURRENCY) * LATENCY.as_secs_f64();
        let a_scope = f64::from(calls) / f64::from(size * 4);
        println!(
            "{size:>8} {wall:>8.1} {cpu:>8.1} {:>10.1} {calls:>8} {a_scope:>10.1} {:>8.2}",
            memory / 1000.0,
            wall / ideal
        );
    }
}

/// The answers of one account, with a finding in it so that there is something to remember.
fn record() -> Recording {
    let emulator = Emulator::moto_alone();
    let mut seeding = vec!["--account", TEMPLATE, "--instances", "50", "--break", "kms-rotation-enabled"];
    seeding.extend(REGIONS.split(',').flat_map(|region| ["--region", region]));
    emulator.seed_with(&seeding);
    let recorder = Proxy::record(emulator.url());
    sweep(&recorder.url(), &["--accounts", "self"]);
    recorder.recording()
}

fn sweep_all(endpoint: &str, size: u32) -> [f64; 3] {
    let accounts: Vec<String> =
        (0..size).map(|number| format!("{:012}", 200_000_000_000_u64 + u64::from(number))).collect();
    sweep(endpoint, &["--role", "Scan", "--accounts", &accounts.join(",")])
}

/// Sweeps at this endpoint, where something is broken.
fn sweep(endpoint: &str, arguments: &[&str]) -> [f64; 3] {
    let concurrency = CONCURRENCY.to_string();
    let fixed = ["sweep", "--regions", REGIONS, "--format", "json", "--concurrency", &concurrency];
    measure::run(&[&fixed, arguments].concat(), endpoint, TEMPLATE, 1.0)
}
