//! `--notify`: what is new is told once. What was surely not taken is sent again, what may have been is not, and the
//! address is never shown.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::audit::{Audit, Outcome};
use crate::emulator::{Emulator, fresh_account};

/// What the receiver does with a request.
#[derive(Clone, Copy)]
enum Answer {
    Status(u16),
    /// Closes the connection.
    Nothing,
    /// Keeps it waiting.
    Silence,
}

struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    fn sweep(&self) -> i64 {
        self.body["sweep"].as_i64().unwrap()
    }
}

/// Takes notifications, and gives these answers in turn; then 204.
struct Receiver {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    fn start(answers: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, answers) = (Arc::clone(&requests), answers.to_vec());
        // Ends with the process; a test that failed must not wait for it.
        std::thread::spawn(move || {
            let mut waiting = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                let answer = {
                    let mut requests = kept.lock().unwrap();
                    requests.push(request);
                    answers.get(requests.len() - 1).copied().unwrap_or(Answer::Status(204))
                };
                match answer {
                    Answer::Status(status) => {
                        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                        stream.write_all(head.as_bytes()).unwrap();
                    }
                    Answer::Nothing => {}
                    Answer::Silence => waiting.push(stream),
                }
            }
        });
        Self { port, requests }
    }

    fn sweeps(&self) -> Vec<i64> {
        self.requests.lock().unwrap().iter().map(Request::sweep).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some(Request { line: line.trim_end().to_owned(), headers, body: serde_json::from_slice(&body).unwrap() })
}

/// An account that is swept again and again.
struct Swept {
    account: String,
    state: tempfile::TempDir,
}

impl Swept {
    fn new() -> Self {
        let account = fresh_account();
        Emulator::moto().seed(&account, &["us-east-1"], &["sg-no-ingress"]);
        Self { account, state: tempfile::TempDir::new().unwrap() }
    }

    fn audit(&self, port: u16) -> Audit {
        let address = format!("http://somebody:pass-word@127.0.0.1:{port}/hooks/se-cret?token=to-ken");
        Audit::on(Emulator::moto(), &self.account, "us-east-1", &["sweep", "--format", "json"]).args(&[
            "--state",
            self.state.path().to_str().unwrap(),
            "--notify",
            &address,
        ])
    }

    fn sweep(&self, port: u16) -> Outcome {
        let swept = self.audit(port).run();
        for secret in ["somebody", "pass-word", "se-cret", "to-ken"] {
            assert!(!swept.stderr.contains(secret) && !swept.stdout.contains(secret), "{}", swept.stderr);
        }
        swept
    }
}

#[test]
fn what_is_new_is_told_once() {
    let swept = Swept::new();
    let receiver = Receiver::start(&[]);
    let first = swept.sweep(receiver.port);
    assert_eq!(first.code, Some(1), "{}", first.stderr);
    assert_eq!(swept.sweep(receiver.port).code, Some(1));
    let requests = receiver.requests.lock().unwrap();
    let [one, two] = &requests[..] else { panic!("{} requests", requests.len()) };
    assert_eq!(one.line, "POST /hooks/se-cret?token=to-ken HTTP/1.1");
    assert_eq!(one.header("content-type"), "application/json");
    assert_eq!(one.header("authorization"), "Basic c29tZWJvZHk6cGFzcy13b3Jk");
    assert_eq!((one.body["changes"]["new"].as_u64(), one.body["changes"]["open"].as_u64()), (Some(1), Some(0)));
    assert_eq!(one.body["new_by_rule"][0]["rule"], "sg-no-ingress");
    assert_eq!(one.body["new"][0]["resource"]["account"], *swept.account);
    assert!(one.body["text"].as_str().unwrap().starts_with("ssm-audit sweep 1: 1 new, 0 still open"), "{}", one.body);
    // What stands in messages and evidence was chosen by others.
    assert!(one.body["new"][0].get("evidence").is_none() && one.body["new"][0].get("message").is_none());
    assert_eq!((two.body["changes"]["new"].as_u64(), two.body["changes"]["open"].as_u64()), (Some(0), Some(1)));
    assert!(
        one.header("idempotency-key").len() == 32 && one.header("idempotency-key") != two.header("idempotency-key")
    );
}

#[test]
fn what_was_not_taken_is_sent_again_and_what_may_have_been_is_not() {
    let swept = Swept::new();
    let busy = Receiver::start(&[Answer::Status(503), Answer::Status(429), Answer::Status(500)]);
    assert_eq!(swept.sweep(busy.port).code, Some(1));
    assert_eq!(busy.sweeps(), [1, 1, 1, 1]);
    let keys: std::collections::BTreeSet<String> =
        busy.requests.lock().unwrap().iter().map(|request| request.header("idempotency-key").to_owned()).collect();
    assert_eq!(keys.len(), 1);

    // A receiver that refuses, and one that is not there: the next sweep tells of these too.
    let closed = Receiver::start(&[Answer::Status(302)]);
    let refused = swept.sweep(closed.port);
    let expected = format!(
        "error: http://127.0.0.1:{} did not take the notification (status 302): the next sweep sends it again\n",
        closed.port
    );
    assert_eq!((refused.code, refused.stderr), (Some(2), expected));
    assert!(refused.stdout.contains("\"kind\": \"ssm-audit/report\""), "the report is written all the same");
    let nowhere = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let unreached = swept.sweep(nowhere);
    assert_eq!(unreached.code, Some(2));
    assert!(unreached.stderr.contains(&format!("failed to reach http://127.0.0.1:{nowhere} ")), "{}", unreached.stderr);
    let open = Receiver::start(&[Answer::Status(200), Answer::Status(200), Answer::Nothing]);
    let lost = swept.sweep(open.port);
    assert_eq!(open.sweeps(), [2, 3, 4], "{}", lost.stderr);
    assert_eq!(lost.code, Some(2));
    assert!(lost.stderr.contains("gave no answer to the notification: it may have arrived"), "{}", lost.stderr);
    assert_eq!(swept.sweep(open.port).code, Some(1));
    assert_eq!(open.sweeps(), [2, 3, 4, 5]);

    // What is not wanted keeps nothing else from being told, and a gateway does not know what came of it.
    let choosy = Receiver::start(&[Answer::Status(413), Answer::Status(504), Answer::Status(200)]);
    let refused = swept.sweep(choosy.port);
    assert!(
        refused.stderr.ends_with("refused the notification (status 413): it is not sent again\n"),
        "{}",
        refused.stderr
    );
    let lost = swept.sweep(choosy.port);
    assert!(lost.stderr.contains("gave no answer to the notification: it may have arrived"), "{}", lost.stderr);
    assert_eq!([refused.code, lost.code, swept.sweep(choosy.port).code], [Some(2), Some(2), Some(1)]);
    assert_eq!(choosy.sweeps(), [6, 7, 8]);
}

#[test]
fn a_sweep_that_was_killed_while_it_told_is_not_told_of_again() {
    let swept = Swept::new();
    let receiver = Receiver::start(&[Answer::Silence]);
    let mut audit = swept.audit(receiver.port);
    let mut child = audit.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while receiver.sweeps().is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it ended without telling");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let next = swept.sweep(receiver.port);
    assert_eq!(next.code, Some(1), "{}", next.stderr);
    assert!(next.stderr.contains("while it sent the notification of sweep 1"), "{}", next.stderr);
    assert_eq!(receiver.sweeps(), [1, 2]);
    assert_eq!(swept.sweep(receiver.port).stderr, "");
    assert_eq!(receiver.sweeps(), [1, 2, 3]);
}

#[test]
fn an_address_stands_in_no_help_and_in_no_error() {
    let address = "ftp://somebody:pass-word@hooks.example/se-cret";
    for arguments in [&["sweep", "--help"][..], &["merge", "--help"], &["sweep"]] {
        let told = Audit::new(arguments).env("SSM_AUDIT_NOTIFY", address).run();
        let said = format!("{}{}", told.stdout, told.stderr);
        assert!(!said.contains("pass-word") && !said.contains("se-cret"), "{said}");
    }
    let refused = Audit::new(&["sweep", "--notify", address]).run();
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("begins with neither https:// nor http://"), "{}", refused.stderr);
}
