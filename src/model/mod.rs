//! What there is to know: facts and gaps, resources by service, the inventory, findings and the report.
//! Nothing here reads or judges anything.

pub(crate) mod arn;
pub mod call;
pub mod discovery;
pub mod fact;
mod fail_on;
pub mod finding;
pub mod gap;
pub mod ids;
pub mod inventory;
pub mod provenance;
pub mod rule_info;
pub mod schema;
pub mod symbol;
pub(crate) mod version;

pub use fact::Fact;
pub use fail_on::FailOn;
pub use finding::{Evidence, Finding, Report, ResourceRef, Severity, Summary, Verdict};
pub use gap::{Gap, GapKind};
pub use ids::{AccountId, Key, Link, Partition, Region};
pub use inventory::{Entry, Inventory, Resource, ResourceType, Scope, Source, Table, Unlisted};
pub use provenance::Provenance;
pub use rule_info::{ControlInfo, RemediationInfo, RuleInfo};
