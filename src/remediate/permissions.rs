//! What fixing needs to be allowed: the reads of a scan, the looks before and after each step, the calls that change
//! something, and those that take them back.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::account_lock;
use super::planner;
use super::remediation::{Action, RemediationSpec, RemediationSpecs};
use super::setters::{self, Ability};
use super::settings::Settings;
use crate::engine::rule::{Library, Remediation};
use crate::engine::scan::Selected;
use crate::model::ResourceType;

/// Narrower terms of actions than every resource without a condition.
struct Terms {
    sid: &'static str,
    actions: &'static [&'static str],
    /// The resources, as ARNs; `${role}` and the like are what the settings name.
    resources: &'static [&'static str],
    /// Operator, key and values.
    condition: Option<(&'static str, &'static str, &'static [&'static str])>,
    /// What the caller could do with it beyond fixes, where it cannot be narrowed further.
    wide: Option<&'static str>,
}

const ANY_ROLE: &[&str] = &["arn:*:iam::*:role/*"];
const ANY_KEY: &[&str] = &["arn:*:kms:*:*:key/*"];
const NODES: &str = "narrow its Resource to the roles of your nodes";

/// With some of these actions alone, a caller could give itself more than it has.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>,
/// <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>
const TERMS: &[Terms] = &[
    Terms {
        sid: "SsmAuditAttachPolicies",
        actions: &["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
        resources: ANY_ROLE,
        condition: Some((
            "ArnLike",
            "iam:PolicyARN",
            &["arn:*:iam::aws:policy/AmazonSSMManagedInstanceCore", "arn:*:iam::aws:policy/CloudWatchLogsFullAccess"],
        )),
        wide: None,
    },
    Terms {
        sid: "SsmAuditWideInlinePolicies",
        actions: &["iam:DeleteRolePolicy", "iam:PutRolePolicy"],
        resources: ANY_ROLE,
        condition: None,
        wide: Some("any policy can be put into any role, as IAM has no condition on what a policy says"),
    },
    Terms {
        sid: "SsmAuditWideTrustPolicies",
        actions: &["iam:UpdateAssumeRolePolicy"],
        resources: ANY_ROLE,
        condition: None,
        wide: Some("any role can be opened to any principal, as IAM has no condition on whom a role trusts"),
    },
    Terms {
        sid: "SsmAuditMakeRole",
        actions: &["iam:CreateRole", "iam:DeleteRole", "iam:TagRole"],
        resources: &["arn:*:iam::*:role/${role}"],
        condition: None,
        wide: None,
    },
    Terms {
        sid: "SsmAuditPassRole",
        actions: &["iam:PassRole"],
        resources: &["arn:*:iam::*:role/${role}"],
        condition: Some(("StringEquals", "iam:PassedToService", &["ec2.amazonaws.com", "ec2.amazonaws.com.cn"])),
        wide: None,
    },
    Terms {
        sid: "SsmAuditMakeProfile",
        actions: &["iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:TagInstanceProfile"],
        resources: &["arn:*:iam::*:instance-profile/${instance_profile}"],
        condition: None,
        wide: None,
    },
    Terms {
        sid: "SsmAuditFillProfiles",
        actions: &["iam:AddRoleToInstanceProfile", "iam:RemoveRoleFromInstanceProfile"],
        resources: &["arn:*:iam::*:instance-profile/*"],
        condition: None,
        wide: None,
    },
    Terms {
        sid: "SsmAuditGrantForVolumes",
        actions: &["kms:CreateGrant"],
        resources: ANY_KEY,
        condition: Some(("Bool", "kms:GrantIsForAWSResource", &["true"])),
        wide: None,
    },
    Terms {
        sid: "SsmAuditWideKeyPolicies",
        actions: &["kms:PutKeyPolicy"],
        resources: ANY_KEY,
        condition: Some(("Bool", "kms:BypassPolicyLockoutSafetyCheck", &["false"])),
        wide: Some("the policy of any key can be replaced, as KMS has no condition on what a policy says"),
    },
    Terms {
        sid: "SsmAuditAliases",
        actions: &["kms:CreateAlias", "kms:DeleteAlias"],
        resources: &["arn:*:kms:*:*:${key_alias}", "arn:*:kms:*:*:key/*"],
        condition: None,
        wide: None,
    },
    Terms {
        sid: "SsmAuditKeys",
        actions: &[
            "kms:CancelKeyDeletion",
            "kms:DisableKey",
            "kms:DisableKeyRotation",
            "kms:EnableKey",
            "kms:EnableKeyRotation",
        ],
        resources: ANY_KEY,
        condition: None,
        wide: None,
    },
    Terms {
        sid: "SsmAuditDeleteMadeKeys",
        actions: &["kms:ScheduleKeyDeletion"],
        resources: ANY_KEY,
        condition: Some(("Null", "aws:ResourceTag/ssm-audit:plan", &["false"])),
        wide: None,
    },
    Terms {
        sid: "SsmAuditDeleteMadeLogGroups",
        actions: &["logs:DeleteLogGroup"],
        resources: &["arn:*:logs:*:*:log-group:*"],
        condition: Some(("Null", "aws:ResourceTag/ssm-audit:run", &["false"])),
        wide: None,
    },
    Terms {
        sid: "SsmAuditLogGroups",
        actions: &[
            "logs:AssociateKmsKey",
            "logs:CreateLogGroup",
            "logs:DeleteRetentionPolicy",
            "logs:DisassociateKmsKey",
            "logs:PutRetentionPolicy",
            "logs:TagResource",
        ],
        resources: &["arn:*:logs:*:*:log-group:*"],
        condition: None,
        wide: None,
    },
    Terms {
        sid: "SsmAuditMakeBucket",
        actions: &["s3:CreateBucket", "s3:DeleteBucket"],
        resources: &["arn:*:s3:::${bucket}"],
        condition: None,
        wide: None,
    },
    Terms {
        sid: "SsmAuditBuckets",
        actions: &[
            "s3:PutBucketLogging",
            "s3:PutBucketObjectLockConfiguration",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
        ],
        resources: &["arn:*:s3:::*"],
        condition: None,
        wide: None,
    },
    Terms {
        sid: "SsmAuditPreferences",
        actions: &[
            "ssm:AddTagsToResource",
            "ssm:CreateDocument",
            "ssm:DeleteDocument",
            "ssm:UpdateDocument",
            "ssm:UpdateDocumentDefaultVersion",
        ],
        resources: &["arn:*:ssm:*:*:document/SSM-SessionManagerRunShell"],
        condition: None,
        wide: None,
    },
];

/// A policy, and what in it had to stay wide.
#[derive(Debug)]
pub(crate) struct Permissions {
    pub(crate) policy: Json,
    /// What the caller can do with it beyond fixes, each with the statement, and how to narrow it.
    pub(crate) wide: Vec<String>,
}

/// The least policy for fixing what these rules find, with the names of what is made by these settings.
pub(crate) fn policy(
    rules: &[Selected<'_>],
    library: &Library,
    remedies: &RemediationSpecs,
    settings: &Settings,
) -> Permissions {
    let mut reads: BTreeSet<&str> =
        planner::needs(rules, library, remedies).calls().flat_map(|call| call.actions).copied().collect();
    // Which regions there are is asked for with `--regions all`.
    reads.insert("ec2:DescribeRegions");
    let mut changes = BTreeSet::new();
    for ability in abilities(rules, remedies) {
        reads.extend(ability.required_reads.iter().flat_map(|kind| kind.calls()).flat_map(|call| call.actions));
        changes.extend(ability.calls.iter().flat_map(|call| call.actions).copied());
    }
    let statement = |sid: &str, actions: &BTreeSet<&str>, resource: Json| json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource});
    let mut narrowed = Vec::new();
    let mut wide = Vec::new();
    for terms in TERMS {
        let actions: BTreeSet<&str> = terms.actions.iter().copied().filter(|action| changes.remove(action)).collect();
        if actions.is_empty() {
            continue;
        }
        let resources: Vec<String> = terms.resources.iter().map(|resource| named(resource, settings)).collect();
        let resources = if let [resource] = resources.as_slice() { json!(resource) } else { json!(resources) };
        let mut statement = statement(terms.sid, &actions, resources);
        if let Some((operator, key, values)) = terms.condition {
            statement["Condition"] = json!({operator: {key: values}});
        }
        narrowed.push(statement);
        if let Some(why) = terms.wide {
            let actions = actions.into_iter().collect::<Vec<_>>().join(" and ");
            let keys = actions.starts_with("kms:");
            let how = if keys { "narrow its Resource to the keys of your sessions" } else { NODES };
            wide.push(format!("{} allows {actions}: {why}; {how}", terms.sid));
        }
    }
    let mut statements = vec![statement("SsmAuditScan", &reads, "*".into())];
    if !changes.is_empty() {
        statements.push(statement("SsmAuditFix", &changes, "*".into()));
    }
    if !changes.is_empty() || !narrowed.is_empty() {
        let actions: BTreeSet<&str> = account_lock::CALLS.iter().flat_map(|call| call.actions).copied().collect();
        let parameter = format!("arn:*:ssm:*:*:parameter{}", account_lock::NAME);
        statements.push(statement("SsmAuditLock", &actions, parameter.into()));
    }
    statements.extend(narrowed);
    Permissions { policy: json!({"Version": "2012-10-17", "Statement": statements}), wide }
}

/// A resource with the names that the settings give what is made, in whichever account and region.
fn named(resource: &str, settings: &Settings) -> String {
    let alias = &settings.key_alias;
    let alias = if alias.starts_with("alias/") { alias.clone() } else { format!("alias/{alias}") };
    let names = [
        ("${role}", &settings.role),
        ("${instance_profile}", &settings.instance_profile),
        ("${key_alias}", &alias),
        ("${bucket}", &settings.bucket),
    ];
    let resource =
        names.into_iter().fold(resource.to_owned(), |text, (placeholder, name)| text.replace(placeholder, name));
    ["${account}", "${region}", "${partition}"].into_iter().fold(resource, |text, place| text.replace(place, "*"))
}

/// Returns the IAM actions of the changes that a fix of these rules may make.
pub(crate) fn changes(rules: &[Selected<'_>], remedies: &RemediationSpecs) -> BTreeSet<&'static str> {
    let calls = abilities(rules, remedies).into_iter().flat_map(|ability| ability.calls);
    calls.flat_map(|call| call.actions).copied().collect()
}

/// What setters may be asked to do to make right what these rules find, with what that asks of other resources.
fn abilities(rules: &[Selected<'_>], remedies: &RemediationSpecs) -> Vec<&'static Ability> {
    let named = rules.iter().filter_map(|selected| match &selected.rule.remediation {
        Some(Remediation::Id(id)) => remedies.get(id),
        Some(Remediation::None { .. }) | None => None,
    });
    abilities_of(named)
}

/// What setters may be asked to do by these remediations.
pub(super) fn abilities_of<'r>(remedies: impl IntoIterator<Item = &'r RemediationSpec>) -> Vec<&'static Ability> {
    let mut asked: Vec<(ResourceType, String)> = remedies.into_iter().flat_map(asks).collect();
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
fn asks(remedy: &RemediationSpec) -> Vec<(ResourceType, String)> {
    match &remedy.action {
        Action::Do(task) => vec![(remedy.resource_type, task.clone())],
        Action::Set(wishes) => wishes.keys().map(|attribute| (remedy.resource_type, attribute.clone())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rule::{self, Policy};
    use crate::model::Source;
    use crate::remediate::observed::AspectKind;
    use crate::remediate::operation::Operation;
    use crate::remediate::remediation;

    fn library() -> Library {
        rule::embedded().unwrap_or_else(|errors| panic!("{errors:?}"))
    }

    fn remedies(library: &Library) -> RemediationSpecs {
        remediation::embedded(library).unwrap_or_else(|errors| panic!("{errors:?}"))
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
        let permitted: BTreeSet<AspectKind> =
            all_abilities().flat_map(|ability| ability.required_reads).copied().collect();
        let unused: Vec<&AspectKind> = AspectKind::ALL.iter().filter(|kind| !permitted.contains(kind)).collect();
        assert_eq!(unused, [&AspectKind::ALL[0]; 0]);
        assert!(AspectKind::ALL.iter().flat_map(|kind| kind.calls()).all(|call| !call.actions.is_empty()));
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
        let permissions = policy(&rules, &library, &remedies, &Settings::default());
        let statements = permissions.policy["Statement"].as_array().expect("statements");
        let actions = |statement: &Json| -> BTreeSet<String> {
            let actions = statement["Action"].as_array().expect("actions").iter();
            actions.map(|action| action.as_str().expect("text").to_owned()).collect()
        };
        let all: BTreeSet<String> = statements.iter().flat_map(actions).collect();
        let wanted = Operation::CALLS.iter().flat_map(|call| call.actions);
        let missing: Vec<_> = wanted.filter(|action| !all.contains(**action)).collect();
        assert_eq!(missing, [&""; 0]);
        // What gives away permissions is bound to a resource and a condition, or said to be wide.
        let powerful = [
            ("iam:AttachRolePolicy", "iam:PolicyARN"),
            ("iam:CreateRole", ""),
            ("iam:PassRole", "iam:PassedToService"),
            ("iam:PutRolePolicy", ""),
            ("iam:UpdateAssumeRolePolicy", ""),
            ("kms:CreateGrant", "kms:GrantIsForAWSResource"),
            ("kms:PutKeyPolicy", "kms:BypassPolicyLockoutSafetyCheck"),
            ("kms:ScheduleKeyDeletion", "aws:ResourceTag/ssm-audit:plan"),
            ("logs:DeleteLogGroup", "aws:ResourceTag/ssm-audit:run"),
            ("s3:DeleteBucket", ""),
            ("ssm:DeleteDocument", ""),
        ];
        for (action, key) in powerful {
            for statement in statements.iter().filter(|statement| actions(statement).contains(action)) {
                assert_ne!(statement["Resource"], "*", "{action}");
                assert!(key.is_empty() || statement["Condition"].to_string().contains(key), "{action}: {statement}");
            }
        }
        let named = |sid: &str| statements.iter().find(|statement| statement["Sid"] == *sid).expect("a statement");
        assert_eq!(named("SsmAuditPassRole")["Resource"], "arn:*:iam::*:role/ssm-ec2-role");
        assert_eq!(named("SsmAuditMakeBucket")["Resource"], "arn:*:s3:::ssm-sessions-*-*");
        let wide: Vec<&str> = permissions.wide.iter().filter_map(|text| text.split(' ').next()).collect();
        assert_eq!(wide, ["SsmAuditWideInlinePolicies", "SsmAuditWideTrustPolicies", "SsmAuditWideKeyPolicies"]);
        let sids = statements.iter().filter_map(|statement| statement["Sid"].as_str());
        assert_eq!(sids.filter(|sid| sid.contains("Wide")).collect::<Vec<_>>(), wide);
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
        let characters = permissions.policy.to_string().len();
        assert!(characters <= 6144, "{characters} characters are more than a managed policy can have");
    }

    /// The policies that are attached are those that the condition lets.
    #[test]
    fn the_policies_that_are_attached_are_allowed() {
        let (_, _, allowed) = TERMS[0].condition.expect("a condition");
        let attached: Vec<String> =
            setters::ATTACHED_POLICIES.iter().map(|name| format!("arn:*:iam::aws:policy/{name}")).collect();
        assert_eq!(attached, allowed);
    }

    #[test]
    fn one_rule_needs_its_own_permissions_only() {
        let library = library();
        let rule = library.rule("ec2-imdsv2-required").expect("a rule");
        let rules = [Selected::new(rule, None, std::collections::BTreeMap::default())];
        let policy = policy(&rules, &library, &remedies(&library), &Settings::default()).policy;
        let wanted = json!([
            {
                "Sid": "SsmAuditScan", "Effect": "Allow", "Resource": "*",
                "Action": ["ec2:DescribeInstances", "ec2:DescribeRegions"],
            },
            {
                "Sid": "SsmAuditFix", "Effect": "Allow", "Resource": "*",
                "Action": ["ec2:ModifyInstanceMetadataOptions"],
            },
            {
                "Sid": "SsmAuditLock", "Effect": "Allow",
                "Resource": "arn:*:ssm:*:*:parameter/session-manager-audit/lock",
                "Action": ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"],
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
