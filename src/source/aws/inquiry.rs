//! One operation asked of one region: sends its requests, and words what is wrong with the answers.

use std::future::Future;
use std::sync::Arc;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure::Failure;
use super::reader::Reader;
use crate::model::call::Call;
use crate::model::{Fact, Gap, GapKind, Region};
use crate::source::Outcome;

/// An operation, and where it is asked.
#[derive(Clone, Copy)]
pub(super) struct Inquiry<'r> {
    pub(super) reader: &'r Reader<'r>,
    pub(super) call: &'static Call,
    pub(super) region: Option<&'r Region>,
}

impl<'a> Reader<'a> {
    /// An operation of a region, or (without) of the account.
    pub(super) fn inquire<'r>(&'r self, call: &'static Call, region: Option<&'r Region>) -> Inquiry<'r>
    where
        'a: 'r,
    {
        Inquiry { reader: self, call, region }
    }
}

impl Inquiry<'_> {
    /// Sends a request. Its failure is noted in the coverage.
    pub(super) fn send<T, E>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> impl Future<Output = Result<T, Arc<Gap>>>
    where
        E: ProvideErrorMetadata,
    {
        let attempt = self.attempt(request);
        async move { attempt.await.map_err(|failure| self.failed(failure)) }
    }

    /// Sends a request, to which these codes are the answer that the thing does not exist.
    pub(super) fn send_unless<T, E>(
        &self,
        absent: &[&str],
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> impl Future<Output = Result<Option<T>, Arc<Gap>>>
    where
        E: ProvideErrorMetadata,
    {
        let attempt = self.attempt(request);
        async move {
            match attempt.await {
                Ok(answer) => Ok(Some(answer)),
                Err(failure) if failure.has_code(absent) => {
                    self.reader.answered(self.region);
                    Ok(None)
                }
                Err(failure) => Err(self.failed(failure)),
            }
        }
    }

    /// Sends a request whose failure may yet mean something: it is for the caller to note.
    pub(super) fn attempt<T, E>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> impl Future<Output = Result<T, Failure>>
    where
        E: ProvideErrorMetadata,
    {
        let Reader { connection, collection, .. } = self.reader;
        // The SDK's futures are large; on the heap they do not add up through the layers.
        let request = Box::pin(request);
        async move {
            let _permit = self.reader.permits.acquire().await;
            if collection.shutdown.is_requested() {
                return Err(Failure::interrupted(self.call));
            }
            collection.progress.started(connection.account(), self.region, self.call);
            let answer = tokio::select! {
                biased;
                answer = request => answer.map_err(|error| Failure::of(self.call, &error)),
                () = collection.shutdown.requested() => Err(Failure::interrupted(self.call)),
            };
            let outcome = if answer.is_ok() { Outcome::Answered } else { Outcome::Failed };
            collection.progress.finished(connection.account(), self.region, self.call, outcome);
            if answer.is_ok() {
                self.reader.answered(self.region);
            }
            answer
        }
    }

    /// Notes a failure in the coverage.
    pub(super) fn failed(&self, failure: Failure) -> Arc<Gap> {
        self.reader.failed(self.region, failure.gap)
    }

    /// Reads page after page, until one has no token for another. What was taken stays when a later one fails.
    pub(super) async fn pages<P, F>(
        &self,
        mut request: impl FnMut(Option<String>) -> F,
        mut take: impl FnMut(P) -> Option<String>,
    ) -> Result<(), Arc<Gap>>
    where
        F: Future<Output = Result<P, Arc<Gap>>>,
    {
        let mut token = None;
        loop {
            let next = take(request(token.clone()).await?).filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(());
            }
            if next == token {
                return Err(self.problem("the same page was given twice"));
            }
            token = next;
        }
    }

    /// Something is wrong with the answer.
    pub(super) fn problem(&self, message: &str) -> Arc<Gap> {
        self.reader.failed(self.region, Gap::of_call(GapKind::Failed, self.call.to_string()).with_message(message))
    }

    /// The answer lacks a member that AWS always sends.
    pub(super) fn lacks(&self, member: &str) -> Arc<Gap> {
        self.problem(&format!("the answer lacks {member}"))
    }

    /// The value of a member that AWS always sends.
    pub(super) fn required<T>(&self, member: &str, value: Option<T>) -> Fact<T> {
        value.map_or_else(|| Fact::Unknown(self.lacks(member)), Fact::Known)
    }

    /// What the call leads to may not all be known.
    pub(super) fn unlisted(&self, gap: &Arc<Gap>) {
        self.reader.unlisted(self.call, self.region, gap);
    }
}
