//! What the readings of many accounts share: how many calls may run at once in all, and which services are silent.
//!
//! A region that does not answer at all would cost every account its whole patience. So after some calls in a row
//! without an answer, from whatever accounts, a service of a region is asked by one call at a time until it answers
//! again; all others are gaps at once. That is never so for a service that answers, however slowly it does.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::model::call::Call;
use crate::model::{Gap, GapKind, Region};

/// How many calls in a row must be without an answer.
const PATIENCE: u32 = 8;

/// What the readings of many accounts share.
#[derive(Debug)]
pub struct Shared {
    pub(crate) permits: Semaphore,
    silent: Mutex<BTreeMap<Place, Silence>>,
}

/// A service of a region.
type Place = (&'static str, Option<Region>);

#[derive(Debug, Default)]
struct Silence {
    calls: u32,
    asked: bool,
}

/// Whether a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leave {
    /// As any other.
    Ask,
    /// To find out whether there are answers again. What comes of it must be told, or nobody asks again.
    Probe,
    /// Not: nobody got an answer.
    Spare,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer, be it an error.
    Answer,
    /// None, for as long as was waited.
    Nothing,
    /// It was broken off.
    NotWaitedFor,
}

impl Shared {
    /// With so many calls at once in all.
    pub fn new(concurrency: NonZeroUsize) -> Self {
        Self { permits: Semaphore::new(concurrency.get()), silent: Mutex::default() }
    }

    fn silent(&self) -> MutexGuard<'_, BTreeMap<Place, Silence>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this call is worth making.
    pub(crate) fn leave(&self, call: &Call, region: Option<&Region>) -> Leave {
        let mut silent = self.silent();
        let Some(silence) = silent.get_mut(&(call.service, region.cloned())) else { return Leave::Ask };
        if silence.calls < PATIENCE {
            Leave::Ask
        } else if silence.asked {
            Leave::Spare
        } else {
            silence.asked = true;
            Leave::Probe
        }
    }

    /// Notes what came of a call.
    pub(crate) fn heard(&self, call: &Call, region: Option<&Region>, leave: Leave, heard: Heard) {
        let place = (call.service, region.cloned());
        let mut silent = self.silent();
        match heard {
            Heard::Answer => {
                silent.remove(&place);
            }
            Heard::Nothing => silent.entry(place.clone()).or_default().calls += 1,
            Heard::NotWaitedFor => {}
        }
        if let (Leave::Probe, Some(silence)) = (leave, silent.get_mut(&place)) {
            silence.asked = false;
        }
    }
}

/// The gap of a call that was not made.
pub(crate) fn spared(call: &Call) -> Gap {
    Gap::of_call(GapKind::Timeout, call.to_string()).with_message("the service answered no account")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::call::{DESCRIBE_INSTANCES, DESCRIBE_KEY};

    #[test]
    fn a_silent_service_is_asked_by_one_call_at_a_time_until_it_answers() {
        let shared = Shared::new(NonZeroUsize::MIN);
        let (here, there): (Region, Region) =
            ("us-east-1".parse().expect("a region"), "eu-west-1".parse().expect("a region"));
        let leave = || shared.leave(&DESCRIBE_INSTANCES, Some(&here));
        let heard = |leave, heard| shared.heard(&DESCRIBE_INSTANCES, Some(&here), leave, heard);
        for _ in 1..PATIENCE {
            heard(Leave::Ask, Heard::Nothing);
        }
        assert_eq!(leave(), Leave::Ask);
        heard(Leave::Ask, Heard::Nothing);
        assert_eq!([leave(), leave(), leave()], [Leave::Probe, Leave::Spare, Leave::Spare]);
        // Elsewhere nothing changes.
        assert_eq!(shared.leave(&DESCRIBE_INSTANCES, Some(&there)), Leave::Ask);
        assert_eq!(shared.leave(&DESCRIBE_KEY, Some(&here)), Leave::Ask);
        heard(Leave::Probe, Heard::NotWaitedFor);
        assert_eq!(leave(), Leave::Probe);
        heard(Leave::Probe, Heard::Nothing);
        assert_eq!([leave(), leave()], [Leave::Probe, Leave::Spare]);
        heard(Leave::Probe, Heard::Answer);
        assert_eq!([leave(), leave()], [Leave::Ask, Leave::Ask]);
    }
}
