//! `ssm-audit`: policy as code for AWS Systems Manager Session Manager.

pub mod diagnostic;
#[path = "/tmp/iam_stub.rs"]
pub mod iam;
pub mod model;
pub mod rule;
pub mod terminal;
pub mod yaml;
