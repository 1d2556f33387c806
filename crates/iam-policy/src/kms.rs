//! Access to a KMS key: the key policy together with the caller's own policies.
//!
//! A key is the exception among resources: without its policy's consent, not even its own account
//! has access, <https://docs.aws.amazon.com/kms/latest/developerguide/key-policies.html>.
//! Grants of a key (`CreateGrant`) are not looked at.

use super::decision::Decision;
use super::document::PolicyDocument;
use super::evaluate::{Boundary, Tally, decide, resource_allows};
use super::principal::{NotAPrincipal, Principal};
use super::request::{Request, Resource};
use super::statement::View;
use super::truth::Truth;
use super::{Context, Layer};

/// Whether the caller may do this to the key: the request's resource is the key's ARN. Policies that
/// are `None` could not be read. For a service, only the key policy counts.
///
/// In the key's own account, three ways lead there:
/// - the key policy names the session or user, or everyone: then nothing else is needed, and a
///   permissions boundary limits only by an explicit denial;
/// - it names the role: then an implicit denial by the boundary counts too;
/// - it names the account, and the caller's own policies allow it, within the boundary.
///
/// From another account, the key policy must consent in any of these ways, and the caller's own
/// policies must allow it.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>,
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-root-enable-iam>
#[must_use]
pub fn key_allows(
    key_policy: Option<&PolicyDocument>,
    key_account: &str,
    identity: &[Option<&PolicyDocument>],
    boundary: Boundary<'_>,
    request: &Request,
) -> Decision {
    let request = &in_account(request, key_account);
    let (Some(caller_account), false) =
        (request.principal().account(), matches!(request.principal(), Principal::Root(_)))
    else {
        // A service has no policies, and those of a root user do not bind it.
        return resource_allows(key_policy, request);
    };
    let key = Tally::of_resource(&[key_policy], boundary.bounded(), request);
    let identity = Tally::of(identity, Layer::Identity, View::Identity, request);
    let boundary = Tally::of_boundary(boundary, request);
    let [direct, role, account] = key.each_ref().map(Tally::allowed);
    let consent = direct.clone().or(role.clone()).or(account.clone());
    let lacking =
        if consent.truth == Truth::False { Layer::Resource } else { identity.lacks().unwrap_or(Layer::Boundary) };
    let allowed = if caller_account == key_account {
        let by_account = account.and(identity.allowed()).and(boundary.allowed());
        direct.or(role.and(boundary.allowed())).or(by_account)
    } else {
        consent.and(identity.allowed()).and(boundary.allowed())
    };
    let [direct, role, account] = &key;
    decide(&[direct, role, account, &identity, &boundary], allowed, lacking)
}

/// Whether the root user of the key's account keeps `kms:*` on it, and with that the account the
/// power to repair the key policy. Conditions make that undecided.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#allow-access-to-account>
///
/// # Errors
/// When the partition and the account do not make the ARN of a root user.
pub fn account_keeps_key(
    key_policy: Option<&PolicyDocument>,
    partition: &str,
    account: &str,
    key_arn: &str,
) -> Result<Decision, NotAPrincipal> {
    let root = Principal::from_arn(&format!("arn:{partition}:iam::{account}:root"))?;
    let request = Request::new(root, "kms:*", Resource::exactly(key_arn));
    Ok(resource_allows(key_policy, &in_account(&request, account)))
}

/// The request, with the key's account as `aws:ResourceAccount` unless that is given.
fn in_account(request: &Request, key_account: &str) -> Request {
    const KEY: &str = "aws:ResourceAccount";
    let context: Context = request.context.clone();
    if context.mentions(KEY) {
        return request.clone();
    }
    request.clone().in_context(context.with(KEY, key_account.to_owned()))
}

#[cfg(test)]
mod tests;
