//! `DescribeSecurityGroups`, of the groups that instances have.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html>

use std::collections::BTreeSet;

use futures::future::join_all;

use super::collect_rules::rules;
use super::schema::SecurityGroup;
use crate::collect::live::api_call::{ApiCall, filled};
use crate::collect::live::collector::Collector;
use crate::collect::live::ec2::{PAGE, filter, portions, tags};
use crate::model::call::DESCRIBE_SECURITY_GROUPS;
use crate::model::{Entry, Fact, Key, Region};
use crate::resource::prefix_list;

/// Reads these groups, and the prefix lists of what they let out.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region, groups: &BTreeSet<Key>) {
    if !collector.wants(&DESCRIBE_SECURITY_GROUPS) {
        for group in groups {
            collector.mention::<SecurityGroup>(group);
        }
        return;
    }
    let found = join_all(portions(groups).into_iter().map(|ids| portion(collector, region, ids))).await;
    let lists: BTreeSet<Key> = found.into_iter().flatten().collect();
    join_all(lists.into_iter().map(|list| prefix_list::collect::read(collector, region, list))).await;
}

async fn portion(collector: &Collector<'_>, region: &Region, ids: Vec<String>) -> BTreeSet<Key> {
    let inquiry = collector.inquire(&DESCRIBE_SECURITY_GROUPS, Some(region));
    let client = collector.connection.ec2(region);
    let mut lists = BTreeSet::new();
    let mut missing: BTreeSet<String> = ids.iter().cloned().collect();
    // By filter and not by id: one id that is gone would fail them all.
    let wanted = filter("group-id", ids);
    let request = |token| {
        let request = client.describe_security_groups().filters(wanted.clone()).max_results(PAGE).set_next_token(token);
        inquiry.send(request.send())
    };
    let read = inquiry
        .pages(request, |page| {
            for group in page.security_groups.unwrap_or_default() {
                if let Some(id) = group.group_id.clone().filter(|id| missing.remove(id)) {
                    take(inquiry, region, id, group, &mut lists);
                }
            }
            page.next_token
        })
        .await;
    for id in missing {
        let gap = inquiry.missed(&id, &read);
        inquiry.unlisted(&gap);
        collector.put(Key::regional(region, id), Entry::<SecurityGroup>::unread(&gap));
    }
    lists
}

fn take(
    inquiry: ApiCall<'_>,
    region: &Region,
    id: String,
    answer: aws_sdk_ec2::types::SecurityGroup,
    lists: &mut BTreeSet<Key>,
) {
    let connection = inquiry.collector.connection;
    // A shared VPC's groups are another account's.
    let arn = match &filled(answer.owner_id) {
        Some(owner) => Fact::Known(connection.arn_of(owner, "ec2", region, &format!("security-group/{id}"))),
        None => Fact::Unknown(inquiry.lacks("OwnerId")),
    };
    let egress = inquiry.required("IpPermissionsEgress", answer.ip_permissions_egress);
    if let Fact::Unknown(gap) = &egress {
        inquiry.unlisted(gap);
    }
    let ingress = inquiry.required("IpPermissions", answer.ip_permissions);
    let group = SecurityGroup {
        arn,
        name: inquiry.named("GroupName", answer.group_name),
        vpc_id: Fact::Known(answer.vpc_id),
        egress: egress.map(|permissions| rules(inquiry, region, permissions, Some(lists))),
        ingress: ingress.map(|permissions| rules(inquiry, region, permissions, None)),
        tags: tags(inquiry, answer.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value))),
    };
    inquiry.collector.put(Key::regional(region, id), Entry::existing(group));
}
