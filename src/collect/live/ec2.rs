//! Filters, tags and pages of EC2 requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::types::Filter;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::api_call::{ApiCall, filled};
use crate::model::{Fact, Gap, Key, Region};

/// How many values one filter may have, in all of a request.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
pub(crate) const FILTER_VALUES: usize = 200;

/// The most results that a page of most EC2 operations can have.
pub(crate) const PAGE: i32 = 1000;

pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// The code by which EC2 says that it does not know a parameter.
const UNKNOWN_PARAMETER: &[&str] = &["UnknownParameter"];

/// Sends a request for all resources, those too that an account hides since other services manage them. Where EC2 does
/// not know of that, which it does not in every partition at once, nothing is hidden.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>
pub(crate) async fn with_hidden<T, E, F>(
    inquiry: ApiCall<'_>,
    request: impl Fn(Option<bool>) -> F,
) -> Result<T, Arc<Gap>>
where
    T: Send + 'static,
    E: ProvideErrorMetadata + Send + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
{
    match inquiry.attempt(request(Some(true))).await {
        Err(failure) if failure.has_code(UNKNOWN_PARAMETER) => inquiry.send(request(None)).await,
        answer => answer.map_err(|failure| inquiry.failed(failure)),
    }
}

/// The tags of a resource. AWS leaves the member out where there are none; a tag without a key may be any.
pub(crate) fn tags(
    inquiry: ApiCall<'_>,
    tags: impl IntoIterator<Item = (Option<String>, Option<String>)>,
) -> Fact<BTreeMap<String, String>> {
    let tags = tags.into_iter().map(|(key, value)| Some((filled(key)?, value.unwrap_or_default())));
    inquiry.required("Tags.Key", tags.collect())
}

/// The key of a regional resource, sharing its id with those found before.
pub(crate) fn shared(keys: &mut BTreeSet<Key>, region: &Region, id: String) -> Key {
    let key = Key::regional(region, id);
    if let Some(known) = keys.get(&key) {
        return known.clone();
    }
    keys.insert(key.clone());
    key
}

/// The ids of these keys, in portions that a filter can take.
pub(crate) fn portions(keys: &BTreeSet<Key>) -> Vec<Vec<String>> {
    let ids: Vec<String> = keys.iter().map(|key| key.id.as_ref().to_owned()).collect();
    ids.chunks(FILTER_VALUES).map(<[String]>::to_vec).collect()
}
