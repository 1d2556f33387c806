//! Samples of test matrices: a fourth of the cells by default, all cells where `SSM_AUDIT_TESTS` is `all` (`make test-all`).

use std::sync::LazyLock;

/// One cell of so many is in a sample.
const SHARE: usize = 4;

/// Returns the seed of all samples of this run. It is printed where a test fails, and `SSM_AUDIT_TEST_SEED` sets it.
pub(crate) fn seed() -> u64 {
    static SEED: LazyLock<u64> = LazyLock::new(|| {
        let given = std::env::var("SSM_AUDIT_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        given.unwrap_or_else(|| jiff::Timestamp::now().as_microsecond().unsigned_abs())
    });
    *SEED
}

/// Returns `true` if samples hold all cells.
pub(crate) fn is_whole() -> bool {
    std::env::var_os("SSM_AUDIT_TESTS").is_some_and(|tests| tests == "all")
}

/// Returns every fourth cell, from one that the seed chooses, or all cells.
#[expect(clippy::print_stderr, reason = "who sees a test fail must know which cells were in the sample")]
pub(crate) fn sample<T>(cells: Vec<T>) -> Vec<T> {
    if is_whole() {
        return cells;
    }
    let share = u64::try_from(SHARE.min(cells.len()).max(1)).unwrap();
    let first = usize::try_from(seed() % share).unwrap();
    eprintln!("a sample: every {SHARE}th of {} cells from {first}, SSM_AUDIT_TEST_SEED={}", cells.len(), seed());
    cells.into_iter().skip(first).step_by(SHARE).collect()
}
