//! Calls one API operation in one region and turns failures into gaps.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::task::JoinSet;

use super::collector::Collector;
use crate::aws::api_error::Failure;
use crate::aws::circuit_breaker::{Heard, Leave};
use crate::aws::pagination::follow;
use crate::collect::Outcome;
use crate::model::call::Call;
use crate::model::{Fact, Gap, GapKind, Region};

/// Longest time for which a call occupies a concurrency slot. A call that waits longer, for an answer or for
/// a retry, releases its slot to other calls, so that a hanging region does not occupy all slots.
const SLOW: Duration = Duration::from_secs(3);

/// An operation and the region in which it is called.
#[derive(Clone, Copy)]
pub(crate) struct ApiCall<'r> {
    pub(crate) collector: &'r Collector<'r>,
    pub(crate) call: &'static Call,
    pub(crate) region: Option<&'r Region>,
}

impl<'a> Collector<'a> {
    /// Returns an operation of a region, or of the account if no region is given.
    pub(crate) fn inquire<'r>(&'r self, call: &'static Call, region: Option<&'r Region>) -> ApiCall<'r>
    where
        'a: 'r,
    {
        ApiCall { collector: self, call, region }
    }
}

impl ApiCall<'_> {
    /// Sends a request. Records a failure in the coverage.
    pub(crate) fn send<T, E>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
    ) -> impl Future<Output = Result<T, Arc<Gap>>>
    where
        T: Send + 'static,
        E: ProvideErrorMetadata + Send + 'static,
    {
        let attempt = self.attempt(request);
        async move { attempt.await.map_err(|failure| self.failed(failure)) }
    }

    /// Sends a request for which these error codes mean that the resource does not exist.
    pub(crate) fn send_unless<T, E>(
        &self,
        absent: &[&str],
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
    ) -> impl Future<Output = Result<Option<T>, Arc<Gap>>>
    where
        T: Send + 'static,
        E: ProvideErrorMetadata + Send + 'static,
    {
        let attempt = self.attempt(request);
        async move {
            match attempt.await {
                Ok(answer) => Ok(Some(answer)),
                Err(failure) if failure.has_code(absent) => {
                    self.collector.answered(self.region);
                    Ok(None)
                }
                Err(failure) => Err(self.failed(failure)),
            }
        }
    }

    /// Sends a request whose failure may be a valid answer. The caller records the failure.
    pub(crate) fn attempt<T, E>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'static,
    ) -> impl Future<Output = Result<T, Failure>>
    where
        T: Send + 'static,
        E: ProvideErrorMetadata + Send + 'static,
    {
        let Collector { connection, collection, .. } = self.collector;
        // The SDK's futures are large; on the heap they do not add up through the layers.
        let request = Box::pin(request);
        async move {
            let shared = collection.shared;
            let turn = async {
                connection.pace().keep(self.call.service, self.region).await;
                let permit = self.collector.permits.acquire().await;
                (permit, futures::future::OptionFuture::from(shared.map(|shared| shared.permits.acquire())).await)
            };
            let (permit, shared_permit) = tokio::select! {
                biased;
                () = collection.shutdown.requested() => return Err(Failure::interrupted(self.call)),
                () = self.overdue() => return Err(Failure::overdue(self.call)),
                turn = turn => turn,
            };
            let leave = shared.map_or(Leave::Ask, |shared| shared.leave(self.call, self.region));
            if leave == Leave::Spare {
                return Err(Failure::spared(self.call));
            }
            collection.progress.started(connection.account(), self.region, self.call);
            let call = self.call;
            // Runs in a separate task. Otherwise each incoming byte would wake all futures that are awaited
            // together with this one.
            let request = spawn(async move { request.await.map_err(|error| Failure::of(call, &error)) });
            let mut answer = pin!(async {
                tokio::select! {
                    biased;
                    answer = request => answer,
                    () = collection.shutdown.requested() => Err(Failure::interrupted(self.call)),
                    () = self.overdue() => Err(Failure::overdue(self.call)),
                }
            });
            let answer = if let Ok(answer) = tokio::time::timeout(SLOW, &mut answer).await {
                answer
            } else {
                drop((permit, shared_permit));
                answer.await
            };
            let (outcome, heard) = match &answer {
                Ok(_) => (Outcome::Answered, Heard::Answer),
                Err(failure) => (Outcome::Failed, failure.heard),
            };
            if let Some(shared) = shared {
                shared.heard(self.call, self.region, leave, heard);
            }
            collection.progress.finished(connection.account(), self.region, self.call, outcome);
            if answer.is_ok() {
                self.collector.answered(self.region);
            }
            answer
        }
    }

    /// Waits until the deadline or shutdown.
    async fn overdue(&self) {
        match self.collector.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    /// Records a failure in the coverage.
    pub(crate) fn failed(&self, failure: Failure) -> Arc<Gap> {
        self.collector.failed(self.region, failure.gap)
    }

    /// Reads pages until a page has no token for the next one. Items of earlier pages are kept if a later
    /// page fails.
    pub(crate) async fn pages<P, F>(
        &self,
        request: impl FnMut(Option<String>) -> F,
        take: impl FnMut(P) -> Option<String>,
    ) -> Result<(), Arc<Gap>>
    where
        F: Future<Output = Result<P, Arc<Gap>>>,
    {
        follow(request, take, || self.problem("the same page was given twice")).await
    }

    /// Records an invalid answer as a gap.
    pub(crate) fn problem(&self, message: &str) -> Arc<Gap> {
        self.collector.failed(self.region, Gap::of_call(GapKind::Failed, self.call.to_string()).with_message(message))
    }

    /// Returns the gap for a resource that was requested by id and is missing from the answers.
    pub(crate) fn missed(&self, id: &str, read: &Result<(), Arc<Gap>>) -> Arc<Gap> {
        match read {
            Ok(()) => self.lacks(id),
            Err(gap) => Arc::clone(gap),
        }
    }

    /// Records that the answer lacks a member that AWS always sends.
    pub(crate) fn lacks(&self, member: &str) -> Arc<Gap> {
        self.problem(&format!("the answer lacks {member}"))
    }

    /// The value of a member that AWS always sends.
    pub(crate) fn required<T>(&self, member: &str, value: Option<T>) -> Fact<T> {
        value.map_or_else(|| Fact::Unknown(self.lacks(member)), Fact::Known)
    }

    /// The text of a member that AWS always sends. An empty text counts as missing, since no resource has an
    /// empty name.
    pub(crate) fn named(&self, member: &str, text: Option<String>) -> Fact<String> {
        self.required(member, filled(text))
    }

    /// The text of a member that AWS always sends, which is one of these values. A value that AWS has added
    /// since becomes a gap: rules that compare with the known values would take the new value for one of
    /// them, or for none.
    pub(crate) fn one_of(&self, member: &str, text: Option<impl AsRef<str>>, values: &[&str]) -> Fact<String> {
        let text = filled(text.map(|text| text.as_ref().to_owned()));
        self.meaning(member, text, |text| values.contains(&text).then(|| text.to_owned()))
    }

    /// The parsed meaning of a text that AWS always sends.
    pub(crate) fn meaning<T>(
        &self,
        member: &str,
        text: Option<String>,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Fact<T> {
        let Some(text) = text else { return Fact::Unknown(self.lacks(member)) };
        let meaning = read(&text).ok_or_else(|| self.problem(&format!("{member} in the answer is not understood")));
        meaning.map_or_else(Fact::Unknown, Fact::Known)
    }

    /// Records that the resources found through this call may be incomplete.
    pub(crate) fn unlisted(&self, gap: &Arc<Gap>) {
        self.collector.unlisted(self.call, self.region, gap);
    }
}

/// Returns the text if it is not empty. The SDK fills in an empty text if AWS left out a member that AWS
/// always sends.
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Runs a future in a separate task. The task is aborted when the returned future is dropped.
async fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = JoinSet::new();
    task.spawn(future);
    match task.join_next().await.expect("there is one") {
        Ok(output) => output,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
