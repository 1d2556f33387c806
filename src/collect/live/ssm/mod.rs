//! Systems Manager: the session preferences, the nodes, and default host management.

pub(crate) mod host_management;
pub(crate) mod nodes;
pub(crate) mod preferences;
