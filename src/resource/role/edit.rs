//! Roles of nodes: what they may do is granted by a policy of its own beside the role, scoped to what sessions use.

use crate::model::{Fact, Key, ResourceType};
use crate::resource::session_preferences::schema::{SessionPreferences, uploads};
use crate::terraform_fix::additions::numbered;
use crate::terraform_fix::content;
use crate::terraform_fix::content::Written;
use crate::terraform_fix::edit_session::{EditSession, Edited, Refusal};
use crate::terraform_fix::hcl_file::BlockRef;
use crate::terraform_fix::task::{Task, undone};

/// What AWS gives nodes.
const CORE: &str = "AmazonSSMManagedInstanceCore";

/// What is more than sessions need.
const LOGS_FULL_ACCESS: &str = "CloudWatchLogsFullAccess";

pub(crate) fn carry_out(name: &str, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    match name {
        "attach-core" => attach_core(&task.block_ref, session),
        "write-s3" | "write-cloudwatch" | "use-session-key" | "use-volume-key" => {
            grant(name, &task.key, &task.block_ref, &task.place.address, session)
        }
        "trust-service-only" => {
            let content = trust(session);
            match session.value(&task.block_ref, "assume_role_policy").and_then(|value| hcl_edit::Span::span(&value)) {
                Some(span) => {
                    session.edit(&task.block_ref.file)?.replace(&span, &content);
                    Ok(())
                }
                None => Err(session.refuse(&task.block_ref, "assume_role_policy", "the role has no trust policy")),
            }
        }
        "detach-logs-full-access" => detach(&task.block_ref, session),
        name => Err(undone(name)),
    }
}

/// Takes the attachment away, where it is a resource of its own for this role alone.
fn detach(block_ref: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    let (kind, name) = block_ref.labels();
    let role = format!("{kind}.{name}.");
    for (kind, argument) in [("aws_iam_role_policy_attachment", "role"), ("aws_iam_policy_attachment", "roles")] {
        for attachment in session.resources(&block_ref.file, kind) {
            let source = |name: &str| {
                let value = session.value(&attachment, name);
                value.map(|value| session.source(&attachment.file, &value)).unwrap_or_default()
            };
            let roles = source(argument);
            let of_role = roles.trim_start_matches('[').trim().starts_with(&role) && !roles.contains(',');
            let repeated = ["count", "for_each"].iter().any(|name| session.value(&attachment, name).is_some());
            if of_role && !repeated && source("policy_arn").ends_with(&format!("/{LOGS_FULL_ACCESS}\"")) {
                return session.remove_resource(&attachment);
            }
        }
    }
    Err(session.refuse(block_ref, "name", "the policy is attached together with others"))
}

fn trust(session: &EditSession<'_>) -> String {
    let service = format!("ec2.{}", session.inventory.partition.dns_suffix());
    format!(
        "jsonencode({{\n  Version = \"2012-10-17\"\n  Statement = [{{\n    Effect = \"Allow\"\n    Action = \
         \"sts:AssumeRole\"\n    Principal = {{ Service = \"{service}\" }}\n  }}]\n}})"
    )
}

/// The ARN of the policy, in the partition of the code.
fn core(beside: &BlockRef, session: &mut EditSession<'_>) -> Result<String, Refusal> {
    session.template(beside, &format!("arn:${{partition}}:iam::aws:policy/{CORE}"))
}

fn attach_core(block_ref: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    session.refuse_exclusive("aws_iam_role_policy_attachments_exclusive", "role_name", block_ref)?;
    refuse_to_be_detached(block_ref, session)?;
    warn_of_all(block_ref, session);
    let arn = core(block_ref, session)?;
    // What the list does not name is detached.
    if let Some(list) = session.value(block_ref, "managed_policy_arns") {
        let added = session.edit(&block_ref.file)?.add_element(&list, &arn);
        return added.ok_or_else(|| {
            session.refuse(block_ref, "managed_policy_arns", "which policies are attached is computed")
        });
    }
    let name = format!("{}_ssm_core", block_ref.labels().1);
    let content = |role: &str| format!("role = {role}.name\npolicy_arn = {arn}");
    session.add_companion(block_ref, "aws_iam_role_policy_attachment", &name, content).map(|_| ())
}

/// Refuses to attach what another resource attaches to all that have it.
fn refuse_to_be_detached(block_ref: &BlockRef, session: &EditSession<'_>) -> Edited {
    for attachment in session.resources(&block_ref.file, "aws_iam_policy_attachment") {
        let policy = session.value(&attachment, "policy_arn").map(|value| session.source(&attachment.file, &value));
        if policy.is_some_and(|policy| policy.contains(CORE)) {
            let why = format!(
                "aws_iam_policy_attachment.{} names all that have the policy: add it there",
                attachment.labels().1
            );
            return Err(session.refuse(&attachment, "roles", why));
        }
    }
    Ok(())
}

/// Grants what a task is for: a policy of its own.
pub(crate) fn grant(
    task: &str,
    role: &Key,
    block_ref: &BlockRef,
    address: &str,
    session: &mut EditSession<'_>,
) -> Edited {
    let nested = session
        .document(&block_ref.file)
        .map(|document| document.nested(block_ref, "inline_policy"))
        .unwrap_or_default();
    if let Some(inline) = nested.first() {
        return Err(session.refuse(inline, "policy", "the role takes no inline policies but those in its own block"));
    }
    session.refuse_exclusive("aws_iam_role_policies_exclusive", "role_name", block_ref)?;
    warn_of_all(block_ref, session);
    let mut statements = Vec::new();
    for preferences in preferences_of(role, session) {
        for statement in needed(task, &preferences, address, session)? {
            if !statements.contains(&statement) {
                statements.push(statement);
            }
        }
    }
    if task == "use-volume-key" {
        for key in volume_keys(role, session) {
            let key = EditSession::reference(address, &key)?;
            statements.push(statement(&["kms:Decrypt", "kms:Encrypt"], &format!("{key}.arn")));
        }
    }
    if statements.is_empty() {
        return Err(Refusal::new("what it is to be granted is not declared in this code"));
    }
    let name = free_policy_name(&format!("ssm-{task}"), role, session);
    let words = task.replace('-', "_");
    let statements = crate::terraform_fix::hcl_file::indented(&statements.join(",\n"), "    ");
    let content = |role: &str| {
        format!(
            "name = {name:?}\nrole = {role}.id\n\npolicy = jsonencode({{\n  Version = \"2012-10-17\"\n  \
             Statement = [\n{statements}\n  ]\n}})"
        )
    };
    session
        .add_companion(block_ref, "aws_iam_role_policy", &format!("{}_{words}", block_ref.labels().1), content)
        .map(|_| ())
}

/// A name that no inline policy of the role has: of two policies of one name, the one that is applied last stays.
fn free_policy_name(name: &str, role: &Key, session: &EditSession<'_>) -> String {
    let policies = session.inventory.roles.get(role).and_then(|entry| entry.attributes.inline_policies.known());
    let names: Vec<&String> = policies.into_iter().flatten().filter_map(|policy| policy.name.known()).collect();
    numbered(name).find(|candidate| !names.contains(&candidate)).unwrap_or_default()
}

/// Other instances of the block get it too, of which it is not known here whether a node uses them.
fn warn_of_all(block_ref: &BlockRef, session: &mut EditSession<'_>) {
    let (kind, name) = block_ref.labels();
    let address = format!("{kind}.{name}");
    let source = |repeats: &str| {
        session
            .value(&block_ref.top(), repeats)
            .map(|value| session.source(&block_ref.file, &value))
            .unwrap_or_default()
    };
    let count = source("count");
    let is_one = count.is_empty() || count == "1" || count.replace(' ', "").ends_with("?1:0");
    if !source("for_each").is_empty() || !is_one {
        session.hazard(format!("every instance of {address} gets it, also one that no node uses"));
    }
}

fn statement(actions: &[&str], resource: &str) -> String {
    let actions = actions.iter().map(|action| format!("{action:?}")).collect::<Vec<_>>().join(", ");
    format!("{{\n  Effect = \"Allow\"\n  Action = [{actions}]\n  Resource = {resource}\n}}")
}

/// The preferences of the sessions on nodes with this role.
fn preferences_of(role: &Key, session: &EditSession<'_>) -> Vec<(Key, SessionPreferences)> {
    let all = session.inventory.session_preferences.iter();
    let uses = |preferences: &SessionPreferences| match &preferences.roles {
        Fact::Known(roles) => roles.iter().any(|link| link.key == *role),
        Fact::Unknown(_) => true,
    };
    let used = all.filter(|(_, entry)| entry.in_scope && uses(&entry.attributes));
    used.map(|(key, entry)| (key.clone(), entry.attributes.clone())).collect()
}

fn volume_keys(role: &Key, session: &EditSession<'_>) -> Vec<String> {
    let Some(entry) = session.inventory.roles.get(role) else { return Vec::new() };
    match &entry.attributes.root_volume_keys {
        Fact::Known(keys) => keys.iter().map(|link| link.key.id.to_string()).collect(),
        Fact::Unknown(_) => Vec::new(),
    }
}

/// The statements that these preferences ask for.
fn needed(
    task: &str,
    (key, preferences): &(Key, SessionPreferences),
    address: &str,
    session: &mut EditSession<'_>,
) -> Result<Vec<String>, Refusal> {
    let mut statements = Vec::new();
    if let (Fact::Known(Some(bucket)), "write-s3" | "see-encryption") = (&preferences.s3_bucket, task) {
        let arn = format!("{}.arn", EditSession::reference(address, &bucket.key.id)?);
        if task == "see-encryption" {
            statements.push(statement(&["s3:GetEncryptionConfiguration"], &arn));
        } else {
            let written = prefix(key, session);
            let bucket = format!("${{{arn}}}");
            let objects = match &written {
                // An expression may have slashes that are none of the path.
                Some(prefix) if prefix.contains("${") => format!("{bucket}/{prefix}/*"),
                prefix => uploads(&bucket, prefix.as_deref()),
            };
            statements.push(statement(&["s3:PutObject"], &format!("\"{objects}\"")));
        }
    }
    if let (Fact::Known(Some(group)), "write-cloudwatch" | "see-encryption") = (&preferences.log_group, task) {
        let arn = format!("{}.arn", EditSession::reference(address, &group.key.id)?);
        statements.push(statement(&["logs:DescribeLogGroups"], "\"*\""));
        if task == "write-cloudwatch" {
            let actions = ["logs:DescribeLogStreams", "logs:CreateLogStream", "logs:PutLogEvents"];
            statements.push(statement(&actions, &format!("\"${{{arn}}}:*\"")));
        }
    }
    if task == "use-session-key" {
        if let Fact::Known(Some(key)) = &preferences.kms_key {
            let key = EditSession::reference(address, &key.key.id)?;
            statements.push(statement(&["kms:Decrypt"], &format!("{key}.arn")));
        }
        if let Fact::Known(Some(bucket)) = &preferences.s3_bucket
            && let Some(entry) = session.inventory.buckets.get(&bucket.key)
            && let Fact::Known(Some(key)) = &entry.attributes.kms_key
        {
            let key = EditSession::reference(address, &key.key.id)?;
            statements.push(statement(&["kms:GenerateDataKey", "kms:Decrypt"], &format!("{key}.arn")));
        }
    }
    Ok(statements)
}

/// How the prefix of session logs is written within a text; none where there is none, or it is not understood.
fn prefix(preferences: &Key, session: &mut EditSession<'_>) -> Option<String> {
    let (_, block_ref) = session.block_ref(ResourceType::SessionPreferences, preferences).ok()?;
    match content::written(&block_ref, &["inputs"], "s3KeyPrefix", session)? {
        Written::Expression(value) => {
            let source = session.source(&block_ref.file, &value);
            let text = source.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Some(text.map_or_else(|| format!("${{{source}}}"), str::to_owned)).filter(|text| !text.is_empty())
        }
        Written::Scalar(scalar) => Some(scalar.inner).filter(|text| !text.is_empty()),
    }
}

/// The role for instances that have none: the one of the configured name, which is made where there is none. The name
/// that the code has for it.
pub(crate) fn ensure(beside: &BlockRef, session: &mut EditSession<'_>) -> Result<String, Refusal> {
    let name = session.template(beside, &session.settings.role.clone())?;
    for block_ref in session.resources_beside(beside, "aws_iam_role") {
        if session.value(&block_ref, "name").is_some_and(|value| session.source(&block_ref.file, &value) == name) {
            return Ok(block_ref.labels().1.to_owned());
        }
    }
    session.refuse_twice(beside, "aws_iam_role", &name)?;
    let tags = crate::terraform_fix::tags::configured(beside, session)?;
    let content = format!("name = {name}\n\nassume_role_policy = {}{tags}", trust(session));
    let role = session.add_resource(beside, "aws_iam_role", "ssm", &content)?;
    let arn = core(beside, session)?;
    let content = format!("role = aws_iam_role.{role}.name\npolicy_arn = {arn}");
    session.add_resource(beside, "aws_iam_role_policy_attachment", &format!("{role}_core"), &content)?;
    Ok(role)
}
