//! Buckets: encryption, access logging and object lock, each a resource of its own beside the bucket; and the bucket for
//! session logs where the code has none.

use hcl_edit::expr::Expression;
use serde_json::Value as Json;

use crate::terraform_fix::about::About;
use crate::terraform_fix::edit_session::{Edited, New, Refusal, Workspace};
use crate::terraform_fix::hcl_file::{Found, Spot};
use crate::terraform_fix::task::{Task, undone};
use crate::terraform_fix::values::literal;

pub(crate) fn carry_out(name: &str, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    match name {
        "log-access" => log_access(task, work),
        "tag" => crate::terraform_fix::tags::add(task, work),
        name => Err(undone(name)),
    }
}

/// Sets the algorithm of the default encryption.
pub(crate) fn encrypt(algorithm: &Json, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    match task.written("sse_algorithm", work) {
        Some(Some(Found::Attribute(spot, name))) => work.set(&spot, &name, &New::of(algorithm)),
        Some(Some(Found::Block(spot))) => work.set(&spot, "sse_algorithm", &New::of(algorithm)),
        Some(None) => Err(Refusal::new("the encryption is not written in Terraform's own syntax")),
        None => {
            let kind = "aws_s3_bucket_server_side_encryption_configuration";
            let content = |bucket: &str| {
                format!(
                    "bucket = {bucket}.id\n\nrule {{\n  apply_server_side_encryption_by_default {{\n    sse_algorithm = \
                     {}\n  }}\n}}",
                    literal(algorithm)
                )
            };
            work.add_companion(&task.spot, kind, task.spot.labels().1, content).map(|_| ())
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
    if task.written("logging_target_bucket", work).is_some() {
        return Err(work.refuse(&task.spot, "logging", "access logging is written, and names no bucket"));
    }
    let target = work.template(&task.spot, &target)?;
    let name = task.spot.labels().1.to_owned();
    let content = |bucket: &str| format!("bucket = {bucket}.id\ntarget_bucket = {target}\ntarget_prefix = \"{name}/\"");
    work.add_companion(&task.spot, "aws_s3_bucket_logging", &name, content).map(|_| ())
}

/// Switches object lock on, for a bucket that may exist: versioning, and then the configuration of object lock. The
/// argument of the bucket itself would destroy it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html>
pub(crate) fn lock(task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let bucket = &task.spot;
    match work.value(bucket, "object_lock_enabled") {
        None => {}
        // What stays off there would be a reason to destroy the bucket as soon as object lock is on.
        Some(Expression::Bool(_) | Expression::Null(_)) => {
            let removed = work.edit(&bucket.file)?.remove_attribute(bucket, "object_lock_enabled");
            removed.ok_or_else(|| work.refuse(bucket, "object_lock_enabled", "it shares its lines"))?;
        }
        Some(_) => {
            let reason = "object_lock_enabled is computed, and another value would destroy the bucket: take it out, and \
                          fix again";
            return Err(work.refuse(bucket, "object_lock_enabled", reason));
        }
    }
    let inline = work.document(&bucket.file).map(|document| document.nested(bucket, "object_lock_configuration"));
    if inline.is_some_and(|blocks| !blocks.is_empty()) {
        let reason = "object lock is configured in a block of the bucket, which cannot be changed in place";
        return Err(work.refuse(bucket, "object_lock_configuration", reason));
    }
    if let Some(Some(Found::Attribute(spot, name))) = task.written("object_lock_enabled", work)
        && spot.top() != *bucket
    {
        return work.set(&spot, &name, &New::of(&Json::from("Enabled")));
    }
    let versioning = enable_versioning(bucket, work)?;
    let depends = versioning.map(|name| format!("\n\ndepends_on = [{name}]")).unwrap_or_default();
    let content = |bucket: &str| format!("bucket = {bucket}.id{depends}");
    let name = bucket.labels().1.to_owned();
    work.add_companion(bucket, "aws_s3_bucket_object_lock_configuration", &name, content).map(|_| ())
}

/// Enables versioning; gives the resource that does, where it is not the bucket itself.
fn enable_versioning(bucket: &Spot, work: &mut Workspace<'_>) -> Result<Option<String>, Refusal> {
    const KIND: &str = "aws_s3_bucket_versioning";
    let enabled = New::of(&Json::from("Enabled"));
    for spot in work.resources(&bucket.file, KIND) {
        if work.about(&spot, "bucket", bucket, "bucket") == About::This {
            work.set_nested(&spot, &["versioning_configuration"], "status", &enabled)?;
            return Ok(Some(format!("{KIND}.{}", spot.labels().1)));
        }
    }
    let inline = work.document(&bucket.file).is_some_and(|document| !document.nested(bucket, "versioning").is_empty());
    if inline {
        work.set_nested(bucket, &["versioning"], "enabled", &New::of(&Json::Bool(true)))?;
        return Ok(None);
    }
    work.refuse_unclear(KIND, "bucket", bucket, "bucket")?;
    let content =
        |bucket: &str| format!("bucket = {bucket}.id\n\nversioning_configuration {{\n  status = \"Enabled\"\n}}");
    let name = work.add_companion(bucket, KIND, bucket.labels().1, content)?;
    Ok(Some(format!("{KIND}.{name}")))
}

/// The bucket for session logs: the one of the configured name, which is made where there is none. How it is named.
pub(crate) fn ensure(beside: &Spot, work: &mut Workspace<'_>) -> Result<String, Refusal> {
    let bucket = work.template(beside, &work.settings.bucket.clone())?;
    for spot in work.resources_beside(beside, "aws_s3_bucket") {
        if work.value(&spot, "bucket").is_some_and(|value| work.source(&spot.file, &value) == bucket) {
            return Ok(format!("aws_s3_bucket.{}.id", spot.labels().1));
        }
    }
    let tags = crate::terraform_fix::tags::configured(beside, work)?;
    let content = format!("bucket = {bucket}\nobject_lock_enabled = true{tags}");
    let name = work.add_resource(beside, "aws_s3_bucket", "ssm_sessions", &content)?;
    let reference = format!("aws_s3_bucket.{name}.id");
    let block = "block_public_acls = true\nblock_public_policy = true\nignore_public_acls = true\nrestrict_public_buckets = true";
    let content = format!("bucket = {reference}\n\n{block}");
    work.add_resource(beside, "aws_s3_bucket_public_access_block", &name, &content)?;
    Ok(reference)
}
