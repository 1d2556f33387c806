//! Progress events of calls, for a display. This module writes no output.

use crate::model::call::Call;
use crate::model::{AccountId, Region};

/// Outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The call returned an answer. That a resource does not exist is an answer, too.
    Answered,
    /// The call returned no answer.
    Failed,
}

/// Observer of calls. Calls run concurrently, so starts and ends of different calls interleave.
pub trait Progress: Send + Sync {
    /// A call is about to be made; `region` is none for calls to services without regions.
    fn started(&self, account: &AccountId, region: Option<&Region>, call: &Call);

    /// The call has ended, after the SDK's own retries.
    fn finished(&self, account: &AccountId, region: Option<&Region>, call: &Call, outcome: Outcome);
}

/// Progress observer that shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn started(&self, _: &AccountId, _: Option<&Region>, _: &Call) {}

    fn finished(&self, _: &AccountId, _: Option<&Region>, _: &Call, _: Outcome) {}
}
