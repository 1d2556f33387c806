//! Systems Manager: the session preferences, the nodes, and default host management.

mod content;
pub(super) mod host_management;
pub(super) mod nodes;
pub(super) mod preferences;
