//! What a failed call says, in the words of a gap. Nothing that differs between two runs gets in: no
//! request ids, no messages of the service (they name the caller), no times.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::circuit_breaker::{Heard, spared};
use crate::model::call::Call;
use crate::model::{Gap, GapKind};

/// A call that gave no answer.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// What to say of the facts that it would have given.
    pub(crate) gap: Gap,
    /// The HTTP status, where there was one.
    pub(crate) status: Option<u16>,
    /// The region that S3 says the bucket is in.
    pub(crate) bucket_region: Option<String>,
    /// Whether the service said anything.
    pub(crate) heard: Heard,
}

/// Codes by which services refuse a caller.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>
pub(crate) const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthFailure",
    "AuthorizationError",
    "Blocked",
    "Forbidden",
    "KMSAccessDeniedException",
    "NotAuthorized",
    "OperationNotPermitted",
    "OptInRequired",
    "UnauthorizedAccess",
    "UnauthorizedOperation",
];

/// Codes by which services say that there are too many calls.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
pub(crate) const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Codes for an answer that did not come in time.
const TIMED_OUT: &[&str] = &["RequestTimeout", "RequestTimeoutException", "GatewayTimeout"];

impl Failure {
    /// The failure that an SDK error is.
    pub(crate) fn of<E>(call: &Call, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata,
    {
        let gap = |kind| Gap::of_call(kind, call.to_string());
        let (gap, response) = match error {
            SdkError::TimeoutError(_) => (gap(GapKind::Timeout), None),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => (gap(GapKind::Timeout), None),
            SdkError::DispatchFailure(failure) if failure.is_io() => {
                (gap(GapKind::Failed).with_message("the connection failed"), None)
            }
            SdkError::DispatchFailure(_) => (gap(GapKind::Failed).with_message("the request could not be sent"), None),
            SdkError::ConstructionFailure(_) => {
                (gap(GapKind::Failed).with_message("the request could not be built"), None)
            }
            SdkError::ResponseError(error) => {
                (gap(GapKind::Failed).with_message("the answer could not be read"), Some(error.raw()))
            }
            SdkError::ServiceError(refused) => {
                let status = refused.raw().status();
                let gap = match (refused.err().code(), status.is_success()) {
                    (Some(code), _) => gap(kind_of(code, status.as_u16())).with_code(code),
                    (None, false) => gap(kind_of("", status.as_u16())).with_code(status.as_u16().to_string()),
                    (None, true) => gap(GapKind::Failed).with_message("the answer could not be understood"),
                };
                (gap, Some(refused.raw()))
            }
            _ => (gap(GapKind::Failed), None),
        };
        let bucket_region =
            response.and_then(|response| response.headers().get("x-amz-bucket-region")).map(str::to_owned);
        let heard = match response {
            Some(_) => Heard::Answer,
            None if gap.kind == GapKind::Timeout => Heard::Nothing,
            None => Heard::NotWaitedFor,
        };
        Self { gap, status: response.map(|response| response.status().as_u16()), bucket_region, heard }
    }

    /// An answer that cannot be understood.
    pub(crate) fn unreadable(call: &Call, problem: &str) -> Self {
        let gap = Gap::of_call(GapKind::Failed, call.to_string()).with_message(problem);
        Self { gap, status: None, bucket_region: None, heard: Heard::Answer }
    }

    /// An answer without a member that AWS always sends.
    pub(crate) fn lacks(call: &Call, member: &str) -> Self {
        Self::unreadable(call, &format!("the answer lacks {member}"))
    }

    /// The failure of a call that was dropped, or not made, because the user wants to stop.
    pub(crate) fn interrupted(call: &Call) -> Self {
        let gap = Gap::of_call(GapKind::Failed, call.to_string()).with_message("interrupted");
        Self::without_answer(gap)
    }

    /// The failure of a call that was dropped because the account has had its time.
    pub(crate) fn overdue(call: &Call) -> Self {
        let gap = Gap::of_call(GapKind::Timeout, call.to_string()).with_message("the account took too long");
        Self::without_answer(gap)
    }

    /// The failure of a call that was not made, since no account gets an answer.
    pub(crate) fn spared(call: &Call) -> Self {
        Self::without_answer(spared(call))
    }

    fn without_answer(gap: Gap) -> Self {
        Self { gap, status: None, bucket_region: None, heard: Heard::NotWaitedFor }
    }

    /// Whether the service's code is one of these.
    pub(crate) fn has_code(&self, codes: &[&str]) -> bool {
        self.gap.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

fn kind_of(code: &str, status: u16) -> GapKind {
    if DENIED.contains(&code) {
        GapKind::Denied
    } else if THROTTLED.contains(&code) || status == 429 {
        GapKind::Throttled
    } else if TIMED_OUT.contains(&code) || matches!(status, 408 | 504) {
        GapKind::Timeout
    } else if matches!(status, 401 | 403) && (code.is_empty() || code == "403") {
        GapKind::Denied
    } else {
        GapKind::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_the_kind() {
        for (code, status, kind) in [
            ("UnauthorizedOperation", 403, GapKind::Denied),
            ("AccessDeniedException", 400, GapKind::Denied),
            ("", 403, GapKind::Denied),
            ("ExpiredToken", 403, GapKind::Failed),
            ("RequestLimitExceeded", 503, GapKind::Throttled),
            ("ThrottlingException", 400, GapKind::Throttled),
            ("SlowDown", 503, GapKind::Throttled),
            ("", 429, GapKind::Throttled),
            ("InternalError", 500, GapKind::Failed),
            ("", 504, GapKind::Timeout),
        ] {
            assert_eq!(kind_of(code, status), kind, "{code} {status}");
        }
    }
}
