//! Systems Manager: the document of the session preferences.

use aws_sdk_ssm::operation::get_document::GetDocumentOutput;
use aws_sdk_ssm::types::DocumentFormat;
use serde_json::{Value as Json, json};

use super::{Aspect, canonical};
use crate::model::call::GET_DOCUMENT;
use crate::remediate::place::Place;
use crate::source::aws::Failure;

const ABSENT: &[&str] = &["InvalidDocument"];

async fn get(place: &Place<'_>, aspect: &Aspect, version: &str) -> Result<Option<GetDocumentOutput>, Failure> {
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

pub(super) async fn latest(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    Ok(state(get(place, aspect, "$LATEST").await?))
}

pub(super) async fn default(place: &Place<'_>, aspect: &Aspect) -> Result<Json, Failure> {
    Ok(state(get(place, aspect, "$DEFAULT").await?))
}
