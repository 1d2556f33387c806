//! Reading live accounts: the flags for it, the connection, Ctrl-C and progress.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;

use super::{Error, Globals};
use crate::model::call::Needs;
use crate::model::{Inventory, Region};
use crate::progress::Display;
use crate::source::aws::{Collection, Connection, ConnectionSettings, DEFAULT_CONCURRENCY, Timeouts, collect};
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
    /// The regions to read, separated by commas, or `all` that are enabled for the account
    #[arg(long, value_name = "REGIONS", env = "SSM_AUDIT_REGIONS", value_delimiter = ',')]
    regions: Vec<String>,
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
}

impl LiveArgs {
    /// The region, if one is named.
    pub(super) fn region(&self) -> Option<&Region> {
        self.region.as_ref()
    }
}

/// What was read, and whether the user stopped it.
pub(super) struct Read {
    pub(super) inventory: Inventory,
    pub(super) interrupted: bool,
}

/// Reads the account.
pub(super) fn read(arguments: &LiveArgs, needs: &Needs, globals: &Globals) -> Result<Read, Error> {
    let named = named_regions(arguments)?;
    let settings = ConnectionSettings {
        profile: arguments.profile.clone(),
        region: arguments.region.clone().or_else(|| named.as_ref()?.first().cloned()),
        endpoint_url: arguments.endpoint_url.clone(),
        timeouts: timeouts(arguments)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    // On the heap: it holds the futures of all calls.
    runtime.block_on(Box::pin(async {
        let connection = tokio::select! {
            connection = Connection::open(&settings) => connection?,
            _ = tokio::signal::ctrl_c() => return Err(Error::Interrupted),
        };
        let regions = match (named, &arguments.region) {
            (Some(named), _) => named,
            (None, None) if !arguments.regions.is_empty() => connection.enabled_regions().await?,
            (None, _) => vec![connection.region().clone()],
        };
        let shutdown = Shutdown::new();
        let display = if globals.quiet { None } else { Display::on_terminal() };
        let progress: &dyn Progress = match &display {
            Some(display) => display,
            None => &Quiet,
        };
        let collection = Collection {
            regions: &regions,
            needs,
            collected_at: jiff::Timestamp::now().to_string(),
            concurrency: arguments.concurrency,
            progress,
            shutdown: &shutdown,
        };
        let stop = async {
            if tokio::signal::ctrl_c().await.is_ok() {
                shutdown.request();
            }
            // The collection ends by itself, with what is known.
            std::future::pending::<()>().await;
        };
        let inventory = tokio::select! {
            inventory = collect(&connection, &collection) => inventory,
            () = stop => return Err(Error::Interrupted),
        };
        Ok(Read { inventory, interrupted: shutdown.is_requested() })
    }))
}

/// The regions that are named, sorted; none where none is, or `all` is.
fn named_regions(arguments: &LiveArgs) -> Result<Option<Vec<Region>>, Error> {
    if arguments.regions.is_empty() || arguments.regions == ["all"] {
        return Ok(None);
    }
    let parse = |name: &String| {
        name.trim().parse::<Region>().map_err(|error| Error::Usage {
            message: format!("--regions: {error}"),
            help: "name regions such as eu-west-1,us-east-1, or `all`".to_owned(),
        })
    };
    let regions: BTreeSet<Region> = arguments.regions.iter().map(parse).collect::<Result<_, _>>()?;
    Ok(Some(regions.into_iter().collect()))
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
