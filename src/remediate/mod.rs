//! Makes findings right: plans what to change, shows it, applies it, looks again, and can take it back.
//!
//! What a finding needs is data, `remediations/<id>.yaml`; how an attribute is set is code, `setters/`; what a call
//! changes and how that is looked at are `operation/` and `aspect/`. Whether something is right is for rules to say.

pub(crate) mod account_lock;
pub(crate) mod apply;
mod aspect;
pub(crate) mod cap;
pub(crate) mod code;
pub(crate) mod commands;
pub(crate) mod consistency;
pub(crate) mod discard;
pub(crate) mod draft;
mod effect;
pub(crate) mod journal;
pub(crate) mod limits;
mod operation;
pub(crate) mod permissions;
pub(crate) mod place;
pub(crate) mod plan;
pub(crate) mod planner;
mod policy;
mod reference;
mod rehearsal;
pub(crate) mod remedy;
pub(crate) mod run;
mod security_group_rule;
mod setters;
pub mod settings;
pub(crate) mod settle;
pub(crate) mod show;
mod transition;
pub(crate) mod undo;
pub(crate) mod verify;
