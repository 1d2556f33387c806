//! EC2: the instances, and their volumes, security groups, prefix lists and endpoints.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::Filter;

use crate::model::{Key, Region};

pub(super) mod instances;
pub(super) mod prefix_lists;
pub(super) mod security_group_rules;
pub(super) mod security_groups;
pub(super) mod volumes;
pub(super) mod vpc_endpoints;

/// How many values one filter may have, in all of a request.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
const FILTER_VALUES: usize = 200;

/// The most results that a page of most EC2 operations can have.
const PAGE: i32 = 1000;

fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// AWS leaves the member out where there are no tags.
fn tags(tags: impl IntoIterator<Item = (Option<String>, Option<String>)>) -> BTreeMap<String, String> {
    tags.into_iter().filter_map(|(key, value)| Some((key?, value.unwrap_or_default()))).collect()
}

/// The key of a regional resource, sharing its id with those found before.
fn shared(keys: &mut BTreeSet<Key>, region: &Region, id: String) -> Key {
    let key = Key::regional(region, id);
    if let Some(known) = keys.get(&key) {
        return known.clone();
    }
    keys.insert(key.clone());
    key
}

/// The ids of these keys, in portions that a filter can take.
fn portions(keys: &BTreeSet<Key>) -> Vec<Vec<String>> {
    let ids: Vec<String> = keys.iter().map(|key| key.id.as_ref().to_owned()).collect();
    ids.chunks(FILTER_VALUES).map(<[String]>::to_vec).collect()
}
