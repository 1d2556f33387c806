//! `iam-policy`: the least that a scan, or a fix, with the selected rules must be allowed to do, as a policy or as the
//! CloudFormation template of a role that has it.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use serde_json::{Value as Json, json};

use super::member_role::{Task, template};
use super::selection::{Selection, SelectionArgs};
use super::{Error, Exit, Globals, output};
use crate::remediate::{permissions, remedy};

/// What the policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Purpose {
    /// Reading, for scan and collect
    Scan,
    /// Reading and changing, for fix, resume and undo: just what the selected rules' remediations take
    Fix,
}

impl Purpose {
    fn task(self) -> Task {
        match self {
            Self::Scan => Task { command: "scan", purpose: "read", role: "SsmAuditScan" },
            Self::Fix => Task { command: "fix", purpose: "read and change", role: "SsmAuditFix" },
        }
    }
}

/// The arguments of `iam-policy`.
#[derive(Debug, Args)]
pub(super) struct IamPolicyArgs {
    /// What the policy is for
    #[arg(long = "for", value_name = "COMMAND", value_enum, default_value = "scan", env = "SSM_AUDIT_FOR")]
    purpose: Purpose,
    /// Print the CloudFormation template of a role that has the policy, for accounts that are swept from another one
    #[arg(long, env = "SSM_AUDIT_CLOUDFORMATION")]
    cloudformation: bool,
    #[command(flatten)]
    selection: SelectionArgs,
}

pub(super) fn run(arguments: &IamPolicyArgs, globals: &Globals) -> Result<Exit, Error> {
    let selection = Selection::from_args(&arguments.selection, globals)?;
    let policy = match arguments.purpose {
        Purpose::Scan => scan(&selection)?,
        Purpose::Fix => {
            let remedies = remedy::embedded(selection.library()).map_err(Error::Diagnostics)?;
            permissions::policy(&selection.rules()?, selection.library(), &remedies)
        }
    };
    if arguments.cloudformation {
        let template = template(arguments.purpose.task(), &policy);
        output::to_stdout(|out| out.write_all(template.as_bytes()))?;
    } else {
        output::to_stdout(|out| writeln!(out, "{policy:#}"))?;
    }
    Ok(Exit::Success)
}

fn scan(selection: &Selection) -> Result<Json, Error> {
    let mut actions = BTreeSet::new();
    for call in selection.needs()?.calls() {
        actions.extend(call.actions.iter().copied());
    }
    // Which regions there are is asked for with `--regions all`.
    actions.insert("ec2:DescribeRegions");
    Ok(json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "SsmAuditScan",
            "Effect": "Allow",
            "Action": actions,
            "Resource": "*",
        }],
    }))
}
