//! `ssm-audit`: policy as code for AWS Systems Manager Session Manager.

pub mod aws;
pub mod boundary;
pub mod cli;
pub mod collect;
pub mod config;
pub mod diagnostic;
pub mod engine;
pub mod file_envelope;
pub mod fleet;
#[doc(hidden)]
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod history;
pub mod model;
pub mod notify;
mod private;
pub mod progress;
pub mod remediate;
pub mod report;
mod repository;
pub mod resource;
pub mod schemas;
mod sqlite;
pub mod terminal;
pub(crate) mod terraform_fix;
pub mod yaml;
