//! Terraform code as an inventory, so that the rules of live accounts hold for it too.
//!
//! From the outside in: `module_loader` finds and parses files, `syntax` is what they say, `module` and `instance` give it
//! meaning, `evaluate` and `functions` compute, `value` is what comes of it, and `mapping` says which resource of the
//! model each Terraform resource is. A resource type is mapped in `terraform.rs` of its folder; the
//! attributes that AWS computes are in `computed_attributes`.
//!
//! Evaluation is lazy, remembers what it did, is bounded in depth and in work, and never fails: what has no value is
//! unknown, with its place and its reason.

pub(crate) mod block_view;
mod budget;
pub(crate) mod computed_attributes;
mod data;
mod engine;
mod eval_context;
mod evaluate;
mod expansion;
pub mod file;
mod folder;
mod functions;
mod inline_waivers;
pub(crate) mod instance;
pub(crate) mod mapping;
mod module;
mod module_loader;
mod parse;
mod plan;
mod policy_document;
mod provider;
mod read;
mod related_locations;
mod sensitive;
mod source_map;
mod state;
mod syntax;
mod types;
mod unify;
pub(crate) mod value;
mod variables;
pub(crate) mod yaml;

#[cfg(test)]
mod tests;

pub use engine::Engine;
pub use file::{File, Span};
pub use inline_waivers::waivers;
pub use module_loader::FolderError;
pub use plan::PlanError;
pub use read::{Code, CodeError, Options, folder_of_file, is_code, read, read_each, stored_form};
pub use source_map::{About, SourceEntry, SourceMap};
pub use state::{State, StateError};
pub use variables::VariableError;

/// The body of a file in native syntax, to edit it. Its spans are those of the text; none where it is no such syntax.
pub(crate) fn body_of(text: &str) -> Option<hcl_edit::structure::Body> {
    parse::body_of(text).ok()
}
