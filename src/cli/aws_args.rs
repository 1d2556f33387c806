//! Live accounts: the flags for them, the connections, and Ctrl-C. Reading many is in `reading`.

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::fleet::FleetArgs;
use super::{Error, Globals};
use crate::aws::nearest::{self, did_you_mean};
use crate::aws::{Carrier, Connection, ConnectionSettings, Timeouts};
use crate::collect::live::{Collection, DEFAULT_CONCURRENCY, collect};
use crate::collect::{Progress, Quiet, Shutdown};
use crate::diagnostic::Diagnostic;
use crate::fleet::{Choice, ConfiguredOwner, Fleet};
use crate::model::call::Needs;
use crate::model::{AccountId, Gap, Inventory, Region};
use crate::progress::Display;

/// Flags for reading a live account.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "AWS")]
pub(super) struct LiveArgs {
    /// Profile in the AWS configuration files
    #[arg(long, value_name = "NAME", conflicts_with = "profiles", env = "SSM_AUDIT_PROFILE")]
    profile: Option<String>,
    /// Region, if only one is read
    #[arg(long, value_name = "REGION", value_parser = parse_region, conflicts_with = "regions", env = "SSM_AUDIT_REGION")]
    region: Option<Region>,
    /// Endpoint to use for all services
    #[arg(long, value_name = "URL", env = "SSM_AUDIT_ENDPOINT_URL")]
    endpoint_url: Option<String>,
    /// Calls at once [default: 16; 64 for several accounts]
    #[arg(long, value_name = "N", env = "SSM_AUDIT_CONCURRENCY")]
    concurrency: Option<NonZeroUsize>,
    /// Seconds to wait for a connection
    #[arg(long = "cli-connect-timeout", value_name = "SECONDS", env = "SSM_AUDIT_CLI_CONNECT_TIMEOUT")]
    connect_timeout: Option<f64>,
    /// Seconds to wait for a response
    #[arg(long = "cli-read-timeout", value_name = "SECONDS", env = "SSM_AUDIT_CLI_READ_TIMEOUT")]
    read_timeout: Option<f64>,
    /// Seconds for a call, with its retries
    #[arg(long, value_name = "SECONDS", env = "SSM_AUDIT_CALL_TIMEOUT")]
    call_timeout: Option<f64>,
    /// Seconds for an account [default: 600]
    #[arg(long, value_name = "SECONDS", env = "SSM_AUDIT_ACCOUNT_TIMEOUT")]
    account_timeout: Option<f64>,
    #[command(flatten)]
    fleet: FleetArgs,
}

/// Returns the region of this name, or what is wrong with it and the nearest name.
fn parse_region(name: &str) -> Result<Region, String> {
    name.parse().map_err(|error| format!("{error}{}", did_you_mean(nearest::region(name))))
}

/// How many calls may run at once in several accounts, unless said otherwise.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// How long an account may take, unless said otherwise.
const ACCOUNT_TIMEOUT: Duration = Duration::from_mins(10);

impl LiveArgs {
    /// Whose credentials are used, and where.
    pub(super) fn way(&self) -> (Option<&str>, Option<&str>) {
        (self.profile.as_deref(), self.endpoint_url.as_deref())
    }

    /// Which accounts and regions are asked for.
    pub(super) fn choice(&self, globals: &Globals) -> Result<Choice, Error> {
        self.fleet.choice(self.region.as_ref(), globals)
    }

    /// The way that the credentials of the caller open.
    pub(super) fn settings(&self, choice: &Choice) -> Result<ConnectionSettings, Error> {
        Ok(ConnectionSettings {
            profile: self.profile.clone(),
            region: choice.regions.first().cloned(),
            endpoint_url: self.endpoint_url.clone(),
            timeouts: timeouts(self)?,
            carrier: Carrier::default(),
        })
    }

    /// How many calls may run at once in so many accounts.
    pub(super) fn concurrency_in(&self, accounts: usize) -> NonZeroUsize {
        self.concurrency.unwrap_or(if accounts > 1 { CONCURRENCY } else { DEFAULT_CONCURRENCY })
    }

    /// How long an account may take.
    pub(super) fn account_deadline(&self) -> Result<Duration, Error> {
        seconds("--account-timeout", self.account_timeout, ACCOUNT_TIMEOUT)
    }

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

/// Runs what talks to AWS.
pub(super) fn run<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    // One thread keeps up with all calls. With two the work is done a little sooner, for a quarter more of processor time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    // On the heap: it holds the futures of all calls.
    runtime.block_on(Box::pin(work))
}

/// Finds the accounts.
pub(super) async fn open(arguments: &LiveArgs, globals: &Globals) -> Result<Fleet, Error> {
    let choice = arguments.choice(globals)?;
    let settings = arguments.settings(&choice)?;
    let fleet = tokio::select! {
        fleet = Fleet::open(&choice, &settings) => fleet?,
        () = told_to_end() => return Err(Error::Interrupted),
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
    let access = arguments.choice(globals)?.access;
    let owner = ConfiguredOwner::new(connection, &access);
    let collection = Collection {
        regions,
        needs,
        collected_at: jiff::Timestamp::now().to_string(),
        concurrency: arguments.concurrency_in(1),
        shared: None,
        deadline: None,
        owners: Some(&owner),
        progress: display.as_ref().map_or(&Quiet as &dyn Progress, |display| display),
        shutdown,
    };
    tokio::select! {
        inventory = collect(connection, &collection) => Ok(inventory),
        () = stop(shutdown) => Err(Error::Interrupted),
    }
}

/// Has the reading stop at Ctrl-C, or where it is told to terminate. It ends by itself then, with what is known; this only
/// ends where it is told so again.
pub(super) async fn stop(shutdown: &Shutdown) {
    for _ in 0..2 {
        told_to_end().await;
        shutdown.request();
    }
}

/// Waits for Ctrl-C, or what supervisors send.
pub(super) async fn told_to_end() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            Ok(()) = tokio::signal::ctrl_c() => {}
            Some(()) = terminate.recv() => {}
            else => std::future::pending().await,
        }
        return;
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
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
    let defaults = Timeouts::default();
    let read = seconds("--cli-read-timeout", arguments.read_timeout, defaults.read)?;
    Ok(Timeouts {
        connect: seconds("--cli-connect-timeout", arguments.connect_timeout, defaults.connect)?,
        read,
        attempt: defaults.attempt.max(read).min(read.saturating_mul(2)),
        operation: seconds("--call-timeout", arguments.call_timeout, defaults.operation)?,
    })
}

fn seconds(flag: &str, given: Option<f64>, default: Duration) -> Result<Duration, Error> {
    let Some(seconds) = given else { return Ok(default) };
    let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| Error::Usage {
        message: format!("{flag} is {seconds}"),
        help: "give more than 0 seconds".to_owned(),
    })
}
