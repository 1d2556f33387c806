//! Telling others what a sweep found: a summary, posted once.
//!
//! That it will be sent is written into the history before it is, and what came of it after: a sweep that was killed in
//! between is not told of again, since nobody knows whether it was. What was surely not taken is sent again later.

mod receiver;
mod send;
mod summary;

pub use receiver::{Receiver, ReceiverError};
pub use send::{NotSent, Sender};
pub use summary::{idempotency_key, summary};
