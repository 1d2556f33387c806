//! The owners of ARNs, and the names in them.

pub(crate) use iam_policy::Arn;

use crate::model::{AccountId, Partition};

/// Returns the account of an ARN and its partition, if the ARN names both.
pub(crate) fn owner(arn: &Arn<'_>) -> Option<(AccountId, Partition)> {
    let partition = match arn.partition {
        "aws" => Partition::Aws,
        "aws-cn" => Partition::China,
        "aws-us-gov" => Partition::UsGov,
        _ => return None,
    };
    Some((arn.account.parse().ok()?, partition))
}

/// The last part of a path such as `instance-profile/team/name`.
pub(crate) fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let arn = Arn::parse("arn:aws-cn:iam::123456789012:instance-profile/a/b:c").expect("an ARN");
        assert_eq!(owner(&arn), Some(("123456789012".parse().expect("an account"), Partition::China)));
        assert_eq!(last_segment(arn.resource), "b:c");
        assert_eq!(owner(&Arn { partition: "aws-eusc", ..arn }), None);
        assert_eq!(owner(&Arn { account: "", ..arn }), None);
    }
}
