//! `--notify`: tell others what a sweep found, once.

use clap::Args;

use super::aws_args::run;
use super::{Error, Globals};
use crate::aws::Carrier;
use crate::diagnostic::Diagnostic;
use crate::history::{History, HistoryError, Told};
use crate::notify::{NotSent, Receiver, Sender, idempotency_key, summary};

/// Whom to tell.
#[derive(Debug, Clone, Args)]
pub(super) struct NotifyArgs {
    /// Post new findings to this URL as JSON; only its host is shown
    #[arg(long, value_name = "URL", env = "SSM_AUDIT_NOTIFY", hide_env_values = true)]
    notify: Option<String>,
}

impl NotifyArgs {
    /// Whom.
    pub(super) fn receiver(&self) -> Result<Option<Receiver>, Error> {
        let receiver = self.notify.as_deref().map(str::parse).transpose();
        receiver.map_err(|error: crate::notify::ReceiverError| Error::Usage {
            message: error.to_string(),
            help: "give one such as https://hooks.example.com/ssm-audit".to_owned(),
        })
    }
}

/// Notes that a sweep is to be told of.
pub(super) fn announce(history: &mut History, sweep: i64, receiver: Option<&Receiver>) -> Result<(), HistoryError> {
    receiver.map_or(Ok(()), |_| history.announce(sweep))
}

/// Tells of every sweep that is due: also of one of which nobody took the news when it ended.
pub(super) fn tell(history: &mut History, receiver: Option<Receiver>, globals: &Globals) -> Result<(), Error> {
    let Some(receiver) = receiver else { return Ok(()) };
    for sweep in history.cut_off_while_telling()? {
        let message = format!(
            "something ended ssm-audit while it sent the notification of sweep {sweep}: it may have arrived, and is not \
             sent again"
        );
        globals.warn(&[Diagnostic::warning(message)]);
    }
    let mut failure = None;
    let sender = Sender::new(Carrier::default().of_the_environment()?, receiver);
    for id in history.to_tell()? {
        let sweep = history.sweep(id)?;
        let json = summary(history, &sweep)?.to_string();
        history.telling(id)?;
        let sent = run(async { Ok(sender.send(&idempotency_key(&sweep), &json).await) })?;
        history.told(
            id,
            match &sent {
                Ok(()) => Told::Sent,
                Err(NotSent::NotTaken { .. } | NotSent::Unreached { .. }) => Told::Due,
                Err(NotSent::Refused { .. } | NotSent::NoAnswer { .. }) => Told::Lost,
            },
        )?;
        // One that is not wanted does not keep others from being told.
        if let Err(error) = sent {
            failure.get_or_insert(error);
        }
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}
