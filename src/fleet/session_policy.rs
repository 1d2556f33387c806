//! The session policy of assumed roles: whatever a role may do, its session may do no more than what is needed.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session>

use std::collections::BTreeSet;

use serde_json::json;

use crate::model::call::{DESCRIBE_REGIONS, Needs};

/// A policy, in JSON, that allows these calls and asking for the regions.
pub fn session_policy(needs: &Needs) -> String {
    let calls = needs.calls().chain([&DESCRIBE_REGIONS]);
    let actions: BTreeSet<&str> = calls.flat_map(|call| call.actions.iter().copied()).collect();
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": statement}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::call;

    #[test]
    fn the_policy_for_every_call_of_a_scan_is_one_that_sts_takes() {
        let policy = session_policy(&call::ALL.iter().copied().collect());
        assert!(policy.len() <= 2048, "{}", policy.len());
        assert!(policy.contains("\"ec2:DescribeRegions\"") && policy.contains("\"s3:GetEncryptionConfiguration\""));
    }
}
