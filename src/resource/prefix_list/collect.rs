//! `GetManagedPrefixListEntries`, of the lists that egress rules name.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html>

use super::schema::PrefixList;
use crate::collect::live::api_call::filled;
use crate::collect::live::collector::Collector;
use crate::model::call::GET_MANAGED_PREFIX_LIST_ENTRIES;
use crate::model::{Entry, Fact, Key, Region};

/// The most entries that a page can have.
const ENTRIES: i32 = 100;

/// Reads one list. A list of which a page is missing is unknown: the ranges are judged together.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region, key: Key) {
    if !collector.wants(&GET_MANAGED_PREFIX_LIST_ENTRIES) {
        collector.mention::<PrefixList>(&key);
        return;
    }
    let inquiry = collector.inquire(&GET_MANAGED_PREFIX_LIST_ENTRIES, Some(region));
    let client = collector.connection.ec2(region);
    let mut cidrs = Vec::new();
    let mut lacking = None;
    let request = |token| {
        let request = client
            .get_managed_prefix_list_entries()
            .prefix_list_id(key.id.as_ref())
            .max_results(ENTRIES)
            .set_next_token(token);
        inquiry.send(request.send())
    };
    let read = inquiry
        .pages(request, |page| {
            match page
                .entries
                .map(|entries| entries.into_iter().map(|entry| filled(entry.cidr)).collect::<Option<Vec<_>>>())
            {
                Some(Some(found)) => cidrs.extend(found),
                _ => lacking = Some(inquiry.lacks("Entries")),
            }
            page.next_token
        })
        .await;
    let entry = match read.err().or(lacking) {
        None => Entry::existing(PrefixList { cidrs: Fact::Known(cidrs) }),
        Some(gap) => Entry::unread(&gap),
    };
    collector.put(key, entry);
}
