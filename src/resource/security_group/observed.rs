//! Observed rules of security groups, and the other users of a group.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{Filter, SecurityGroup};
use serde_json::{Value as Json, json};

use super::fix_rule::{Way, rules};
use crate::aws::Failure;
use crate::model::call::{DESCRIBE_NETWORK_INTERFACES, DESCRIBE_SECURITY_GROUPS};
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::ObservedAspect;

/// The most results that a page of these operations can have.
const PAGE: i32 = 1000;

pub(crate) async fn egress(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    by_words(place, aspect, Way::Out).await
}

pub(crate) async fn ingress(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    by_words(place, aspect, Way::In).await
}

/// Rules by their words: what a change does not speak of may be as it is.
async fn by_words(place: &RegionClients<'_>, aspect: &ObservedAspect, way: Way) -> Result<Json, Failure> {
    let Some(group) = groups(place, "group-id", &aspect.id).await?.into_iter().next() else { return Ok(Json::Null) };
    let permissions = if way == Way::Out { group.ip_permissions_egress } else { group.ip_permissions };
    let unreadable = || Failure::unreadable(&DESCRIBE_SECURITY_GROUPS, "a rule lacks its protocol or its peer");
    Ok(json!(rules(permissions.unwrap_or_default(), way).ok_or_else(unreadable)?))
}

async fn groups(place: &RegionClients<'_>, filter: &str, value: &str) -> Result<Vec<SecurityGroup>, Failure> {
    let filter = Filter::builder().name(filter).values(value).build();
    let request = |token| {
        let request = place.ec2().describe_security_groups().filters(filter.clone());
        request.max_results(PAGE).set_next_token(token).send()
    };
    let mut found = Vec::new();
    let read = place.pages(&DESCRIBE_SECURITY_GROUPS, request, |page| {
        found.extend(page.security_groups.unwrap_or_default());
        page.next_token
    });
    read.await?;
    Ok(found)
}

/// Groups with rules that name this one, and interfaces in it that are not of instances.
pub(crate) async fn users(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    let mut referring = BTreeSet::new();
    for filter in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
        let found = groups(place, filter, &aspect.id).await?;
        for group in found {
            let id = group.group_id.ok_or_else(|| Failure::lacks(&DESCRIBE_SECURITY_GROUPS, "the id of a group"))?;
            referring.extend(Some(id).filter(|id| *id != aspect.id));
        }
    }
    let filter = Filter::builder().name("group-id").values(&aspect.id).build();
    let mut interfaces = BTreeSet::new();
    let request = |token| {
        // The interfaces of services that an account hides are users of the group, too.
        let request = place.ec2().describe_network_interfaces().include_managed_resources(true);
        request.filters(filter.clone()).max_results(PAGE).set_next_token(token).send()
    };
    let mut nameless = false;
    let read = place.pages(&DESCRIBE_NETWORK_INTERFACES, request, |page| {
        for interface in page.network_interfaces.unwrap_or_default() {
            let attachment = interface.attachment.as_ref();
            if attachment.is_none_or(|attachment| attachment.instance_id.is_none()) {
                nameless |= interface.network_interface_id.is_none();
                interfaces.extend(interface.network_interface_id);
            }
        }
        page.next_token
    });
    read.await?;
    if nameless {
        return Err(Failure::lacks(&DESCRIBE_NETWORK_INTERFACES, "the id of an interface"));
    }
    Ok(json!({"Groups": referring, "Interfaces": interfaces}))
}
