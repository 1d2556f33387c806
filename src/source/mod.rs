//! Where inventories come from. A source reads facts and says what it could not read; it judges nothing.

pub mod aws;
mod progress;
mod shutdown;
pub mod snapshot;

pub use progress::{Outcome, Progress, Quiet};
pub use shutdown::Shutdown;
