//! Versions of SSM Agent: numbers with dots between them, compared number by number.

use std::cmp::Ordering;

/// A version.
#[derive(Debug, Clone, Eq)]
pub(crate) struct Version(Vec<u64>);

/// The first version of SSM Agent that takes all its messages from `ssmmessages`, and none from `ec2messages`.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-setting-up-messageAPIs.html>
pub(crate) fn without_ec2messages() -> Version {
    Version(vec![3, 3, 40, 0])
}

impl Version {
    /// The version that this text is; none where it is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
        text.trim().split('.').map(digits).collect::<Option<Vec<u64>>>().map(Self)
    }

    /// The numbers, without those at the end that say nothing.
    fn numbers(&self) -> &[u64] {
        let length = self.0.iter().rposition(|number| *number != 0).map_or(0, |last| last + 1);
        &self.0[..length]
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.numbers() == other.numbers()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(other.numbers())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_number_by_number() {
        let version = |text| Version::parse(text).expect("a version");
        assert!(version("3.3.40.0") > version("3.3.9.0"));
        assert!(version("3.10.0.0") > version("3.3.2299.0"));
        assert!(version("3.3.40") == version("3.3.40.0"));
        assert!(version("3.3.39.99") < without_ec2messages());
        assert!(version("3.3.40.0") >= without_ec2messages());
        assert!(version("10.0.0.0") > version("9.9.9.9"));
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in ["", "3..1", "latest", "3.3.x", "v3.3.40.0", "3.3.40.0-1", "-1", "+3", "99999999999999999999"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
