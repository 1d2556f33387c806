//! Where ssm-audit keeps what it must remember: the journal of fixes, and the history of sweeps.

use std::env;
use std::path::PathBuf;

use clap::Args;

use super::Error;
use crate::remediate::journal::Journal;

/// The flag for it.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct StateArgs {
    /// Folder of journal and history [default: ~/.local/state/ssm-audit]
    #[arg(long = "state", value_name = "DIR", global = true, env = "SSM_AUDIT_STATE")]
    folder: Option<PathBuf>,
}

impl StateArgs {
    /// The journal.
    pub(super) fn journal(&self) -> Result<Journal, Error> {
        Ok(Journal::open(&self.folder()?)?)
    }

    /// The journal, where there is one: what only reads leaves nothing behind.
    pub(super) fn journal_if_there(&self) -> Result<Option<Journal>, Error> {
        Ok(Journal::open_to_read(&self.folder()?)?)
    }

    /// The error for a run where there is no journal.
    pub(super) fn no_run(run: &str) -> Error {
        Error::Usage {
            message: format!("there is no run `{run}`: nothing was ever fixed with this journal"),
            help: "--state names the folder of another one".to_owned(),
        }
    }

    /// The folder.
    pub(super) fn folder(&self) -> Result<PathBuf, Error> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let standard = || {
            let base = set("XDG_STATE_HOME").filter(|path| path.is_absolute());
            base.or_else(|| set("HOME").map(|home| home.join(".local/state"))).map(|base| base.join("ssm-audit"))
        };
        self.folder.clone().or_else(standard).ok_or_else(|| Error::Usage {
            message: "there is no folder to remember things in: neither HOME nor XDG_STATE_HOME is set".to_owned(),
            help: "name one with --state".to_owned(),
        })
    }
}
