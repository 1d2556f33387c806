//! Calls that wait for the test's word, so that it can kill the program under test just before a call takes
//! effect, or just after.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Call, lock};

/// A call that is held. To drop it closes its connection without an answer.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) call: Call,
    decision: oneshot::Sender<Decision>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Decision {
    GoOn,
    Close,
}

impl Held {
    /// Sends the call to the server, or its answer to the client.
    pub(crate) fn go_on(self) {
        // A client that went away has no more use for it.
        self.decision.send(Decision::GoOn).ok();
    }
}

/// Where the calls wait.
pub(super) struct Holding {
    holds: Sender<Held>,
    held: Mutex<Receiver<Held>>,
}

impl Holding {
    pub(super) fn new() -> Self {
        let (holds, held) = channel();
        Self { holds, held: Mutex::new(held) }
    }

    /// What the test decides about the call, once it has.
    pub(super) async fn hold(&self, call: &Call) -> Decision {
        let (decision, decided) = oneshot::channel();
        if self.holds.send(Held { call: call.clone(), decision }).is_err() {
            return Decision::Close;
        }
        decided.await.unwrap_or(Decision::Close)
    }

    pub(super) fn next(&self, within: Duration) -> Option<Held> {
        lock(&self.held).recv_timeout(within).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::thread;

    use super::super::{Fault, Kind, Proxy, Recording};
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// A server that knows nothing and writes down every call, and a proxy before it.
    fn ground(fault: Fault) -> (Proxy, Proxy) {
        let server = Proxy::replay(Recording::default(), Duration::ZERO);
        let proxy = Proxy::start(&server.url());
        proxy.inject(fault);
        (server, proxy)
    }

    fn open(proxy: &Proxy, action: &str) -> TcpStream {
        let (service, operation) = action.split_once(':').unwrap();
        let mut stream = TcpStream::connect(proxy.address).unwrap();
        let body = format!("Action={operation}&Version=1");
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: \
             application/x-www-form-urlencoded\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=111111111111/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream
    }

    /// The whole answer; empty where the connection closed without one.
    fn answer(mut stream: TcpStream) -> String {
        let mut text = String::new();
        match stream.read_to_string(&mut text) {
            Ok(_) => text,
            Err(_) => String::new(),
        }
    }

    fn call(proxy: &Proxy, action: &str) -> String {
        answer(open(proxy, action))
    }

    fn actions(calls: &[Call]) -> Vec<&str> {
        calls.iter().map(|call| call.action.as_str()).collect()
    }

    #[test]
    fn calls_that_change_something_are_counted_in_their_order() {
        let (_server, proxy) = ground(Fault::on_mutating(Kind::Throttled).nth(2));
        let made = ["sts:AssumeRole", "ec2:DescribeInstances", "ec2:StopInstances", "iam:ListRoles", "iam:CreateRole"];
        let answers = made.map(|action| call(&proxy, action));
        assert_eq!(actions(&proxy.mutating_calls()), ["ec2:StopInstances", "iam:CreateRole"]);
        let throttled = answers.map(|answer| answer.contains("<Code>Throttling</Code>"));
        assert_eq!(throttled, [false, false, false, false, true]);
    }

    #[test]
    fn a_call_held_before_goes_on_when_told() {
        let (server, proxy) = ground(Fault::on_mutating(Kind::HoldBefore).nth(1));
        let client = open(&proxy, "ec2:StopInstances");
        let held = proxy.held(SOON).unwrap();
        assert_eq!((held.call.action.as_str(), server.calls().len()), ("ec2:StopInstances", 0));
        held.go_on();
        assert!(answer(client).contains("NotRecorded"));
        assert_eq!(server.calls().len(), 1);
        assert!(proxy.calls()[0].reached);
    }

    #[test]
    fn a_call_held_before_is_never_seen_when_it_is_dropped() {
        let (server, proxy) = ground(Fault::on_mutating(Kind::HoldBefore).nth(1));
        let client = open(&proxy, "ec2:StopInstances");
        drop(proxy.held(SOON).unwrap());
        assert_eq!((answer(client).as_str(), server.calls().len()), ("", 0));
        assert!(!proxy.calls()[0].reached);
    }

    #[test]
    fn a_call_held_before_is_never_seen_when_its_client_is_gone() {
        let (server, proxy) = ground(Fault::on_mutating(Kind::HoldBefore).nth(1));
        let client = open(&proxy, "ec2:StopInstances");
        let held = proxy.held(SOON).unwrap();
        drop(client);
        // The proxy has seen that the client is gone when nobody waits for the decision any more.
        for _ in 0..500 {
            if held.decision.is_closed() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        assert!(held.decision.is_closed());
        held.go_on();
        assert!(server.calls().is_empty());
    }

    #[test]
    fn an_answer_held_after_comes_when_told_and_is_lost_when_dropped() {
        for go_on in [true, false] {
            let (server, proxy) = ground(Fault::on_mutating(Kind::HoldAfter).nth(1));
            let client = open(&proxy, "ec2:StopInstances");
            let held = proxy.held(SOON).unwrap();
            assert_eq!(server.calls().len(), 1);
            if go_on {
                held.go_on();
            } else {
                drop(held);
            }
            assert_eq!(answer(client).contains("NotRecorded"), go_on);
        }
    }

    #[test]
    fn what_took_effect_may_be_answered_with_an_error_or_not_at_all() {
        let (server, proxy) = ground(Fault::on_mutating(Kind::ServerErrorAfter).nth(1));
        proxy.inject(Fault::on_mutating(Kind::AnswerLost).nth(2));
        let failed = call(&proxy, "iam:CreateRole");
        assert!(failed.starts_with("HTTP/1.1 500") && failed.contains("<Code>ServiceFailure</Code>"), "{failed}");
        assert_eq!(call(&proxy, "iam:CreateRole"), "");
        assert_eq!(server.calls().len(), 2);
        assert!(proxy.calls().iter().all(|call| call.reached));
    }

    #[test]
    fn a_fault_may_last_for_the_repeats_of_the_call_that_it_met() {
        let (server, proxy) = ground(Fault::on_mutating(Kind::Denied).nth(1).and_repeats());
        for action in ["ec2:StopInstances", "ec2:StartInstances", "ec2:StopInstances"] {
            call(&proxy, action);
        }
        assert_eq!(actions(&server.calls()), ["ec2:StartInstances"]);
    }

    #[test]
    fn a_fault_may_spare_the_repeats() {
        let (server, proxy) = ground(Fault::on_mutating(Kind::Throttled).first_time());
        for action in ["ec2:StopInstances", "ec2:StopInstances", "ec2:StartInstances", "ec2:StartInstances"] {
            call(&proxy, action);
        }
        assert_eq!(actions(&server.calls()), ["ec2:StopInstances", "ec2:StartInstances"]);
    }

    #[test]
    fn any_error_can_be_given_in_the_words_of_the_service() {
        let no_capacity = Kind::Refused { status: 500, code: "InsufficientInstanceCapacity", message: "none left" };
        let (server, proxy) = ground(Fault::on("ec2:StartInstances", no_capacity));
        let answer = call(&proxy, "ec2:StartInstances");
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(answer.contains("<Code>InsufficientInstanceCapacity</Code><Message>none left</Message>"), "{answer}");
        assert!(server.calls().is_empty());
    }

    #[test]
    fn nothing_is_held_where_no_fault_holds() {
        let (_server, proxy) = ground(Fault::on_mutating(Kind::HoldBefore).nth(2));
        call(&proxy, "ec2:StopInstances");
        assert!(proxy.held(Duration::from_millis(50)).is_none());
    }
}
