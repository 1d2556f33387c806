//! Answers are checked to be whole before they are believed.
//!
//! The SDK's XML reader takes the end of the text, or a broken tag, for the end of a list, and its JSON
//! reader takes an empty body for an empty object: a truncated answer would look like an account with
//! fewer resources. Members that the SDK replaces by a default where they are missing are asked for here.
//! This is done after the SDK has read the answer, since only then is its body in memory.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use memchr::memmem;

use super::xml;

/// Refuses answers that are cut short. Stands in every client.
#[derive(Debug)]
pub(crate) struct WholeAnswer {
    /// Whether an empty body is an answer, as it is to HEAD. The XML reader refuses it elsewhere.
    pub(crate) may_be_empty: bool,
}

impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "WholeAnswer"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().map(<[u8]>::trim_ascii);
        // An error is one whatever its body says.
        match body.filter(|body| response.status().is_success() && !(self.may_be_empty && body.is_empty())) {
            Some(body) => check(body).map_err(Into::into),
            None => Ok(()),
        }
    }
}

/// Refuses an answer without this member, where the SDK would fill in a default. For one operation.
#[derive(Debug)]
pub(crate) struct Requires(pub(crate) &'static str);

impl Intercept for Requires {
    fn name(&self) -> &'static str {
        "Requires"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let there = response.body().bytes().is_none_or(|body| memmem::find(body, self.0.as_bytes()).is_some());
        if there || !response.status().is_success() { Ok(()) } else { Err(format!("no member {}", self.0).into()) }
    }
}

/// Whether the body is something, and if it is XML, whether its tags are closed.
fn check(body: &[u8]) -> Result<(), &'static str> {
    match body.strip_prefix(xml::BYTE_ORDER_MARK.as_bytes()).unwrap_or(body).first() {
        None => Err("the answer is empty"),
        Some(b'<') => xml::check(std::str::from_utf8(body).or(Err("the answer is not in UTF-8"))?),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_not_empty_pass_if_their_xml_is_whole() {
        assert_eq!(check(b"{}"), Ok(()));
        assert_eq!(check(b"<a/>"), Ok(()));
        assert!(check(b"<a><b></a>").is_err());
        assert!(check(b"<a>\xff</a>").is_err());
        assert!(check(b"\xef\xbb\xbf<a>").is_err());
        assert!(check(b"").is_err());
    }
}
