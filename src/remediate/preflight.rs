//! Asks before a unit is begun whether its calls would be allowed: what stops an instance must not find out halfway
//! that it may not start it again, nor put back what it took off.
//!
//! EC2 answers a call with `DryRun` with `DryRunOperation` where it would be allowed. Only that lets a unit begin.
//! The steps are asked in reverse: while nothing is done yet, the last of them have nothing to do, so that a server that
//! does not know `DryRun` does no harm by doing what it was only asked about, and is found out.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/CommonParameters.html>

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;

use super::account_clients::{AccountClients, RegionClients, Sent};
use super::plan::Step;
use crate::model::GapKind;

/// How often is asked where there is no clear answer.
const ATTEMPTS: u32 = 3;

/// What the service says of a call that it was asked about.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Allowed,
    Denied(String),
    Unclear(String),
}

/// The steps of a unit that would not be done, and why; none where it can begin.
pub(super) async fn refusals(unit: &[&Step], account_clients: &AccountClients) -> BTreeMap<usize, String> {
    let mut refusals = BTreeMap::new();
    for step in unit.iter().rev() {
        match ask(step, &account_clients.place(step.resource.region.as_ref())).await {
            Answer::Allowed => {}
            Answer::Denied(why) => {
                refusals.insert(step.number, format!("it would be denied, so nothing was begun: {why}"));
            }
            Answer::Unclear(why) => {
                let call = step.call.call();
                let unclear = format!("whether {call} would be allowed is not known, so nothing was begun: {why}");
                refusals.insert(step.number, unclear);
                return refusals;
            }
        }
    }
    refusals
}

async fn ask(step: &Step, place: &RegionClients<'_>) -> Answer {
    let Some(call) = &step.rehearsal else { return Answer::Allowed };
    for attempt in 1.. {
        let Some(sent) = call.clone().rehearse(place).await else { break };
        let answer = answer(&sent);
        if attempt == ATTEMPTS || !matches!(answer, Answer::Unclear(_)) || sent.failure.is_none() {
            return answer;
        }
        sleep(Duration::from_millis(500) * attempt).await;
    }
    Answer::Unclear(format!("{} has no DryRun", call.call()))
}

fn answer(sent: &Sent) -> Answer {
    match &sent.failure {
        None => Answer::Unclear("the server did not say; it may have done what it was only asked about".to_owned()),
        Some(failure) if failure.has_code(&["DryRunOperation"]) => Answer::Allowed,
        Some(failure) if failure.gap.kind == GapKind::Denied => Answer::Denied(sent.problem()),
        Some(_) => Answer::Unclear(sent.problem()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::Failure;
    use crate::model::{Gap, call};

    fn answered(kind: GapKind, code: &str) -> Answer {
        let gap = Gap::of_call(kind, "ec2:StopInstances").with_code(code);
        let mut failure = Failure::unreadable(&call::DESCRIBE_INSTANCES, "");
        failure.gap = gap;
        answer(&Sent { request_id: None, failure: Some(failure), answer: None, message: None })
    }

    #[test]
    fn only_a_clear_yes_is_one() {
        assert_eq!(answered(GapKind::Failed, "DryRunOperation"), Answer::Allowed);
        assert!(matches!(answered(GapKind::Denied, "UnauthorizedOperation"), Answer::Denied(_)));
        assert!(matches!(answered(GapKind::Failed, "InvalidVolume.NotFound"), Answer::Unclear(_)));
        assert!(matches!(answered(GapKind::Throttled, "RequestLimitExceeded"), Answer::Unclear(_)));
        let done = Sent { request_id: None, failure: None, answer: None, message: None };
        assert!(matches!(answer(&done), Answer::Unclear(_)));
    }
}
