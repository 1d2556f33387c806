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
use memchr::{memchr, memmem};

/// Refuses answers that are cut short. Stands in every client.
#[derive(Debug)]
pub(super) struct WholeAnswer {
    /// Whether an empty body is an answer, as it is to HEAD. The XML reader refuses it elsewhere.
    pub(super) may_be_empty: bool,
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
pub(super) struct Requires(pub(super) &'static str);

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
    match body.first() {
        None => Err("the answer is empty"),
        Some(b'<') => check_tags(body),
        Some(_) => Ok(()),
    }
}

fn check_tags(body: &[u8]) -> Result<(), &'static str> {
    const CUT: &str = "the answer is cut short";
    let mut open: Vec<&[u8]> = Vec::new();
    let mut rest = body;
    while let Some(start) = memchr(b'<', rest) {
        if open.is_empty() && !rest[..start].trim_ascii().is_empty() {
            return Err("the answer has text outside of its elements");
        }
        rest = &rest[start..];
        let end: &[u8] = match rest {
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'!', b'[', ..] => b"]]>",
            _ => b">",
        };
        let length = match end {
            // Nearly all: worth a search of its own.
            [byte] => memchr(*byte, rest),
            end => memmem::find(rest, end),
        };
        let length = length.ok_or(CUT)? + end.len();
        let (tag, after) = rest.split_at(length);
        rest = after;
        if end != b">" || tag.starts_with(b"<!") {
            continue;
        }
        let inside = &tag[1..tag.len() - 1];
        if let Some(name) = inside.strip_prefix(b"/") {
            if open.pop() != Some(name.trim_ascii_end()) {
                return Err("the answer's elements do not match");
            }
        } else if !inside.ends_with(b"/") {
            open.push(inside.split(u8::is_ascii_whitespace).next().unwrap_or_default());
        }
    }
    if open.is_empty() && rest.trim_ascii().is_empty() { Ok(()) } else { Err(CUT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str =
        "<?xml version=\"1.0\"?>\n<R xmlns=\"http://a/\"><!-- > --><s><i a='1'/><i>x&gt;</i></s><e/></R>\n";

    #[test]
    fn whole_answers_pass() {
        assert_eq!(check(WHOLE.trim().as_bytes()), Ok(()));
        assert_eq!(check(b"{}"), Ok(()));
        assert_eq!(check(b"<a/>"), Ok(()));
    }

    #[test]
    fn an_answer_cut_anywhere_is_refused() {
        for length in 0..WHOLE.trim_end().len() {
            // Only the declaration is left: there is no root, which the SDK itself refuses.
            if length != WHOLE.find('\n').unwrap_or_default() && length != WHOLE.find('\n').unwrap_or_default() + 1 {
                assert!(check(&WHOLE.as_bytes()[..length]).is_err(), "{}", &WHOLE[..length]);
            }
        }
    }

    #[test]
    fn garbage_in_the_middle_is_refused() {
        assert!(check(b"<a><b></a>").is_err());
        assert!(check(b"<a><b<></b></a>").is_err());
        assert!(check(b"<a></a><").is_err());
        assert!(check(b"").is_err());
    }
}
