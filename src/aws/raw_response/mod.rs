//! Long answers, of which the SDK would build every member of every resource: for the instances of a fleet that costs
//! more than all the rest of a sweep. Their readers take what they need out of the answer itself; the SDK is left the
//! sending, the retries and the errors. An answer that is not whole is asked for again, as one is that was cut off.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

use super::xml::Document;

/// What leads to the next page.
pub(crate) const NEXT_TOKEN: &str = "nextToken";

/// The answer to a request that `send` makes, with this interceptor in it.
pub(crate) async fn document<O, E, F>(send: impl FnOnce(Taken) -> F) -> Result<Document, SdkError<E, HttpResponse>>
where
    F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
{
    let answer = Arc::default();
    send(Taken { answer: Arc::clone(&answer) }).await?;
    let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(answer.expect("a request that succeeds has an answer"))
}

/// Takes the answer away before the SDK reads it.
#[derive(Debug)]
pub(crate) struct Taken {
    answer: Arc<Mutex<Option<Document>>>,
}

impl Intercept for Taken {
    fn name(&self) -> &'static str {
        "Taken"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response_mut();
        // Errors are for the SDK.
        if !response.status().is_success() {
            return Ok(());
        }
        let body = std::mem::replace(response.body_mut(), SdkBody::taken());
        let answer = Arc::clone(&self.answer);
        let take = async move {
            let body = body.collect().await?.to_bytes();
            let document = Document::parse(String::from_utf8(body.into())?)?;
            let root = document.root();
            // Or this page would be taken for the last.
            if root.child(NEXT_TOKEN).is_some() && root.text(NEXT_TOKEN).is_none() {
                return Err("the answer has a token that is no text".into());
            }
            // What is left to the SDK: an answer of the right name, with nothing in it.
            let rest = format!("<{}/>", root.name());
            *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(document);
            Ok::<_, BoxError>(Frame::data(rest.into()))
        };
        *response.body_mut() = SdkBody::from_body_1_x(StreamBody::new(stream::once(Box::pin(take))));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
