//! The parts of an ARN: `arn:partition:service:region:account:resource`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

/// The parts of an ARN, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arn<'a> {
    /// The partition, `aws` for instance.
    pub partition: &'a str,
    /// The service.
    pub service: &'a str,
    /// The region; empty for global services.
    pub region: &'a str,
    /// The account; empty for resources such as buckets.
    pub account: &'a str,
    /// The rest, which may have colons.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Returns the parts of a text that is an ARN.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        let arn = Arn::parse("arn:aws-cn:iam::123456789012:instance-profile/a/b:c").expect("an ARN");
        assert_eq!((arn.partition, arn.service, arn.region), ("aws-cn", "iam", ""));
        assert_eq!((arn.account, arn.resource), ("123456789012", "instance-profile/a/b:c"));
        assert_eq!(Arn::parse("alias/x"), None);
        assert_eq!(Arn::parse("arn:aws:kms:us-east-1"), None);
    }
}
