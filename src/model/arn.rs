//! The parts of an ARN: `arn:partition:service:region:account:resource`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use crate::model::{AccountId, Partition};

/// An ARN, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) partition: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// The parts, if the text is an ARN.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next() != Some("arn") {
            return None;
        }
        let (partition, _service) = (parts.next()?, parts.next()?);
        Some(Self { partition, region: parts.next()?, account: parts.next()?, resource: parts.next()? })
    }

    /// The account and the partition that it is in, where it names both.
    pub(crate) fn owner(&self) -> Option<(AccountId, Partition)> {
        let partition = match self.partition {
            "aws" => Partition::Aws,
            "aws-cn" => Partition::China,
            "aws-us-gov" => Partition::UsGov,
            _ => return None,
        };
        Some((self.account.parse().ok()?, partition))
    }
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
        assert_eq!((arn.partition, arn.region, arn.account), ("aws-cn", "", "123456789012"));
        assert_eq!(last_segment(arn.resource), "b:c");
        assert_eq!(Arn::parse("alias/x"), None);
        assert_eq!(Arn::parse("arn:aws:kms:us-east-1"), None);
    }
}
