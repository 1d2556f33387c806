//! How fast an account is asked: so many calls a second of each service and region, after a burst. That is below where AWS
//! begins to throttle, and leaves room for the account's own callers. What is throttled all the same, the SDK asks again
//! after a pause.
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>,
//! <https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html>

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::Region;

/// Calls a second, and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    a_second: u32,
    at_once: u32,
}

const fn limit(service: &str) -> Limit {
    match service.as_bytes() {
        b"ec2" => Limit { a_second: 20, at_once: 100 },
        b"iam" => Limit { a_second: 15, at_once: 30 },
        b"kms" => Limit { a_second: 50, at_once: 100 },
        b"s3" => Limit { a_second: 100, at_once: 100 },
        _ => Limit { a_second: 10, at_once: 20 },
    }
}

/// The pace of one account. Every call of it goes through here.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<BTreeMap<(&'static str, Option<Region>), Instant>>);

impl Pace {
    /// Waits until the next call may be made.
    pub(super) async fn keep(&self, service: &'static str, region: Option<&Region>) {
        let now = Instant::now();
        let wait = {
            let mut due = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let due = due.entry((service, region.cloned())).or_insert(now);
            let (next, wait) = take(limit(service), *due, now);
            *due = next;
            wait
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }
}

/// When all calls up to this one would be due at an even pace, and how long it has to wait.
fn take(limit: Limit, due: Instant, now: Instant) -> (Instant, Duration) {
    let apart = Duration::from_secs(1) / limit.a_second;
    let due = due.max(now) + apart;
    (due, (due - now).saturating_sub(apart * limit.at_once))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_what_follows_at_an_even_pace() {
        let limit = Limit { a_second: 10, at_once: 3 };
        let begun = Instant::now();
        let mut due = begun;
        let mut waits = Vec::new();
        for _ in 0..5 {
            let (next, wait) = take(limit, due, begun);
            due = next;
            waits.push(wait.as_millis());
        }
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        // After a while there may be a burst again.
        assert_eq!(take(limit, due, begun + Duration::from_secs(2)).1, Duration::ZERO);
    }
}
