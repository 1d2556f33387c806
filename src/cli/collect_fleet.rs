//! Reading the accounts of a fleet for a command: each is judged as soon as it has been read. Ctrl-C and progress.

use futures::StreamExt;
use tokio::sync::oneshot;

use super::aws_args::{self, LiveArgs};
use super::{Error, Globals};
use crate::collect::{Progress, Quiet, Shutdown};
use crate::fleet::{self, Fleet, Reading, Target, session_policy};
use crate::model::Inventory;
use crate::model::call::Needs;
use crate::progress::{Display, FleetDisplay, PERIOD};

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

/// Reads the accounts. Each is judged as soon as it has been read, on the threads for computing, and nothing else of
/// it is kept.
pub(super) fn read<R: Reader>(
    arguments: &LiveArgs,
    needs: &Needs,
    globals: &Globals,
    mut reader: R,
) -> Result<Read<R::Judged>, Error> {
    let deadline = arguments.account_deadline()?;
    let mut fleet = aws_args::run(aws_args::open(arguments, globals))?;
    let concurrency = arguments.concurrency_in(fleet.targets.len());
    reader.begin(&mut fleet)?;
    let shutdown = Shutdown::new();
    let displays = Displays::of(fleet.targets.len(), globals);
    let reading = Reading {
        needs,
        collected_at: jiff::Timestamp::now().to_string(),
        concurrency,
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
        aws_args::run(async {
            // What panicked while it was judged sent nothing, and panics again where the scope ends.
            let accounts = fleet::read(fleet, &fleet.targets, &reading, judged)
                .filter_map(|judged| std::future::ready(judged.ok()))
                .collect();
            let accounts = tokio::select! {
                accounts = accounts => accounts,
                () = aws_args::stop(shutdown) => return Err(Error::Interrupted),
                () = displays.tick() => return Err(Error::Interrupted),
            };
            Ok(Read { accounts, interrupted: shutdown.is_requested() })
        })
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
