//! A part of a fleet, for one of several machines: by account, so that each account is in exactly one part whatever order
//! they are listed in.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// One of so many parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Which, from 1.
    pub number: NonZeroU32,
    /// Of how many.
    pub of: NonZeroU32,
}

/// The variables in which engines say which member of an array a process is, from 0.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode>,
/// <https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html>
const INDEX: [&str; 2] = ["JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX"];

/// The variable in which AWS Batch says how many members there are. Kubernetes does not say.
const SIZE: &str = "AWS_BATCH_JOB_ARRAY_SIZE";

/// A part as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardChoice {
    /// This one.
    Named(Shard),
    /// The one that the environment says, of so many; of as many as it says, without.
    FromEnvironment(Option<NonZeroU32>),
}

impl FromStr for ShardChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is none of 1/4 to 4/4, auto/4 and auto");
        let (number, of) = match text.split_once('/') {
            None if text == "auto" => return Ok(Self::FromEnvironment(None)),
            None => return Err(wrong()),
            Some((number, of)) => (number, of.parse::<NonZeroU32>().ok().ok_or_else(wrong)?),
        };
        if number == "auto" {
            return Ok(Self::FromEnvironment(Some(of)));
        }
        let number = number.parse::<NonZeroU32>().ok().filter(|number| *number <= of).ok_or_else(wrong)?;
        Ok(Self::Named(Shard { number, of }))
    }
}

impl ShardChoice {
    /// The part, with what the environment says (`variable` gives its variables).
    ///
    /// # Errors
    /// Where the environment does not say, or says what cannot be.
    pub fn shard(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
        let of = match self {
            Self::Named(shard) => return Ok(shard),
            Self::FromEnvironment(of) => of,
        };
        let number = |name: &str| variable(name).and_then(|value| value.trim().parse::<u32>().ok());
        let index = INDEX.iter().find_map(|name| number(name));
        let index = index.ok_or_else(|| format!("neither {} nor {} says which part this is", INDEX[0], INDEX[1]))?;
        let of = of.or_else(|| number(SIZE).and_then(NonZeroU32::new));
        let of = of.ok_or_else(|| format!("{SIZE} does not say how many parts there are: say it, as in auto/4"))?;
        let number = NonZeroU32::MIN.saturating_add(index);
        if number > of {
            return Err(format!("the environment says part {index}, counted from 0, and there are {of}"));
        }
        Ok(Shard { number, of })
    }
}

impl Shard {
    /// Whether the account is in this part.
    pub fn holds(&self, subject: &str) -> bool {
        let digest = Sha256::digest(subject);
        let start = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        start % u64::from(self.of.get()) == u64::from(self.number.get() - 1)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_is_in_one_part_and_the_parts_are_alike() {
        let of = NonZeroU32::new(4).expect("4");
        let mut sizes = [0_u32; 4];
        for account in 0..4000 {
            let holding: Vec<u32> = (1..=4)
                .filter(|number| {
                    let number = NonZeroU32::new(*number).expect("a number");
                    Shard { number, of }.holds(&format!("{account:012}"))
                })
                .collect();
            let [number] = holding[..] else { panic!("{account} is in {holding:?}") };
            sizes[number as usize - 1] += 1;
        }
        assert!(sizes.iter().all(|size| (850..1150).contains(size)), "{sizes:?}");
    }

    #[test]
    fn a_part_is_named_or_the_engine_says_it() {
        let read = |text: &str, variables: &[(&str, &str)]| {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            text.parse::<ShardChoice>().and_then(|choice| choice.shard(variable)).map(|shard| shard.to_string())
        };
        assert_eq!(read("2/4", &[]).as_deref(), Ok("2/4"));
        assert_eq!(read("auto/4", &[("JOB_COMPLETION_INDEX", "3")]).as_deref(), Ok("4/4"));
        let batch = [("AWS_BATCH_JOB_ARRAY_INDEX", "0"), ("AWS_BATCH_JOB_ARRAY_SIZE", "7")];
        assert_eq!(read("auto", &batch).as_deref(), Ok("1/7"));
        for wrong in ["0/4", "5/4", "4", "1/0", "", "a/b"] {
            assert!(read(wrong, &[]).is_err(), "{wrong}");
        }
        assert!(read("auto/4", &[]).is_err());
        assert!(read("auto/4", &[("JOB_COMPLETION_INDEX", "4")]).is_err());
        assert!(read("auto", &[("JOB_COMPLETION_INDEX", "1")]).is_err());
    }
}
