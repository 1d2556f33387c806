//! Makes findings right: plans what to change, shows it, applies it, looks again, and can take it back.
//!
//! What a finding needs is data, `remediations/<id>.yaml`; how an attribute is set is code, `setters/`; what a call
//! changes and how that is looked at are `operation/` and `aspect/`. Whether something is right is for rules to say.

pub(crate) mod account_clients;
pub(crate) mod account_lock;
pub(crate) mod apply;
pub(crate) mod approvals;
pub(crate) mod aws_cli_script;
pub(crate) mod change_limit;
pub(crate) mod cleanup;
pub(crate) mod consistency;
mod effect;
pub(crate) mod journal;
mod observed;
mod operation;
pub(crate) mod permissions;
pub(crate) mod plan;
pub(crate) mod plan_builder;
pub(crate) mod planner;
pub(crate) mod policy;
mod preflight;
pub(crate) mod reconcile;
pub(crate) mod remediation;
pub(crate) mod run;
mod security_group_rule;
pub(crate) mod setters;
pub mod settings;
pub(crate) mod show;
mod step_executor;
mod step_output;
pub(crate) mod undo;
pub(crate) mod verify;
