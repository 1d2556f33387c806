//! `DescribeInstanceInformation`: the nodes that are registered in a region.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html>

use std::collections::BTreeSet;

use aws_sdk_ssm::types::{InstanceInformation, PingStatus, PlatformType, ResourceType};
use futures::future::join_all;

use super::schema::ManagedInstance;
use crate::collect::live::api_call::{ApiCall, filled};
use crate::collect::live::collector::Collector;
use crate::model::call::DESCRIBE_INSTANCE_INFORMATION;
use crate::model::{Entry, Fact, Gap, GapKind, Key, Link, Region};
use crate::resource::role;
use crate::resource::role::schema::Role;

/// The most nodes that a page can have.
const PAGE: i32 = 50;

/// Reads the nodes of a region, and the roles that they say they use.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region) {
    if !collector.wants(&DESCRIBE_INSTANCE_INFORMATION) {
        return;
    }
    let inquiry = collector.inquire(&DESCRIBE_INSTANCE_INFORMATION, Some(region));
    let client = collector.connection.ssm(region);
    let mut roles = BTreeSet::new();
    let request = |token| {
        let request = client.describe_instance_information().max_results(PAGE).set_next_token(token);
        inquiry.send(request.send())
    };
    let read = inquiry
        .pages(request, |page| {
            match page.instance_information_list {
                Some(nodes) => nodes.into_iter().for_each(|node| take(inquiry, region, node, &mut roles)),
                None => inquiry.unlisted(&inquiry.lacks("InstanceInformationList")),
            }
            page.next_token
        })
        .await;
    if let Err(gap) = read {
        inquiry.unlisted(&gap);
    }
    join_all(roles.into_iter().map(|role| role::collect::role_once(collector, role))).await;
}

fn take(inquiry: ApiCall<'_>, region: &Region, node: InstanceInformation, roles: &mut BTreeSet<Key>) {
    let Some(id) = filled(node.instance_id) else {
        inquiry.unlisted(&inquiry.lacks("InstanceId"));
        return;
    };
    let iam_role_name = role_name(inquiry, node.resource_type.as_ref(), node.iam_role);
    if let Fact::Unknown(gap) = &iam_role_name {
        inquiry.unlisted(gap);
    }
    let iam_role: Fact<Option<Link<Role>>> =
        iam_role_name.as_ref().map(|name| name.as_ref().map(|name| Link::to(role::collect::role_key(name))));
    roles.extend(iam_role.known().cloned().flatten().map(|link| link.key));
    let is_windows = node.platform_type == Some(PlatformType::Windows);
    let arn = inquiry.collector.connection.arn("ssm", region, &format!("managed-instance/{id}"));
    let attributes = ManagedInstance {
        arn: Fact::Known(arn),
        ping_status: inquiry.one_of("PingStatus", node.ping_status, PingStatus::values()),
        agent_version: Fact::Known(filled(node.agent_version)),
        is_latest_version: is_latest_version(inquiry, is_windows, node.is_latest_version),
        platform_type: match node.platform_type {
            None => Fact::Known(None),
            platform => inquiry.one_of("PlatformType", platform, PlatformType::values()).map(Some),
        },
        resource_type: inquiry.one_of("ResourceType", node.resource_type, ResourceType::values()),
        iam_role_name,
        iam_role,
        ..ManagedInstance::default()
    };
    inquiry.collector.put(Key::regional(region, id), Entry::existing(attributes));
}

/// AWS names the role of a node that is not on EC2, and of an EC2 node where it is that of default host management. The
/// role of any other EC2 node is that of its instance profile.
fn role_name(inquiry: ApiCall<'_>, kind: Option<&ResourceType>, name: Option<String>) -> Fact<Option<String>> {
    let name = filled(name).filter(|name| !role::collect::role_key(name).id.is_empty());
    match kind {
        Some(ResourceType::Ec2Instance) => Fact::Known(name),
        _ => inquiry.required("IamRole", name).map(Some),
    }
}

/// AWS does not tell of Windows. That is no failure of the call, so the coverage stays as it is.
fn is_latest_version(inquiry: ApiCall<'_>, is_windows: bool, latest: Option<bool>) -> Fact<bool> {
    if is_windows {
        let gap = Gap::of_call(GapKind::Unresolved, inquiry.call.to_string());
        return Fact::Unknown(gap.with_message("AWS does not tell whether an agent on Windows is the latest").into());
    }
    inquiry.required("IsLatestVersion", latest)
}
