//! KMS keys: whether they can be used, who may use them, and the key for sessions where the code has none.

use hcl_edit::expr::Expression;
use serde_json::Value as Json;

use crate::collect::terraform::SourceEntry;
use crate::model::{Fact, Key, ResourceType};
use crate::remediate::policy::unused_sid;
use crate::remediate::setters::{grants_logs, logs_service};
use crate::terraform_fix::edit_session::{EditSession, Edited, New, Refusal};
use crate::terraform_fix::hcl_file::{BlockRef, member};
use crate::terraform_fix::task::{Task, undone};

pub(crate) fn carry_out(name: &str, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    match name {
        "enable" => {
            let argument = if task.block_ref.labels().0 == "aws_kms_key" { "is_enabled" } else { "enabled" };
            session.set(&task.block_ref, argument, &New::of(&Json::Bool(true)))
        }
        "grant-logs" => grant(Statement::Logs, task.place, &task.block_ref, session),
        "keep-account-admin" => grant(Statement::Account, task.place, &task.block_ref, session),
        name => Err(undone(name)),
    }
}

/// What a key policy is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statement {
    /// The account's IAM policies decide.
    Account,
    /// CloudWatch Logs uses the key for the groups of the account.
    Logs,
}

impl Statement {
    const LOGS: &[&str] = &["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"];

    fn sid(self) -> &'static str {
        match self {
            Self::Account => "Account",
            Self::Logs => "CloudWatchLogs",
        }
    }

    fn actions(self) -> String {
        let actions = match self {
            Self::Account => &["kms:*"],
            Self::Logs => Self::LOGS,
        };
        format!("[{}]", actions.iter().map(|action| format!("{action:?}")).collect::<Vec<_>>().join(", "))
    }
}

/// The names of the place, as the code knows them.
struct Here {
    account: String,
    region: String,
    partition: String,
    suffix: &'static str,
}

impl Here {
    fn of(beside: &BlockRef, session: &mut EditSession<'_>) -> Result<Self, Refusal> {
        let mut text = |placeholder: &str| {
            let template = session.template(beside, placeholder)?;
            Ok(template.trim_matches('"').to_owned())
        };
        let (account, region) = (text("${account}")?, text("${region}")?);
        let partition = text("${partition}")?;
        Ok(Self { account, region, partition, suffix: session.inventory.partition.dns_suffix() })
    }

    fn root(&self) -> String {
        format!("\"arn:{}:iam::{}:root\"", self.partition, self.account)
    }

    fn logs(&self) -> String {
        format!("\"logs.{}.{}\"", self.region, self.suffix)
    }

    fn groups(&self) -> String {
        format!("\"arn:{}:logs:{}:{}:log-group:*\"", self.partition, self.region, self.account)
    }

    /// As a block of a document that is a data source.
    fn block(&self, statement: Statement) -> String {
        let head = format!("sid = {:?}\nactions = {}\nresources = [\"*\"]\n\n", statement.sid(), statement.actions());
        let (kind, identifier) = match statement {
            Statement::Account => ("AWS", self.root()),
            Statement::Logs => ("Service", self.logs()),
        };
        let principals = format!("principals {{\n  type = {kind:?}\n  identifiers = [{identifier}]\n}}");
        let condition = match statement {
            Statement::Account => String::new(),
            Statement::Logs => format!(
                "\n\ncondition {{\n  test = \"ArnLike\"\n  variable = \"kms:EncryptionContext:aws:logs:arn\"\n  \
                 values = [{}]\n}}",
                self.groups()
            ),
        };
        format!("{head}{principals}{condition}")
    }

    /// As an object of a document in JSON.
    fn object(&self, statement: Statement) -> String {
        let principal = match statement {
            Statement::Account => format!("{{ AWS = {} }}", self.root()),
            Statement::Logs => format!("{{ Service = {} }}", self.logs()),
        };
        let condition = match statement {
            Statement::Account => String::new(),
            Statement::Logs => format!(
                "\n  Condition = {{\n    ArnLike = {{ \"kms:EncryptionContext:aws:logs:arn\" = {} }}\n  }}",
                self.groups()
            ),
        };
        format!(
            "{{\n  Sid = {:?}\n  Effect = \"Allow\"\n  Principal = {principal}\n  Action = {}\n  Resource = \"*\"{condition}\n}}",
            statement.sid(),
            statement.actions()
        )
    }

    fn policy(&self, statements: &[Statement]) -> String {
        let statements: Vec<String> = statements
            .iter()
            .map(|statement| crate::terraform_fix::hcl_file::indented(&self.object(*statement), "    "))
            .collect();
        format!("jsonencode({{\n  Version = \"2012-10-17\"\n  Statement = [\n{}\n  ]\n}})", statements.join(",\n"))
    }
}

/// Lets CloudWatch Logs use a key of the code for a log group, where the key's policy is known and does not: AWS takes a
/// key for a group only if it can be used.
pub(crate) fn let_logs_use(key: &Key, group: &Key, session: &mut EditSession<'_>) -> Edited {
    let (Some(entry), Some(of_group)) = (session.inventory.keys.get(key), session.inventory.log_groups.get(group))
    else {
        return Ok(());
    };
    // A symbol serves for an ARN that only AWS knows.
    let (Fact::Known(policy), Ok(arn), Ok(group)) =
        (&entry.attributes.policy, entry.attributes.arn.text(), of_group.attributes.arn.text())
    else {
        return Ok(());
    };
    let service = logs_service(key.region.as_ref(), session.inventory.partition);
    if grants_logs(policy, arn, group, &service) {
        return Ok(());
    }
    let (place, block_ref) = session.block_ref(ResourceType::KmsKey, key)?;
    grant(Statement::Logs, place, &block_ref, session)
}

fn grant(statement: Statement, place: &SourceEntry, block_ref: &BlockRef, session: &mut EditSession<'_>) -> Edited {
    let here = Here::of(block_ref, session)?;
    let written = place.attributes.iter().find(|(path, _)| *path == "policy").map(|(_, span)| *span);
    let (block_ref, name) = match written.map(|span| session.found(span)) {
        None => {
            // Without a policy of its own, the key has the one that leaves everything to the account.
            let statements: &[Statement] = match statement {
                Statement::Account => &[Statement::Account],
                Statement::Logs => &[Statement::Account, Statement::Logs],
            };
            return session.set(block_ref, "policy", &New::Expression(here.policy(statements), None));
        }
        Some(Some(crate::terraform_fix::hcl_file::Found::Attribute(block_ref, name))) => (block_ref, name),
        Some(_) => return Err(Refusal::new("the policy is not written in Terraform's own syntax")),
    };
    let Some(value) = session.value(&block_ref, &name) else {
        return Err(session.refuse(&block_ref, &name, "the policy is not written in a way that is understood"));
    };
    if let Some(statements) = statements_of(&value) {
        let statements = statements.clone();
        let object = with_free_sid(&here.object(statement), statement.sid(), &session.source(&block_ref.file, &value));
        let added = session.edit(&block_ref.file)?.add_element(&statements, &object);
        return added
            .ok_or_else(|| session.refuse(&block_ref, &name, "the policy is not written in a way that is understood"));
    }
    let source = session.source(&block_ref.file, &value);
    let document = source
        .strip_prefix("data.aws_iam_policy_document.")
        .and_then(|rest| rest.strip_suffix(".json"))
        .and_then(|name| {
            let tops = session.tops(&block_ref.file);
            tops.into_iter().find(|top| top.kind() == "data" && top.labels() == ("aws_iam_policy_document", name))
        });
    match document {
        Some(document) => {
            // A statement takes the place of one of its Sid that comes from another document.
            let written = session.document(&document.file).and_then(|file| Some(file.source(&file.span(&document)?)));
            let written = format!("{}{}", written.unwrap_or_default(), policy_of(place, session));
            session.shared(&document.file, &source);
            let block = with_free_sid(&here.block(statement), statement.sid(), &written);
            let added = session.edit(&document.file)?.add_block(&document, "statement", &block);
            added.ok_or_else(|| session.refuse(&document, "statement", "the document is not understood"))
        }
        None => Err(session.refuse(&block_ref, &name, "the policy is not written in a way that is understood")),
    }
}

/// The policy of a key as it is evaluated; empty where it is not known.
fn policy_of(place: &SourceEntry, session: &EditSession<'_>) -> String {
    let entry = session.inventory.keys.iter().find(|(key, _)| *key.id == *place.address).map(|(_, entry)| entry);
    let policy = entry.and_then(|entry| entry.attributes.policy.known());
    policy.map(|policy| policy.as_value().to_string()).unwrap_or_default()
}

/// A statement under a Sid that no other statement of the policy has: Sids are unique.
fn with_free_sid(statement: &str, sid: &str, policy: &str) -> String {
    let free = unused_sid(sid, policy);
    statement.replacen(&format!("{sid:?}"), &format!("{free:?}"), 1)
}

/// The list of statements in `jsonencode({ Statement = [ … ] })`.
fn statements_of(value: &Expression) -> Option<&Expression> {
    let Expression::FuncCall(call) = value else { return None };
    match (call.name.name.as_str(), call.args.get(0)) {
        ("jsonencode", Some(Expression::Object(object))) => {
            member(object, "Statement").filter(|statements| matches!(statements, Expression::Array(_)))
        }
        _ => None,
    }
}

/// A key that the code makes.
pub(crate) struct Made {
    /// How its ARN is written.
    pub(crate) arn: String,
    /// Its alias, as a text in quotes.
    pub(crate) alias: Option<String>,
}

/// The key for sessions: the one of the configured alias, which is made where there is none.
pub(crate) fn ensure(beside: &BlockRef, session: &mut EditSession<'_>) -> Result<Made, Refusal> {
    let alias = session.template(beside, &session.settings.key_alias.clone())?;
    for block_ref in session.resources_beside(beside, "aws_kms_alias") {
        let name = session.value(&block_ref, "name").map(|value| session.source(&block_ref.file, &value));
        let target = session.value(&block_ref, "target_key_id").map(|value| session.source(&block_ref.file, &value));
        if let (Some(name), Some(target)) = (name, target)
            && name == alias
            && let Some(key) = target.strip_suffix(".key_id").or_else(|| target.strip_suffix(".id"))
        {
            return Ok(Made { arn: format!("{key}.arn"), alias: plain(&alias) });
        }
    }
    let here = Here::of(beside, session)?;
    let tags = crate::terraform_fix::tags::configured(beside, session)?;
    let content = format!(
        "description = \"Encrypts sessions and their logs\"\nenable_key_rotation = true\ndeletion_window_in_days = 30\n\n\
         policy = {}{tags}",
        here.policy(&[Statement::Account, Statement::Logs])
    );
    let name = session.add_resource(beside, "aws_kms_key", "ssm_sessions", &content)?;
    let content = format!("name = {alias}\ntarget_key_id = aws_kms_key.{name}.key_id");
    session.add_resource(beside, "aws_kms_alias", &name, &content)?;
    Ok(Made { arn: format!("aws_kms_key.{name}.arn"), alias: plain(&alias) })
}

/// A text that can stand where no expression may.
fn plain(text: &str) -> Option<String> {
    (!text.contains("${")).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_a_sid_that_no_other_has() {
        let statement = "sid = \"Account\"\nactions = [\"kms:*\"]";
        assert_eq!(with_free_sid(statement, "Account", "sid = \"Other\""), statement);
        let policy = "sid = \"Account\"\nsid = \"Account2\"";
        assert!(with_free_sid(statement, "Account", policy).starts_with("sid = \"Account3\"\n"));
    }
}
