//! Budget of an evaluation: maximum number of steps and of allocated bytes. Both are counted and never
//! measured, so that the same code has the same result on every machine. Values that would exceed the budget
//! are unknown; all others are evaluated.

use std::cell::Cell;

/// Maximum number of steps of a scan: evaluated expressions, compared and copied elements, files. The limit
/// is ten times the need of the largest of 2,800 folders of public code (November 2026): 483,000 for
/// GoogleCloudPlatform/cloud-foundation-fabric `fast/stages/0-org-setup`, and in AWS 449,000 for
/// ministryofjustice/modernisation-platform `core-shared-services`.
const STEPS: u64 = 5_000_000;

/// Maximum number of bytes of a scan: the size of values, texts, modules and resources when they are created,
/// including those that are dropped again. The same folders need 13 MB and 11 MB.
const BYTES: u64 = 192 << 20;

/// Size of an element of a collection in bytes.
const ELEMENT: usize = 32;

/// Number of bytes of a text that one step reads.
pub(crate) const TEXT: usize = 32;

/// Divisor: one attribute may spend this fraction of the remaining budget, so that an expensive attribute
/// leaves enough for the others.
const SHARE: u64 = 8;

/// The remaining budget.
#[derive(Debug)]
pub(crate) struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    /// Minimum that must remain of both.
    reserve: Cell<(u64, u64)>,
}

impl Budget {
    /// The budget of a scan.
    pub(super) fn of_scan() -> Self {
        Self::new(STEPS, BYTES)
    }

    /// A budget for something small.
    pub(super) fn small() -> Self {
        Self::new(STEPS / 100, BYTES / 100)
    }

    fn new(steps: u64, bytes: u64) -> Self {
        Self { steps: Cell::new(steps), bytes: Cell::new(bytes), reserve: Cell::default() }
    }

    /// Spends steps and bytes; returns `false` if the budget does not suffice. A refused request costs a
    /// step, too, since such a request may be repeated often.
    pub(super) fn spend(&self, steps: usize, bytes: usize) -> bool {
        let after = |cell: &Cell<u64>, amount: usize, reserve: u64| {
            cell.get().checked_sub(amount as u64).filter(|left| amount == 0 || *left >= reserve)
        };
        let reserve = self.reserve.get();
        let left = (after(&self.steps, steps, reserve.0), after(&self.bytes, bytes, reserve.1));
        let (Some(steps), Some(bytes)) = left else {
            self.steps.set(self.steps.get().saturating_sub(1));
            return false;
        };
        self.steps.set(steps);
        self.bytes.set(bytes);
        true
    }

    /// Runs a closure that may spend a share of the remaining budget.
    pub(crate) fn share<T>(&self, spend: impl FnOnce() -> T) -> T {
        let keep = |left: u64| left - left / SHARE;
        let before = self.reserve.get();
        let reserve = (keep(self.steps.get()).max(before.0), keep(self.bytes.get()).max(before.1));
        self.reserve.set(reserve);
        let spent = spend();
        self.reserve.set(before);
        spent
    }

    /// Spends steps and bytes for an object as a whole, such as a resource. Half of the budget is reserved
    /// for the contents of such objects.
    pub(super) fn spend_on_whole(&self, steps: usize, bytes: usize) -> bool {
        let before = self.reserve.replace((STEPS / 2, BYTES / 2));
        let spent = self.spend(steps, bytes);
        self.reserve.set(before);
        spent
    }

    /// Spends the cost of this number of elements of a collection.
    pub(crate) fn elements(&self, count: usize) -> bool {
        self.spend(count, count.saturating_mul(ELEMENT))
    }

    /// Spends the cost of a text of this number of bytes.
    pub(crate) fn text(&self, length: usize) -> bool {
        self.spend(length / TEXT + 1, length)
    }

    /// Subtracts steps and bytes that were spent elsewhere.
    pub(crate) fn take(&self, steps: u64, bytes: u64) {
        self.steps.set(self.steps.get().saturating_sub(steps));
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
    }

    /// Steps and bytes spent of the budget of a scan.
    pub(super) fn spent(&self) -> (u64, u64) {
        (STEPS - self.steps.get(), BYTES - self.bytes.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_is_refused_and_costs_a_step() {
        let budget = Budget::new(10, 1_000);
        assert!(budget.elements(4) && budget.text(64));
        assert!(!budget.spend(1, 1_000));
        assert!(budget.spend(1, 0));
        assert!(!budget.spend(2, 0));
        assert!(!budget.spend(1, 0));
        let budget = Budget::new(800, 8_000);
        assert!(!budget.share(|| budget.spend(101, 0)) && !budget.share(|| budget.spend(0, 1_001)));
        assert!(budget.share(|| budget.spend(90, 900)) && budget.spend(500, 5_000));
        assert!(!Budget::new(usize::MAX as u64, 10).text(11));
        assert!(!Budget::new(10, 10).elements(usize::MAX));
    }
}
