//! One region: what is asked first, and what follows from it.

use futures::join;

use super::collector::Reader;
use crate::model::Region;
use crate::resource::session_preferences::{self, collect_host_management};
use crate::resource::{instance, instance_profile, managed_instance, security_group, volume, vpc_endpoint};

/// Reads a region.
pub(crate) async fn read(reader: &Reader<'_>, region: &Region) {
    session_preferences::collect::begin(reader, region);
    join!(
        instances(reader, region),
        managed_instance::collect::read(reader, region),
        collect_host_management::read(reader, region),
        session_preferences::collect::read(reader, region),
    );
}

/// The instances, and what they refer to.
async fn instances(reader: &Reader<'_>, region: &Region) {
    let found = instance::collect::read(reader, region).await;
    join!(
        volume::collect::read(reader, region, &found.volumes),
        security_group::collect::read(reader, region, &found.security_groups),
        vpc_endpoint::collect::read(reader, region, &found.vpcs),
        instance_profile::collect::profiles(reader, &found.instance_profiles),
    );
}
