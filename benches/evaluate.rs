//! How fast rules are evaluated: one account with many instances against the whole policy `guide`.
//!
//! `cargo bench --bench evaluate [-- INSTANCES]`. Plain rather than by a framework: one long run, on one
//! thread and on all, with the peak memory of the process beside it.

#![expect(clippy::print_stdout, clippy::cast_precision_loss, reason = "figures for people")]

use std::fs;
use std::path::Path;
use std::time::Instant;

use ssm_audit::collect::snapshot;
use ssm_audit::engine::rule;
use ssm_audit::engine::scan::{Passes, Selected, scan};
use ssm_audit::model::{Inventory, Key};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let instances = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let library = rule::embedded().map_err(|errors| format!("{errors:?}"))?;
    let rules: Vec<Selected<'_>> = library
        .rules()
        .filter(|rule| rule.policy == rule::Policy::Guide)
        .map(|rule| Selected::new(rule, None, std::collections::BTreeMap::new()))
        .collect();
    let account = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/account.json");
    let snapshot = snapshot::read(&account)?;
    let inventory = many(snapshot.inventories.into_iter().next().ok_or("the snapshot is empty")?, instances);
    for threads in [1, std::thread::available_parallelism()?.get()] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let began = Instant::now();
        let outcomes = pool.install(|| scan(&inventory, &rules, Passes::Counted));
        let took = began.elapsed();
        let findings = outcomes.findings.len() as u64;
        let evaluations = outcomes.passes + outcomes.not_applicable + findings;
        let rate = evaluations as f64 / took.as_secs_f64();
        println!(
            "{instances} instances, {} rules, {threads} threads: {evaluations} evaluations ({} pass, {} not applicable, \
             {findings} findings) in {:.2} s, {:.0} a second, {:.0} a second a thread, peak {} MB",
            rules.len(),
            outcomes.passes,
            outcomes.not_applicable,
            took.as_secs_f64(),
            rate,
            rate / threads as f64,
            peak_megabytes(),
        );
    }
    Ok(())
}

/// The account with this many instances, each like the first, with a key of its own.
fn many(mut inventory: Inventory, instances: usize) -> Inventory {
    let first = inventory.instances.first_key_value().map(|(key, entry)| (key.clone(), entry.clone()));
    if let Some((key, entry)) = first {
        for number in 1..instances {
            inventory.instances.insert(Key { id: format!("i-{number:08x}").into(), ..key.clone() }, entry.clone());
        }
    }
    inventory
}

/// The most memory that this process has had, by the kernel's own count.
fn peak_megabytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}
