//! Budget of steps for the evaluation of policies. Hostile patterns can take very long to compare. A comparison that
//! exceeds the budget is unknown. The budget counts steps and not time, so results are the same on every machine.

use std::cell::Cell;

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Evaluates a question with a budget of steps. The evaluation must stay on this thread.
pub fn within<T>(steps: u64, evaluate: impl FnOnce() -> T) -> T {
    let before = LEFT.replace(steps);
    let value = evaluate();
    LEFT.set(before);
    value
}

/// Takes steps from the budget. Returns `false`, also for all later calls, if the budget is exceeded.
pub(super) fn spend(steps: usize) -> bool {
    let left = LEFT.get().checked_sub(steps as u64);
    LEFT.set(left.unwrap_or(0));
    left.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_within_is_spent_there_only() {
        assert!(spend(1_000));
        let inside = within(10, || [spend(6), spend(4), spend(1), spend(0)]);
        assert_eq!(inside, [true, true, false, true]);
        assert!(spend(1_000));
    }
}
