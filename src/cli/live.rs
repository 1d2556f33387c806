//! Reading live accounts: the flags for it, the connection, Ctrl-C and progress.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use tokio::sync::oneshot;

use super::fleet::FleetArgs;
use super::{Error, Globals};
use crate::diagnostic::Diagnostic;
use crate::fleet::{self, Fleet, Reading, session_policy};
use crate::model::call::Needs;
use crate::model::{AccountId, Gap, Inventory, Region};
use crate::progress::Display;
use crate::source::aws::{Carrier, Collection, Connection, ConnectionSettings, DEFAULT_CONCURRENCY, Timeouts, collect};
use crate::source::{Progress, Quiet, Shutdown};

/// Flags for reading a live account.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "AWS")]
pub(super) struct LiveArgs {
    /// The profile in the AWS configuration files
    #[arg(long, value_name = "NAME", env = "SSM_AUDIT_PROFILE")]
    profile: Option<String>,
    /// The region, if only one is read
    #[arg(long, value_name = "REGION", conflicts_with = "regions", env = "SSM_AUDIT_REGION")]
    region: Option<Region>,
    /// An endpoint in place of AWS's own, for all services
    #[arg(long, value_name = "URL", env = "SSM_AUDIT_ENDPOINT_URL")]
    endpoint_url: Option<String>,
    /// How many calls may run at once
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONCURRENCY, env = "SSM_AUDIT_CONCURRENCY")]
    concurrency: NonZeroUsize,
    /// Seconds to wait for a connection
    #[arg(long = "cli-connect-timeout", value_name = "SECONDS", env = "SSM_AUDIT_CLI_CONNECT_TIMEOUT")]
    connect_timeout: Option<f64>,
    /// Seconds to wait for an answer
    #[arg(long = "cli-read-timeout", value_name = "SECONDS", env = "SSM_AUDIT_CLI_READ_TIMEOUT")]
    read_timeout: Option<f64>,
    /// Seconds that a call may take in all, with its retries
    #[arg(long, value_name = "SECONDS", env = "SSM_AUDIT_CALL_TIMEOUT")]
    call_timeout: Option<f64>,
    #[command(flatten)]
    fleet: FleetArgs,
}

impl LiveArgs {
    /// The region, if one is named.
    pub(super) fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }

    /// With these regions, where none is named.
    pub(super) fn or_regions<'r>(&self, regions: impl IntoIterator<Item = &'r Region>) -> Self {
        let fleet = if self.region.is_some() { self.fleet.clone() } else { self.fleet.or_regions(regions) };
        Self { fleet, ..self.clone() }
    }
}

/// How many accounts are read at once.
const ACCOUNTS: NonZeroUsize = NonZeroUsize::new(16).expect("16 is not zero");

/// What came of each account, and whether the user stopped it.
pub(super) struct Read<T> {
    pub(super) accounts: Vec<T>,
    pub(super) interrupted: bool,
}

/// Reads the accounts. Each is judged as soon as it has been read, on the threads for computing, and nothing else of
/// it is kept.
pub(super) fn read<T: Send>(
    arguments: &LiveArgs,
    needs: &Needs,
    globals: &Globals,
    judge: impl Fn(Inventory) -> T + Sync,
) -> Result<Read<T>, Error> {
    let judge = &judge;
    rayon::in_place_scope(|scope| {
        run(async {
            let fleet = open(arguments, globals).await?;
            let shutdown = Shutdown::new();
            let display = if globals.quiet { None } else { Display::on_terminal() };
            let reading = Reading {
                needs,
                collected_at: jiff::Timestamp::now().to_string(),
                accounts: ACCOUNTS,
                concurrency: arguments.concurrency,
                policy: Some(session_policy(needs)),
                progress: display.as_ref().map_or(&Quiet as &dyn Progress, |display| display),
                shutdown: &shutdown,
            };
            let judged = |_, inventory| {
                let (sender, receiver) = oneshot::channel();
                // Where nobody waits any more, there is nobody to tell.
                scope.spawn(move |_| drop(sender.send(judge(inventory))));
                receiver
            };
            let stop = async {
                if tokio::signal::ctrl_c().await.is_ok() {
                    shutdown.request();
                }
                // The reading ends by itself, with what is known.
                std::future::pending::<()>().await;
            };
            // What panicked while it was judged sent nothing, and panics again where the scope ends.
            let accounts = fleet::read(&fleet, &fleet.targets, &reading, judged)
                .filter_map(|judged| std::future::ready(judged.ok()))
                .collect();
            let accounts = tokio::select! {
                accounts = accounts => accounts,
                () = stop => return Err(Error::Interrupted),
            };
            Ok(Read { accounts, interrupted: shutdown.is_requested() })
        })
    })
}

/// Runs what talks to AWS.
pub(super) fn run<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    // On the heap: it holds the futures of all calls.
    runtime.block_on(Box::pin(work))
}

/// Finds the accounts.
async fn open(arguments: &LiveArgs, globals: &Globals) -> Result<Fleet, Error> {
    let choice = arguments.fleet.choice(arguments.region.as_ref(), globals)?;
    let settings = ConnectionSettings {
        profile: arguments.profile.clone(),
        region: choice.regions.first().cloned(),
        endpoint_url: arguments.endpoint_url.clone(),
        timeouts: timeouts(arguments)?,
        carrier: Carrier::default(),
    };
    let fleet = tokio::select! {
        fleet = Fleet::open(&choice, &settings) => fleet?,
        _ = tokio::signal::ctrl_c() => return Err(Error::Interrupted),
    };
    warn_of_left_out(&fleet, globals);
    Ok(fleet)
}

/// An account that is reached, and the regions of it that were asked for.
pub(super) struct Reached {
    pub(super) connection: Arc<Connection>,
    pub(super) regions: Vec<Region>,
}

/// An account that is not reached.
pub(super) struct Unreached {
    pub(super) account: Option<AccountId>,
    pub(super) gap: Gap,
}

/// Reaches the accounts, to change them.
pub(super) async fn reach(arguments: &LiveArgs, globals: &Globals) -> Result<(Vec<Reached>, Vec<Unreached>), Error> {
    let fleet = open(arguments, globals).await?;
    let (mut reached, mut unreached) = (Vec::new(), Vec::new());
    for target in &fleet.targets {
        match fleet.connect(target, None).await {
            Ok((connection, regions)) => reached.push(Reached { connection, regions }),
            Err(gap) => unreached.push(Unreached { account: target.account.clone(), gap }),
        }
    }
    Ok((reached, unreached))
}

/// Reads these regions; Ctrl-C ends it with what is known by then.
pub(super) async fn read_regions(
    arguments: &LiveArgs,
    connection: &Connection,
    regions: &[Region],
    needs: &Needs,
    shutdown: &Shutdown,
    globals: &Globals,
) -> Result<Inventory, Error> {
    let display = if globals.quiet { None } else { Display::on_terminal() };
    let collection = Collection {
        regions,
        needs,
        collected_at: jiff::Timestamp::now().to_string(),
        concurrency: arguments.concurrency,
        progress: display.as_ref().map_or(&Quiet as &dyn Progress, |display| display),
        shutdown,
    };
    let stop = async {
        if tokio::signal::ctrl_c().await.is_ok() {
            shutdown.request();
        }
        // The collection ends by itself, with what is known.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        inventory = collect(connection, &collection) => Ok(inventory),
        () = stop => Err(Error::Interrupted),
    }
}

/// Names the accounts that cannot be used.
fn warn_of_left_out(fleet: &Fleet, globals: &Globals) {
    if !fleet.left_out.is_empty() {
        let named: Vec<String> = fleet.left_out.iter().map(ToString::to_string).collect();
        let are = if named.len() == 1 { "account is" } else { "accounts are" };
        let message = format!("{} {are} left out: {}", named.len(), named.join(", "));
        globals.warn(&[Diagnostic::warning(message)]);
    }
}

fn timeouts(arguments: &LiveArgs) -> Result<Timeouts, Error> {
    let seconds = |flag: &str, given: Option<f64>, default: Duration| match given {
        None => Ok(default),
        Some(seconds) => {
            Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero()).ok_or_else(|| {
                Error::Usage { message: format!("{flag} is {seconds}"), help: "give more than 0 seconds".to_owned() }
            })
        }
    };
    let defaults = Timeouts::default();
    let read = seconds("--cli-read-timeout", arguments.read_timeout, defaults.read)?;
    Ok(Timeouts {
        connect: seconds("--cli-connect-timeout", arguments.connect_timeout, defaults.connect)?,
        read,
        attempt: defaults.attempt.max(read).min(read.saturating_mul(2)),
        operation: seconds("--call-timeout", arguments.call_timeout, defaults.operation)?,
    })
}
