//! The organisation of the account: read if a policy has conditions on organisations.
//! <https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html>

use std::sync::Arc;

use iam_policy::PolicyDocument;

use super::collector::Collector;
use crate::model::call::DESCRIBE_ORGANIZATION;
use crate::model::{Fact, Inventory};

/// Error codes by which Organizations reports that the account is in no organisation.
const NONE: &[&str] = &["AWSOrganizationsNotInUseException"];

/// Reads the organisation, after all policies have been read.
pub(crate) async fn read(collector: &Collector<'_>) {
    if !collector.wants(&DESCRIBE_ORGANIZATION) || !collector.record(|inventory| speaks_of_organizations(inventory)) {
        return;
    }
    let inquiry = collector.inquire(&DESCRIBE_ORGANIZATION, None);
    let answer = inquiry.send_unless(NONE, collector.connection.organizations().describe_organization().send()).await;
    let id: Fact<Option<String>> = match answer {
        Ok(None) => Fact::Known(None),
        Ok(Some(answer)) => {
            inquiry.required("Organization.Id", answer.organization.and_then(|organization| organization.id)).map(Some)
        }
        Err(gap) => Fact::Unknown(gap),
    };
    collector.record(|inventory| {
        for role in inventory.roles.values_mut() {
            role.attributes.organization_id = id.clone();
        }
        let Fact::Unknown(gap) = &id else { return };
        for bucket in inventory.buckets.values_mut() {
            if matches!(&bucket.attributes.policy, Fact::Known(Some(policy)) if names_organization(policy)) {
                bucket.attributes.policy = Fact::Unknown(Arc::clone(gap));
            }
        }
    });
}

fn speaks_of_organizations(inventory: &Inventory) -> bool {
    let buckets = inventory.buckets.values().filter_map(|entry| entry.attributes.policy.known()?.as_ref());
    let keys = inventory.keys.values().filter_map(|entry| entry.attributes.policy.known());
    let managed = inventory.managed_policies.values().filter_map(|entry| entry.attributes.policy.known());
    let inline = inventory.roles.values().filter_map(|entry| entry.attributes.inline_policies.known());
    let inline = inline.flatten().filter_map(|inline| inline.policy.known());
    buckets.chain(keys).chain(managed).chain(inline).any(names_organization)
}

/// Returns `true` if the document has a condition on an organisation: `aws:PrincipalOrgID`,
/// `aws:ResourceOrgID`.
fn names_organization(policy: &PolicyDocument) -> bool {
    let text = policy.as_value().to_string().to_ascii_lowercase();
    ["principalorgid", "resourceorgid"].iter().any(|key| text.contains(key))
}
