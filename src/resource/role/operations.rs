//! Operations on roles. <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Operations.html>

use crate::remediate::operation::operation;
use crate::remediate::operation::parameter::part;
use crate::remediate::step_output::Text;

part! {
    /// A tag, as IAM has it.
    IamTag => aws_sdk_iam::types::Tag { key: String => set_key, value: String => set_value, } ok
}

operation! {
    /// Makes a role.
    #[serde(rename_all = "PascalCase")]
    CreateRole = iam.create_role, "iam" "CreateRole" ["iam:CreateRole", "iam:TagRole"] {
        role_name: String => set_role_name,
        description: String => set_description,
        assume_role_policy_document: String => set_assume_role_policy_document,
        tags: Vec<IamTag> => set_tags,
    }
}

operation! {
    /// Deletes a role that nothing is attached to.
    #[serde(rename_all = "PascalCase")]
    DeleteRole = iam.delete_role, "iam" "DeleteRole" ["iam:DeleteRole"] {
        role_name: String => set_role_name,
    }
}

operation! {
    /// Replaces who may assume a role.
    #[serde(rename_all = "PascalCase")]
    UpdateAssumeRolePolicy = iam.update_assume_role_policy,
        "iam" "UpdateAssumeRolePolicy" ["iam:UpdateAssumeRolePolicy"] {
        role_name: String => set_role_name,
        policy_document: String => set_policy_document,
    }
}

operation! {
    /// Attaches a managed policy to a role.
    #[serde(rename_all = "PascalCase")]
    AttachRolePolicy = iam.attach_role_policy, "iam" "AttachRolePolicy" ["iam:AttachRolePolicy"] {
        role_name: String => set_role_name,
        policy_arn: String => set_policy_arn,
    }
}

operation! {
    /// Detaches a managed policy from a role.
    #[serde(rename_all = "PascalCase")]
    DetachRolePolicy = iam.detach_role_policy, "iam" "DetachRolePolicy" ["iam:DetachRolePolicy"] {
        role_name: String => set_role_name,
        policy_arn: String => set_policy_arn,
    }
}

operation! {
    /// Puts a policy into a role, in place of one of the same name.
    #[serde(rename_all = "PascalCase")]
    PutRolePolicy = iam.put_role_policy, "iam" "PutRolePolicy" ["iam:PutRolePolicy"] {
        role_name: String => set_role_name,
        policy_name: String => set_policy_name,
        policy_document: Text => set_policy_document,
    }
}

operation! {
    /// Takes a policy out of a role.
    #[serde(rename_all = "PascalCase")]
    DeleteRolePolicy = iam.delete_role_policy, "iam" "DeleteRolePolicy" ["iam:DeleteRolePolicy"] {
        role_name: String => set_role_name,
        policy_name: String => set_policy_name,
    }
}
