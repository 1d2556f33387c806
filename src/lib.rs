//! `ssm-audit`: policy as code for AWS Systems Manager Session Manager.

#[path = "/tmp/iam_stub.rs"]
pub mod iam;
pub mod model;
pub mod source;
