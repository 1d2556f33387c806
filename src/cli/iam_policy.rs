//! `iam-policy`: the least that a scan with the selected rules must be allowed to do.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::selection::{Selection, SelectionArgs};
use super::{Error, Exit, Globals, output};

/// What the policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Purpose {
    /// Reading, for `scan` and `collect`.
    Scan,
}

/// The arguments of `iam-policy`.
#[derive(Debug, Args)]
pub(super) struct IamPolicyArgs {
    /// What the policy is for
    #[arg(long = "for", value_name = "COMMAND", value_enum, default_value = "scan", env = "SSM_AUDIT_FOR")]
    purpose: Purpose,
    #[command(flatten)]
    selection: SelectionArgs,
}

pub(super) fn run(arguments: &IamPolicyArgs, globals: &Globals) -> Result<Exit, Error> {
    let Purpose::Scan = arguments.purpose;
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let mut actions = BTreeSet::new();
    for call in selection.needs()?.calls() {
        actions.extend(call.actions.iter().copied());
    }
    // Which regions there are is asked for with `--regions all`.
    actions.insert("ec2:DescribeRegions");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "SsmAuditScan",
            "Effect": "Allow",
            "Action": actions,
            "Resource": "*",
        }],
    });
    output::to_stdout(|out| writeln!(out, "{policy:#}"))?;
    Ok(Exit::Success)
}
