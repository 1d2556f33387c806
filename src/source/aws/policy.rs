//! Policy documents as AWS answers with them.

use super::inquiry::Inquiry;
use crate::iam::PolicyDocument;
use crate::model::Fact;

impl Inquiry<'_> {
    /// A policy document in JSON, as KMS gives it.
    pub(super) fn policy_json(&self, text: &str) -> Fact<PolicyDocument> {
        match serde_json::from_str(text) {
            Ok(document) => Fact::Known(document),
            Err(_) => Fact::Unknown(self.problem("the policy document could not be understood")),
        }
    }

    /// A policy document in URL-encoded JSON, as IAM gives it.
    /// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>
    pub(super) fn policy_url_encoded(&self, text: &str) -> Fact<PolicyDocument> {
        match percent_decoded(text) {
            Some(json) => self.policy_json(&json),
            None => Fact::Unknown(self.problem("the policy document could not be understood")),
        }
    }
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            &after[2..]
        } else {
            bytes.push(*first);
            after
        };
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_encoding_is_undone() {
        assert_eq!(percent_decoded("%7B%22a%22%3A%20%22b+c%22%7D").as_deref(), Some("{\"a\": \"b+c\"}"));
        assert_eq!(percent_decoded("%7"), None);
        assert_eq!(percent_decoded("%zz"), None);
    }
}
