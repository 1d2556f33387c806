//! `DescribeVpcEndpoints`, of the VPCs that have instances, and `DescribeNetworkInterfaces` for their addresses.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html>

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::State;
use futures::future::join_all;

use super::schema::VpcEndpoint;
use crate::collect::live::api_call::{ApiCall, filled};
use crate::collect::live::collector::Collector;
use crate::collect::live::ec2::{FILTER_VALUES, PAGE, filter, with_hidden};
use crate::model::call::{DESCRIBE_NETWORK_INTERFACES, DESCRIBE_VPC_ENDPOINTS};
use crate::model::schema::Node;
use crate::model::{Entry, Fact, Key, Region};

/// The services whose endpoints matter to sessions, by the last part of their names.
const SERVICES: &[&str] = &["ssm", "ssmmessages"];

/// Endpoints with the ids of their network interfaces.
type Interfaces = BTreeMap<Key, Vec<String>>;

/// Reads the interface endpoints of these VPCs that lead to Systems Manager.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region, vpcs: &BTreeSet<String>) {
    if !collector.wants(&DESCRIBE_VPC_ENDPOINTS) {
        return;
    }
    let vpcs: Vec<&String> = vpcs.iter().collect();
    let found = join_all(vpcs.chunks(FILTER_VALUES).map(|vpcs| portion(collector, region, vpcs))).await;
    let interfaces: Interfaces = found.into_iter().flatten().collect();
    if !collector.wants(&DESCRIBE_NETWORK_INTERFACES) {
        return;
    }
    addresses(collector, region, &interfaces).await;
}

async fn portion(collector: &Collector<'_>, region: &Region, vpcs: &[&String]) -> Interfaces {
    let inquiry = collector.inquire(&DESCRIBE_VPC_ENDPOINTS, Some(region));
    let client = collector.connection.ec2(region);
    let mut interfaces = Interfaces::new();
    let filters = [filter("vpc-id", vpcs.iter().copied()), filter("vpc-endpoint-type", ["Interface"])];
    let request = |token| {
        let request =
            client.describe_vpc_endpoints().set_filters(Some(filters.to_vec())).max_results(PAGE).set_next_token(token);
        inquiry.send(request.send())
    };
    let read = inquiry
        .pages(request, |page| {
            match page.vpc_endpoints {
                Some(endpoints) => {
                    for endpoint in endpoints {
                        take(inquiry, region, endpoint, &mut interfaces);
                    }
                }
                None => inquiry.unlisted(&inquiry.lacks("VpcEndpoints")),
            }
            page.next_token
        })
        .await;
    if let Err(gap) = read {
        inquiry.unlisted(&gap);
    }
    interfaces
}

fn take(inquiry: ApiCall<'_>, region: &Region, answer: aws_sdk_ec2::types::VpcEndpoint, interfaces: &mut Interfaces) {
    let (Some(id), Some(service)) = (filled(answer.vpc_endpoint_id), filled(answer.service_name)) else {
        inquiry.unlisted(&inquiry.lacks("VpcEndpointId or ServiceName"));
        return;
    };
    let service = service.rsplit('.').next().unwrap_or(&service);
    if !SERVICES.contains(&service) {
        return;
    }
    let groups =
        answer.groups.map(|groups| groups.into_iter().map(|group| filled(group.group_id)).collect::<Option<_>>());
    // The documentation writes the states in lower case, the service once wrote them in camel case.
    let state = answer.state.map(|state| state.as_str().to_ascii_lowercase());
    let states: Vec<String> = State::values().iter().map(|state| state.to_ascii_lowercase()).collect();
    let states: Vec<&str> = states.iter().map(String::as_str).collect();
    let mut endpoint = VpcEndpoint {
        vpc_id: inquiry.named("VpcId", answer.vpc_id),
        service: Fact::Known(service.to_owned()),
        state: inquiry.one_of("State", state, &states),
        private_dns_enabled: inquiry.required("PrivateDnsEnabled", answer.private_dns_enabled),
        security_group_ids: inquiry.required("Groups", groups.flatten()),
        private_ips: Fact::default(),
    };
    let key = Key::regional(region, id);
    match answer.network_interface_ids {
        Some(ids) => {
            interfaces.insert(key.clone(), ids);
        }
        None => endpoint.mark_unknown(&DESCRIBE_NETWORK_INTERFACES, &inquiry.lacks("NetworkInterfaceIds")),
    }
    inquiry.collector.put(key, Entry::existing(endpoint));
}

/// The addresses of an endpoint are known when those of all its interfaces are.
async fn addresses(collector: &Collector<'_>, region: &Region, interfaces: &Interfaces) {
    let inquiry = collector.inquire(&DESCRIBE_NETWORK_INTERFACES, Some(region));
    let ids: Vec<&String> = interfaces.values().flatten().collect();
    let read = join_all(ids.chunks(FILTER_VALUES).map(|ids| network_interfaces(inquiry, region, ids))).await;
    let mut known: BTreeMap<String, Fact<Vec<String>>> = BTreeMap::new();
    for portion in read {
        known.extend(portion);
    }
    for (key, ids) in interfaces {
        let mut addresses = Fact::Known(Vec::new());
        for id in ids {
            match (known.get(id), &mut addresses) {
                (Some(Fact::Known(found)), Fact::Known(addresses)) => addresses.extend(found.iter().cloned()),
                (Some(Fact::Unknown(gap)), _) => addresses = Fact::Unknown(gap.clone()),
                (None, _) => addresses = Fact::Unknown(inquiry.lacks(id)),
                (Some(Fact::Known(_)), Fact::Unknown(_)) => {}
            }
        }
        collector.record(|inventory| {
            if let Some(entry) = inventory.vpc_endpoints.get_mut(key) {
                entry.attributes.private_ips = addresses;
            }
        });
    }
}

async fn network_interfaces(
    inquiry: ApiCall<'_>,
    region: &Region,
    ids: &[&String],
) -> BTreeMap<String, Fact<Vec<String>>> {
    let client = inquiry.collector.connection.ec2(region);
    let mut known = BTreeMap::new();
    let wanted = filter("network-interface-id", ids.iter().copied());
    let (client, wanted) = (&client, &wanted);
    let request = |token: Option<String>| {
        with_hidden(inquiry, move |hidden| {
            let request = client.describe_network_interfaces().set_include_managed_resources(hidden);
            request.filters(wanted.clone()).max_results(PAGE).set_next_token(token.clone()).send()
        })
    };
    let read = inquiry
        .pages(request, |page| {
            for interface in page.network_interfaces.unwrap_or_default() {
                let addresses = interface.private_ip_addresses.and_then(|addresses| {
                    addresses.into_iter().map(|address| filled(address.private_ip_address)).collect()
                });
                if let Some(id) = interface.network_interface_id {
                    known.insert(id, inquiry.required("PrivateIpAddresses", addresses));
                }
            }
            page.next_token
        })
        .await;
    if let Err(gap) = read {
        for id in ids {
            known.entry((*id).clone()).or_insert_with(|| Fact::Unknown(gap.clone()));
        }
    }
    known
}
