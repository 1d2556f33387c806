//! Decodes policy documents from AWS responses.

use iam_policy::{PolicyDocument, PolicyError};

use super::api_call::ApiCall;
use crate::model::Fact;

impl ApiCall<'_> {
    /// A policy document in JSON, as KMS returns it.
    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html>
    pub(crate) fn policy_json(&self, text: &str) -> Fact<PolicyDocument> {
        self.policy(PolicyDocument::from_json(text))
    }

    /// A policy document in URL-encoded JSON, as IAM returns it.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>
    pub(crate) fn policy_url_encoded(&self, text: &str) -> Fact<PolicyDocument> {
        self.policy(PolicyDocument::from_url_encoded(text))
    }

    fn policy(&self, document: Result<PolicyDocument, PolicyError>) -> Fact<PolicyDocument> {
        match document {
            Ok(document) => Fact::Known(document),
            Err(error) => Fact::Unknown(self.problem(&format!("the policy document cannot be used: {error}"))),
        }
    }
}
