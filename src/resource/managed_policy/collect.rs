//! Managed policies: the text of the default version.

use super::schema::ManagedPolicy;
use crate::collect::live::api_call::filled;
use crate::collect::live::collector::Collector;
use crate::model::call::{GET_POLICY, GET_POLICY_VERSION};
use crate::model::{Entry, Fact, Gap, Key};
use crate::resource::role::collect::ABSENT;
use iam_policy::PolicyDocument;
use std::sync::Arc;

pub(crate) async fn managed_policy(collector: &Collector<'_>, key: Key) {
    if !collector.wants(&GET_POLICY) {
        collector.mention::<ManagedPolicy>(&key);
        return;
    }
    let inquiry = collector.inquire(&GET_POLICY, None);
    let request = collector.connection.iam().get_policy().policy_arn(key.id.as_ref());
    let answer = inquiry.send_unless(ABSENT, request.send()).await;
    let entry = match answer {
        Ok(None) => Entry::missing(),
        Err(gap) => Entry::unread(&gap),
        Ok(Some(answer)) => match answer.policy {
            None => Entry::unread(&inquiry.lacks("Policy")),
            Some(policy) => Entry::existing(ManagedPolicy {
                arn: Fact::Known(key.id.as_ref().to_owned()),
                policy: match filled(policy.default_version_id) {
                    Some(version) => policy_version(collector, &key, version).await,
                    None => Fact::Unknown(inquiry.lacks("DefaultVersionId")),
                },
            }),
        },
    };
    collector.put(key, entry);
}

async fn policy_version(collector: &Collector<'_>, policy: &Key, version: String) -> Fact<PolicyDocument> {
    if !collector.wants(&GET_POLICY_VERSION) {
        return Fact::default();
    }
    let inquiry = collector.inquire(&GET_POLICY_VERSION, None);
    let request = collector.connection.iam().get_policy_version().policy_arn(policy.id.as_ref()).version_id(version);
    let text: Result<String, Arc<Gap>> = match inquiry.send(request.send()).await {
        Ok(answer) => {
            answer.policy_version.and_then(|version| version.document).ok_or_else(|| inquiry.lacks("Document"))
        }
        Err(gap) => Err(gap),
    };
    match text {
        Ok(text) => inquiry.policy_url_encoded(&text),
        Err(gap) => Fact::Unknown(gap),
    }
}
