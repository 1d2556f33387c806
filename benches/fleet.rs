//! What a sweep costs: many accounts with four regions of instances each, every call answered after 30 ms by a fleet
//! that is not there (the recorded answers of one account, given for all).
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

/// What the accounts of a fleet are like.
struct Kind {
    name: &'static str,
    seeding: &'static [&'static str],
}

/// As the guide has them, with one finding, so that there is something to remember.
const DOCUMENTED: Kind =
    Kind { name: "documented", seeding: &["--instances", "50", "--break", "kms-rotation-enabled"] };

/// Where nothing is referred to, with few and with many instances: the difference is what an instance costs.
const BARE: [Kind; 2] = [
    Kind { name: "bare, 50", seeding: &["--bare", "--instances", "50"] },
    Kind { name: "bare, 200", seeding: &["--bare", "--instances", "200"] },
];

fn main() {
    let mut sizes: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![100, 1000, 3000];
    }
    println!(
        "{:<12} {:>8} {:>8} {:>8} {:>10} {:>8} {:>12} {:>8} {:>12}",
        "kind", "accounts", "wall s", "cpu s", "memory MB", "calls", "calls/region", "of ideal", "ms/region"
    );
    print_rows(&DOCUMENTED, &sizes);
    for kind in BARE {
        print_rows(&kind, &sizes);
    }
}

fn print_rows(kind: &Kind, sizes: &[u32]) {
    let recording = record(kind);
    for size in sizes {
        let fleet = Proxy::fleet(recording.clone(), TEMPLATE, LATENCY);
        let [wall, cpu, memory] = sweep_all(&fleet.url(), *size);
        let calls = u32::try_from(fleet.calls().len()).unwrap();
        let ideal = f64::from(calls) / f64::from(CONCURRENCY) * LATENCY.as_secs_f64();
        let regions = f64::from(size * 4);
        println!(
            "{:<12} {size:>8} {wall:>8.1} {cpu:>8.1} {:>10.1} {calls:>8} {:>12.1} {:>8.2} {:>12.1}",
            kind.name,
            memory / 1000.0,
            f64::from(calls) / regions,
            wall / ideal,
            1000.0 * cpu / regions
        );
    }
}

/// The answers of one account.
fn record(kind: &Kind) -> Recording {
    let emulator = Emulator::moto_alone();
    let regions = REGIONS.split(',').flat_map(|region| ["--region", region]);
    let seeding: Vec<&str> =
        ["--account", TEMPLATE].into_iter().chain(kind.seeding.iter().copied()).chain(regions).collect();
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
