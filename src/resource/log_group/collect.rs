//! `CloudWatch` Logs: the log group that the session preferences name.
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html>

use aws_sdk_cloudwatchlogs::types::{LogGroup as LogGroupAnswer, LogGroupClass};

use super::schema::LogGroup;
use crate::collect::live::api_call::{ApiCall, filled};
use crate::collect::live::collector::Collector;
use crate::model::call::DESCRIBE_LOG_GROUPS;
use crate::model::{Entry, Fact, Key, Link, Region};
use crate::resource::key;
use crate::resource::key::collect::Use;

/// The most groups that a page can have.
const PAGE: i32 = 50;

/// Returns `true` if CloudWatch Logs may have a log group of this name.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>
fn may_name_a_group(name: &str) -> bool {
    let is_usual = |letter: u8| letter.is_ascii_alphanumeric() || b".-_/#".contains(&letter);
    (1..=512).contains(&name.len()) && name.bytes().all(is_usual)
}

/// Reads the group of exactly this name, and its key.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region, name: &str) {
    let key = Key::regional(region, name);
    if !collector.wants(&DESCRIBE_LOG_GROUPS) {
        collector.mention::<LogGroup>(&key);
        return;
    }
    if !may_name_a_group(name) {
        collector.put(key, Entry::<LogGroup>::missing());
        return;
    }
    let inquiry = collector.inquire(&DESCRIBE_LOG_GROUPS, Some(region));
    let client = collector.connection.logs(region);
    let mut found = None;
    let mut lacking = None;
    let request = |token| {
        let request = client.describe_log_groups().log_group_name_prefix(name).limit(PAGE).set_next_token(token);
        inquiry.send(request.send())
    };
    let read = inquiry
        .pages(request, |page| {
            match page.log_groups {
                Some(groups) => {
                    // A group without a name may be the one.
                    if groups.iter().any(|group| name_of(group).is_none()) {
                        lacking = Some(inquiry.lacks("logGroupName"));
                    }
                    found = groups.into_iter().find(|group| name_of(group) == Some(name));
                }
                None => lacking = Some(inquiry.lacks("logGroups")),
            }
            // The groups come sorted by name; those that only begin so come after.
            page.next_token.filter(|_| found.is_none())
        })
        .await;
    match (found, read.err().or(lacking)) {
        (Some(group), _) => take(inquiry, region, key, group).await,
        (None, None) => collector.put(key, Entry::<LogGroup>::missing()),
        (None, Some(gap)) => {
            inquiry.unlisted(&gap);
            collector.put(key, Entry::<LogGroup>::unread(&gap));
        }
    }
}

fn name_of(group: &LogGroupAnswer) -> Option<&str> {
    group.log_group_name.as_deref().filter(|name| !name.is_empty())
}

async fn take(inquiry: ApiCall<'_>, region: &Region, key: Key, group: LogGroupAnswer) {
    let collector = inquiry.collector;
    let arn = filled(group.arn).map(|arn| arn.strip_suffix(":*").map(str::to_owned).unwrap_or(arn));
    let kms_key = match filled(group.kms_key_id) {
        Some(reference) => Some(Link::to(key::collect::read(collector, region, &reference, Use::Sessions).await)),
        None => None,
    };
    let attributes = LogGroup {
        arn: inquiry.required("arn", arn),
        // The member of the answer is what takes effect, whether the group or an account-level policy says it.
        retention_in_days: Fact::Known(group.retention_in_days.map(i64::from)),
        retention_policy_name: Fact::Known(group.retention_policy_name),
        kms_key: Fact::Known(kms_key),
        log_group_class: inquiry.one_of("logGroupClass", group.log_group_class, LogGroupClass::values()),
    };
    collector.put(key, Entry::existing(attributes));
}
