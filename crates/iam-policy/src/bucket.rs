//! Access to a bucket: its policy together with the caller's own policies.
//!
//! Endpoint policies, access points and Block Public Access are not looked at.

use super::decision::{Decision, Layer};
use super::document::PolicyDocument;
use super::evaluate::{Boundary, Tally, decide};
use super::request::Request;
use super::statement::View;
use super::truth::Truth;

/// The policy of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketPolicy<'a> {
    /// The bucket has none.
    Unset,
    /// It has this one.
    Document(&'a PolicyDocument),
    /// It could not be read: it may contain anything.
    Unread,
}

/// Whose a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketOwner {
    /// The account of the caller.
    Same,
    /// Another account.
    Other,
}

/// Whether the caller, a role or a user, may do this to the bucket or its objects. Policies that are `None` could not
/// be read.
///
/// In the bucket's own account, one side is enough:
/// - the bucket policy names the session or user, or everyone: then a permissions boundary limits only by an explicit
///   denial;
/// - it names the role: then an implicit denial by the boundary counts too;
/// - the caller's own policies allow it, within the boundary. A grant to the account says no more than that.
///
/// From another account, the bucket policy must consent in any of these ways, or by naming the account, and the caller's
/// own policies must allow it.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>
#[must_use]
pub fn bucket_allows(
    policy: BucketPolicy<'_>,
    owner: BucketOwner,
    identity: &[Option<&PolicyDocument>],
    boundary: Boundary<'_>,
    request: &Request,
) -> Decision {
    let policies: &[Option<&PolicyDocument>] = match policy {
        BucketPolicy::Unset => &[],
        BucketPolicy::Document(document) => &[Some(document)],
        BucketPolicy::Unread => &[None],
    };
    let bucket = Tally::of_resource(policies, boundary.bounded(), request);
    let identity = Tally::of(identity, Layer::Identity, View::Identity, request);
    let boundary = Tally::of_boundary(boundary, request);
    let [direct, role, account] = bucket.each_ref().map(Tally::allowed);
    let by_identity = identity.allowed().and(boundary.allowed());
    let own_side = identity.lacks().unwrap_or(Layer::Boundary);
    let (allowed, lacking) = match owner {
        BucketOwner::Same => (direct.or(role.and(boundary.allowed())).or(by_identity), own_side),
        BucketOwner::Other => {
            let consent = direct.or(role).or(account);
            let own_denies = by_identity.truth == Truth::False;
            (consent.and(by_identity), if own_denies { own_side } else { Layer::Resource })
        }
    };
    let [direct, role, account] = &bucket;
    decide(&[direct, role, account, &identity, &boundary], allowed, lacking)
}

#[cfg(test)]
mod tests;
