//! How AWS's protocols name an action, and how each words an error.

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Call};

/// The protocols of the services in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Ec2Query,
    Query,
    Json,
    Cbor,
    S3,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    Denied,
    Throttled,
    ServerError,
    ExpiredCredentials,
    Refused { status: u16, code: &'static str, message: &'static str },
    NotRecorded,
}

/// What a request asks for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) region: String,
    pub(super) access_key: String,
    pub(super) protocol: Protocol,
    pub(super) is_head: bool,
}

impl Asked {
    pub(super) fn read(head: &hyper::http::request::Parts, body: &[u8]) -> Self {
        let signature = header(&head.headers, AUTHORIZATION.as_str());
        let scope = signature.split_once("Credential=").map_or("", |(_, rest)| rest);
        let mut scope = scope.split(',').next().unwrap_or_default().split('/');
        let access_key = scope.next().unwrap_or_default().to_owned();
        let region = scope.nth(1).unwrap_or_default().to_owned();
        let service = scope.next().unwrap_or("unsigned").to_owned();
        let path = head.uri.path();
        let target = header(&head.headers, "x-amz-target");
        let form = header(&head.headers, CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded");
        let (protocol, operation) = if let Some((_, operation)) = target.split_once('.') {
            (Protocol::Json, operation.to_owned())
        } else if let Some((_, operation)) = path.split_once("/operation/") {
            (Protocol::Cbor, operation.to_owned())
        } else if form {
            let action = std::str::from_utf8(body).ok().and_then(form_action).unwrap_or_default().to_owned();
            (if service == "ec2" { Protocol::Ec2Query } else { Protocol::Query }, action)
        } else {
            (Protocol::S3, s3_operation(&head.method, path, head.uri.query().unwrap_or_default()))
        };
        Self { service, operation, region, access_key, protocol, is_head: head.method == Method::HEAD }
    }

    pub(super) fn action(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }

    /// What a recorded answer is found by.
    pub(super) fn key(&self, call: &Call) -> String {
        let body = match self.protocol {
            Protocol::Json => serde_json::from_str(&call.body).map_or_else(|_| call.body.clone(), |v| sorted(&v)),
            Protocol::Query | Protocol::Ec2Query => {
                let mut members: Vec<&str> = call.body.split('&').collect();
                members.sort_unstable();
                members.join("&")
            }
            Protocol::S3 | Protocol::Cbor => call.body.clone(),
        };
        format!("{} {} {} {} {body}", call.action, call.region, call.access_key, call.target)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn form_action(body: &str) -> Option<&str> {
    body.split('&').find_map(|member| member.strip_prefix("Action="))
}

/// JSON with the members of objects in the order of their names.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| name.as_str());
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name:?}:{}", sorted(value))).collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(elements) => format!("[{}]", elements.iter().map(sorted).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// S3 has no name for the operation in its requests: method, path and sub-resource tell.
/// Requests to a loopback address have the bucket in their path.
fn s3_operation(method: &Method, path: &str, query: &str) -> String {
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let bucket = parts.next().unwrap_or_default();
    let object = parts.next().is_some_and(|key| !key.is_empty());
    let verb = match *method {
        Method::GET => "Get",
        Method::PUT => "Put",
        Method::DELETE => "Delete",
        Method::HEAD => "Head",
        _ => "Post",
    };
    if bucket.is_empty() {
        return "ListBuckets".to_owned();
    }
    let names: Vec<&str> = query.split('&').map(|member| member.split('=').next().unwrap_or_default()).collect();
    if object {
        let about = names.iter().find_map(|name| match *name {
            "tagging" => Some("ObjectTagging"),
            "acl" => Some("ObjectAcl"),
            "retention" => Some("ObjectRetention"),
            "legal-hold" => Some("ObjectLegalHold"),
            _ => None,
        });
        return format!("{verb}{}", about.unwrap_or("Object"));
    }
    match names.iter().find_map(|name| s3_subresource(name)) {
        Some("ListObjectsV2" | "ListObjectVersions") if *method != Method::GET => format!("{verb}Bucket"),
        Some(listing @ ("ListObjectsV2" | "ListObjectVersions")) => listing.to_owned(),
        // The two whose names do not follow the others'.
        Some("BucketPolicyStatus") => "GetBucketPolicyStatus".to_owned(),
        Some("BucketLifecycle") if *method == Method::DELETE => "DeleteBucketLifecycle".to_owned(),
        Some("BucketLifecycle") => format!("{verb}BucketLifecycleConfiguration"),
        Some("BucketNotification") => format!("{verb}BucketNotificationConfiguration"),
        Some(about) => format!("{verb}{about}"),
        None if *method == Method::PUT => "CreateBucket".to_owned(),
        None if *method == Method::GET => "ListObjects".to_owned(),
        None => format!("{verb}Bucket"),
    }
}

fn s3_subresource(name: &str) -> Option<&'static str> {
    Some(match name {
        "accelerate" => "BucketAccelerateConfiguration",
        "acl" => "BucketAcl",
        "cors" => "BucketCors",
        "encryption" => "BucketEncryption",
        "lifecycle" => "BucketLifecycle",
        "list-type" => "ListObjectsV2",
        "location" => "BucketLocation",
        "logging" => "BucketLogging",
        "notification" => "BucketNotification",
        "object-lock" => "ObjectLockConfiguration",
        "ownershipControls" => "BucketOwnershipControls",
        "policy" => "BucketPolicy",
        "policyStatus" => "BucketPolicyStatus",
        "publicAccessBlock" => "PublicAccessBlock",
        "replication" => "BucketReplication",
        "requestPayment" => "BucketRequestPayment",
        "tagging" => "BucketTagging",
        "versioning" => "BucketVersioning",
        "versions" => "ListObjectVersions",
        "website" => "BucketWebsite",
        _ => return None,
    })
}

/// An error as the service itself words and frames it.
pub(super) fn error(asked: &Asked, trouble: Trouble) -> Answer {
    let (status, code) = code(asked.protocol, trouble);
    let action = asked.action();
    let message = match trouble {
        Trouble::Denied => format!(
            "User: arn:aws:sts::{}:assumed-role/test/session is not authorized to perform: {action} because no \
             identity-based policy allows the {action} action",
            asked.access_key
        ),
        Trouble::Throttled => "Rate exceeded".to_owned(),
        Trouble::ServerError => "An internal error has occurred".to_owned(),
        Trouble::ExpiredCredentials => "The security token included in the request is expired".to_owned(),
        Trouble::Refused { message, .. } => message.to_owned(),
        Trouble::NotRecorded => format!("no answer to this {action} was recorded"),
    };
    let request = "00000000-0000-4000-8000-000000000000";
    let (content_type, body) = match asked.protocol {
        Protocol::Ec2Query => (
            "text/xml;charset=UTF-8",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{code}</Code>\
                 <Message>{message}</Message></Error></Errors><RequestID>{request}</RequestID></Response>"
            ),
        ),
        Protocol::Query => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>{}</Type><Code>{code}</Code><Message>{message}</Message></Error>\
                 <RequestId>{request}</RequestId></ErrorResponse>",
                if status < 500 { "Sender" } else { "Receiver" }
            ),
        ),
        Protocol::S3 => (
            "application/xml",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>\
                 <RequestId>{request}</RequestId><HostId>none</HostId></Error>"
            ),
        ),
        Protocol::Json => ("application/x-amz-json-1.1", json!({ "__type": code, "Message": message }).to_string()),
        Protocol::Cbor => ("application/cbor", String::new()),
    };
    let body = match asked.protocol {
        _ if asked.is_head => Bytes::new(),
        Protocol::Cbor => cbor(&[("__type", code), ("message", &message)]),
        _ => Bytes::from(body),
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-amzn-requestid", HeaderValue::from_static(request));
    if asked.protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer { status, headers, body }
}

/// Status and code, which differ by service family:
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
fn code(protocol: Protocol, trouble: Trouble) -> (u16, &'static str) {
    match (protocol, trouble) {
        (Protocol::Ec2Query, Trouble::Denied) => (403, "UnauthorizedOperation"),
        (Protocol::Ec2Query, Trouble::Throttled) => (503, "RequestLimitExceeded"),
        (Protocol::Ec2Query, Trouble::ExpiredCredentials) => (400, "RequestExpired"),
        (Protocol::Query | Protocol::S3, Trouble::Denied) => (403, "AccessDenied"),
        (Protocol::Query, Trouble::Throttled) => (400, "Throttling"),
        (Protocol::Query, Trouble::ServerError) => (500, "ServiceFailure"),
        (Protocol::Query, Trouble::ExpiredCredentials) => (403, "ExpiredToken"),
        (Protocol::S3, Trouble::Throttled) => (503, "SlowDown"),
        (Protocol::S3, Trouble::ExpiredCredentials) => (400, "ExpiredToken"),
        (Protocol::Ec2Query | Protocol::S3, Trouble::ServerError) => (500, "InternalError"),
        (Protocol::Json | Protocol::Cbor, Trouble::Denied) => (400, "AccessDeniedException"),
        (Protocol::Json | Protocol::Cbor, Trouble::Throttled) => (400, "ThrottlingException"),
        (Protocol::Json | Protocol::Cbor, Trouble::ServerError) => (500, "InternalServerError"),
        (Protocol::Json | Protocol::Cbor, Trouble::ExpiredCredentials) => (400, "ExpiredTokenException"),
        (_, Trouble::Refused { status, code, .. }) => (status, code),
        (_, Trouble::NotRecorded) => (400, "NotRecorded"),
    }
}

/// A map of texts, each shorter than 64 KiB.
fn cbor(members: &[(&str, &str)]) -> Bytes {
    let mut out = vec![0xa0 | u8::try_from(members.len()).unwrap_or_default()];
    for text in members.iter().flat_map(|(name, value)| [*name, *value]) {
        out.push(0x79);
        out.extend(u16::try_from(text.len()).unwrap_or_default().to_be_bytes());
        out.extend(text.as_bytes());
    }
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_operations_are_told_by_method_path_and_subresource() {
        for (method, path, query, operation) in [
            (Method::GET, "/", "x-id=ListBuckets", "ListBuckets"),
            (Method::HEAD, "/logs", "", "HeadBucket"),
            (Method::PUT, "/logs", "", "CreateBucket"),
            (Method::DELETE, "/logs/", "", "DeleteBucket"),
            (Method::GET, "/logs", "encryption", "GetBucketEncryption"),
            (Method::GET, "/logs/", "object-lock=", "GetObjectLockConfiguration"),
            (Method::PUT, "/logs", "publicAccessBlock", "PutPublicAccessBlock"),
            (Method::GET, "/logs", "policyStatus", "GetBucketPolicyStatus"),
            (Method::GET, "/logs", "list-type=2&prefix=a", "ListObjectsV2"),
            (Method::GET, "/logs", "prefix=a", "ListObjects"),
            (Method::GET, "/logs", "lifecycle", "GetBucketLifecycleConfiguration"),
            (Method::PUT, "/logs", "tagging", "PutBucketTagging"),
            (Method::PUT, "/logs", "object-lock", "PutObjectLockConfiguration"),
            (Method::DELETE, "/logs", "encryption", "DeleteBucketEncryption"),
            (Method::PUT, "/logs/a/b", "x-id=PutObject", "PutObject"),
            (Method::GET, "/logs/a", "tagging", "GetObjectTagging"),
        ] {
            assert_eq!(s3_operation(&method, path, query), operation, "{method} {path}?{query}");
        }
    }

    #[test]
    fn json_bodies_are_the_same_in_any_order_of_members() {
        let one = serde_json::json!({"b": [1, {"y": 1, "x": 2}], "a": null});
        let other = serde_json::json!({"a": null, "b": [1, {"x": 2, "y": 1}]});
        assert_eq!(sorted(&one), sorted(&other));
    }

    #[test]
    fn cbor_maps_hold_text_with_its_length() {
        assert_eq!(&cbor(&[("a", "bc")])[..], b"\xa1\x79\x00\x01a\x79\x00\x02bc");
    }
}
