//! `ssm-audit`: policy as code for AWS Systems Manager Session Manager.

pub mod diagnostic;
#[path = "/tmp/iam_stub.rs"]
pub mod iam;
pub mod model;
pub mod report;
pub mod schemas;
pub mod terminal;
pub mod yaml;
