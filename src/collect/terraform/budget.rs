//! Budget of an evaluation: how many steps it may take and how many bytes it may make. Both are counted and never
//! measured, so that the same code comes to the same result on every machine. What would go over the budget is not
//! known, and the rest is.

use std::cell::Cell;

/// The steps of a scan: evaluated expressions, compared and copied elements, files. Ten times what the largest of 2,800
/// folders of public code needs (November 2026): 483,000 for GoogleCloudPlatform/cloud-foundation-fabric
/// `fast/stages/0-org-setup`, and in AWS 449,000 for ministryofjustice/modernisation-platform `core-shared-services`.
const STEPS: u64 = 5_000_000;

/// The bytes of a scan: what values, texts, modules and resources take when they are made, whether they last or not. The
/// same folders need 13 MB and 11 MB.
const BYTES: u64 = 192 << 20;

/// The bytes of an element of a collection.
const ELEMENT: usize = 32;

/// How many bytes of a text are read in the time of a step.
pub(crate) const TEXT: usize = 32;

/// The part of what is left that one attribute may take, so that one that takes too much leaves enough for the others.
const SHARE: u64 = 8;

/// What is left to spend.
#[derive(Debug)]
pub(crate) struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
    /// What must be left of both.
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

    /// Spends so much; `false` where it is not there. To ask for too much costs a step, too: it may be asked often.
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

    /// Does something that may take a share of what is left.
    pub(crate) fn share<T>(&self, spend: impl FnOnce() -> T) -> T {
        let keep = |left: u64| left - left / SHARE;
        let before = self.reserve.get();
        let reserve = (keep(self.steps.get()).max(before.0), keep(self.bytes.get()).max(before.1));
        self.reserve.set(reserve);
        let spent = spend();
        self.reserve.set(before);
        spent
    }

    /// Spends so much for what is there as a whole, such as a resource: half of the budget stays for what is in it.
    pub(super) fn spend_on_whole(&self, steps: usize, bytes: usize) -> bool {
        let before = self.reserve.replace((STEPS / 2, BYTES / 2));
        let spent = self.spend(steps, bytes);
        self.reserve.set(before);
        spent
    }

    /// Spends what so many elements of a collection take.
    pub(crate) fn elements(&self, count: usize) -> bool {
        self.spend(count, count.saturating_mul(ELEMENT))
    }

    /// Spends what a text of so many bytes takes.
    pub(crate) fn text(&self, length: usize) -> bool {
        self.spend(length / TEXT + 1, length)
    }

    /// Takes away what was spent elsewhere.
    pub(crate) fn take(&self, steps: u64, bytes: u64) {
        self.steps.set(self.steps.get().saturating_sub(steps));
        self.bytes.set(self.bytes.get().saturating_sub(bytes));
    }

    /// What was spent of the budget of a scan: steps and bytes.
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
