//! How often the SDK asks again, as the AWS CLI has it: `AWS_RETRY_MODE` and `AWS_MAX_ATTEMPTS`, or
//! `retry_mode` and `max_attempts` of the profile. The SDK's own reader of these panics at a bad value.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>

use aws_config::profile::ProfileSet;
use aws_config::retry::{RetryConfig, RetryMode};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_types::os_shim_internal::Env;
use memchr::memmem;

use super::api_error::THROTTLED;
use super::connection_error::ConnectionError;

/// How often a request is sent at most, unless told. A scan is worth waiting for, and many may run at once.
pub(crate) const MAX_ATTEMPTS: u32 = 5;

/// The retries that the environment and the profile ask for. They are adaptive only if told: in that mode the SDK makes of
/// a single throttled call, of the few that an account needs, a pace of one in some seconds. What keeps calls apart
/// is [`super::rate_limiter`].
pub(crate) fn retries(environment: &Env, profiles: &ProfileSet) -> Result<RetryConfig, ConnectionError> {
    let setting = |variable: &str, property: &str| {
        let from_environment = environment.get(variable).ok().map(|value| (variable.to_owned(), value));
        let from_profile = || profiles.get(property).map(|value| (property.to_owned(), value.to_owned()));
        from_environment.or_else(from_profile).filter(|(_, value)| !value.is_empty())
    };
    let mut retries = RetryConfig::standard().with_max_attempts(MAX_ATTEMPTS);
    if let Some((name, value)) = setting("AWS_MAX_ATTEMPTS", "max_attempts") {
        let attempts = value.trim().parse::<u32>().ok().filter(|attempts| *attempts > 0);
        let attempts = attempts.ok_or_else(|| {
            ConnectionError::Configuration(format!("{name}: expected a whole number from 1, got {value:?}"))
        })?;
        retries = retries.with_max_attempts(attempts);
    }
    if let Some((name, value)) = setting("AWS_RETRY_MODE", "retry_mode") {
        let mode = match value.trim().to_ascii_lowercase().as_str() {
            // The CLI's older mode; the SDK does not have it.
            "standard" | "legacy" => RetryMode::Standard,
            "adaptive" => RetryMode::Adaptive,
            _ => {
                let message = format!("{name}: expected standard or adaptive, got {value:?}");
                return Err(ConnectionError::Configuration(message));
            }
        };
        retries = retries.with_retry_mode(mode);
    }
    Ok(retries)
}

/// Lets the SDK send a change again only where the service refused it for being one call too many: then it
/// had no effect. After any other failure it may have had, and sending it again blindly could do it twice.
#[derive(Debug)]
pub(crate) struct OnlyWhatWasRefused;

impl ClassifyRetry for OnlyWhatWasRefused {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        if matches!(context.output_or_error(), Some(Ok(_))) {
            return RetryAction::NoActionIndicated;
        }
        if context.response().is_some_and(is_throttled) {
            RetryAction::NoActionIndicated
        } else {
            RetryAction::RetryForbidden
        }
    }

    fn name(&self) -> &'static str {
        "OnlyWhatWasRefused"
    }
}

/// Whether the service says that there are too many calls.
pub(crate) fn is_throttled(response: &HttpResponse) -> bool {
    !response.status().is_success()
        && (response.status().as_u16() == 429 || response.body().bytes().is_some_and(names_throttling))
}

/// Whether an error's body has a throttling code in it, in XML or in JSON.
fn names_throttling(body: &[u8]) -> bool {
    let is_code = |start: usize, end: usize| match (&body[..start], &body[end..]) {
        (before, after) if after.starts_with(b"\"") => before.ends_with(b"\"") || before.ends_with(b"#"),
        (before, after) => before.ends_with(b"<Code>") && after.starts_with(b"</Code>"),
    };
    THROTTLED.iter().any(|code| memmem::find_iter(body, code).any(|start| is_code(start, start + code.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttling_code_is_seen_where_codes_stand() {
        for body in [
            "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>",
            r#"{"__type":"ThrottlingException"}"#,
            r#"{"message":"not ThrottlingException","__type":"com.amazonaws.ssm#ThrottlingException"}"#,
        ] {
            assert!(names_throttling(body.as_bytes()), "{body}");
        }
        for body in [
            "",
            "<Code>AccessDenied</Code><Message>ThrottlingException</Message>",
            r#"{"message":"it is no ThrottlingException"}"#,
            "<Code>RequestLimitExceededNow</Code>",
        ] {
            assert!(!names_throttling(body.as_bytes()), "{body}");
        }
    }
}
