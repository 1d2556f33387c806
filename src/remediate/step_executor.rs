//! One change made safely: look, refuse what is not as expected, write down the intent, send, and look until it is so.
//!
//! A call whose answer is lost, or that fails after it may have taken effect, is never sent again blindly: what is there
//! decides. What has just been made may not be seen everywhere at once, so refusals of that kind are waited out.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::account_clients::{RegionClients, Sent};
use super::journal::{CallRecord, Journal, JournalError};
use super::observed::{CreateHint, ObservedAspect, failed, satisfies, under_way};
use super::operation::Operation;
use crate::aws::Failure;
use crate::model::GapKind;

/// How often a call is sent whose effect cannot be seen.
const ATTEMPTS: u32 = 3;
/// How long a call that failed is given to show an effect after all.
pub(super) const LATE_EFFECT: Duration = Duration::from_secs(5);
/// How long a call that was answered is given to show an effect. What is under way then is waited for longer.
const EFFECT: Duration = Duration::from_mins(2);
/// How long something that was just made is given to be seen by the service that refuses it.
const NOT_YET_VISIBLE: Duration = Duration::from_mins(1);

/// How long a service is given to see a change of a key or a bucket that is not everywhere yet.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html>
const SETTLING: Duration = Duration::from_mins(15);

/// Codes by which services say so.
const NOT_SETTLED: &[&str] = &[
    "DisabledException",
    "InvalidBucketState",
    "KMS.DisabledException",
    "KMS.KMSInvalidStateException",
    "KMSInvalidStateException",
];

/// The code by which Systems Manager says that another version of a document is the same.
const DUPLICATE: &[&str] = &["DuplicateDocumentContent"];
/// The number of other layouts in which such a document is sent, so that its latest version becomes the default one.
const LAYOUTS: usize = 3;

/// Codes by which services say that they do not see what was just made, or that it is being changed.
const NOT_YET: &[&str] = &[
    "ConcurrentModification",
    "ConcurrentModificationException",
    "DependencyViolation",
    "IncorrectInstanceState",
    "IncorrectState",
    "InvalidIamInstanceProfileArn",
    "InvalidParameterException",
    "InvalidParameterValue",
    "MalformedPolicyDocument",
    "MalformedPolicyDocumentException",
    "NoSuchBucket",
    "NoSuchEntity",
    "NotFoundException",
    "OperationAborted",
    "OperationAbortedException",
    "VolumeInUse",
];

/// A change from one state to another by one call.
pub(crate) struct Transition<'a> {
    pub(crate) place: RegionClients<'a>,
    /// What is changed.
    pub(crate) aspect: ObservedAspect,
    /// What there must be.
    pub(crate) before: Json,
    /// What there is to be.
    pub(crate) after: Json,
    pub(crate) operation: Operation,
    /// Whether the call may have been sent before, by a run that was cut off.
    pub(super) resumed: bool,
    /// Whether it builds on what was made just now.
    pub(super) builds_on_new: bool,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It is done; what is there now.
    Done(Json),
    /// It was so already; what is there.
    Found(Json),
    /// What is there is neither what was expected nor what is wanted.
    Refused(String),
    /// It could not be done.
    Failed(String),
    /// It cannot be done yet, and is left for later.
    Left(String),
}

/// Where calls are written down.
#[derive(Clone, Copy)]
pub(crate) struct Log<'a> {
    pub(crate) journal: &'a Journal,
    pub(crate) run: &'a str,
    pub(crate) step: usize,
}

impl Transition<'_> {
    /// Makes the change.
    pub(crate) async fn make(&self, log: Log<'_>) -> Result<Outcome, JournalError> {
        // What is taken away is there, though this run has not made it.
        let makes = self.before.is_null();
        let mut clue = if makes && !self.resumed { CreateHint::NotSent } else { CreateHint::None };
        let first = match self.settled(&clue).await {
            Ok(state) => state,
            Err(failure) => return Ok(Outcome::Failed(format!("it could not be looked at: {}", failure.gap))),
        };
        if satisfies(&first, &self.after) {
            return Ok(if self.resumed { Outcome::Done(first) } else { Outcome::Found(first) });
        }
        if !satisfies(&first, &self.before) {
            return Ok(Outcome::Refused(differs(&self.before, &first)));
        }
        let begun = Instant::now();
        let mut attempts = 0;
        let mut duplicates = 0;
        let mut operation = self.operation.clone();
        loop {
            let sent = self.send(&operation, log).await?;
            clue = sent.answer.clone().map_or(CreateHint::None, CreateHint::Answered);
            let Some(failure) = &sent.failure else { return Ok(self.wait(&first, &clue).await) };
            match self.took_effect(failure, &clue).await {
                Ok(true) => return Ok(self.wait(&first, &clue).await),
                // Sent again, it might be done twice.
                Err(unseen) if kind(failure) == Refusal::Unclear => {
                    let problem = sent.problem();
                    let unseen = unseen.gap;
                    return Ok(Outcome::Failed(format!("{problem}; what came of it could not be looked at: {unseen}")));
                }
                Ok(false) | Err(_) => {}
            }
            if failure.has_code(DUPLICATE) {
                duplicates += 1;
                if duplicates <= LAYOUTS
                    && let Some(other) = self.operation.in_another_layout(duplicates)
                {
                    operation = other;
                    continue;
                }
                return Ok(self.equal(&sent).await);
            }
            attempts += 1;
            match next(kind(failure), attempts, begun.elapsed(), self.builds_on_new) {
                Next::Again(pause) => sleep(pause).await,
                Next::Fail => return Ok(Outcome::Failed(sent.problem())),
                Next::Leave => {
                    let problem = sent.problem();
                    return Ok(Outcome::Left(format!("{problem}; it is left for `ssm-audit resume {}`", log.run)));
                }
            }
        }
    }

    /// What there is already of what a call was refused for.
    async fn equal(&self, sent: &Sent) -> Outcome {
        match self.aspect.look_for_equal(&self.place, &self.after).await {
            Ok(Some(equal)) => Outcome::Found(equal),
            Ok(None) => Outcome::Failed(sent.problem()),
            Err(failure) => {
                Outcome::Failed(format!("{}; which version that is could not be read: {}", sent.problem(), failure.gap))
            }
        }
    }

    async fn send(&self, operation: &Operation, log: Log<'_>) -> Result<Sent, JournalError> {
        let now = || jiff::Timestamp::now().to_string();
        let call = CallRecord {
            step: log.step,
            account: self.place.account_clients.account().to_string(),
            region: Some(self.place.region.to_string()),
            call: operation.call().to_string(),
            parameters: operation.parameters(),
            sent_at: now(),
            answered_at: None,
            outcome: None,
            request_id: None,
        };
        let sequence = log.journal.intend(log.run, &call)?;
        let sent = operation.clone().send(&self.place).await;
        let outcome = match &sent.failure {
            None => CallRecord::ANSWERED.to_owned(),
            Some(failure) if kind(failure) == Refusal::Unclear => CallRecord::unclear(&sent.problem()),
            Some(_) => sent.problem(),
        };
        log.journal.answered(log.run, sequence, &now(), &outcome, sent.request_id.as_deref())?;
        Ok(sent)
    }

    /// What is there, once it is one of the two states, or after a moment: what was done just now may not be seen yet.
    async fn settled(&self, clue: &CreateHint) -> Result<Json, Failure> {
        let patience = if self.resumed || self.builds_on_new { LATE_EFFECT } else { Duration::ZERO };
        let expected =
            |state: &Json| satisfies(state, &self.after) || (!self.resumed && satisfies(state, &self.before));
        let state = self.look_until(|state| expected(state) || under_way(state), patience, clue).await?;
        if expected(&state) || !under_way(&state) {
            return Ok(state);
        }
        self.look_until(|state| expected(state) || !under_way(state), self.aspect.of.patience(), clue).await
    }

    /// Whether a call that failed did what it was to do all the same, or is doing it.
    async fn took_effect(&self, failure: &Failure, clue: &CreateHint) -> Result<bool, Failure> {
        let patience = if kind(failure) == Refusal::Unclear { LATE_EFFECT } else { Duration::ZERO };
        let effect = |state: &Json| satisfies(state, &self.after) || under_way(state);
        let state = self.look_until(effect, patience, clue).await?;
        Ok(effect(&state))
    }

    /// Waits until what is there is what is wanted, or will not come to be.
    async fn wait(&self, first: &Json, clue: &CreateHint) -> Outcome {
        let came_to_nothing = |state: &Json| failed(state).is_some() && state != first;
        let begun = Instant::now();
        let stands_still = |state: &Json| !under_way(state) && begun.elapsed() > EFFECT;
        let enough = |state: &Json| satisfies(state, &self.after) || came_to_nothing(state) || stands_still(state);
        match self.look_until(enough, self.aspect.of.patience(), clue).await {
            Ok(state) if satisfies(&state, &self.after) => Outcome::Done(state),
            Ok(state) => {
                let why = failed(&state).map(|why| format!(" ({why})")).unwrap_or_default();
                let differs = differs(&self.after, &state);
                Outcome::Failed(format!("the call was answered, and it is not so: {differs}{why}"))
            }
            Err(failure) => Outcome::Failed(format!(
                "the call was answered, and what came of it could not be looked at: {}",
                failure.gap
            )),
        }
    }

    async fn look_until(
        &self,
        enough: impl Fn(&Json) -> bool,
        patience: Duration,
        clue: &CreateHint,
    ) -> Result<Json, Failure> {
        look_until(&self.aspect, &self.place, clue, enough, patience).await
    }
}

/// Looks until it is so, or until patience ends; what was seen last.
pub(super) async fn look_until(
    aspect: &ObservedAspect,
    place: &RegionClients<'_>,
    clue: &CreateHint,
    enough: impl Fn(&Json) -> bool,
    patience: Duration,
) -> Result<Json, Failure> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(200);
    loop {
        let look = aspect.look(place, clue).await;
        let out_of_patience = begun.elapsed() + pause > patience;
        match look {
            Ok(state) if enough(&state) || out_of_patience => return Ok(state),
            // What was just made may not be seen yet, and one look among many may fail.
            Err(failure) if out_of_patience || kind(&failure) == Refusal::Final => return Err(failure),
            Ok(_) | Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}

/// What a failure says about trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// There is no use in it.
    Final,
    /// It may go when what was just made is seen.
    NotYet,
    /// It may go when a change that was made is seen everywhere, which can take minutes.
    NotSettled,
    /// There were too many calls.
    TooMany,
    /// It may have taken effect.
    Unclear,
}

/// What is done after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The call is sent again after this pause.
    Again(Duration),
    /// It is left for later.
    Leave,
    /// It is given up.
    Fail,
}

/// What is done after so many attempts in this time.
fn next(refusal: Refusal, attempts: u32, elapsed: Duration, builds_on_new: bool) -> Next {
    let patient = elapsed < NOT_YET_VISIBLE;
    let again = match refusal {
        Refusal::Final => false,
        Refusal::NotYet => builds_on_new && patient,
        Refusal::NotSettled if elapsed >= SETTLING => return Next::Leave,
        // 1, 2, 4, 8, 16 and then each 30 seconds.
        Refusal::NotSettled => {
            let pause = Duration::from_secs(1).saturating_mul(1 << attempts.saturating_sub(1).min(5));
            return Next::Again(pause.min(Duration::from_secs(30)).min(SETTLING.saturating_sub(elapsed)));
        }
        Refusal::TooMany => patient,
        Refusal::Unclear => attempts < ATTEMPTS,
    };
    if again { Next::Again(Duration::from_millis(500).saturating_mul(attempts.min(10))) } else { Next::Fail }
}

fn kind(failure: &Failure) -> Refusal {
    match failure.gap.kind {
        GapKind::Throttled => Refusal::TooMany,
        GapKind::Timeout => Refusal::Unclear,
        GapKind::Denied => Refusal::Final,
        // Some services tell of the state of a key with a status of 500.
        _ if failure.has_code(NOT_SETTLED) => Refusal::NotSettled,
        _ if failure.status.is_none_or(|status| status >= 500) => Refusal::Unclear,
        _ if failure.has_code(NOT_YET) => Refusal::NotYet,
        _ => Refusal::Final,
    }
}

/// What is there instead of what was expected, member by member.
fn differs(expected: &Json, seen: &Json) -> String {
    let (Json::Object(expected), Json::Object(seen)) = (expected, seen) else {
        return format!("expected {}, there is {}", shown(expected), shown(seen));
    };
    let null = json!(null);
    let differing = expected.iter().filter_map(|(name, expected)| {
        let seen = seen.get(name).unwrap_or(&null);
        (!satisfies(seen, expected)).then(|| format!("{name}: expected {}, there is {}", shown(expected), shown(seen)))
    });
    differing.collect::<Vec<_>>().join("; ")
}

fn shown(value: &Json) -> String {
    if value.is_null() { "nothing".to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::call::DESCRIBE_KEY;

    fn refused(code: &str, status: u16) -> Refusal {
        let mut failure = Failure::unreadable(&DESCRIBE_KEY, "");
        failure.gap = crate::model::Gap::of_call(GapKind::Failed, "kms:EnableKeyRotation").with_code(code);
        failure.status = Some(status);
        kind(&failure)
    }

    #[test]
    fn what_is_not_settled_is_waited_for_and_then_left() {
        for (code, status) in
            [("InvalidBucketState", 409), ("DisabledException", 409), ("KMSInvalidStateException", 500)]
        {
            assert_eq!(refused(code, status), Refusal::NotSettled, "{code}");
        }
        let (mut elapsed, mut attempts) = (Duration::ZERO, 0);
        while let Next::Again(pause) = next(Refusal::NotSettled, attempts + 1, elapsed, false) {
            assert!(pause > Duration::ZERO && pause <= Duration::from_secs(30));
            (elapsed, attempts) = (elapsed + pause, attempts + 1);
        }
        let end = Duration::from_mins(15);
        assert_eq!((elapsed, next(Refusal::NotSettled, 1, end, true)), (end, Next::Leave));
        assert!((20..40).contains(&attempts), "{attempts} calls");
    }

    #[test]
    fn a_quota_is_no_throttling() {
        for code in ["LimitExceededException", "LimitExceeded", "DocumentVersionLimitExceeded"] {
            assert_eq!(refused(code, 400), Refusal::Final, "{code}");
        }
        assert_eq!(next(Refusal::Final, 1, Duration::ZERO, true), Next::Fail);
    }
}
