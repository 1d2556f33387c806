//! What goes wrong with calls, and with which.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Call;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The service's own access-denied error.
    Denied,
    /// The service's own throttling error.
    Throttled,
    /// The service's own internal error, status 500.
    ServerError,
    /// The service's own error for credentials that have run out.
    ExpiredCredentials,
    /// An error with this status and code, framed as the service frames its errors.
    Refused { status: u16, code: &'static str, message: &'static str },
    /// The server does what was asked, and the answer is the service's own internal error, status 500.
    ServerErrorAfter,
    /// The server does what was asked, and the connection closes without an answer.
    AnswerLost,
    /// Waits for the test before the server sees the call; see `Proxy::held`.
    HoldBefore,
    /// The server does what was asked, and the answer waits for the test; see `Proxy::held`.
    HoldAfter,
    /// No answer until the client goes away.
    Hang,
    /// Headers and half the body, then the connection closes; where there is no body, no answer at all.
    Cut,
    /// Half the body, framed as if it were whole.
    Truncated,
    /// Status 200 and bytes that are neither XML nor JSON.
    Garbage,
    /// The server is asked for two results a page, whatever the client would have.
    ShortPages,
    /// A page with nothing but a token, which leads to the server's own first page.
    EmptyFirstPage,
    /// A page with nothing but a token, which leads to the same page again.
    SameToken,
    /// The right answer, later. Adds to any other fault.
    Late(Duration),
}

/// Which calls fail, and how. All conditions must hold; `nth` counts the calls for which the others do.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    actions: Actions,
    region: Option<String>,
    containing: Option<String>,
    nth: Option<usize>,
    every: Option<usize>,
    limit: Option<f64>,
    and_repeats: bool,
    first_time: bool,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Actions {
    Matching(String),
    Mutating,
}

/// A fault that was injected, and what it has met.
pub(super) struct Injected {
    fault: Fault,
    /// How many calls it matched.
    seen: usize,
    /// The nth of them, for a fault of that call and its repeats; all of them, for one of calls that are no repeats.
    met: Vec<Call>,
    /// How many calls a limit would let through now, by account, service and region, and when that was so.
    left: BTreeMap<(String, String, String), (f64, Instant)>,
}

impl Fault {
    /// `action` is `service:Operation`, `service:*` or `*`, the service being its signing name.
    pub(crate) fn on(action: &str, kind: Kind) -> Self {
        Self::of(Actions::Matching(action.to_owned()), kind)
    }

    /// Calls that change something.
    pub(crate) fn on_mutating(kind: Kind) -> Self {
        Self::of(Actions::Mutating, kind)
    }

    fn of(actions: Actions, kind: Kind) -> Self {
        Self {
            actions,
            region: None,
            containing: None,
            nth: None,
            every: None,
            limit: None,
            and_repeats: false,
            first_time: false,
            kind,
        }
    }

    /// Only calls signed for this region.
    pub(crate) fn in_region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// Only calls whose path, query or body has this text, such as the id of a resource.
    pub(crate) fn containing(mut self, text: &str) -> Self {
        self.containing = Some(text.to_owned());
        self
    }

    /// Only the nth such call, from 1.
    pub(crate) fn nth(mut self, nth: usize) -> Self {
        self.nth = Some(nth);
        self
    }

    /// Only one in so many such calls.
    pub(crate) fn one_in(mut self, every: usize) -> Self {
        self.every = Some(every);
        self
    }

    /// Only what is over so many calls a second of one account, service and region, after as many at once.
    pub(crate) fn over(mut self, a_second: f64) -> Self {
        self.limit = Some(a_second);
        self
    }

    /// With `nth`: that call and every later one that asks for just the same, such as a retry.
    pub(crate) fn and_repeats(mut self) -> Self {
        self.and_repeats = true;
        self
    }

    /// Not a call that asks for just the same as an earlier one, such as a retry.
    pub(crate) fn first_time(mut self) -> Self {
        self.first_time = true;
        self
    }

    fn matches(&self, call: &Call) -> bool {
        let action = match &self.actions {
            Actions::Mutating => call.is_mutating(),
            Actions::Matching(action) => match action.strip_suffix('*') {
                Some(start) => call.action.starts_with(start),
                None => call.action == *action,
            },
        };
        action
            && self.region.as_ref().is_none_or(|region| *region == call.region)
            && self.containing.as_ref().is_none_or(|text| call.target.contains(text) || call.body.contains(text))
    }
}

impl Injected {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, seen: 0, met: Vec::new(), left: BTreeMap::new() }
    }

    pub(super) fn kind(&self) -> Kind {
        self.fault.kind
    }

    pub(super) fn strikes(&mut self, call: &Call) -> bool {
        if !self.fault.matches(call) {
            return false;
        }
        let repeats = self.met.iter().any(|met| met.repeats(call));
        if self.fault.first_time {
            self.met.push(call.clone());
            if repeats {
                return false;
            }
        }
        if let Some(limit) = self.fault.limit {
            let service = call.action.split(':').next().unwrap_or_default().to_owned();
            let now = Instant::now();
            let place = (call.access_key.clone(), service, call.region.clone());
            let (left, since) = self.left.entry(place).or_insert((limit, now));
            *left = (*left + now.duration_since(*since).as_secs_f64() * limit).min(limit);
            *since = now;
            if *left >= 1.0 {
                *left -= 1.0;
                return false;
            }
        }
        self.seen += 1;
        if self.fault.every.is_some_and(|every| !self.seen.is_multiple_of(every)) {
            return false;
        }
        let Some(nth) = self.fault.nth else { return true };
        if self.fault.and_repeats && nth == self.seen {
            self.met.push(call.clone());
        }
        nth == self.seen || (self.fault.and_repeats && repeats)
    }
}
