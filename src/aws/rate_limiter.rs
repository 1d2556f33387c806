//! How fast an account is asked: so many calls a second of each service and region, after a burst. That is below where AWS
//! begins to throttle, and leaves room for the account's own callers. What is throttled all the same, the SDK asks again
//! after a pause, and meanwhile the rest is asked at half the pace, which then grows with each call.
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>,
//! <https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html>

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use tokio::time::Instant;

use super::retry::is_throttled;
use crate::model::Region;

/// Calls a second, and how many may come at once.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Limit {
    a_second: f64,
    at_once: f64,
}

const fn limit(service: &str) -> Limit {
    match service.as_bytes() {
        b"ec2" => Limit { a_second: 20.0, at_once: 100.0 },
        b"iam" => Limit { a_second: 15.0, at_once: 30.0 },
        b"kms" => Limit { a_second: 50.0, at_once: 100.0 },
        b"s3" | b"sts" => Limit { a_second: 100.0, at_once: 100.0 },
        _ => Limit { a_second: 10.0, at_once: 20.0 },
    }
}

/// However much is throttled, it goes on at this pace.
const LEAST: f64 = 1.0;

/// In how many calls a pace grows from nothing to what it was.
const GROWTH: f64 = 60.0;

/// One burst is throttled many times, and slows down once.
const ONCE_IN: Duration = Duration::from_secs(1);

/// The pace of one account. Every call of it goes through here.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<BTreeMap<Place, Arc<Lane>>>);

/// A service of a region.
type Place = (&'static str, Option<Region>);

/// The calls of one service and region, which go one after the other.
#[derive(Debug)]
struct Lane {
    /// Who waits for his turn holds it, in the order of coming.
    turn: tokio::sync::Mutex<()>,
    speed: Mutex<Speed>,
}

impl Lane {
    fn speed(&self) -> MutexGuard<'_, Speed> {
        self.speed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy)]
struct Speed {
    full: Limit,
    /// What was learnt from being throttled, and when.
    slowed: Option<(f64, Instant)>,
    /// When all calls so far would be due at an even pace.
    due: Option<Instant>,
}

impl Speed {
    fn of(service: &str) -> Self {
        Self { full: limit(service), slowed: None, due: None }
    }

    /// Counts a call that would be made now, and says how long it has to wait.
    fn take(&mut self, now: Instant) -> Duration {
        let limit = self.next();
        let apart = Duration::from_secs_f64(1.0 / limit.a_second);
        let due = self.due.unwrap_or(now).max(now) + apart;
        self.due = Some(due);
        (due - now).saturating_sub(apart.mul_f64(limit.at_once))
    }

    /// The limit for the next call.
    fn next(&mut self) -> Limit {
        let Some((a_second, since)) = self.slowed else { return self.full };
        let faster = a_second + self.full.a_second / GROWTH;
        self.slowed = (faster < self.full.a_second).then_some((faster, since));
        Limit { a_second, at_once: 1.0 }
    }

    fn throttled(&mut self, now: Instant) {
        let (a_second, since) = self.slowed.unwrap_or((self.full.a_second, now - ONCE_IN));
        if now.duration_since(since) >= ONCE_IN {
            self.slowed = Some(((a_second / 2.0).max(LEAST), now));
        }
    }
}

impl Pace {
    fn lane(&self, service: &'static str, region: Option<&Region>) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes.entry((service, region.cloned())).or_insert_with(|| {
            Arc::new(Lane { turn: tokio::sync::Mutex::default(), speed: Mutex::new(Speed::of(service)) })
        });
        Arc::clone(lane)
    }

    /// Waits until the next call may be made.
    pub(crate) async fn keep(&self, service: &'static str, region: Option<&Region>) {
        let lane = self.lane(service, region);
        let _turn = lane.turn.lock().await;
        let wait = lane.speed().take(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    fn throttled(&self, service: &'static str, region: Option<&Region>) {
        self.lane(service, region).speed().throttled(Instant::now());
    }

    /// Counts a call that is made again. It has waited for long enough: those that come after it wait for it.
    fn repeated(&self, service: &'static str, region: Option<&Region>) {
        self.lane(service, region).speed().take(Instant::now());
    }
}

/// Tells the pace of calls that are made again, and of answers that say that there are too many. Stands in every
/// client for reading.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) pace: Arc<Pace>,
    pub(crate) service: &'static str,
    pub(crate) region: Option<Region>,
}

impl Intercept for Listener {
    fn name(&self) -> &'static str {
        "PaceListener"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        state: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if state.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1) {
            self.pace.repeated(self.service, self.region.as_ref());
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if context.response().is_some_and(is_throttled) {
            self.pace.throttled(self.service, self.region.as_ref());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_what_follows_at_an_even_pace() {
        let begun = Instant::now();
        let mut speed = Speed { full: Limit { a_second: 10.0, at_once: 3.0 }, ..Speed::of("ec2") };
        let mut wait = || speed.take(begun).as_millis();
        assert_eq!([wait(), wait(), wait(), wait(), wait()], [0, 0, 0, 100, 200]);
        // After a while there may be a burst again.
        assert_eq!(speed.take(begun + Duration::from_secs(2)), Duration::ZERO);
    }

    /// A thousand calls to a service that answers five a second, where fifteen would be usual: how many are throttled.
    #[test]
    fn under_a_hard_limit_few_calls_are_made_in_vain() {
        let mut now = Instant::now();
        let mut speed = Speed::of("iam");
        let (mut tokens, mut refilled) = (5.0_f64, now);
        let (mut calls, mut throttled) = (0, 0);
        while calls - throttled < 1000 {
            now += speed.take(now);
            tokens = ((now - refilled).as_secs_f64() * 5.0 + tokens).min(5.0);
            refilled = now;
            calls += 1;
            if tokens >= 1.0 {
                tokens -= 1.0;
            } else {
                throttled += 1;
                speed.throttled(now);
            }
        }
        assert!(throttled < 300, "{throttled} of {calls}");
    }

    #[test]
    fn a_throttle_now_and_then_does_not_make_it_crawl() {
        let mut now = Instant::now();
        let begun = now;
        let mut speed = Speed::of("ec2");
        for call in 0..600 {
            now += speed.take(now);
            if call % 10 == 0 {
                speed.throttled(now);
            }
        }
        // Five a second and more, where twenty are the full pace.
        assert!(now - begun < Duration::from_secs(150), "{:?}", now - begun);
    }

    #[test]
    fn what_is_asked_again_takes_the_place_of_what_would_come_next() {
        let now = Instant::now();
        let (mut calm, mut repeating) = (Speed::of("iam"), Speed::of("iam"));
        for speed in [&mut calm, &mut repeating] {
            speed.throttled(now);
            speed.take(now);
        }
        repeating.take(now);
        assert!(repeating.take(now) > calm.take(now));
    }
}
