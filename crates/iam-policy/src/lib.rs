//! IAM policy documents, and what they allow, with IAM's own semantics and three-valued answers: an
//! answer is given only where it holds whatever is not known.
//!
//! Here belong the policy language and its evaluation. Which policies a role has, where they are
//! read from and what they should allow does not: that is for sources and rules.
//!
//! Service and resource control policies, session policies, VPC endpoint policies and KMS grants are
//! not looked at.

mod arn;
mod asked;
mod bucket;
mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod grants;
mod kms;
mod language;
pub mod managed;
mod named;
mod operator;
mod parse;
mod pattern;
mod principal;
mod request;
mod statement;
mod trust;
mod truth;
mod variable;
mod work;

pub use arn::Arn;
pub use bucket::{BucketOwner, BucketPolicy, bucket_allows};
pub use context::Context;
pub use decision::{Cause, Decision, Denial, Layer, Reason, Source, StatementRef};
pub use document::{Effect, PolicyDocument, PolicyError, Statement, percent_decode};
pub use evaluate::{Boundary, identity_allows, resource_allows, resource_delegates};
pub use grants::{Grant, grants, identity_allows_some};
pub use kms::{account_keeps_key, key_allows};
pub use named::{NamedPrincipal, PrincipalKind};
pub use pattern::is_symbol;
pub use principal::{Identity, NotAPrincipal, Principal, Role};
pub use request::{Request, Resource};
pub use trust::{Trusted, TrustedPrincipal, trusted_principals, trusts_only};
pub use truth::Truth;
pub use work::within;

#[cfg(test)]
mod properties;

/// The examples of the README, compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
