//! Operations on instance profiles.

use crate::remediate::operation::operation;
use crate::resource::role::operations::IamTag;

operation! {
    /// Makes an instance profile.
    #[serde(rename_all = "PascalCase")]
    CreateInstanceProfile = iam.create_instance_profile,
        "iam" "CreateInstanceProfile" ["iam:CreateInstanceProfile", "iam:TagInstanceProfile"] {
        instance_profile_name: String => set_instance_profile_name,
        tags: Vec<IamTag> => set_tags,
    }
}

operation! {
    /// Deletes an instance profile without a role.
    #[serde(rename_all = "PascalCase")]
    DeleteInstanceProfile = iam.delete_instance_profile,
        "iam" "DeleteInstanceProfile" ["iam:DeleteInstanceProfile"] {
        instance_profile_name: String => set_instance_profile_name,
    }
}

operation! {
    /// Puts a role into an instance profile.
    #[serde(rename_all = "PascalCase")]
    AddRoleToInstanceProfile = iam.add_role_to_instance_profile,
        "iam" "AddRoleToInstanceProfile" ["iam:AddRoleToInstanceProfile", "iam:PassRole"] {
        instance_profile_name: String => set_instance_profile_name,
        role_name: String => set_role_name,
    }
}

operation! {
    /// Takes a role out of an instance profile.
    #[serde(rename_all = "PascalCase")]
    RemoveRoleFromInstanceProfile = iam.remove_role_from_instance_profile,
        "iam" "RemoveRoleFromInstanceProfile" ["iam:RemoveRoleFromInstanceProfile"] {
        instance_profile_name: String => set_instance_profile_name,
        role_name: String => set_role_name,
    }
}
