//! Location of a result: the resource as a logical location, and a file, since GitHub accepts no result without one.
//! For code it is the file; for a live account a name made of account, region, type and id that stays the same as long
//! as the resource does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_sarif::sarif::{ArtifactLocation, Location, LogicalLocation, PhysicalLocation, Region};
use sha2::{Digest, Sha256};

use crate::model::finding::Location as Place;
use crate::model::{Finding, ResourceRef, Scope};
use crate::report::phrasing;

/// Returns the location of a finding.
pub(super) fn of(finding: &Finding) -> Location {
    let physical = match &finding.location {
        Some(place) => in_file(place),
        None => physical(&artifact(&finding.resource), Region::builder().start_line(1).build()),
    };
    Location::builder().physical_location(physical).logical_locations(vec![logical(&finding.resource)]).build()
}

/// Returns another place in code.
pub(super) fn related(place: &Place, id: i64) -> Location {
    Location::builder().id(id).physical_location(in_file(place)).build()
}

fn in_file(place: &Place) -> PhysicalLocation {
    let region = Region::builder()
        .start_line(i64::from(place.line))
        .start_column(i64::from(place.column))
        .end_line(i64::from(place.end_line.max(place.line)))
        .build();
    PhysicalLocation::builder().artifact_location(file(&place.file)).region(region).build()
}

/// Returns a file of code.
pub(super) fn file(path: &str) -> ArtifactLocation {
    let uri = path.split('/').map(encode).collect::<Vec<_>>().join("/");
    ArtifactLocation::builder().uri(uri).build()
}

fn physical(uri: &str, region: Region) -> PhysicalLocation {
    PhysicalLocation::builder().artifact_location(ArtifactLocation::builder().uri(uri).build()).region(region).build()
}

/// `aws/123456789012/us-east-1/AWS-EC2-Instance/i-0abc`
fn artifact(resource: &ResourceRef) -> String {
    let account = resource.account.as_ref().map_or("account", |account| account.as_str());
    let region = resource.region.as_ref().map_or("global", |region| region.as_str());
    let resource_type = resource.resource_type.as_str().replace("::", "-");
    let id = resource.address.as_deref().unwrap_or(&resource.id);
    let parts = ["aws", account, region, &resource_type, id];
    parts.map(encode).join("/")
}

fn logical(resource: &ResourceRef) -> LogicalLocation {
    let id = resource.address.as_deref().unwrap_or(&resource.id);
    let full = match &resource.arn {
        Some(arn) => arn.clone(),
        None => format!("{}/{id}", resource.resource_type),
    };
    LogicalLocation::builder()
        .name(resource.name.as_deref().unwrap_or(id))
        .fully_qualified_name(full)
        .kind("resource")
        .build()
}

/// Returns a segment of a URI, with all but unreserved characters percent-encoded.
fn encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Returns the accounts that a scan covers, as a name: `123456789012/us-east-1`, or with a digest if there are more.
/// None for code.
pub(super) fn subject(scopes: &[Scope]) -> Option<String> {
    let accounts: BTreeSet<&str> = scopes.iter().filter_map(|scope| Some(scope.account.as_ref()?.as_str())).collect();
    let regions: BTreeSet<&str> = scopes.iter().filter_map(|scope| Some(scope.region.as_ref()?.as_str())).collect();
    let first = accounts.first()?;
    let all: BTreeSet<String> = scopes.iter().map(phrasing::scope).collect();
    let digest = || {
        let hash = Sha256::digest(all.iter().cloned().collect::<Vec<_>>().join("\n"));
        hash.iter().take(6).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    };
    let account = if accounts.len() == 1 { first } else { "fleet" };
    let region = match regions.first() {
        Some(region) if accounts.len() == 1 && regions.len() == 1 => (*region).to_owned(),
        _ => digest(),
    };
    Some(format!("{account}/{region}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ResourceType, Severity, Verdict};
    use crate::report::example;

    #[test]
    fn every_resource_has_a_file_name_that_is_a_relative_uri() {
        let mut finding = example::finding("r", Severity::Low, Verdict::Fail, "/ssm/größe x?#%:*");
        finding.resource.resource_type = ResourceType::LogGroup;
        assert_eq!(
            artifact(&finding.resource),
            "aws/123456789012/us-east-1/AWS-Logs-LogGroup/%2Fssm%2Fgr%C3%B6%C3%9Fe%20x%3F%23%25%3A%2A"
        );
        finding.resource.account = None;
        finding.resource.region = None;
        assert!(artifact(&finding.resource).starts_with("aws/account/global/"));
    }

    #[test]
    fn a_scan_of_the_same_scopes_has_the_same_subject_and_others_have_not() {
        assert_eq!(subject(&example::calm().scopes).as_deref(), Some("123456789012/us-east-1"));
        let mut scopes = example::report().scopes;
        let fleet = subject(&scopes);
        assert!(fleet.as_ref().is_some_and(|name| name.starts_with("fleet/")));
        scopes.reverse();
        assert_eq!(subject(&scopes), fleet);
        scopes.pop();
        assert_ne!(subject(&scopes), fleet);
        assert_eq!(subject(&[]), None);
    }
}
