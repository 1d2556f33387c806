//! A fleet that is not there: the recorded answers of one account, given for whatever account is asked, with its id in
//! them. AssumeRole leads to credentials whose access key says the account.

use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::wire::{Asked, Trouble, error};
use super::{Answer, Call, Recording};

/// What stands before the account in an access key.
const ACCESS_KEY: &str = "ASIAFLEET";

pub(super) struct Fleet {
    pub(super) recording: Recording,
    /// The account that was recorded.
    pub(super) template: String,
    pub(super) latency: Duration,
}

impl Fleet {
    pub(super) fn answer(&self, asked: &Asked, call: &Call) -> Answer {
        if asked.action() == "sts:AssumeRole" {
            return assumed(&call.body);
        }
        let account = asked.access_key.strip_prefix(ACCESS_KEY).unwrap_or(&self.template);
        let call = Call {
            access_key: self.template.clone(),
            target: call.target.replace(account, &self.template),
            body: call.body.replace(account, &self.template),
            ..call.clone()
        };
        let Some(found) = self.recording.answers.get(&asked.key(&call)).and_then(|answers| answers.last()) else {
            return error(asked, Trouble::NotRecorded);
        };
        let body = match std::str::from_utf8(&found.body) {
            Ok(text) if account != self.template => Bytes::from(text.replace(&self.template, account)),
            _ => found.body.clone(),
        };
        Answer { body, ..found.clone() }
    }
}

/// `RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2FName`
fn assumed(body: &str) -> Answer {
    let account = body.split("%3Aiam%3A%3A").nth(1).and_then(|rest| rest.get(..12)).unwrap_or_default();
    let body = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser>\
         <Arn>arn:aws:sts::{account}:assumed-role/Scan/ssm-audit</Arn><AssumedRoleId>AROA:ssm-audit</AssumedRoleId>\
         </AssumedRoleUser><Credentials><AccessKeyId>{ACCESS_KEY}{account}</AccessKeyId><SecretAccessKey>x</SecretAccessKey>\
         <SessionToken>x</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>\
         </AssumeRoleResponse>"
    );
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    Answer { status: StatusCode::OK, headers, body: Bytes::from(body) }
}
