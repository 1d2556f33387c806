//! What is being read at this moment, for a display. Nothing here writes anything.

use crate::model::call::Call;
use crate::model::{AccountId, Region};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It gave an answer; that something does not exist is one.
    Answered,
    /// It gave none.
    Failed,
}

/// Is told of each call. Calls run side by side, so starts and ends of different calls mix.
pub trait Progress: Send + Sync {
    /// A call is about to be made; `region` is none for calls to services without regions.
    fn started(&self, account: &AccountId, region: Option<&Region>, call: &Call);

    /// That call has ended, after the SDK's own retries.
    fn finished(&self, account: &AccountId, region: Option<&Region>, call: &Call, outcome: Outcome);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn started(&self, _: &AccountId, _: Option<&Region>, _: &Call) {}

    fn finished(&self, _: &AccountId, _: Option<&Region>, _: &Call, _: Outcome) {}
}
