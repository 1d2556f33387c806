//! Recorded answers in place of AWS, for fuzzing. Reading any answers results in an inventory.
//!
//! Each answer follows a line `> OPERATION STATUS`. For an operation without an answer, access is denied.

use std::sync::Arc;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_sts::config::SharedCredentialsProvider;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;

use super::{Collection, DEFAULT_CONCURRENCY, collect};
use crate::aws::Connection;
use crate::collect::{Quiet, Shutdown};
use crate::model::call::Needs;
use crate::model::{AccountId, Inventory, Partition, Region};

#[derive(Debug)]
struct Answer {
    operation: String,
    status: u16,
    body: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Server(Arc<Vec<Answer>>);

impl Server {
    fn of(input: &[u8]) -> Self {
        let mut answers: Vec<Answer> = Vec::new();
        for line in input.split_inclusive(|byte| *byte == b'\n') {
            if let Some(head) = line.strip_prefix(b"> ") {
                let head = String::from_utf8_lossy(head);
                let mut words = head.split_whitespace();
                answers.push(Answer {
                    operation: words.next().unwrap_or_default().to_owned(),
                    status: words.next().and_then(|status| status.parse().ok()).unwrap_or(200),
                    body: Vec::new(),
                });
            } else if let Some(answer) = answers.last_mut() {
                answer.body.extend_from_slice(line);
            }
        }
        Self(Arc::new(answers))
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let asked = operation(request);
        let found = self.0.iter().find(|answer| answer.operation == asked);
        let (status, body) = found.map_or((403, &b""[..]), |answer| (answer.status, &answer.body));
        let status = status.try_into().unwrap_or_else(|_| 200.try_into().expect("a status"));
        HttpResponse::new(status, SdkBody::from(body.to_vec()))
    }
}

/// Name of the requested operation. JSON protocols have it in a header, query protocols in the body, and S3
/// in the query string of the URL.
fn operation(request: &HttpRequest) -> String {
    if let Some((_, operation)) = request.headers().get("x-amz-target").and_then(|target| target.split_once('.')) {
        return operation.to_owned();
    }
    let body = request.body().bytes().and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default();
    if let Some(action) = body.strip_prefix("Action=") {
        return action.split('&').next().unwrap_or_default().to_owned();
    }
    let query = request.uri().split_once('?').map_or("", |(_, query)| query);
    format!("{}{}", request.method(), query.split(['&', '=']).next().unwrap_or_default())
}

impl HttpConnector for Server {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Ok(self.answer(&request)))
    }
}

/// Reads an account that returns these answers.
pub(crate) fn answered(input: &[u8], needs: &Needs, now: &str) -> Inventory {
    let connector = SharedHttpConnector::new(Server::of(input));
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_config::Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("a", "b", None, None, "answers")))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let account: AccountId = "111122223333".parse().expect("an account");
    let region: Region = "us-east-1".parse().expect("a region");
    let connection = Connection::reading(config, account, Partition::Aws, region.clone());
    let collection = Collection {
        regions: &[region],
        needs,
        collected_at: now.to_owned(),
        concurrency: DEFAULT_CONCURRENCY,
        shared: None,
        deadline: None,
        owners: None,
        progress: &Quiet,
        shutdown: &Shutdown::new(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(collect(&connection, &collection))
}
