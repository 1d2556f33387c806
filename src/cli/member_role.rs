//! The CloudFormation template of the role that is assumed in each account, with a policy that is given. A StackSet
//! brings it to all accounts of an organisation.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html>

use std::fmt::{self, Display, Formatter};

use serde_json::Value as Json;

/// The template, up to the policy document. The whole account is trusted, on the condition that the caller is the one
/// role: a role that stands there as the principal is turned into its id, and the trust is lost where it is made anew.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles>
const TEMPLATE: &str = r#"# Made by `ssm-audit iam-policy --for {command} --cloudformation`: make it anew where rules change.
AWSTemplateFormatVersion: "2010-09-09"
Description: The role with which ssm-audit may {purpose} this account, and no more

Parameters:
  TrustedRoleArn:
    Type: String
    Description: The ARN of the role that ssm-audit runs with, in the account that it runs in
    AllowedPattern: ^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$
    ConstraintDescription: the ARN of a role, without wildcards
  ExternalId:
    Type: String
    Description: What the caller must name besides (--external-id); nothing, where it is empty
    Default: ""
    AllowedPattern: ^([A-Za-z0-9+=,.@:/_-]{2,1224})?$
    ConstraintDescription: 2 to 1224 letters, digits and +=,.@:/_-
  RoleName:
    Type: String
    Description: The name of the role (--role)
    Default: {role}
    AllowedPattern: ^[A-Za-z0-9+=,.@_-]{1,64}$
    ConstraintDescription: 1 to 64 letters, digits and +=,.@_-

Conditions:
  AsksForExternalId: !Not [!Equals [!Ref ExternalId, ""]]

Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Ref RoleName
      Description: Assumed by ssm-audit
      MaxSessionDuration: 3600
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Principal:
              AWS: !Sub
                - arn:${AWS::Partition}:iam::${Account}:root
                - Account: !Select [4, !Split [":", !Ref TrustedRoleArn]]
            Action: sts:AssumeRole
            Condition:
              ArnEquals:
                aws:PrincipalArn: !Ref TrustedRoleArn
              StringEquals: !If
                - AsksForExternalId
                - sts:ExternalId: !Ref ExternalId
                - !Ref AWS::NoValue
      Policies:
        - PolicyName: ssm-audit-{command}
          PolicyDocument:
"#;

/// How deep the policy document stands in the template.
const DEPTH: usize = 12;

/// What follows it.
const OUTPUTS: &str = "
Outputs:
  RoleArn:
    Description: The ARN of the role
    Value: !GetAtt Role.Arn
";

/// What a role is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Task {
    /// The command that needs it.
    pub(super) command: &'static str,
    /// What the command does with an account.
    pub(super) purpose: &'static str,
    /// What the role is called, unless it is said otherwise.
    pub(super) role: &'static str,
}

/// The template of a role with this policy, in YAML.
pub(super) fn template(task: Task, policy: &Json) -> String {
    let head =
        TEMPLATE.replace("{command}", task.command).replace("{purpose}", task.purpose).replace("{role}", task.role);
    format!("{head}{}{OUTPUTS}", Block { value: policy, depth: DEPTH })
}

/// JSON as a YAML block: an entry a line.
struct Block<'a> {
    value: &'a Json,
    depth: usize,
}

impl Display for Block<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let indent = " ".repeat(self.depth);
        match self.value {
            Json::Object(entries) => entries.iter().try_for_each(|(name, value)| {
                write!(formatter, "{indent}{}:", Scalar(name))?;
                Below { value, depth: self.depth + 2 }.fmt(formatter)
            }),
            // The first line of an entry stands behind its dash.
            Json::Array(entries) => entries.iter().try_for_each(|value| {
                let entry = Block { value, depth: self.depth + 2 }.to_string();
                writeln!(formatter, "{indent}- {}", entry.trim())
            }),
            Json::String(text) => writeln!(formatter, "{indent}{}", Scalar(text)),
            other => writeln!(formatter, "{indent}{other}"),
        }
    }
}

/// What stands after a name and a colon.
struct Below<'a> {
    value: &'a Json,
    depth: usize,
}

impl Display for Below<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { value, depth } = *self;
        if value.is_object() || value.is_array() {
            write!(formatter, "\n{}", Block { value, depth })
        } else {
            write!(formatter, " {}", Block { value, depth: 0 })
        }
    }
}

/// Text that YAML reads as this text, and as nothing else: names of actions and services stand as they are, and
/// whatever might be a date, a truth value or a mark of YAML's own stands in quotes.
struct Scalar<'a>(&'a str);

impl Display for Scalar<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        let is_name = self.0.starts_with(|c: char| c.is_ascii_alphabetic()) && self.0.split(':').all(is_word);
        let is_taken = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
            .iter()
            .any(|word| self.0.eq_ignore_ascii_case(word));
        if is_name && !is_taken { formatter.write_str(self.0) } else { write!(formatter, "{}", Json::from(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_is_written_as_a_person_would() {
        let policy = json!({
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": ["ec2:DescribeInstances", "s3:*"], "Resource": "*"},
                {"Effect": "Deny", "Action": ["kms:CreateGrant"], "Condition": {"Bool": {"kms:GrantIsForAWSResource": ["true"]}}},
            ],
        });
        let wanted = r#"Version: "2012-10-17"
Statement:
  - Effect: Allow
    Action:
      - ec2:DescribeInstances
      - "s3:*"
    Resource: "*"
  - Effect: Deny
    Action:
      - kms:CreateGrant
    Condition:
      Bool:
        kms:GrantIsForAWSResource:
          - "true"
"#;
        assert_eq!(Block { value: &policy, depth: 0 }.to_string(), wanted);
    }

    #[test]
    fn text_that_yaml_would_take_for_something_else_is_quoted() {
        for text in ["2012-10-17", "*", "NO", "", "a: b", "1e3", "- x", "#", "a:"] {
            assert_eq!(Scalar(text).to_string(), Json::from(text).to_string());
        }
    }
}
