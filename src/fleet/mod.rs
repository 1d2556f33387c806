//! Many accounts: which there are, the way into each, and reading several at once.
//!
//! What is judged of an account is judged elsewhere; what is read of it, `source::aws` reads. Here is only what
//! there is because there are many.

mod accounts;
mod caller_policy;
pub mod choice;
mod log_archive;
mod organization;
mod reading;
pub mod role;
mod session_policy;
mod shard;
mod store;

pub use accounts::{Fleet, FleetError, LeftOut, Target};
pub use caller_policy::{caller_policy, log_archive};
pub use choice::{Access, Accounts, Choice, LogArchive, Regions};
pub use log_archive::ConfiguredOwner;
pub use reading::{Reading, read};
pub use session_policy::session_policy;
pub use shard::{Shard, ShardChoice};
pub use store::{Store, StoreError};
