//! Posts a notification. What was surely not taken is sent again; what may have been is not.

use std::time::Duration;

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryReason};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::{ErrorKind, RetryConfig};
use aws_smithy_types::timeout::TimeoutConfig;

use super::Receiver;

/// How often it is sent at most.
const ATTEMPTS: u32 = 5;

/// How long the first pause may be; each is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(500);

/// How long a pause is at most, whatever the receiver asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// Why a notification was not sent, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// The receiver does not take it as things are.
    #[error("{receiver} did not take the notification (status {status}): the next sweep sends it again")]
    NotTaken {
        /// Who.
        receiver: String,
        /// The HTTP status.
        status: u16,
    },
    /// The receiver does not want it.
    #[error("{receiver} refused the notification (status {status}): it is not sent again")]
    Refused {
        /// Who.
        receiver: String,
        /// The HTTP status.
        status: u16,
    },
    /// There is no way to the receiver.
    #[error("failed to reach {receiver} for the notification: {reason}; the next sweep sends it again")]
    Unreached {
        /// Who.
        receiver: String,
        /// Why.
        reason: String,
    },
    /// It was sent, and nobody said that it was taken.
    #[error("{receiver} gave no answer to the notification: it may have arrived, and is not sent again")]
    NoAnswer {
        /// Who.
        receiver: String,
    },
}

/// Sends notifications.
#[derive(Debug, Clone)]
pub struct Sender {
    client: SharedHttpClient,
    receiver: Receiver,
}

impl Sender {
    /// To this receiver.
    pub fn new(client: SharedHttpClient, receiver: Receiver) -> Self {
        Self { client, receiver }
    }

    /// Sends JSON. The receiver can tell by the key what it has had already.
    ///
    /// # Errors
    /// Where it was not taken, or nobody knows.
    pub async fn send(&self, key: &str, json: &str) -> Result<(), NotSent> {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(30))
            .build();
        let (receiver, key, json) = (self.receiver.clone(), key.to_owned(), json.to_owned());
        let operation = Operation::builder()
            .service_name("notification")
            .operation_name("Post")
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.client.clone())
            .endpoint_url(&self.receiver.origin)
            .no_auth()
            .standard_retry(
                &RetryConfig::standard()
                    .with_max_attempts(ATTEMPTS)
                    .with_initial_backoff(PAUSE)
                    .with_max_backoff(LONGEST_PAUSE),
            )
            .retry_classifier(OnlyWhatWasNotTaken)
            .timeout_config(timeouts)
            .serializer(move |(): ()| {
                let mut request = HttpRequest::new(SdkBody::from(json.as_str()));
                request.set_method("POST")?;
                request.set_uri(receiver.path.as_str())?;
                let headers = request.headers_mut();
                headers.insert("content-type", "application/json");
                headers.insert("user-agent", concat!("ssm-audit/", env!("CARGO_PKG_VERSION")));
                headers.insert("idempotency-key", key.clone());
                if let Some(authorization) = &receiver.authorization {
                    headers.insert("authorization", authorization.clone());
                }
                Ok(request)
            })
            .deserializer(|response: &HttpResponse| match response.status().as_u16() {
                200..=299 => Ok(()),
                status => Err(OrchestratorError::operation(Status(status))),
            })
            .build();
        operation.invoke(()).await.map_err(|error| self.not_sent(&error))
    }

    fn not_sent(&self, error: &SdkError<Status, HttpResponse>) -> NotSent {
        let receiver = self.receiver.to_string();
        match error {
            SdkError::ServiceError(refused) => match refused.err().0 {
                502 | 504 => NotSent::NoAnswer { receiver },
                // What is wrong with it will be so the next time.
                status @ (400 | 405 | 406 | 411 | 413 | 415 | 422) => NotSent::Refused { receiver, status },
                status => NotSent::NotTaken { receiver, status },
            },
            error if never_connected(error) => NotSent::Unreached { receiver, reason: innermost(error) },
            SdkError::ConstructionFailure(_) => NotSent::Unreached { receiver, reason: innermost(error) },
            _ => NotSent::NoAnswer { receiver },
        }
    }
}

/// A status that says no.
#[derive(Debug, thiserror::Error)]
#[error("status {0}")]
struct Status(u16);

/// Where no connection came about nothing was sent, and these statuses say that it was not taken. Anything else ends it: a
/// gateway that got no answer (502, 504) does not know either.
#[derive(Debug)]
struct OnlyWhatWasNotTaken;

impl ClassifyRetry for OnlyWhatWasNotTaken {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let Some(Err(error)) = context.output_or_error() else { return RetryAction::NoActionIndicated };
        if error.as_connector_error().is_some_and(|error| never_connected(error)) {
            return RetryAction::transient_error();
        }
        let Some(response) = context.response() else { return RetryAction::RetryForbidden };
        match response.status().as_u16() {
            429 | 503 => {
                let seconds = response.headers().get("retry-after").and_then(|seconds| seconds.trim().parse().ok());
                match seconds.map(Duration::from_secs) {
                    Some(pause) => RetryAction::RetryIndicated(RetryReason::RetryableError {
                        kind: ErrorKind::ThrottlingError,
                        retry_after: Some(pause.min(LONGEST_PAUSE)),
                    }),
                    None => RetryAction::throttling_error(),
                }
            }
            408 | 425 | 500 => RetryAction::server_error(),
            _ => RetryAction::RetryForbidden,
        }
    }

    fn name(&self) -> &'static str {
        "OnlyWhatWasNotTaken"
    }
}

/// Whether the error came before there was a connection.
fn never_connected(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref().is_some_and(hyper_util::client::legacy::Error::is_connect) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What the last error of the chain says.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
