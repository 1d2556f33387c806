//! One operation asked of one region: sends its requests, and words what is wrong with the answers.

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

/// How long a call keeps others from being made. One that waits longer, be it for an answer or until it may be sent again,
/// leaves its place to others: a region that hangs does not take all places.
const SLOW: Duration = Duration::from_secs(3);

/// An operation, and where it is asked.
#[derive(Clone, Copy)]
pub(crate) struct ApiCall<'r> {
    pub(crate) collector: &'r Collector<'r>,
    pub(crate) call: &'static Call,
    pub(crate) region: Option<&'r Region>,
}

impl<'a> Collector<'a> {
    /// An operation of a region, or (without) of the account.
    pub(crate) fn inquire<'r>(&'r self, call: &'static Call, region: Option<&'r Region>) -> ApiCall<'r>
    where
        'a: 'r,
    {
        ApiCall { collector: self, call, region }
    }
}

impl ApiCall<'_> {
    /// Sends a request. Its failure is noted in the coverage.
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

    /// Sends a request, to which these codes are the answer that the thing does not exist.
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

    /// Sends a request whose failure may yet mean something: it is for the caller to note.
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
            // In a task of its own, or everything that waits beside it would be asked whether it is done, each time
            // that something comes in.
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

    /// Waits until the reading has to end.
    async fn overdue(&self) {
        match self.collector.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    /// Notes a failure in the coverage.
    pub(crate) fn failed(&self, failure: Failure) -> Arc<Gap> {
        self.collector.failed(self.region, failure.gap)
    }

    /// Reads page after page, until one has no token for another. What was taken stays when a later one fails.
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

    /// Something is wrong with the answer.
    pub(crate) fn problem(&self, message: &str) -> Arc<Gap> {
        self.collector.failed(self.region, Gap::of_call(GapKind::Failed, self.call.to_string()).with_message(message))
    }

    /// Why something that was asked for by id is not among the answers.
    pub(crate) fn missed(&self, id: &str, read: &Result<(), Arc<Gap>>) -> Arc<Gap> {
        match read {
            Ok(()) => self.lacks(id),
            Err(gap) => Arc::clone(gap),
        }
    }

    /// The answer lacks a member that AWS always sends.
    pub(crate) fn lacks(&self, member: &str) -> Arc<Gap> {
        self.problem(&format!("the answer lacks {member}"))
    }

    /// The value of a member that AWS always sends.
    pub(crate) fn required<T>(&self, member: &str, value: Option<T>) -> Fact<T> {
        value.map_or_else(|| Fact::Unknown(self.lacks(member)), Fact::Known)
    }

    /// The text of a member that AWS always sends. An empty one is missing: it names nothing.
    pub(crate) fn named(&self, member: &str, text: Option<String>) -> Fact<String> {
        self.required(member, filled(text))
    }

    /// The text of a member that AWS always sends, one of these values. A value that AWS has added since is not
    /// understood: rules that compare with the others would take it for one of them, or for none.
    pub(crate) fn one_of(&self, member: &str, text: Option<impl AsRef<str>>, values: &[&str]) -> Fact<String> {
        let text = filled(text.map(|text| text.as_ref().to_owned()));
        self.meaning(member, text, |text| values.contains(&text).then(|| text.to_owned()))
    }

    /// What a text means that AWS always sends.
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

    /// What the call leads to may not all be known.
    pub(crate) fn unlisted(&self, gap: &Arc<Gap>) {
        self.collector.unlisted(self.call, self.region, gap);
    }
}

/// A text that says something. The SDK fills in an empty one where AWS left out a member that it always sends.
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Runs in a task of its own, which ends where the future is dropped.
async fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = JoinSet::new();
    task.spawn(future);
    match task.join_next().await.expect("there is one") {
        Ok(output) => output,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
