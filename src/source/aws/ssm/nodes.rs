//! `DescribeInstanceInformation`: the nodes that are registered in a region.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstanceInformation.html>

use std::collections::BTreeSet;

use aws_sdk_ssm::types::{InstanceInformation, ResourceType};
use futures::future::join_all;

use super::super::iam;
use super::super::inquiry::Inquiry;
use super::super::reader::Reader;
use crate::model::call::DESCRIBE_INSTANCE_INFORMATION;
use crate::model::iam::Role;
use crate::model::ssm::ManagedInstance;
use crate::model::{Entry, Fact, Key, Link, Region};

/// The most nodes that a page can have.
const PAGE: i32 = 50;

/// Reads the nodes of a region, and the roles of those that are not on EC2.
pub(in super::super) async fn read(reader: &Reader<'_>, region: &Region) {
    if !reader.wants(&DESCRIBE_INSTANCE_INFORMATION) {
        return;
    }
    let inquiry = reader.inquire(&DESCRIBE_INSTANCE_INFORMATION, Some(region));
    let client = reader.connection.ssm(region);
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
    join_all(roles.into_iter().map(|role| iam::role_once(reader, role))).await;
}

fn take(inquiry: Inquiry<'_>, region: &Region, node: InstanceInformation, roles: &mut BTreeSet<Key>) {
    let Some(id) = node.instance_id else {
        inquiry.unlisted(&inquiry.lacks("InstanceId"));
        return;
    };
    let iam_role_name = role_name(inquiry, node.resource_type.as_ref(), node.iam_role);
    if let Fact::Unknown(gap) = &iam_role_name {
        inquiry.unlisted(gap);
    }
    let iam_role: Fact<Option<Link<Role>>> =
        iam_role_name.as_ref().map(|name| name.as_ref().map(|name| Link::to(iam::role_key(name))));
    roles.extend(iam_role.known().cloned().flatten().map(|link| link.key));
    let arn = inquiry.reader.connection.arn("ssm", region, &format!("managed-instance/{id}"));
    let attributes = ManagedInstance {
        arn: Fact::Known(arn),
        ping_status: inquiry.required("PingStatus", node.ping_status.map(|status| status.as_str().to_owned())),
        agent_version: Fact::Known(node.agent_version),
        is_latest_version: is_latest_version(inquiry, node.platform_type.as_ref(), node.is_latest_version),
        platform_type: Fact::Known(node.platform_type.map(|platform| platform.as_str().to_owned())),
        resource_type: inquiry.required("ResourceType", node.resource_type.map(|kind| kind.as_str().to_owned())),
        iam_role_name,
        iam_role,
        ..ManagedInstance::default()
    };
    inquiry.reader.put(Key::regional(region, id), Entry::existing(attributes));
}

/// An EC2 node has the role of its profile, or that of default host management; AWS may name either here.
fn role_name(inquiry: Inquiry<'_>, kind: Option<&ResourceType>, name: Option<String>) -> Fact<Option<String>> {
    match kind {
        Some(ResourceType::Ec2Instance) => Fact::Known(None),
        _ => inquiry.required("IamRole", name).map(Some),
    }
}

/// AWS does not tell of Windows. That is no failure of the call, so the coverage stays as it is.
fn is_latest_version(
    inquiry: Inquiry<'_>,
    platform: Option<&aws_sdk_ssm::types::PlatformType>,
    latest: Option<bool>,
) -> Fact<bool> {
    use crate::model::{Gap, GapKind};
    match (platform, latest) {
        (Some(aws_sdk_ssm::types::PlatformType::Windows), _) => Fact::Unknown(
            Gap::of_call(GapKind::Unresolved, inquiry.call.to_string())
                .with_message("AWS does not tell whether an agent on Windows is the latest")
                .into(),
        ),
        (_, latest) => inquiry.required("IsLatestVersion", latest),
    }
}
