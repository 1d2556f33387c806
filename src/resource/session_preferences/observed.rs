//! Observed versions of the document of the session preferences.

use aws_sdk_ssm::operation::get_document::GetDocumentOutput;
use aws_sdk_ssm::types::DocumentFormat;
use serde_json::{Value as Json, json};

use crate::aws::Failure;
use crate::model::call::{Call, GET_DOCUMENT};
use crate::remediate::account_clients::RegionClients;
use crate::remediate::observed::{ObservedAspect, canonical, satisfies};

const ABSENT: &[&str] = &["InvalidDocument"];

pub(crate) const LIST_DOCUMENT_VERSIONS: Call =
    Call { service: "ssm", operation: "ListDocumentVersions", actions: &["ssm:ListDocumentVersions"] };

/// A version of the document that says what is wanted; the latest where there are several.
pub(crate) async fn equal_version(
    place: &RegionClients<'_>,
    aspect: &ObservedAspect,
    wanted: &Json,
) -> Result<Option<Json>, Failure> {
    let mut versions = Vec::new();
    let request = |token| place.ssm().list_document_versions().name(&aspect.id).set_next_token(token).send();
    let read = place.pages(&LIST_DOCUMENT_VERSIONS, request, |page| {
        versions.extend(page.document_versions.unwrap_or_default());
        page.next_token
    });
    read.await?;
    let lacks = || Failure::lacks(&LIST_DOCUMENT_VERSIONS, "DocumentVersion");
    let mut numbers = Vec::new();
    for version in versions {
        numbers.push(version.document_version.ok_or_else(lacks)?);
    }
    numbers.sort_by_key(|number| std::cmp::Reverse(number.parse::<u64>().unwrap_or_default()));
    for number in numbers {
        let there = state(get(place, aspect, &number).await?);
        if satisfies(&there, wanted) {
            return Ok(Some(there));
        }
    }
    Ok(None)
}

async fn get(
    place: &RegionClients<'_>,
    aspect: &ObservedAspect,
    version: &str,
) -> Result<Option<GetDocumentOutput>, Failure> {
    let request = place.ssm().get_document().name(&aspect.id).document_version(version);
    let request = request.document_format(DocumentFormat::Json);
    place.read_unless(ABSENT, &GET_DOCUMENT, request.send()).await
}

fn state(answer: Option<GetDocumentOutput>) -> Json {
    answer.map_or(Json::Null, |answer| {
        json!({
            "Version": answer.document_version,
            "Document": answer.content.as_deref().map(canonical),
            "Text": answer.content,
        })
    })
}

pub(crate) async fn latest(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    Ok(state(get(place, aspect, "$LATEST").await?))
}

pub(crate) async fn default(place: &RegionClients<'_>, aspect: &ObservedAspect) -> Result<Json, Failure> {
    Ok(state(get(place, aspect, "$DEFAULT").await?))
}
