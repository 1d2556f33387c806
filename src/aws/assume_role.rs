//! The way from one account into another: a role that is assumed, and assumed anew when its credentials are about
//! to run out.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::error::SdkError;
use aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder;
use aws_sdk_sts::operation::assume_role::{AssumeRoleError, AssumeRoleOutput};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::api_error::Failure;
use super::connection::Connection;
use super::rate_limiter::Pace;
use crate::model::arn::{Arn, owner};
use crate::model::call::Call;
use crate::model::{AccountId, Gap, GapKind, Region};

const ASSUME_ROLE: Call = Call { service: "sts", operation: "AssumeRole", actions: &["sts:AssumeRole"] };

/// How long calls wait for credentials. The SDK's own five seconds are less than what STS may take when it throttles.
const LOAD_TIMEOUT: Duration = Duration::from_mins(1);

/// The most that STS takes as a session policy, in characters.
const LONGEST_POLICY: usize = 2048;

/// A role to assume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumption {
    /// Its ARN.
    pub role: String,
    /// What its trust policy asks for.
    pub external_id: Option<String>,
    /// The name of the session.
    pub session_name: String,
    /// A policy, in JSON, that narrows what the session may do. One that is too long for STS is left out.
    pub policy: Option<String>,
}

impl Connection {
    /// A connection with the credentials of a role, asked of STS in the region of this one. It has clients and
    /// credentials of its own; what carries the requests is shared.
    ///
    /// # Errors
    /// Where the role cannot be assumed.
    pub async fn assume(&self, assumption: Assumption) -> Result<Self, Gap> {
        let Some((account, partition)) = Arn::parse(&assumption.role).as_ref().and_then(owner) else {
            return Err(problem("the role's ARN names no account"));
        };
        let role = AssumedRole::new(self, assumption);
        let first = role.assume(&account).await?;
        *role.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(first);
        let config = self
            .config()
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(role))
            // One for all clients of this connection. The caller's would keep these credentials to its end.
            .identity_cache(IdentityCache::lazy().load_timeout(LOAD_TIMEOUT).build())
            .build();
        Ok(self.with(config, account, partition))
    }
}

/// Gives the credentials of a role.
#[derive(Debug)]
struct AssumedRole {
    request: AssumeRoleFluentBuilder,
    /// How fast STS is asked, by all accounts of a fleet together.
    pace: Arc<Pace>,
    region: Region,
    /// Those that showed that it can be assumed, until they are used.
    first: Mutex<Option<Credentials>>,
}

impl AssumedRole {
    fn new(from: &Connection, assumption: Assumption) -> Self {
        let Assumption { role, external_id, session_name, policy } = assumption;
        // A policy that is too long is left out: the role's own policies bound the session as they do without it.
        let policy = policy.filter(|policy| policy.len() <= LONGEST_POLICY);
        let request = from
            .sts()
            .assume_role()
            .role_arn(role)
            .role_session_name(session_name)
            .set_external_id(external_id)
            .set_policy(policy);
        Self { request, pace: Arc::clone(from.pace()), region: from.region().clone(), first: Mutex::new(None) }
    }

    /// Asks for credentials, and sees to it that they are for this account.
    async fn assume(&self, account: &AccountId) -> Result<Credentials, Gap> {
        let answer = self.ask().await.map_err(|error| Failure::of(&ASSUME_ROLE, error.as_ref()).gap)?;
        let user = answer.assumed_role_user().and_then(|user| Arn::parse(user.arn()));
        if user.is_none_or(|arn| arn.account != account.as_str()) {
            return Err(problem("the session is not in the account of the role"));
        }
        credentials(&answer).ok_or_else(|| problem("the answer lacks credentials"))
    }

    async fn ask(&self) -> Result<AssumeRoleOutput, Box<SdkError<AssumeRoleError, HttpResponse>>> {
        self.pace.keep("sts", Some(&self.region)).await;
        self.request.clone().send().await.map_err(Box::new)
    }
}

impl ProvideCredentials for AssumedRole {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(first) = first {
            return future::ProvideCredentials::ready(Ok(first));
        }
        future::ProvideCredentials::new(async {
            let answer = self.ask().await.map_err(CredentialsError::provider_error)?;
            credentials(&answer).ok_or_else(|| CredentialsError::unhandled("the answer of STS lacks credentials"))
        })
    }
}

fn credentials(answer: &AssumeRoleOutput) -> Option<Credentials> {
    let given = answer.credentials()?;
    let expiry = SystemTime::try_from(*given.expiration()).ok()?;
    let token = Some(given.session_token().to_owned());
    Some(Credentials::new(given.access_key_id(), given.secret_access_key(), token, Some(expiry), "AssumeRole"))
}

fn problem(message: &str) -> Gap {
    Gap::of_call(GapKind::Failed, ASSUME_ROLE.to_string()).with_message(message)
}
