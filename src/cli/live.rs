//! Reading live accounts: the flags for it, the connection, Ctrl-C and progress.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use tokio::sync::oneshot;

use super::fleet::FleetArgs;
use super::{Error, Globals};
use crate::diagnostic::Diagnostic;
use crate::fleet::{self, Choice, Fleet, Reading, Target, session_policy};
use crate::model::call::Needs;
use crate::model::{Inventory, Region};
use crate::progress::{Display, FleetDisplay, PERIOD};
use crate::source::aws::{Carrier, ConnectionSettings, DEFAULT_CONCURRENCY, Timeouts};
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
    /// How many calls may run at once [default: 16; 64 for several accounts]
    #[arg(long, value_name = "N", env = "SSM_AUDIT_CONCURRENCY")]
    concurrency: Option<NonZeroUsize>,
    /// Seconds to wait for a connection
    #[arg(long = "cli-connect-timeout", value_name = "SECONDS", env = "SSM_AUDIT_CLI_CONNECT_TIMEOUT")]
    connect_timeout: Option<f64>,
    /// Seconds to wait for an answer
    #[arg(long = "cli-read-timeout", value_name = "SECONDS", env = "SSM_AUDIT_CLI_READ_TIMEOUT")]
    read_timeout: Option<f64>,
    /// Seconds that a call may take in all, with its retries
    #[arg(long, value_name = "SECONDS", env = "SSM_AUDIT_CALL_TIMEOUT")]
    call_timeout: Option<f64>,
    /// Seconds that an account may take in all [default: 600]
    #[arg(long, value_name = "SECONDS", env = "SSM_AUDIT_ACCOUNT_TIMEOUT")]
    account_timeout: Option<f64>,
    #[command(flatten)]
    fleet: FleetArgs,
}

/// How many calls may run at once in several accounts, unless said otherwise.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// How long an account may take, unless said otherwise.
const ACCOUNT_TIMEOUT: Duration = Duration::from_mins(10);

/// What came of each account, and whether the user stopped it.
pub(super) struct Read<T> {
    pub(super) accounts: Vec<T>,
    pub(super) interrupted: bool,
}

/// What a command does with accounts.
pub(super) trait Reader: Sync {
    /// What comes of an account.
    type Judged: Send;

    /// Is told which accounts there are, and may leave out some.
    fn begin(&mut self, _: &mut Fleet) -> Result<(), Error> {
        Ok(())
    }

    /// How many failures and unknowns came of an account.
    fn findings(&self, judged: &Self::Judged) -> u64;

    /// Judges an account. Once `shutdown` is requested, not all of it may have been read.
    fn judge(&self, target: &Target, inventory: Inventory, shutdown: &Shutdown) -> Self::Judged;
}

/// A reader that only judges. The second says how many failures and unknowns there are.
pub(super) struct Judge<F, C>(pub(super) F, pub(super) C);

impl<T: Send, F: Fn(Inventory) -> T + Sync, C: Fn(&T) -> u64 + Sync> Reader for Judge<F, C> {
    type Judged = T;

    fn findings(&self, judged: &T) -> u64 {
        (self.1)(judged)
    }

    fn judge(&self, _: &Target, inventory: Inventory, _: &Shutdown) -> T {
        (self.0)(inventory)
    }
}

impl LiveArgs {
    /// Whose credentials are used, and where.
    pub(super) fn way(&self) -> (Option<&str>, Option<&str>) {
        (self.profile.as_deref(), self.endpoint_url.as_deref())
    }

    /// Which accounts and regions are asked for.
    pub(super) fn choice(&self, globals: &Globals) -> Result<Choice, Error> {
        self.fleet.choice(self.region.as_ref(), globals)
    }
}

/// Reads the accounts. Each is judged as soon as it has been read, on the threads for computing, and nothing else of
/// it is kept.
pub(super) fn read<R: Reader>(
    arguments: &LiveArgs,
    needs: &Needs,
    globals: &Globals,
    mut reader: R,
) -> Result<Read<R::Judged>, Error> {
    let choice = arguments.choice(globals)?;
    let settings = ConnectionSettings {
        profile: arguments.profile.clone(),
        region: choice.regions.first().cloned(),
        endpoint_url: arguments.endpoint_url.clone(),
        timeouts: timeouts(arguments)?,
        carrier: Carrier::default(),
    };
    let deadline = seconds("--account-timeout", arguments.account_timeout, ACCOUNT_TIMEOUT)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Start)?;
    let mut fleet = runtime.block_on(Box::pin(async {
        tokio::select! {
            fleet = Fleet::open(&choice, &settings) => Ok(fleet?),
            _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
        }
    }))?;
    warn_of_left_out(&fleet, globals);
    let several = if fleet.targets.len() > 1 { CONCURRENCY } else { DEFAULT_CONCURRENCY };
    reader.begin(&mut fleet)?;
    let shutdown = Shutdown::new();
    let displays = Displays::of(fleet.targets.len(), globals);
    let reading = Reading {
        needs,
        collected_at: jiff::Timestamp::now().to_string(),
        concurrency: arguments.concurrency.unwrap_or(several),
        deadline,
        policy: Some(session_policy(needs)),
        progress: displays.progress(),
        shutdown: &shutdown,
    };
    let (fleet, reader, shutdown, displays) = (&fleet, &reader, &shutdown, &displays);
    rayon::in_place_scope(|scope| {
        let judged = |target, inventory: Inventory| {
            let (sender, receiver) = oneshot::channel();
            scope.spawn(move |_| {
                let scopes = inventory.scopes.clone();
                let judged = reader.judge(target, inventory, shutdown);
                if let Displays::Fleet(display) = displays {
                    display.done(target.account.as_ref(), &scopes, reader.findings(&judged));
                }
                // Where nobody waits any more, there is nobody to tell.
                drop(sender.send(judged));
            });
            receiver
        };
        // On the heap: it holds the futures of all calls.
        runtime.block_on(Box::pin(async {
            let stop = async {
                if tokio::signal::ctrl_c().await.is_ok() {
                    shutdown.request();
                }
                // The reading ends by itself, with what is known.
                std::future::pending::<()>().await;
            };
            // What panicked while it was judged sent nothing, and panics again where the scope ends.
            let accounts = fleet::read(fleet, &fleet.targets, &reading, judged)
                .filter_map(|judged| std::future::ready(judged.ok()))
                .collect();
            let accounts = tokio::select! {
                accounts = accounts => accounts,
                () = stop => return Err(Error::Interrupted),
                () = displays.tick() => return Err(Error::Interrupted),
            };
            Ok(Read { accounts, interrupted: shutdown.is_requested() })
        }))
    })
}

/// What is shown while accounts are read.
enum Displays {
    /// Nothing.
    None,
    /// The calls of one account, on a terminal.
    Calls(Display),
    /// How far many accounts are.
    Fleet(FleetDisplay),
}

impl Displays {
    fn of(accounts: usize, globals: &Globals) -> Self {
        match accounts {
            _ if globals.quiet => Self::None,
            0 | 1 => Display::on_terminal().map_or(Self::None, Self::Calls),
            many => Self::Fleet(FleetDisplay::of(many)),
        }
    }

    fn progress(&self) -> &dyn Progress {
        match self {
            Self::None => &Quiet,
            Self::Calls(display) => display,
            Self::Fleet(display) => display,
        }
    }

    /// Says from time to time how far it is. Never ends.
    async fn tick(&self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            if let Self::Fleet(display) = self {
                display.tick();
            }
        }
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
