//! A short run of each target: its seeds, and changes of them that are the same each time.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{TARGETS, Target};

/// The time that an input may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Pieces that are put in: each means something in one of the forms.
const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b"\"",
    b"${",
    b"%{",
    b"=",
    b":",
    b",",
    b"\n",
    b"*",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"99999999999",
    b"\0",
    b"\xff",
    b"\xee\x80\x80",
    "\u{feff}".as_bytes(),
    b"&a ",
    b"*a",
    b"<<: ",
    b"<a>",
    b"</a>",
    b"<item>",
    b"&amp;",
    b"\\u0000",
    b"@{1.Id}",
    b"%41",
    b"var.hidden",
    b"for_each",
    b"count",
    b"arn:aws:iam::*:role/*",
];

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        // <https://www.jstatsoft.org/article/view/v008i14>
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound.max(1) as u64)).unwrap_or_default()
    }
}

/// A seed with some changes.
fn changed(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut input = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(4) {
        let start = numbers.below(input.len() + 1);
        let end = (start + numbers.below(24)).min(input.len());
        match numbers.below(5) {
            0 if start < input.len() => input[start] ^= 1 << numbers.below(8),
            1 => drop(input.drain(start..end)),
            2 => {
                let part = input[start..end].to_vec();
                input.splice(end..end, part);
            }
            3 => {
                let other = &seeds[numbers.below(seeds.len())];
                let from = numbers.below(other.len() + 1);
                let part = other[from..(from + numbers.below(200)).min(other.len())].to_vec();
                input.splice(start..end, part);
            }
            _ => drop(input.splice(start..start, WORDS[numbers.below(WORDS.len())].iter().copied())),
        }
    }
    input
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).expect("seeds").map(|entry| entry.expect("a seed").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// Runs a target on its seeds and on so many changes of them.
fn run(name: &str, changes: usize) {
    let (_, target): &(_, Target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let seeds = seeds(name);
    let mut numbers = Numbers(0x2026_1130);
    let changed: Vec<Vec<u8>> = (0..changes).map(|_| changed(&seeds, &mut numbers)).collect();
    for input in seeds.iter().chain(&changed) {
        let began = Instant::now();
        let held = std::panic::catch_unwind(|| target(input));
        assert!(held.is_ok(), "{name}: {}", input.escape_ascii());
        assert!(began.elapsed() < LONGEST, "{name} takes too long: {}", input.escape_ascii());
    }
}

#[test]
fn each_target_has_a_file_and_seeds() {
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut files: Vec<String> = fs::read_dir(fuzz.join("fuzz_targets"))
        .expect("targets")
        .filter_map(|entry| entry.expect("a target").file_name().to_str()?.strip_suffix(".rs").map(str::to_owned))
        .collect();
    files.sort();
    assert_eq!(files, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    assert!(TARGETS.iter().all(|(name, _)| !seeds(name).is_empty()));
}

/// A test for each target, with the number of changes that take some seconds where nothing is optimised.
macro_rules! short_runs {
    ($($test:ident: $name:literal, $changes:literal;)*) => {
        $(#[test]
        fn $test() {
            run($name, $changes);
        })*
    };
}

short_runs! {
    answers_of_aws_are_read_or_refused: "aws", 15;
    code_is_read_or_refused: "hcl", 40;
    plans_of_fix_are_shown_or_refused: "plan", 60;
    policies_are_evaluated_or_refused: "policy", 300;
    snapshots_are_read_or_refused: "snapshot", 40;
    states_are_read_or_refused: "state", 100;
    plans_of_terraform_are_read_or_refused: "terraform_plan", 40;
    values_of_variables_are_read_or_refused: "tfvars", 60;
    yaml_is_read_or_refused: "yaml", 40;
}
