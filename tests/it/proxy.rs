//! An HTTP proxy that stands before an AWS-compatible server, knows which AWS action each request is,
//! writes down every call, and makes chosen ones fail the way AWS and networks fail.
//!
//! For programs that change things it counts the calls that do, and can hold one of them before the server
//! sees it, or its answer after the server did, until the test has killed the program or lets it go on.
//!
//! It can also record the answers of a run and later replay them with a set latency and no server behind
//! it, which is what the benchmarks measure against. It runs in a thread of its own, so that tests that
//! wait for the program under test need not be async. Knowledge of ssm-audit does not belong here.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use self::fault::Injected;
pub(crate) use self::fault::{Fault, Kind};
pub(crate) use self::hold::Held;
use self::hold::{Decision, Holding};
pub(crate) use self::members::{Change, Member};
use self::wire::Trouble;

// By path, so that a benchmark that takes this file in by path finds them too.
#[path = "proxy_fault.rs"]
mod fault;
#[path = "proxy_fleet.rs"]
mod fleet;
#[path = "proxy_hold.rs"]
mod hold;
#[path = "proxy_members.rs"]
mod members;
#[path = "proxy_pages.rs"]
mod pages;
#[path = "proxy_wire.rs"]
mod wire;

/// One request that came in, in the order in which they came.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `service:Operation`, such as `ec2:DescribeInstances` or `s3:GetBucketEncryption`.
    pub(crate) action: String,
    /// Of the signature; empty where the request is not signed.
    pub(crate) region: String,
    /// The access key: on the emulators, the account.
    pub(crate) access_key: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) body: String,
    /// Since the proxy started.
    pub(crate) began: Duration,
    /// Until the answer was ready to be sent, delays included.
    pub(crate) took: Duration,
    /// Of the answer's body, before a fault took some of it.
    pub(crate) bytes: usize,
    /// Absent where no answer was given.
    pub(crate) status: Option<u16>,
    /// What was done to it; absent where it could not be done: an empty body cannot be cut short.
    pub(crate) fault: Option<Kind>,
    /// Whether the server answered it, whatever the client was told.
    pub(crate) reached: bool,
}

impl Call {
    /// Returns `true` if it changes something of what is fixed: to ask for credentials does not, nor to ask whether a call
    /// would be allowed, nor the lock of the account.
    pub(crate) fn is_mutating(&self) -> bool {
        let (service, operation) = self.action.split_once(':').unwrap_or_default();
        service != "sts"
            && !self.is_rehearsal()
            && !self.is_lock()
            && !["Describe", "Get", "List", "Head"].iter().any(|reading| operation.starts_with(reading))
    }

    /// Returns `true` if it takes, looks at or lets go of the lock of the account.
    pub(crate) fn is_lock(&self) -> bool {
        ["ssm:PutParameter", "ssm:GetParameter", "ssm:DeleteParameter"].contains(&self.action.as_str())
    }

    /// Whether it only asks what would become of it.
    pub(crate) fn is_rehearsal(&self) -> bool {
        self.body.split('&').any(|member| member == "DryRun=true")
    }

    /// Whether it asks for just the same, with the members of its body in whatever order: that of maps is random.
    fn repeats(&self, other: &Self) -> bool {
        let letters = |call: &Self| {
            let mut letters = call.body.clone().into_bytes();
            letters.sort_unstable();
            letters
        };
        let asked = |call: &Self| (call.action.clone(), call.access_key.clone(), call.target.clone(), letters(call));
        self.region == other.region && asked(self) == asked(other)
    }
}

/// An answer, as recorded and as replayed.
#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Answers by what was asked: action, region, access key, path, and the body with its members in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    answers: BTreeMap<String, Vec<Answer>>,
}

enum Source {
    Server(String),
    Replay { recording: Recording, latency: Duration, given: Mutex<BTreeMap<String, usize>> },
    Fleet(Box<fleet::Fleet>),
}

struct State {
    source: Source,
    started: Instant,
    calls: Mutex<Vec<Call>>,
    faults: Mutex<Vec<Injected>>,
    holding: Holding,
    left_out: Mutex<Vec<Member>>,
    recording: Mutex<Option<Recording>>,
    connections: AtomicUsize,
    /// Calls that the server has not answered yet.
    under_way: AtomicUsize,
}

/// A running proxy; dropping it ends it and every connection through it.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Proxy {
    /// Before `upstream`, such as `http://127.0.0.1:5000`, on a free port of the loopback address.
    pub(crate) fn start(upstream: &str) -> Self {
        let host = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        Self::serve(Source::Server(host))
    }

    /// As `start`, and keeps every answer for `recording`.
    pub(crate) fn record(upstream: &str) -> Self {
        let proxy = Self::start(upstream);
        *lock(&proxy.state.recording) = Some(Recording::default());
        proxy
    }

    /// Gives recorded answers, each `latency` after it was asked for. What was asked several times gets its
    /// answers in turn, then the last one. What was never asked gets an error `NotRecorded`.
    pub(crate) fn replay(recording: Recording, latency: Duration) -> Self {
        Self::serve(Source::Replay { recording, latency, given: Mutex::default() })
    }

    /// Gives what was recorded of one account for every account, each answer `latency` after it was asked for.
    pub(crate) fn fleet(recording: Recording, template: &str, latency: Duration) -> Self {
        Self::serve(Source::Fleet(Box::new(fleet::Fleet { recording, template: template.to_owned(), latency })))
    }

    fn serve(source: Source) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()
            .expect("a runtime for the proxy");
        // Bound outside of the runtime, so that this may be called from within another one.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port for the proxy");
        let address = listener.local_addr().expect("the proxy's own address");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let state = Arc::new(State {
            source,
            started: Instant::now(),
            calls: Mutex::default(),
            faults: Mutex::default(),
            holding: Holding::new(),
            left_out: Mutex::default(),
            recording: Mutex::default(),
            connections: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
        });
        runtime.spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Of several faults that match a call the one that was injected first counts.
    pub(crate) fn inject(&self, fault: Fault) {
        lock(&self.state.faults).push(Injected::new(fault));
    }

    /// Leaves these members out of the answers that are given once something has changed.
    pub(crate) fn leave_out_after_a_change(&self, members: &[Member]) {
        *lock(&self.state.left_out) = members.to_vec();
    }

    /// Forgets faults and calls.
    pub(crate) fn clear(&self) {
        lock(&self.state.faults).clear();
        lock(&self.state.calls).clear();
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.state.calls).clone()
    }

    /// Waits until so many calls came.
    pub(crate) fn wait_for_calls(&self, count: usize) {
        let waiting = Instant::now();
        while lock(&self.state.calls).len() < count {
            assert!(
                waiting.elapsed() < Duration::from_mins(1),
                "{} calls came, {count} are waited for",
                self.calls().len()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The calls that change something, in the order in which they came.
    pub(crate) fn mutating_calls(&self) -> Vec<Call> {
        self.calls().into_iter().filter(Call::is_mutating).collect()
    }

    /// The next call that a fault holds; none where none came within this time. It goes on, or its connection
    /// closes, when the test says so. A client that goes away meanwhile takes its call with it: one held before
    /// the server saw it is never seen.
    pub(crate) fn held(&self, within: Duration) -> Option<Held> {
        self.state.holding.next(within)
    }

    /// Waits until the server has answered every call that it was sent, also those of clients that are gone:
    /// before that, nobody knows what took effect.
    pub(crate) fn settle(&self) {
        while self.state.under_way.load(Ordering::SeqCst) > 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The actions that were called, sorted, each once.
    pub(crate) fn actions(&self) -> Vec<String> {
        let mut actions: Vec<String> = lock(&self.state.calls).iter().map(|call| call.action.clone()).collect();
        actions.sort();
        actions.dedup();
        actions
    }

    /// How many connections clients have opened.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// What was answered so far, of a proxy that records.
    pub(crate) fn recording(&self) -> Recording {
        lock(&self.state.recording).clone().unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no other user of the proxy has panicked")
}

async fn accept(listener: std::net::TcpListener, state: Arc<State>) {
    let listener = TcpListener::from_std(listener).expect("the listener joins the runtime");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        state.connections.fetch_add(1, Ordering::Relaxed);
        // Small answers must not wait for acknowledgements: latency here is part of what is measured.
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(request, Arc::clone(&state)));
            // A fault ends a connection with an error, and clients may go away: neither is the proxy's failure.
            drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct NoAnswer(Option<Box<dyn std::error::Error + Send + Sync>>);

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(error) => write!(f, "no answer could be had: {error}"),
            None => f.write_str("no answer is given"),
        }
    }
}

impl std::error::Error for NoAnswer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|source| source as _)
    }
}

type AnswerBody = Either<Full<Bytes>, HalfBody>;

async fn handle(request: Request<Incoming>, state: Arc<State>) -> Result<Response<AnswerBody>, NoAnswer> {
    let began = state.started.elapsed();
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|error| NoAnswer(Some(error.into())))?.to_bytes();
    let asked = wire::Asked::read(&head, &body);
    let target = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let call = Call {
        action: asked.action(),
        region: asked.region.clone(),
        access_key: asked.access_key.clone(),
        target,
        body: String::from_utf8_lossy(&body).into_owned(),
        began,
        took: Duration::ZERO,
        bytes: 0,
        status: None,
        fault: None,
        reached: false,
    };
    let (delay, kind) = choose_faults(&state, &call);
    let place = {
        let mut calls = lock(&state.calls);
        calls.push(Call { fault: kind, ..call.clone() });
        calls.len() - 1
    };
    tokio::time::sleep(delay).await;

    let body = match kind {
        Some(Kind::ShortPages) => Bytes::from(call.body.replace("MaxResults=1000", "MaxResults=2")),
        Some(Kind::EmptyFirstPage) => Bytes::from(pages::without_token(&call.body)),
        _ => body,
    };
    let mut answer = obtain(&state, kind, &asked, &call, place, head, body).await?;
    if !call.is_mutating() && lock(&state.calls).iter().any(|call| call.is_mutating() && call.reached) {
        let left_out = lock(&state.left_out).clone();
        left_out
            .iter()
            .filter(|member| member.action == call.action)
            .for_each(|member| answer.change(member, Change::Missing));
    }
    // Nothing can be cut from, or be wrong in, a body that is not there.
    let kind = match kind {
        Some(Kind::Truncated) if answer.body.is_empty() => None,
        Some(Kind::Truncated | Kind::Garbage) if asked.is_head => None,
        kind => kind,
    };
    let spoilt = spoil(&answer, kind);
    let mut calls = lock(&state.calls);
    // The calls may have been cleared while this one was under way.
    if let Some(seen) = calls.get_mut(place).filter(|seen| seen.began == began) {
        seen.took = state.started.elapsed().saturating_sub(began);
        seen.bytes = answer.body.len();
        seen.status = spoilt.as_ref().map(|response| response.status().as_u16());
        seen.fault = kind;
    }
    spoilt.ok_or(NoAnswer(None))
}

/// The delay that all matching faults add up to, and the first other one that matches.
fn choose_faults(state: &State, call: &Call) -> (Duration, Option<Kind>) {
    let mut delay = Duration::ZERO;
    let mut kind = None;
    for injected in lock(&state.faults).iter_mut() {
        if !injected.strikes(call) {
            continue;
        }
        match injected.kind() {
            Kind::Late(late) => delay += late,
            other => kind = kind.or(Some(other)),
        }
    }
    (delay, kind)
}

/// The server's answer, or that of the fault.
async fn obtain(
    state: &Arc<State>,
    kind: Option<Kind>,
    asked: &wire::Asked,
    call: &Call,
    place: usize,
    head: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Answer, NoAnswer> {
    let trouble = match kind {
        Some(Kind::Denied) => Some(Trouble::Denied),
        Some(Kind::Throttled) => Some(Trouble::Throttled),
        Some(Kind::ServerError) => Some(Trouble::ServerError),
        Some(Kind::ExpiredCredentials) => Some(Trouble::ExpiredCredentials),
        Some(Kind::Refused { status, code, message }) => Some(Trouble::Refused { status, code, message }),
        _ => None,
    };
    if let Some(trouble) = trouble {
        return Ok(wire::error(asked, trouble));
    }
    let made_up = match kind {
        Some(Kind::EmptyFirstPage) if !pages::has_token(&call.body) => pages::empty(asked),
        Some(Kind::SameToken) => pages::empty(asked),
        _ => None,
    };
    if let Some(answer) = made_up {
        return Ok(answer);
    }
    match kind {
        Some(Kind::Hang) => std::future::pending().await,
        Some(Kind::HoldBefore) => wait(state, call).await?,
        _ => {}
    }
    let task = ask(Arc::clone(state), asked.clone(), call.clone(), place, head, body);
    let answer = tokio::spawn(task).await.map_err(|error| NoAnswer(Some(error.into())))??;
    match kind {
        Some(Kind::ServerErrorAfter) => return Ok(wire::error(asked, Trouble::ServerError)),
        Some(Kind::AnswerLost) => return Err(NoAnswer(None)),
        Some(Kind::HoldAfter) => wait(state, call).await?,
        _ => {}
    }
    Ok(answer)
}

/// Until the test lets the call go on.
async fn wait(state: &State, call: &Call) -> Result<(), NoAnswer> {
    match state.holding.hold(call).await {
        Decision::GoOn => Ok(()),
        Decision::Close => Err(NoAnswer(None)),
    }
}

/// In a task of its own, because what was sent takes effect, even where the client goes away meanwhile.
async fn ask(
    state: Arc<State>,
    asked: wire::Asked,
    call: Call,
    place: usize,
    head: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Answer, NoAnswer> {
    state.under_way.fetch_add(1, Ordering::SeqCst);
    let answer = fetch(&state, &asked, &call, head, body).await;
    if let Some(seen) = lock(&state.calls).get_mut(place).filter(|seen| seen.began == call.began) {
        seen.reached = answer.is_ok();
    }
    state.under_way.fetch_sub(1, Ordering::SeqCst);
    answer
}

async fn fetch(
    state: &State,
    asked: &wire::Asked,
    call: &Call,
    head: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Answer, NoAnswer> {
    match &state.source {
        Source::Fleet(fleet) => {
            tokio::time::sleep(fleet.latency).await;
            Ok(fleet.answer(asked, call))
        }
        Source::Server(host) => {
            let key = asked.key(call);
            let answer = forward(host, head, body).await.map_err(|error| NoAnswer(Some(error)))?;
            if let Some(recording) = lock(&state.recording).as_mut() {
                recording.answers.entry(key).or_default().push(answer.clone());
            }
            Ok(answer)
        }
        Source::Replay { recording, latency, given } => {
            let key = asked.key(call);
            tokio::time::sleep(*latency).await;
            let Some(answers) = recording.answers.get(&key) else {
                return Ok(wire::error(asked, Trouble::NotRecorded));
            };
            let mut given = lock(given);
            let turn = given.entry(key).or_default();
            let answer = answers.get(*turn).or_else(|| answers.last()).cloned().ok_or(NoAnswer(None))?;
            *turn += 1;
            Ok(answer)
        }
    }
}

async fn forward(
    host: &str,
    head: hyper::http::request::Parts,
    body: Bytes,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let running = tokio::spawn(connection);
    let mut request = Request::builder().method(head.method).uri(head.uri).body(Full::new(body.clone()))?;
    // The host stays as the client signed it.
    *request.headers_mut() = head.headers;
    for name in ["connection", "transfer-encoding", "expect"] {
        request.headers_mut().remove(name);
    }
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let (mut head, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    running.abort();
    for name in ["connection", "keep-alive", "transfer-encoding", "content-length", "date"] {
        head.headers.remove(name);
    }
    Ok(Answer { status: head.status, headers: head.headers, body })
}

/// The answer as the client gets it; `None` where the connection closes instead.
fn spoil(answer: &Answer, kind: Option<Kind>) -> Option<Response<AnswerBody>> {
    let half = answer.body.slice(..answer.body.len() / 2);
    let body = match kind {
        Some(Kind::Cut) if answer.body.is_empty() => return None,
        Some(Kind::Cut) => Either::Right(HalfBody::new(half, answer.body.len())),
        Some(Kind::Truncated) => Either::Left(Full::new(half)),
        Some(Kind::Garbage) => {
            Either::Left(Full::new(Bytes::from_static(b"\x00\xff\xfe]]>{\"<not what was asked for")))
        }
        _ => Either::Left(Full::new(answer.body.clone())),
    };
    let mut response = Response::new(body);
    *response.status_mut() = if kind == Some(Kind::Garbage) { StatusCode::OK } else { answer.status };
    *response.headers_mut() = answer.headers.clone();
    if let Some(Kind::Cut) = kind {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
    }
    Some(response)
}

/// A body that promises more than it gives, and then fails, which closes the connection.
struct HalfBody {
    half: Option<Bytes>,
    whole: usize,
    /// hyper sends what it has only when there is nothing more to be had at once.
    until_sent: Pin<Box<tokio::time::Sleep>>,
}

impl HalfBody {
    fn new(half: Bytes, whole: usize) -> Self {
        let until_sent = Box::pin(tokio::time::sleep(Duration::from_millis(20)));
        Self { half: Some(half).filter(|half| !half.is_empty()), whole, until_sent }
    }
}

impl Body for HalfBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        self.until_sent.as_mut().poll(context).map(|()| Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole as u64)
    }
}
