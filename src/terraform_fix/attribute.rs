//! Attributes that have an argument of their own in Terraform.

use super::edit_session::{EditSession, Edited, New, Refusal};
use super::hcl_file::Found;
use super::task::Task;

/// The argument that an attribute is, by the type of the resource: the blocks that lead to it, and its name.
fn argument(kind: &str, path: &str) -> Option<(&'static [&'static str], &'static str)> {
    const INSTANCES: &[&str] =
        &["aws_instance", "aws_spot_instance_request", "aws_launch_template", "aws_launch_configuration"];
    const OPTIONS: &[&str] = &["metadata_options"];
    let is_instance = INSTANCES.contains(&kind);
    Some(match (kind, path) {
        (_, "metadata_options.http_tokens") if is_instance => (OPTIONS, "http_tokens"),
        (_, "metadata_options.http_endpoint") if is_instance => (OPTIONS, "http_endpoint"),
        (_, "metadata_options.http_put_response_hop_limit") if is_instance => (OPTIONS, "http_put_response_hop_limit"),
        ("aws_launch_configuration", "metadata_options.instance_metadata_tags") => return None,
        (_, "metadata_options.instance_metadata_tags") if is_instance => (OPTIONS, "instance_metadata_tags"),
        ("aws_launch_template", "monitoring") => (&["monitoring"], "enabled"),
        ("aws_launch_configuration", "monitoring") => (&[], "enable_monitoring"),
        (_, "monitoring") if is_instance => (&[], "monitoring"),
        ("aws_kms_key", "enable_key_rotation") => (&[], "enable_key_rotation"),
        ("aws_kms_key" | "aws_kms_external_key" | "aws_kms_replica_key", "deletion_window_in_days") => {
            (&[], "deletion_window_in_days")
        }
        ("aws_cloudwatch_log_group", "retention_in_days") => (&[], "retention_in_days"),
        _ => return None,
    })
}

/// Sets an attribute: where the code sets it already, there; else in the resource itself.
pub(crate) fn set(path: &str, new: &New, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    match task.written(path, session) {
        Some(Some(Found::Attribute(block_ref, name))) => session.set(&block_ref, &name, new),
        // The block is there, and what it is to say is not.
        Some(Some(Found::Block(block_ref))) => {
            let (_, name) = argument(block_ref.labels().0, path).ok_or_else(|| unknown(path, task))?;
            session.set(&block_ref, name, new)
        }
        Some(None) => Err(Refusal::new(format!("{path} is not written in Terraform's own syntax"))),
        None => {
            let (blocks, name) = argument(task.block_ref.labels().0, path).ok_or_else(|| unknown(path, task))?;
            session.set_nested(&task.block_ref, blocks, name, new)
        }
    }
}

fn unknown(path: &str, task: &Task<'_>) -> Refusal {
    Refusal::new(format!("no argument of {} is known that says {path}", task.block_ref.labels().0))
}
