//! Reading Terraform code: the flags for it, and its problems as people see them.

use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;

use super::{Error, Globals};
use crate::diagnostic::Level;
use crate::model::{AccountId, Inventory, Region};
use crate::source::terraform::{self, Options, Places};

/// Flags for reading code.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Terraform")]
pub(super) struct CodeArgs {
    /// The account that the code is deployed to; without it, what depends on it is not known
    #[arg(long, value_name = "ID", env = "SSM_AUDIT_ACCOUNT", requires = "inputs")]
    account: Option<AccountId>,
    /// A value for a variable; can be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", requires = "inputs")]
    variables: Vec<String>,
    /// A file of values for variables; can be repeated
    #[arg(long = "var-file", value_name = "FILE", requires = "inputs")]
    variable_files: Vec<PathBuf>,
}

/// The variables of the environment that Terraform takes values from begin with this.
const ENVIRONMENT: &str = "TF_VAR_";

impl CodeArgs {
    /// Reads a folder of code.
    pub(super) fn read(
        &self,
        root: &Path,
        region: Option<&Region>,
        started_at: Timestamp,
        globals: &Globals,
    ) -> Result<(Inventory, Places), Error> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.to_str()?.strip_prefix(ENVIRONMENT)?.to_owned(), value.into_string().ok()?))
        });
        let options = Options {
            account: self.account.clone(),
            region: region.cloned(),
            variables: self.variables.clone(),
            variable_files: self.variable_files.clone(),
            environment: environment.collect(),
            collected_at: started_at.to_string(),
        };
        let code = terraform::read(root, &options).map_err(Box::new)?;
        let mut problems = code.problems;
        // What cannot be parsed stands in the report too, and leaves the rest as it is.
        for problem in &mut problems {
            problem.level = Level::Warning;
        }
        globals.warn(&problems);
        Ok((code.inventory, code.places))
    }
}
