//! One region: what is asked first, and what follows from it.

use futures::join;

use super::collector::Reader;
use super::{ec2, iam, ssm};
use crate::model::Region;

/// Reads a region.
pub(super) async fn read(reader: &Reader<'_>, region: &Region) {
    ssm::preferences::begin(reader, region);
    join!(
        instances(reader, region),
        ssm::nodes::read(reader, region),
        ssm::host_management::read(reader, region),
        ssm::preferences::read(reader, region),
    );
}

/// The instances, and what they refer to.
async fn instances(reader: &Reader<'_>, region: &Region) {
    let found = ec2::instances::read(reader, region).await;
    join!(
        ec2::volumes::read(reader, region, &found.volumes),
        ec2::security_groups::read(reader, region, &found.security_groups),
        ec2::vpc_endpoints::read(reader, region, &found.vpcs),
        iam::profiles(reader, &found.instance_profiles),
    );
}
