//! `iam-policy`: the least that a scan, a fix, or the caller of a sweep must be allowed to do with the selected rules, as a
//! policy or as the CloudFormation template of a role that has it.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::fleet::FleetArgs;
use super::member_role::{Task, template};
use super::selection::{Selection, SelectionArgs};
use super::shard_location::{Place, parse_place};
use super::{Error, Exit, Globals, output};
use crate::diagnostic::Diagnostic;
use crate::fleet::{caller_policy, log_archive};
use crate::model::{Partition, Region};
use crate::remediate::{permissions, remediation};
use crate::terminal::Encoding;

/// What the policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Purpose {
    Scan,
    Fix,
    Sweep,
}

impl Purpose {
    /// What the role in each account is for. The caller is in one account only.
    fn task(self) -> Option<Task> {
        match self {
            Self::Scan => Some(Task { command: "scan", purpose: "read", role: "SsmAuditScan" }),
            Self::Fix => Some(Task { command: "fix", purpose: "read and change", role: "SsmAuditFix" }),
            Self::Sweep => None,
        }
    }
}

/// The arguments of `iam-policy`.
#[derive(Debug, Args)]
pub(super) struct IamPolicyArgs {
    /// Command to permit: scan and collect; fix, undo and resume; or the caller of a sweep
    #[arg(long = "for", value_name = "COMMAND", value_enum, default_value = "scan", env = "SSM_AUDIT_FOR")]
    purpose: Purpose,
    /// With --for sweep: S3 prefix of its shards
    #[arg(long, value_name = "PLACE", value_parser = parse_place, env = "SSM_AUDIT_TO")]
    to: Option<Place>,
    /// Print a CloudFormation template of a role with the policy
    #[arg(long, env = "SSM_AUDIT_CLOUDFORMATION")]
    cloudformation: bool,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    fleet: FleetArgs,
}

pub(super) fn run(arguments: &IamPolicyArgs, globals: &Globals) -> Result<Exit, Error> {
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let policy = match arguments.purpose {
        Purpose::Scan => scan(&selection, arguments, globals)?,
        Purpose::Fix => {
            let remedies = remediation::embedded(selection.library()).map_err(Error::Diagnostics)?;
            let settings = &globals.config()?.fix;
            let permissions = permissions::policy(&selection.rules()?, selection.library(), &remedies, settings);
            let wide = permissions.wide.iter().map(|wide| Diagnostic::warning(wide.as_str()));
            globals.warn(&wide.collect::<Vec<_>>());
            permissions.policy
        }
        Purpose::Sweep => sweep(arguments, globals)?,
    };
    if arguments.cloudformation {
        let task = arguments.purpose.task().ok_or_else(|| Error::Usage {
            message: "--cloudformation makes the role that is assumed in each account, which scans".to_owned(),
            help: "print it with --for scan; the policy of the caller is for the role or user that runs sweeps"
                .to_owned(),
        })?;
        let template = template(task, &policy);
        output::to_stdout(Encoding::Text, |out| out.write_all(template.as_bytes()))?;
    } else {
        output::to_stdout(Encoding::Json, |out| writeln!(out, "{policy:#}"))?;
    }
    Ok(Exit::Success)
}

fn sweep(arguments: &IamPolicyArgs, globals: &Globals) -> Result<Json, Error> {
    let choice = arguments.fleet.choice(None, globals)?;
    let partition = choice.regions.first().map_or(Partition::Aws, Region::partition);
    let store = match &arguments.to {
        Some(Place::Store(store)) => Some(store),
        Some(Place::File(_)) | None => None,
    };
    caller_policy(&choice, partition, store).ok_or_else(|| Error::Usage {
        message: "a sweep of these accounts needs nothing of its caller but what a scan needs".to_owned(),
        help: "say which accounts, and the role in each: --organization or --accounts, and --role".to_owned(),
    })
}

fn scan(selection: &Selection, arguments: &IamPolicyArgs, globals: &Globals) -> Result<Json, Error> {
    let mut actions = BTreeSet::new();
    for call in selection.needs()?.calls() {
        actions.extend(call.actions.iter().copied());
    }
    // Which regions there are is asked for with `--regions all`.
    actions.insert("ec2:DescribeRegions");
    let mut statements = vec![json!({
        "Sid": "SsmAuditScan",
        "Effect": "Allow",
        "Action": actions,
        "Resource": "*",
    })];
    let choice = arguments.fleet.choice(None, globals)?;
    let partition = choice.regions.first().map_or(Partition::Aws, Region::partition);
    if let Some(role) = log_archive(&choice, partition) {
        statements.push(json!({
            "Sid": "SsmAuditLogArchive",
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Resource": role,
        }));
    }
    Ok(json!({"Version": "2012-10-17", "Statement": statements}))
}
