//! Sources of inventories. A source reads facts and reports gaps; it evaluates no rules.

pub mod live;
mod progress;
mod shutdown;
pub mod snapshot;
pub mod terraform;

pub use progress::{Outcome, Progress, Quiet};
pub use shutdown::Shutdown;
