//! Nearest names: the region or endpoint that was probably meant, for messages. A region that is not in the list is used
//! all the same, since AWS opens new ones.

use crate::yaml::nearest;

/// Regions of all partitions that AWS has announced.
/// <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>
pub(crate) const REGIONS: &[&str] = &[
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-east-1",
    "us-gov-west-1",
];

/// Returns the region whose name is nearest; none for the name of a region, and where none is near.
pub(crate) fn region(name: &str) -> Option<&'static str> {
    if REGIONS.contains(&name) { None } else { nearest(name, REGIONS.iter().copied()) }
}

/// Returns `; did you mean …?`, or nothing.
pub(crate) fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Returns the endpoint that was probably meant: with a scheme, `localhost`, or a region of AWS.
pub(crate) fn endpoint(url: &str) -> Option<String> {
    let Some((scheme, rest)) = url.split_once("://") else { return Some(format!("http://{url}")) };
    let (host, tail) = rest.split_at(rest.find([':', '/']).unwrap_or(rest.len()));
    let with = |scheme: &str, host: &str| Some(format!("{scheme}://{host}{tail}"));
    if !["http", "https"].contains(&scheme) {
        return nearest(scheme, ["https", "http"]).and_then(|scheme| with(scheme, host));
    }
    if host.ends_with(".amazonaws.com") {
        let wrong =
            host.split('.').find_map(|label| Some((label, region(label).filter(|_| label.matches('-').count() > 1)?)));
        return wrong.and_then(|(label, region)| with(scheme, &host.replacen(label, region, 1)));
    }
    let near = nearest(host, ["localhost", "127.0.0.1"]).filter(|near| *near != host && host.len() + 2 > near.len());
    near.and_then(|host| with(scheme, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_region_is_recognised_and_a_new_one_is_not_corrected_to_itself() {
        assert_eq!(region("us-est-1"), Some("us-east-1"));
        assert_eq!(region("eu-wset-1"), Some("eu-west-1"));
        assert_eq!(region("useast1"), Some("us-east-1"));
        assert_eq!(region("eu-west-1"), None);
        assert_eq!(region("everywhere-at-once"), None);
    }

    #[test]
    fn a_mistyped_endpoint_is_recognised() {
        assert_eq!(endpoint("http://locahost:4566").as_deref(), Some("http://localhost:4566"));
        assert_eq!(endpoint("localhost:4566").as_deref(), Some("http://localhost:4566"));
        assert_eq!(endpoint("htps://10.0.0.1").as_deref(), Some("https://10.0.0.1"));
        assert_eq!(
            endpoint("https://sts.us-est-1.amazonaws.com").as_deref(),
            Some("https://sts.us-east-1.amazonaws.com")
        );
        assert_eq!(endpoint("http://127.0.0.1:9"), None);
        assert_eq!(endpoint("https://vpce.example.com"), None);
    }
}
