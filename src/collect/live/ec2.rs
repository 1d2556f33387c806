//! Filters, tags and pages of EC2 requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::types::Filter;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::api_call::{ApiCall, filled};
use crate::model::{Fact, Gap, Key, Region};

/// Maximum number of values of one filter in a request.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
pub(crate) const FILTER_VALUES: usize = 200;

/// Maximum number of results in a page of most EC2 operations.
pub(crate) const PAGE: i32 = 1000;

pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = impl Into<String>>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().map(Into::into).collect())).build()
}

/// Error code by which EC2 rejects a parameter that EC2 does not know.
const UNKNOWN_PARAMETER: &[&str] = &["UnknownParameter"];

/// Sends a request for all resources, including those that the account hides because other services manage
/// them. New parameters do not reach every partition at once. If EC2 does not know the parameter, nothing is
/// hidden.
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

/// The tags of a resource. AWS leaves out the member if a resource has no tags. A tag without a key may be
/// any tag.
pub(crate) fn tags(
    inquiry: ApiCall<'_>,
    tags: impl IntoIterator<Item = (Option<String>, Option<String>)>,
) -> Fact<BTreeMap<String, String>> {
    let tags = tags.into_iter().map(|(key, value)| Some((filled(key)?, value.unwrap_or_default())));
    inquiry.required("Tags.Key", tags.collect())
}

/// The key of a regional resource. The id is shared with an equal key found before.
pub(crate) fn shared(keys: &mut BTreeSet<Key>, region: &Region, id: String) -> Key {
    let key = Key::regional(region, id);
    if let Some(known) = keys.get(&key) {
        return known.clone();
    }
    keys.insert(key.clone());
    key
}

/// Splits the ids of these keys into chunks that fit a filter.
pub(crate) fn portions(keys: &BTreeSet<Key>) -> Vec<Vec<String>> {
    let ids: Vec<String> = keys.iter().map(|key| key.id.as_ref().to_owned()).collect();
    ids.chunks(FILTER_VALUES).map(<[String]>::to_vec).collect()
}
