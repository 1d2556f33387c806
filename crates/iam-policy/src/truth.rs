//! Three-valued logic: Kleene's truth values, and how much of a set of requests a statement matches.
//!
//! Nothing here knows of policies.

/// True, false, or not known. `and`, `or` and `not` are Kleene's: what is known decides if it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// Surely not.
    False,
    /// It depends on something that is not known.
    Unknown,
    /// Surely.
    True,
}

impl Truth {
    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }

    /// True where `lower` is, false where `upper` is not, unknown between the two.
    pub(super) fn between(lower: bool, upper: impl FnOnce() -> bool) -> Self {
        if lower {
            Self::True
        } else if upper() {
            Self::Unknown
        } else {
            Self::False
        }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// How much of what was asked is matched. One question may stand for many requests (`bucket/*`), so
/// that "at least one of them" and "every one of them" differ; for a single request they are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Coverage {
    /// At least one of the requests is matched.
    pub(super) any: Truth,
    /// Every one of the requests is matched.
    pub(super) all: Truth,
}

impl Coverage {
    pub(super) const NOTHING: Self = Self::of(Truth::False);
    pub(super) const EVERYTHING: Self = Self::of(Truth::True);
    pub(super) const UNKNOWN: Self = Self::of(Truth::Unknown);

    /// The coverage of something that does not tell the requests apart.
    pub(super) const fn of(truth: Truth) -> Self {
        Self { any: truth, all: truth }
    }

    /// Both hold. Exact where the two look at independent parts of a request.
    pub(super) fn and(self, other: Self) -> Self {
        Self { any: self.any.and(other.any), all: self.all.and(other.all) }
    }

    /// At least one holds, as far as each tells by itself: two parts may be the whole.
    pub(super) fn or(self, other: Self) -> Self {
        Self { any: self.any.or(other.any), all: self.all.or(other.all) }
    }

    /// What is left over: `NotAction`, `NotResource`.
    pub(super) fn complement(self) -> Self {
        Self { any: !self.all, all: !self.any }
    }

    pub(super) fn is_nothing(self) -> bool {
        self.any == Truth::False
    }

    pub(super) fn is_unknown(self) -> bool {
        self.any == Truth::Unknown || self.all == Truth::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_decides_if_it_can() {
        assert_eq!(Truth::False.and(Truth::Unknown), Truth::False);
        assert_eq!(Truth::True.and(Truth::Unknown), Truth::Unknown);
        assert_eq!(Truth::True.or(Truth::Unknown), Truth::True);
        assert_eq!(Truth::False.or(Truth::Unknown), Truth::Unknown);
        assert_eq!(!Truth::Unknown, Truth::Unknown);
    }

    #[test]
    fn the_complement_of_a_part_is_a_part() {
        let part = Coverage { any: Truth::True, all: Truth::False };
        assert_eq!(part.complement(), part);
        assert_eq!(Coverage::NOTHING.complement(), Coverage::EVERYTHING);
    }
}
