//! Pages that AWS may give and emulators do not: an empty one that leads to the first, and one that leads to itself.

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use super::Answer;
use super::wire::{Asked, Protocol};

/// The token of pages that are made up.
const TOKEN: &str = "made-up-token";

/// Members of a paged answer in the JSON protocols: the list, the token, what says that there is more, and the parameter
/// that takes the token.
const JSON: &[(&str, &str, &str, &str, &str)] = &[
    ("logs:DescribeLogGroups", "logGroups", "nextToken", "", "nextToken"),
    ("kms:ListKeys", "Keys", "NextMarker", "Truncated", "Marker"),
    ("kms:ListResourceTags", "Tags", "NextMarker", "Truncated", "Marker"),
    ("ssm:ListDocumentVersions", "DocumentVersions", "NextToken", "", "NextToken"),
];

/// Whether the request asks for what a made-up page leads to.
pub(super) fn has_token(body: &str) -> bool {
    body.contains(TOKEN)
}

/// The lists that stand in an answer of the XML protocols also where they are empty, by operation.
const EMPTY_LISTS: &[(&str, &str)] =
    &[("DescribeInstances", "<reservationSet/>"), ("ListAttachedRolePolicies", "<AttachedPolicies/>")];

/// The request without the made-up token: for the true first page.
pub(super) fn without_token(body: &str) -> String {
    let mut body = body.to_owned();
    for member in ["NextToken", "Marker"] {
        body = body.replace(&format!("&{member}={TOKEN}"), "");
    }
    for (.., member) in JSON {
        let pair = format!("\"{member}\":\"{TOKEN}\"");
        body = body.replace(&format!("{pair},"), "").replace(&format!(",{pair}"), "").replace(&pair, "");
    }
    body
}

/// A page with nothing but a token.
pub(super) fn empty(asked: &Asked) -> Option<Answer> {
    let (action, operation) = (asked.action(), &asked.operation);
    let list = EMPTY_LISTS.iter().find(|(of, _)| of == operation).map_or("", |(_, list)| list);
    let (content_type, body) = match asked.protocol {
        Protocol::Ec2Query => (
            "text/xml;charset=UTF-8",
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{operation}Response \
                 xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>made-up</requestId>{list}\
                 <nextToken>{TOKEN}</nextToken></{operation}Response>"
            ),
        ),
        Protocol::Query => (
            "text/xml",
            format!(
                "<{operation}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{operation}Result>{list}\
                 <IsTruncated>true</IsTruncated><Marker>{TOKEN}</Marker></{operation}Result>\
                 <ResponseMetadata><RequestId>made-up</RequestId></ResponseMetadata></{operation}Response>"
            ),
        ),
        Protocol::Json => {
            let (_, list, token, more, _) = JSON.iter().find(|(of, ..)| *of == action)?;
            let more = if more.is_empty() { String::new() } else { format!(",\"{more}\":true") };
            ("application/x-amz-json-1.1", format!("{{\"{list}\":[],\"{token}\":\"{TOKEN}\"{more}}}"))
        }
        Protocol::Cbor | Protocol::S3 => return None,
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Some(Answer { status: StatusCode::OK, headers, body: Bytes::from(body) })
}
