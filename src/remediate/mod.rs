//! Makes findings right: plans what to change, shows it, applies it, looks again, and can take it back.
//!
//! What a finding needs is data, `remediations/<id>.yaml`. The folder of a resource type has the code: `fix` plans the
//! steps, `operations` has the calls, `observed` reads the state that a call changes. Rules alone say if something is right.

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
mod narrow;
pub(crate) mod observed;
pub(crate) mod operation;
pub(crate) mod permissions;
pub(crate) mod plan;
pub(crate) mod plan_builder;
pub(crate) mod planner;
pub(crate) mod policy;
mod preflight;
pub(crate) mod reconcile;
pub(crate) mod remediation;
pub(crate) mod run;
pub(crate) mod setters;
pub mod settings;
pub(crate) mod show;
mod step_executor;
pub(crate) mod step_output;
pub(crate) mod undo;
pub(crate) mod verify;
