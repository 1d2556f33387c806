//! Why an account cannot be read at all, and what to do about it.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::api_error::DENIED;
use super::nearest::{self, did_you_mean};
use crate::model::{Gap, GapKind};
use crate::yaml::nearest as nearest_of;

/// What went wrong before anything was read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// No region is set anywhere.
    #[error("no AWS region is set: name one with --region, AWS_REGION, or `region` in the profile")]
    NoRegion,
    /// The AWS configuration cannot be used.
    #[error("failed to use the AWS configuration: {0}")]
    Configuration(String),
    /// The profile is in none of the configuration files.
    #[error("there is no profile {profile:?} in the AWS configuration files: {}{}", names(.known), near(profile, known))]
    NoProfile {
        /// The profile that was asked for.
        profile: String,
        /// The profiles that there are.
        known: Vec<String>,
    },
    /// No credentials were found.
    #[error(
        "found no AWS credentials: set --profile or AWS_PROFILE, log in with `aws sso login`, or set \
         AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    )]
    NoCredentials,
    /// The session of IAM Identity Center has ended, or was never begun.
    #[error("the AWS login of the profile is missing or has expired: run `aws sso login` again")]
    LoginNeeded,
    /// The profile has a session of `aws login`.
    #[error(
        "cannot use the profile: it has a session of `aws login`, which only the AWS CLI reads; run \
         `eval \"$(aws configure export-credentials --profile NAME --format env)\"` and leave out --profile"
    )]
    LoginSession,
    /// The provider of the credentials failed.
    #[error("failed to get AWS credentials: {0}")]
    CredentialsFailed(String),
    /// The credentials have expired.
    #[error("the AWS credentials have expired ({code}): get new ones, for example by logging in again")]
    ExpiredCredentials {
        /// The service's error code.
        code: String,
    },
    /// AWS does not accept the credentials.
    #[error(
        "AWS refused the credentials ({code}): check the access key and its secret, that the key is active, that the \
         clock is right, and that {region} is a region that the account has enabled"
    )]
    RefusedCredentials {
        /// The service's error code.
        code: String,
        /// The region that was asked.
        region: String,
    },
    /// The credentials are good and do not allow the call.
    #[error("AWS denied {call} ({code}): allow it to these credentials")]
    Denied {
        /// The call.
        call: &'static str,
        /// The service's error code.
        code: String,
    },
    /// No connection came about, or no answer came in time.
    #[error(
        "failed to reach AWS at {endpoint}: {reason}; check the network, the proxy and --endpoint-url{}",
        did_you_mean(suggestion.as_deref())
    )]
    Unreachable {
        /// The endpoint, or the region where it is AWS's own.
        endpoint: String,
        /// What the connection says.
        reason: String,
        /// The endpoint or region that was probably meant.
        suggestion: Option<String>,
    },
    /// AWS says no, for another reason.
    #[error("AWS answered {call} with {code} (endpoint {endpoint})")]
    Answered {
        /// The call.
        call: &'static str,
        /// The service's error code.
        code: String,
        /// The endpoint, or the region where it is AWS's own.
        endpoint: String,
    },
    /// An answer that is none of the above.
    #[error("AWS gave no answer to {call} that can be used: {reason}")]
    Unexpected {
        /// The call.
        call: &'static str,
        /// What was wrong.
        reason: String,
    },
}

/// The profile that was probably meant.
fn near(profile: &str, known: &[String]) -> String {
    did_you_mean(nearest_of(profile, known.iter().map(String::as_str)))
}

fn names(profiles: &[String]) -> String {
    if profiles.is_empty() { "there are none".to_owned() } else { format!("they have {}", profiles.join(", ")) }
}

/// Codes for credentials that were good once.
const EXPIRED: &[&str] = &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];

/// Codes for credentials that are not good.
const REFUSED: &[&str] = &[
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

impl ConnectionError {
    /// What it leaves unknown of an account of many, of which the others can be read all the same.
    pub fn gap(&self) -> Gap {
        let of_identity = |kind| Gap::of_call(kind, "sts:GetCallerIdentity");
        match self {
            Self::Denied { call, code } => Gap::of_call(GapKind::Denied, *call).with_code(code.as_str()),
            Self::RefusedCredentials { code, .. } => of_identity(GapKind::Denied).with_code(code.as_str()),
            Self::ExpiredCredentials { code } => of_identity(GapKind::Failed).with_code(code.as_str()),
            Self::Answered { call, code, .. } => Gap::of_call(GapKind::Failed, *call).with_code(code.as_str()),
            Self::Unexpected { call, reason } => Gap::of_call(GapKind::Failed, *call).with_message(reason.as_str()),
            error => Gap::because(GapKind::Failed, error.to_string()),
        }
    }

    /// Whether AWS says no with this code.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Answered { code, .. } if code == wanted)
    }

    /// What an error of one of the first calls says about the connection.
    pub(crate) fn of<E>(call: &'static str, endpoint: String, region: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let suggestion = if endpoint.contains("://") {
            nearest::endpoint(&endpoint)
        } else {
            nearest::region(region).map(str::to_owned)
        };
        match error {
            SdkError::TimeoutError(_) => {
                Self::Unreachable { endpoint, reason: "no answer in time".to_owned(), suggestion }
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                Self::Unreachable { endpoint, reason: "no answer in time".to_owned(), suggestion }
            }
            SdkError::DispatchFailure(failure) if failure.is_io() => {
                let reason = failure.as_connector_error().map_or_else(String::new, |error| innermost(error));
                Self::Unreachable { endpoint, reason, suggestion }
            }
            SdkError::DispatchFailure(_) => Self::of_credentials(error),
            SdkError::ServiceError(refused) => {
                let code = refused.err().code().map_or_else(|| refused.raw().status().to_string(), str::to_owned);
                if EXPIRED.contains(&code.as_str()) {
                    Self::ExpiredCredentials { code }
                } else if REFUSED.contains(&code.as_str()) {
                    Self::RefusedCredentials { code, region: region.to_owned() }
                } else if refused.raw().status().as_u16() == 403 || DENIED.contains(&code.as_str()) {
                    Self::Denied { call, code }
                } else {
                    Self::Answered { call, code, endpoint }
                }
            }
            _ => {
                Self::Unexpected { call, reason: format!("the endpoint {endpoint} gave no answer that AWS would give") }
            }
        }
    }

    fn of_credentials<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + 'static,
    {
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(cause) = source {
            if matches!(cause.downcast_ref(), Some(CredentialsError::CredentialsNotLoaded(_))) {
                return Self::NoCredentials;
            }
            source = cause.source();
        }
        let everything = DisplayErrorContext(error).to_string().to_ascii_lowercase();
        if everything.contains("credentials-login") {
            Self::LoginSession
        } else if everything.contains("sso") || everything.contains("login") {
            Self::LoginNeeded
        } else if everything.contains("no providers in chain provided credentials") {
            Self::NoCredentials
        } else {
            Self::CredentialsFailed(innermost(error))
        }
    }
}

/// What the last error of the chain says.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
