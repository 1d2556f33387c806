//! The version, with the commit and the build. The build script finds them out.

/// The number of the version.
pub(super) const NUMBER: &str = env!("CARGO_PKG_VERSION");

/// The version as `--version` prints it after the name.
pub(super) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit  ",
    env!("SSM_AUDIT_BUILD_COMMIT"),
    "\nbuild   ",
    env!("SSM_AUDIT_BUILD_KIND"),
);
