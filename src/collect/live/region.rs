//! Order of the calls in one region: the first calls, and the calls for resources that those refer to.

use futures::join;

use super::collector::Collector;
use crate::model::Region;
use crate::resource::session_preferences::{self, collect_host_management};
use crate::resource::{instance, instance_profile, managed_instance, security_group, volume, vpc_endpoint};

/// Reads a region.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region) {
    session_preferences::collect::begin(collector, region);
    join!(
        instances(collector, region),
        managed_instance::collect::read(collector, region),
        collect_host_management::read(collector, region),
        session_preferences::collect::read(collector, region),
    );
}

/// Reads the instances and the resources that they refer to.
async fn instances(collector: &Collector<'_>, region: &Region) {
    let found = instance::collect::read(collector, region).await;
    join!(
        volume::collect::read(collector, region, &found.volumes),
        security_group::collect::read(collector, region, &found.security_groups),
        vpc_endpoint::collect::read(collector, region, &found.vpcs),
        instance_profile::collect::profiles(collector, &found.instance_profiles),
    );
}
