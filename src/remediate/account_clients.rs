//! Where a call is made: an account, reached for reading and for changing, and a region.

use std::future::Future;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::request_id::RequestId;

use serde_json::Value as Json;

use crate::aws::{Connection, Failure, follow};
use crate::model::call::Call;
use crate::model::{AccountId, Region};

/// An account that can be changed.
#[derive(Debug)]
pub(crate) struct AccountClients {
    reading: Arc<Connection>,
    changing: Connection,
}

impl AccountClients {
    /// The account that the connection leads to.
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { changing: connection.for_changes(), reading: connection }
    }

    /// The connection for reading.
    pub(crate) fn connection(&self) -> &Connection {
        &self.reading
    }

    /// The account.
    pub(crate) fn account(&self) -> &AccountId {
        self.reading.account()
    }

    /// A region of the account; none for what has no region.
    pub(crate) fn place(&self, region: Option<&Region>) -> RegionClients<'_> {
        RegionClients { account_clients: self, region: region.unwrap_or(self.reading.region()).clone() }
    }
}

/// A region of an account that can be changed.
#[derive(Debug)]
pub(crate) struct RegionClients<'a> {
    pub(crate) account_clients: &'a AccountClients,
    pub(crate) region: Region,
}

macro_rules! clients {
    ($($service:ident: $sdk:ident),*) => {
        impl RegionClients<'_> {
            $(
                #[doc = concat!("The client of `", stringify!($sdk), "` for reading.")]
                pub(crate) fn $service(&self) -> $sdk::Client {
                    self.account_clients.reading.$service(&self.region)
                }
            )*
        }

        /// The clients for changing.
        pub(crate) struct Changing<'a>(&'a RegionClients<'a>);

        impl Changing<'_> {
            $(
                #[doc = concat!("The client of `", stringify!($sdk), "` for changing.")]
                pub(crate) fn $service(&self) -> $sdk::Client {
                    self.0.account_clients.changing.$service(&self.0.region)
                }
            )*

            /// The client of IAM for changing.
            pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
                self.0.account_clients.changing.iam()
            }
        }
    };
}

clients!(ec2: aws_sdk_ec2, kms: aws_sdk_kms, logs: aws_sdk_cloudwatchlogs, s3: aws_sdk_s3, ssm: aws_sdk_ssm);

impl RegionClients<'_> {
    /// The client of IAM for reading.
    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        self.account_clients.reading.iam()
    }

    /// The clients for changing.
    pub(crate) fn changing(&self) -> Changing<'_> {
        Changing(self)
    }

    /// Sends a request that reads.
    pub(crate) async fn read<T, E>(
        &self,
        call: &Call,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata,
    {
        Box::pin(request).await.map_err(|error| Failure::of(call, &error))
    }

    /// Sends requests that read, page after page, until one has no token for another or `take` has had enough. A token
    /// that comes again is a failure.
    pub(crate) async fn pages<P, E, F>(
        &self,
        call: &Call,
        mut request: impl FnMut(Option<String>) -> F,
        take: impl FnMut(P) -> Option<String>,
    ) -> Result<(), Failure>
    where
        F: Future<Output = Result<P, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata,
    {
        let again = || Failure::unreadable(call, "the same page was given twice");
        Box::pin(follow(|token| self.read(call, request(token)), take, again)).await
    }

    /// Sends a request that reads, to which these codes are the answer that the thing does not exist.
    pub(crate) async fn read_unless<T, E>(
        &self,
        absent: &[&str],
        call: &Call,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<Option<T>, Failure>
    where
        E: ProvideErrorMetadata,
    {
        match self.read(call, request).await {
            Ok(answer) => Ok(Some(answer)),
            Err(failure) if failure.has_code(absent) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// What became of a request that changes something.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The service's id of the request, for its support.
    pub(crate) request_id: Option<String>,
    /// Why there is no answer, where there is none.
    pub(crate) failure: Option<Failure>,
    /// What an answer tells that is hard to find otherwise.
    pub(crate) answer: Option<Json>,
    /// What the service says about a refusal.
    pub(crate) message: Option<String>,
}

impl Sent {
    /// A request that was not sent.
    pub(crate) fn not_sent(failure: Failure) -> Self {
        Self { request_id: None, failure: Some(failure), answer: None, message: None }
    }

    /// Why there is no answer, with what the service says about it.
    pub(crate) fn problem(&self) -> String {
        let gap = self.failure.as_ref().map(|failure| failure.gap.to_string()).unwrap_or_default();
        match &self.message {
            Some(message) => format!("{gap}: {message}"),
            None => gap,
        }
    }

    /// What became of it.
    pub(crate) fn of<T: RequestId, E>(call: &Call, result: Result<T, SdkError<E, HttpResponse>>) -> Self
    where
        E: ProvideErrorMetadata,
        SdkError<E, HttpResponse>: RequestId,
    {
        match result {
            Ok(answer) => {
                Self { request_id: answer.request_id().map(str::to_owned), answer: None, failure: None, message: None }
            }
            Err(error) => Self {
                request_id: error.request_id().map(str::to_owned),
                message: error.message().map(str::to_owned),
                answer: None,
                failure: Some(Failure::of(call, &error)),
            },
        }
    }
}
