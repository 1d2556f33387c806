//! `DescribeVolumes`, of root volumes.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVolumes.html>

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::schema::Volume;
use crate::aws::raw_response::{NEXT_TOKEN, document};
use crate::aws::xml::{Document, Node};
use crate::collect::live::api_call::ApiCall;
use crate::collect::live::collector::Collector;
use crate::collect::live::ec2::{PAGE, filter, portions, with_hidden};
use crate::model::call::DESCRIBE_VOLUMES;
use crate::model::{Entry, Fact, Key, Link, Region};
use crate::resource::key;
use crate::resource::key::collect::Use;

/// Volumes of which the key is still a text.
type References = BTreeMap<Key, String>;

/// Reads these volumes, and the keys that encrypt them.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region, volumes: &BTreeSet<Key>) {
    if !collector.wants(&DESCRIBE_VOLUMES) {
        for volume in volumes {
            collector.mention::<Volume>(volume);
        }
        return;
    }
    let read = join_all(portions(volumes).into_iter().map(|ids| portion(collector, region, ids))).await;
    let needs = collector.collection.needs;
    if !needs.reads("Volume", "kms_key") && !needs.reads("Role", "root_volume_keys") {
        return;
    }
    let references: References = read.into_iter().flatten().collect();
    let distinct: BTreeSet<&String> = references.values().collect();
    let keys =
        join_all(distinct.into_iter().map(async |reference| {
            (reference, key::collect::read(collector, region, reference, Use::RootVolume).await)
        }))
        .await;
    let keys: BTreeMap<&String, Key> = keys.into_iter().collect();
    collector.record(|inventory| {
        for (volume, reference) in &references {
            if let (Some(entry), Some(key)) = (inventory.volumes.get_mut(volume), keys.get(reference)) {
                entry.attributes.kms_key = Fact::Known(Some(Link::to(key.clone())));
            }
        }
    });
}

async fn portion(collector: &Collector<'_>, region: &Region, ids: Vec<String>) -> References {
    let inquiry = collector.inquire(&DESCRIBE_VOLUMES, Some(region));
    let client = collector.connection.ec2(region);
    let mut references = References::new();
    let mut missing: BTreeSet<String> = ids.iter().cloned().collect();
    // By filter and not by id: one id that is gone would fail them all.
    let wanted = filter("volume-id", ids);
    let (client, wanted) = (&client, &wanted);
    let request = |token: Option<String>| {
        with_hidden(inquiry, move |hidden| {
            let request = client.describe_volumes().set_include_managed_resources(hidden).filters(wanted.clone());
            let request = request.max_results(PAGE).set_next_token(token.clone());
            document(|taken| request.customize().interceptor(taken).send())
        })
    };
    let read = inquiry
        .pages(request, |page: Document| {
            for volume in page.root().items("volumeSet").into_iter().flatten() {
                if let Some(id) = volume.text("volumeId").filter(|id| missing.remove(id)) {
                    take(inquiry, region, Key::regional(region, id), volume, &mut references);
                }
            }
            page.root().text(NEXT_TOKEN)
        })
        .await;
    for id in missing {
        let gap = inquiry.missed(&id, &read);
        collector.put(Key::regional(region, id), Entry::<Volume>::unread(&gap));
    }
    references
}

fn take(inquiry: ApiCall<'_>, region: &Region, key: Key, answer: Node<'_>, references: &mut References) {
    let encrypted = inquiry.meaning("Encrypted", answer.text("encrypted"), |encrypted| encrypted.parse().ok());
    let kms_key = match (&encrypted, answer.filled("kmsKeyId")) {
        (Fact::Unknown(gap), _) => Fact::Unknown(gap.clone()),
        (Fact::Known(false), _) => Fact::Known(None),
        (Fact::Known(true), None) => Fact::Unknown(inquiry.lacks("KmsKeyId")),
        (Fact::Known(true), Some(reference)) => {
            references.insert(key.clone(), reference);
            Fact::default()
        }
    };
    let arn = inquiry.collector.connection.arn("ec2", region, &format!("volume/{}", key.id));
    inquiry.collector.put(key, Entry::existing(Volume { arn: Fact::Known(arn), encrypted, kms_key }));
}
