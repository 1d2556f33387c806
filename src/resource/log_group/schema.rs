//! CloudWatch Logs: the log group that the session preferences name.

use crate::model::call::{self, Call};
use crate::model::fact::Fact;
use crate::model::ids::Link;
use crate::model::inventory::{Described, Extent};
use crate::model::schema::attributes;
use crate::resource::key::schema::KmsKey;

attributes! {
    /// A log group that the session preferences name.
    pub struct LogGroup {
        /// Its ARN, without the `:*` at the end.
        arn: String = DESCRIBE_LOG_GROUPS,
        /// For how many days events are kept, by the group's own setting or by the account-level
        /// policy that overrides it; absent: for ever.
        retention_in_days: Option<i64> = DESCRIBE_LOG_GROUPS,
        /// The account-level retention policy that decides, where one does.
        retention_policy_name: Option<String> = DESCRIBE_LOG_GROUPS,
        /// The key that encrypts it.
        kms_key: Option<Link<KmsKey>> = DESCRIBE_LOG_GROUPS,
        /// `STANDARD`, `INFREQUENT_ACCESS` or `DELIVERY`.
        log_group_class: String = DESCRIBE_LOG_GROUPS,
    }
}

impl Described for LogGroup {
    const FOUND_BY: Call = call::DESCRIBE_LOG_GROUPS;
    const EXTENT: Extent = Extent::Regional;
    const TERRAFORM: &[&str] = &["aws_cloudwatch_log_group"];
    const SECURITY_HUB: Option<&str> = None;
}
