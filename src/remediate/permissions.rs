//! What fixing needs to be allowed: the reads of a scan, the looks before and after each step, the calls that change
//! something, and those that take them back.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::account_lock;
use super::planner;
use super::remedy::{Action, Remedies, Remedy};
use super::setters::{self, Ability};
use crate::model::ResourceType;
use crate::rule::{Library, Remediation};
use crate::scan::Selected;

/// Actions that are allowed on a condition only: with them alone, a caller could give away more than it has.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>,
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-grant-is-for-aws-resource>
const CONDITIONS: &[(&str, &str, &str, &str, &[&str])] = &[
    (
        "iam:PassRole",
        "SsmAuditPassRole",
        "StringEquals",
        "iam:PassedToService",
        &["ec2.amazonaws.com", "ec2.amazonaws.com.cn"],
    ),
    ("kms:CreateGrant", "SsmAuditGrantForVolumes", "Bool", "kms:GrantIsForAWSResource", &["true"]),
];

/// The least policy for fixing what these rules find.
pub(crate) fn policy(rules: &[Selected<'_>], library: &Library, remedies: &Remedies) -> Json {
    let mut reads: BTreeSet<&str> =
        planner::needs(rules, library, remedies).calls().flat_map(|call| call.actions).copied().collect();
    // Which regions there are is asked for with `--regions all`.
    reads.insert("ec2:DescribeRegions");
    let mut changes = BTreeSet::new();
    for ability in abilities(rules, remedies) {
        reads.extend(ability.looks.iter().flat_map(|kind| kind.calls()).flat_map(|call| call.actions));
        changes.extend(ability.calls.iter().flat_map(|call| call.actions).copied());
    }
    let statement = |sid: &str, actions: &BTreeSet<&str>| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*"});
    let conditional: Vec<_> = CONDITIONS.iter().filter(|(action, ..)| changes.remove(action)).collect();
    let mut statements = vec![statement("SsmAuditScan", &reads)];
    if !changes.is_empty() {
        statements.push(statement("SsmAuditFix", &changes));
        let actions: BTreeSet<&str> = account_lock::CALLS.iter().flat_map(|call| call.actions).copied().collect();
        let mut lock = statement("SsmAuditLock", &actions);
        lock["Resource"] = json!(format!("arn:*:ssm:*:*:parameter{}", account_lock::NAME));
        statements.push(lock);
    }
    for (action, sid, operator, key, values) in conditional {
        let mut statement = statement(sid, &BTreeSet::from([*action]));
        statement["Condition"] = json!({*operator: {*key: values}});
        statements.push(statement);
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// What setters may be asked to do to make right what these rules find, with what that asks of other resources.
fn abilities(rules: &[Selected<'_>], remedies: &Remedies) -> Vec<&'static Ability> {
    let named = rules.iter().filter_map(|selected| match &selected.rule.remediation {
        Some(Remediation::Id(id)) => remedies.get(id),
        Some(Remediation::None { .. }) | None => None,
    });
    let mut asked: Vec<(ResourceType, String)> = named.flat_map(asks).collect();
    let mut seen: BTreeSet<(ResourceType, String)> = BTreeSet::new();
    let mut abilities = Vec::new();
    while let Some((resource_type, name)) = asked.pop() {
        let Some(ability) = setters::ability(resource_type, &name) else { continue };
        if seen.insert((resource_type, name)) {
            abilities.push(ability);
            asked.extend(ability.asks.iter().map(|(resource_type, name)| (*resource_type, (*name).to_owned())));
        }
    }
    abilities
}

/// What a remediation asks of the resource itself.
fn asks(remedy: &Remedy) -> Vec<(ResourceType, String)> {
    match &remedy.action {
        Action::Do(task) => vec![(remedy.resource_type, task.clone())],
        Action::Set(wishes) => wishes.keys().map(|attribute| (remedy.resource_type, attribute.clone())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Source;
    use crate::remediate::aspect::Kind;
    use crate::remediate::operation::Operation;
    use crate::remediate::remedy;
    use crate::rule::{self, Policy};

    fn library() -> Library {
        rule::embedded().unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn remedies(library: &Library) -> Remedies {
        remedy::embedded(library).unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn all_abilities() -> impl Iterator<Item = &'static Ability> {
        setters::SETTERS.iter().flat_map(|setter| setter.abilities())
    }

    #[test]
    fn every_rule_of_the_guide_says_how_it_is_made_right() {
        let library = library();
        let silent: Vec<&str> = library
            .rules()
            .filter(|rule| rule.policy == Policy::Guide && rule.sources.contains(&Source::Aws))
            .filter(|rule| rule.remediation.is_none())
            .map(|rule| rule.id.as_str())
            .collect();
        assert_eq!(silent, [""; 0], "give each a remediation, or say why there is none");
    }

    #[test]
    fn every_remediation_makes_a_rule_right() {
        let library = library();
        let used: BTreeSet<&String> = library
            .rules()
            .filter_map(|rule| match &rule.remediation {
                Some(Remediation::Id(id)) => Some(id),
                Some(Remediation::None { .. }) | None => None,
            })
            .collect();
        let remedies = remedies(&library);
        let unused: Vec<&String> = remedies.keys().filter(|id| !used.contains(id)).collect();
        assert_eq!(unused, [""; 0]);
    }

    #[test]
    fn every_call_is_permitted_and_every_permission_is_for_a_call() {
        let permitted: BTreeSet<String> =
            all_abilities().flat_map(|ability| ability.calls).map(ToString::to_string).collect();
        let calls: BTreeSet<String> = Operation::CALLS.iter().map(ToString::to_string).collect();
        assert_eq!(calls.difference(&permitted).collect::<Vec<_>>(), [""; 0], "no setter says that it makes them");
        assert_eq!(permitted.difference(&calls).collect::<Vec<_>>(), [""; 0], "there are no such operations");
        assert!(Operation::CALLS.iter().all(|call| !call.actions.is_empty()));
    }

    #[test]
    fn every_look_is_permitted() {
        let permitted: BTreeSet<Kind> = all_abilities().flat_map(|ability| ability.looks).copied().collect();
        let unused: Vec<&Kind> = Kind::ALL.iter().filter(|kind| !permitted.contains(kind)).collect();
        assert_eq!(unused, [&Kind::ALL[0]; 0]);
        assert!(Kind::ALL.iter().flat_map(|kind| kind.calls()).all(|call| !call.actions.is_empty()));
    }

    #[test]
    fn what_is_asked_of_other_resources_can_be_done() {
        for ability in all_abilities() {
            for (resource_type, name) in ability.asks {
                assert!(setters::ability(*resource_type, name).is_some(), "{}: {resource_type} {name}", ability.name);
            }
        }
    }

    /// What every rule together needs, no ability too many.
    #[test]
    fn the_policy_for_all_rules_has_every_change_and_passes_roles_to_ec2_only() {
        let library = library();
        let remedies = remedies(&library);
        let rules: Vec<Selected<'_>> =
            library.rules().map(|rule| Selected::new(rule, None, std::collections::BTreeMap::default())).collect();
        let policy = policy(&rules, &library, &remedies);
        let statements = policy["Statement"].as_array().expect("statements");
        let actions = |statement: &Json| -> BTreeSet<String> {
            let actions = statement["Action"].as_array().expect("actions").iter();
            actions.map(|action| action.as_str().expect("text").to_owned()).collect()
        };
        let all: BTreeSet<String> = statements.iter().flat_map(actions).collect();
        let wanted = Operation::CALLS.iter().flat_map(|call| call.actions);
        let missing: Vec<_> = wanted.filter(|action| !all.contains(**action)).collect();
        assert_eq!(missing, [&""; 0]);
        for (action, _, operator, key, values) in CONDITIONS {
            let having = statements.iter().filter(|statement| actions(statement).contains(*action));
            for statement in having {
                assert_eq!(statement["Condition"], json!({*operator: {*key: values}}), "{action}");
            }
        }
    }

    #[test]
    fn one_rule_needs_its_own_permissions_only() {
        let library = library();
        let rule = library.rule("ec2-imdsv2-required").expect("a rule");
        let rules = [Selected::new(rule, None, std::collections::BTreeMap::default())];
        let policy = policy(&rules, &library, &remedies(&library));
        let wanted = json!([
            {
                "Sid": "SsmAuditScan", "Effect": "Allow", "Resource": "*",
                "Action": ["ec2:DescribeInstances", "ec2:DescribeRegions"],
            },
            {
                "Sid": "SsmAuditFix", "Effect": "Allow", "Resource": "*",
                "Action": ["ec2:ModifyInstanceMetadataOptions"],
            },
        ]);
        assert_eq!(policy["Statement"], wanted);
    }

    /// Calls are shown and written down with their parameters: none may ever be a secret.
    #[test]
    fn no_parameter_holds_a_secret() {
        for call in Operation::CALLS {
            let strange = json!({"operation": call.operation, "parameters": {"?": null}});
            let error = serde_json::from_value::<Operation>(strange).expect_err("no such parameter").to_string();
            // It lists the parameters that there are.
            assert!(error.contains("unknown field"), "{error}");
            for secret in
                ["Password", "Secret", "SessionToken", "PrivateKey", "Plaintext", "UserData", "ActivationCode"]
            {
                assert!(!error.contains(secret), "{}: {error}", call.operation);
            }
        }
    }
}
