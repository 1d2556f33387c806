//! How many resources of an account may be changed at once: a slip in a flag is not to reach a whole account.

use std::fmt;
use std::str::FromStr;

use super::plan::Plan;
use crate::model::AccountId;

/// The most that may be changed at once in an account. What is made anew is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ChangeLimit {
    /// The larger of [`Cap::NUMBER`] and [`Cap::PERCENT`] of the resources.
    #[default]
    Usual,
    /// So many.
    Number(usize),
    /// So much of the resources that the rules judge.
    Percent(usize),
}

impl ChangeLimit {
    /// What may always be changed, unless another cap is given.
    const NUMBER: usize = 10;
    /// Of the resources of an account, in percent.
    const PERCENT: usize = 20;

    /// How many of so many.
    pub(crate) fn most(self, resources: usize) -> usize {
        match self {
            Self::Usual => Self::NUMBER.max(resources * Self::PERCENT / 100),
            Self::Number(most) => most,
            Self::Percent(percent) => resources * percent / 100,
        }
    }

    /// The accounts of which the plan changes more, with what is more.
    pub(crate) fn exceeded(self, plan: &Plan) -> Vec<Excess<'_>> {
        let excess = plan.scopes.iter().map(|(account, extent)| Excess {
            account,
            changed: plan.changed_in(account).len(),
            most: self.most(extent.resources),
            resources: extent.resources,
        });
        excess.filter(|excess| excess.changed > excess.most).collect()
    }
}

impl FromStr for ChangeLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("expected a number such as 25, or a percentage such as 5%, got {text:?}");
        match text.strip_suffix('%') {
            None => text.trim().parse().map(Self::Number).map_err(wrong),
            Some(percent) => match percent.trim().parse().map_err(wrong)? {
                percent @ 0..=100 => Ok(Self::Percent(percent)),
                more => Err(format!("{more}% is more than all")),
            },
        }
    }
}

/// An account of which a plan changes too much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excess<'a> {
    account: &'a AccountId,
    changed: usize,
    most: usize,
    resources: usize,
}

impl Excess<'_> {
    /// The number of resources that it changes.
    pub(crate) fn changed(&self) -> usize {
        self.changed
    }
}

impl fmt::Display for Excess<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, changed, most, resources } = self;
        write!(
            formatter,
            "the plan changes {changed} of the {resources} resources of account {account}, and at most {most} may be changed at once"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_a_number_or_a_percentage() {
        assert_eq!("25".parse(), Ok(ChangeLimit::Number(25)));
        assert_eq!("5%".parse(), Ok(ChangeLimit::Percent(5)));
        assert_eq!("0".parse(), Ok(ChangeLimit::Number(0)));
        for wrong in ["", "-1", "5.5%", "101%", "all", "%"] {
            assert!(wrong.parse::<ChangeLimit>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_usual_cap_is_the_larger_of_ten_and_a_fifth() {
        assert_eq!(ChangeLimit::Usual.most(0), 10);
        assert_eq!(ChangeLimit::Usual.most(54), 10);
        assert_eq!(ChangeLimit::Usual.most(1000), 200);
        assert_eq!(ChangeLimit::Percent(5).most(39), 1);
        assert_eq!(ChangeLimit::Percent(0).most(39), 0);
    }
}
