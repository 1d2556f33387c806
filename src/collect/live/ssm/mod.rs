//! Systems Manager: the session preferences, the nodes, and default host management.

pub(super) mod host_management;
pub(super) mod nodes;
pub(super) mod preferences;
