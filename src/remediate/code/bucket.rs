//! Buckets: encryption and access logging, each a resource of its own beside the bucket; and the bucket for session logs
//! where the code has none.

use serde_json::Value as Json;

use super::document::{Found, Spot};
use super::task::{Task, undone};
use super::workspace::{Edited, New, Refusal, Workspace, literal};

pub(super) fn carry_out(name: &str, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    match name {
        "log-access" => log_access(task, work),
        "tag" => super::tags::add(task, work),
        name => Err(undone(name)),
    }
}

/// How the bucket of a task is named by what stands beside it.
fn bucket_of(task: &Task<'_>) -> Result<String, Refusal> {
    Ok(format!("{}.id", Workspace::reference(&task.place.address, &task.place.address)?))
}

/// Sets the algorithm of the default encryption.
pub(super) fn encrypt(algorithm: &Json, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let written = task.place.attributes.iter().find(|(path, _)| *path == "sse_algorithm").map(|(_, span)| *span);
    match written.map(|span| work.found(span)) {
        Some(Some(Found::Attribute(spot, name))) => work.set(&spot, &name, &New::of(algorithm)),
        Some(Some(Found::Block(spot))) => work.set(&spot, "sse_algorithm", &New::of(algorithm)),
        Some(None) => Err(Refusal::new("the encryption is not written in Terraform's own syntax")),
        None => {
            let content = format!(
                "bucket = {}\n\nrule {{\n  apply_server_side_encryption_by_default {{\n    sse_algorithm = {}\n  }}\n}}",
                bucket_of(task)?,
                literal(algorithm)
            );
            let kind = "aws_s3_bucket_server_side_encryption_configuration";
            work.add_resource(&task.spot, kind, task.spot.labels().1, &content).map(|_| ())
        }
    }
}

/// Logs access to the configured bucket.
fn log_access(task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let Some(target) = work.settings.logging_bucket.clone() else {
        return Err(Refusal::new(
            "which bucket takes access logs is for you to say: `fix.logging_bucket` in ssm-audit.yaml",
        ));
    };
    if task.place.attributes.iter().any(|(path, _)| *path == "logging_target_bucket") {
        return Err(work.refuse(&task.spot, "logging", "access logging is written, and names no bucket"));
    }
    let target = work.template(&task.spot, &target)?;
    let name = task.spot.labels().1.to_owned();
    let content = format!("bucket = {}\ntarget_bucket = {target}\ntarget_prefix = \"{name}/\"", bucket_of(task)?);
    work.add_resource(&task.spot, "aws_s3_bucket_logging", &name, &content).map(|_| ())
}

/// The bucket for session logs: the one of the configured name, which is made where there is none. How it is named.
pub(super) fn ensure(beside: &Spot, work: &mut Workspace<'_>) -> Result<String, Refusal> {
    let bucket = work.template(beside, &work.settings.bucket.clone())?;
    for spot in work.resources(&beside.file, "aws_s3_bucket") {
        if work.value(&spot, "bucket").is_some_and(|value| work.source(&spot.file, &value) == bucket) {
            return Ok(format!("aws_s3_bucket.{}.id", spot.labels().1));
        }
    }
    let tags = super::tags::configured(beside, work)?;
    let content = format!("bucket = {bucket}\nobject_lock_enabled = true{tags}");
    let name = work.add_resource(beside, "aws_s3_bucket", "ssm_sessions", &content)?;
    let reference = format!("aws_s3_bucket.{name}.id");
    let block = "block_public_acls = true\nblock_public_policy = true\nignore_public_acls = true\nrestrict_public_buckets = true";
    let content = format!("bucket = {reference}\n\n{block}");
    work.add_resource(beside, "aws_s3_bucket_public_access_block", &name, &content)?;
    Ok(reference)
}
