//! What the caller of a sweep must be allowed to do: to list the accounts, to assume the role in each, and to keep parts.
//! What the role must be allowed to do is what a scan needs.

use serde_json::{Value, json};

use super::{Accounts, Choice, Store};
use crate::model::Partition;

/// The policy; none where such a sweep needs nothing of its caller.
pub fn caller_policy(choice: &Choice, partition: Partition, parts: Option<&Store>) -> Option<Value> {
    let mut statements = Vec::new();
    let mut allow = |id: &str, actions: Vec<&str>, resources: Vec<String>| {
        statements.push(json!({"Sid": id, "Effect": "Allow", "Action": actions, "Resource": resources}));
    };
    if let Accounts::Organization(part) = &choice.accounts {
        let mut actions = Vec::new();
        if part.units.is_empty() {
            actions.push("organizations:ListAccounts");
        } else {
            actions.extend(["organizations:ListAccountsForParent", "organizations:ListOrganizationalUnitsForParent"]);
        }
        if !part.tags.is_empty() {
            actions.push("organizations:ListTagsForResource");
        }
        allow("ListOrganization", actions, vec!["*".to_owned()]);
    }
    let mut roles = roles(choice, partition);
    roles.extend(log_archive(choice, partition));
    if !roles.is_empty() {
        allow("AssumeRole", vec!["sts:AssumeRole"], roles);
    }
    if let Some(store) = parts {
        allow("KeepParts", vec!["s3:PutObject", "s3:GetObject"], vec![store.objects(partition)]);
        allow("ListParts", vec!["s3:ListBucket"], vec![store.bucket(partition)]);
    }
    (!statements.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": statements}))
}

/// The role of the account that keeps the logs, where the caller itself assumes it and no role before it.
pub fn log_archive(choice: &Choice, partition: Partition) -> Option<String> {
    let archive = choice.access.log_archive.as_ref().filter(|_| choice.access.via.is_empty());
    archive.map(|archive| archive.role.arn(partition))
}

/// The roles that the caller itself assumes: of a chain, the first.
fn roles(choice: &Choice, partition: Partition) -> Vec<String> {
    if let Some(first) = choice.access.via.first() {
        return vec![first.arn(partition)];
    }
    let Some(role) = &choice.access.role else { return Vec::new() };
    match &choice.accounts {
        Accounts::Own | Accounts::Profiles(_) => Vec::new(),
        Accounts::Listed(listed) => listed.iter().map(|listed| role.arn_in(partition, listed.id())).collect(),
        Accounts::Organization(_) => vec![role.arn_in(partition, None)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Access;
    use crate::fleet::choice::Part;

    fn actions(policy: &Value) -> Vec<(String, String)> {
        let statements = policy["Statement"].as_array().expect("statements").iter();
        statements.map(|one| (one["Action"].to_string(), one["Resource"].to_string())).collect()
    }

    #[test]
    fn it_is_what_the_choice_takes_and_no_more() {
        let access = |via: &str| Access {
            role: Some("SsmAuditScan".parse().expect("a role")),
            via: via.split_terminator(',').map(|role| role.parse().expect("a role")).collect(),
            ..Access::default()
        };
        let mut choice = Choice { access: access(""), ..Choice::default() };
        assert_eq!(caller_policy(&choice, Partition::Aws, None), None);
        choice.accounts = Accounts::Listed(["123456789012".parse().expect("an account")].into());
        let policy = caller_policy(&choice, Partition::China, None).expect("a policy");
        let role = r#"["arn:aws-cn:iam::123456789012:role/SsmAuditScan"]"#;
        assert_eq!(actions(&policy), [(r#"["sts:AssumeRole"]"#.to_owned(), role.to_owned())]);
        choice.accounts = Accounts::Organization(Part::default());
        choice.access = access("arn:aws:iam::111111111111:role/Hub");
        let store: Store = "s3://parts/today".parse().expect("a store");
        let policy = caller_policy(&choice, Partition::Aws, Some(&store)).expect("a policy");
        let expected = [
            (r#"["organizations:ListAccounts"]"#, r#"["*"]"#),
            (r#"["sts:AssumeRole"]"#, r#"["arn:aws:iam::111111111111:role/Hub"]"#),
            (r#"["s3:PutObject","s3:GetObject"]"#, r#"["arn:aws:s3:::parts/today/*"]"#),
            (r#"["s3:ListBucket"]"#, r#"["arn:aws:s3:::parts"]"#),
        ];
        assert_eq!(actions(&policy), expected.map(|(action, on)| (action.to_owned(), on.to_owned())));
    }
}
