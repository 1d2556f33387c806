//! What a scan costs: four regions with 128 instances each, every answer recorded from an emulated account
//! and replayed with 20 ms of latency, so that the emulator's own slowness does not count.
//!
//! `cargo bench --bench scan [-- RUNS]`. The figures are those of the whole process, as the operating
//! system counts them.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "figures for people")]

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/it/emulator.rs"]
mod emulator;
mod measure;
#[expect(dead_code, unused_imports, reason = "the tests use the rest")]
#[path = "../tests/it/proxy.rs"]
mod proxy;

use std::collections::BTreeMap;
use std::time::Duration;

use emulator::Emulator;
use proxy::Proxy;

const REGIONS: &str = "eu-central-1,eu-west-1,us-east-1,us-west-2";
const ACCOUNT: &str = "123456789012";
const LATENCY: Duration = Duration::from_millis(20);

fn main() {
    let runs: usize = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(7);
    let emulator = Emulator::moto_alone();
    let mut seeding = vec!["--account", ACCOUNT, "--instances", "128"];
    seeding.extend(REGIONS.split(',').flat_map(|region| ["--region", region]));
    emulator.seed_with(&seeding);
    let recorder = Proxy::record(emulator.url());
    scan(&recorder.url());
    let recording = recorder.recording();
    drop(recorder);
    drop(emulator);

    let mut figures: Vec<[f64; 3]> = Vec::new();
    let mut calls: Vec<String> = Vec::new();
    for _ in 0..runs {
        let replayed = Proxy::replay(recording.clone(), LATENCY);
        figures.push(scan(&replayed.url()));
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

/// Scans at this endpoint, where everything is in order.
fn scan(endpoint: &str) -> [f64; 3] {
    measure::run(&["scan", "--regions", REGIONS, "--format", "json"], endpoint, ACCOUNT, 0.0)
}
