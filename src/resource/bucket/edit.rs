//! Buckets: encryption, access logging and object lock, each a resource of its own beside the bucket; and the bucket for
//! session logs where the code has none.

use hcl_edit::expr::Expression;
use serde_json::Value as Json;

use crate::terraform_fix::about::About;
use crate::terraform_fix::edit_session::{EditSession, Edited, New, Refusal};
use crate::terraform_fix::hcl_file::{BlockRef, Found};
use crate::terraform_fix::task::{Task, undone};
use crate::terraform_fix::values::literal;

pub(crate) fn carry_out(name: &str, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    match name {
        "log-access" => log_access(task, session),
        "tag" => crate::terraform_fix::tags::add(task, session),
        name => Err(undone(name)),
    }
}

/// Sets the algorithm of the default encryption.
pub(crate) fn encrypt(algorithm: &Json, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    match task.written("sse_algorithm", session) {
        Some(Some(Found::Attribute(block_ref, name))) => session.set(&block_ref, &name, &New::of(algorithm)),
        Some(Some(Found::Block(block_ref))) => session.set(&block_ref, "sse_algorithm", &New::of(algorithm)),
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
            session.add_companion(&task.block_ref, kind, task.block_ref.labels().1, content).map(|_| ())
        }
    }
}

/// Logs access to the configured bucket.
fn log_access(task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let Some(target) = session.settings.logging_bucket.clone() else {
        return Err(Refusal::new(
            "which bucket takes access logs is for you to say: `fix.logging_bucket` in ssm-audit.yaml",
        ));
    };
    if task.written("logging_target_bucket", session).is_some() {
        return Err(session.refuse(&task.block_ref, "logging", "access logging is written, and names no bucket"));
    }
    let target = session.template(&task.block_ref, &target)?;
    let name = task.block_ref.labels().1.to_owned();
    let content = |bucket: &str| format!("bucket = {bucket}.id\ntarget_bucket = {target}\ntarget_prefix = \"{name}/\"");
    session.add_companion(&task.block_ref, "aws_s3_bucket_logging", &name, content).map(|_| ())
}

/// Switches object lock on, for a bucket that may exist: versioning, and then the configuration of object lock. The
/// argument of the bucket itself would destroy it.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html>
pub(crate) fn lock(task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let bucket = &task.block_ref;
    match session.value(bucket, "object_lock_enabled") {
        None => {}
        // What stays off there would be a reason to destroy the bucket as soon as object lock is on.
        Some(Expression::Bool(_) | Expression::Null(_)) => {
            let removed = session.edit(&bucket.file)?.remove_attribute(bucket, "object_lock_enabled");
            removed.ok_or_else(|| session.refuse(bucket, "object_lock_enabled", "it shares its lines"))?;
        }
        Some(_) => {
            let reason = "object_lock_enabled is computed, and another value would destroy the bucket: take it out, and \
                          fix again";
            return Err(session.refuse(bucket, "object_lock_enabled", reason));
        }
    }
    let inline = session.document(&bucket.file).map(|document| document.nested(bucket, "object_lock_configuration"));
    if inline.is_some_and(|blocks| !blocks.is_empty()) {
        let reason = "object lock is configured in a block of the bucket, which cannot be changed in place";
        return Err(session.refuse(bucket, "object_lock_configuration", reason));
    }
    if let Some(Some(Found::Attribute(block_ref, name))) = task.written("object_lock_enabled", session)
        && block_ref.top() != *bucket
    {
        return session.set(&block_ref, &name, &New::of(&Json::from("Enabled")));
    }
    let versioning = enable_versioning(bucket, session)?;
    let depends = versioning.map(|name| format!("\n\ndepends_on = [{name}]")).unwrap_or_default();
    let content = |bucket: &str| format!("bucket = {bucket}.id{depends}");
    let name = bucket.labels().1.to_owned();
    session.add_companion(bucket, "aws_s3_bucket_object_lock_configuration", &name, content).map(|_| ())
}

/// Enables versioning; gives the resource that does, where it is not the bucket itself.
fn enable_versioning(bucket: &BlockRef, session: &mut EditSession<'_>) -> Result<Option<String>, Refusal> {
    const KIND: &str = "aws_s3_bucket_versioning";
    let enabled = New::of(&Json::from("Enabled"));
    for block_ref in session.resources(&bucket.file, KIND) {
        if session.about(&block_ref, "bucket", bucket, "bucket") == About::This {
            session.set_nested(&block_ref, &["versioning_configuration"], "status", &enabled)?;
            return Ok(Some(format!("{KIND}.{}", block_ref.labels().1)));
        }
    }
    let inline =
        session.document(&bucket.file).is_some_and(|document| !document.nested(bucket, "versioning").is_empty());
    if inline {
        session.set_nested(bucket, &["versioning"], "enabled", &New::of(&Json::Bool(true)))?;
        return Ok(None);
    }
    session.refuse_unclear(KIND, "bucket", bucket, "bucket")?;
    let content =
        |bucket: &str| format!("bucket = {bucket}.id\n\nversioning_configuration {{\n  status = \"Enabled\"\n}}");
    let name = session.add_companion(bucket, KIND, bucket.labels().1, content)?;
    Ok(Some(format!("{KIND}.{name}")))
}

/// The bucket for session logs: the one of the configured name, which is made where there is none. How it is named.
pub(crate) fn ensure(beside: &BlockRef, session: &mut EditSession<'_>) -> Result<String, Refusal> {
    let bucket = session.template(beside, &session.settings.bucket.clone())?;
    for block_ref in session.resources_beside(beside, "aws_s3_bucket") {
        if session.value(&block_ref, "bucket").is_some_and(|value| session.source(&block_ref.file, &value) == bucket) {
            return Ok(format!("aws_s3_bucket.{}.id", block_ref.labels().1));
        }
    }
    let tags = crate::terraform_fix::tags::configured(beside, session)?;
    let content = format!("bucket = {bucket}\nobject_lock_enabled = true{tags}");
    let name = session.add_resource(beside, "aws_s3_bucket", "ssm_sessions", &content)?;
    let reference = format!("aws_s3_bucket.{name}.id");
    let block = "block_public_acls = true\nblock_public_policy = true\nignore_public_acls = true\nrestrict_public_buckets = true";
    let content = format!("bucket = {reference}\n\n{block}");
    session.add_resource(beside, "aws_s3_bucket_public_access_block", &name, &content)?;
    Ok(reference)
}
