//! Where inventories come from. A source reads facts and says what it could not read; it judges nothing.

pub mod live;
mod progress;
mod shutdown;
pub mod snapshot;
pub mod terraform;

pub use progress::{Outcome, Progress, Quiet};
pub use shutdown::Shutdown;
