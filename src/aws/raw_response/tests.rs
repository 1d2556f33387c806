//! What is made of answers, next to what the SDK makes of them.

use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::operation::describe_instances::DescribeInstancesError;
use aws_sdk_ec2::types::{Instance, Volume};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::*;
use crate::aws::xml::Node;

/// A server that gives these answers in turn, the last one for ever.
#[derive(Clone, Debug)]
struct Server {
    answers: Vec<(u16, &'static str)>,
    asked: Arc<Mutex<usize>>,
}

impl HttpConnector for Server {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        let mut asked = self.asked.lock().unwrap();
        let (status, body) = self.answers[(*asked).min(self.answers.len() - 1)];
        *asked += 1;
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))))
    }
}

impl Server {
    fn of(answers: &[(u16, &'static str)]) -> Self {
        Self { answers: answers.to_vec(), asked: Arc::default() }
    }

    fn client(&self) -> aws_sdk_ec2::Client {
        let connector = SharedHttpConnector::new(self.clone());
        let retries = aws_smithy_types::retry::RetryConfig::standard().with_max_attempts(2);
        let configuration = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("a", "b", None, None, "test"))
            .retry_config(retries.with_initial_backoff(std::time::Duration::from_millis(1)))
            .http_client(http_client_fn(move |_, _| connector.clone()));
        aws_sdk_ec2::Client::from_conf(configuration.build())
    }

    /// What is made of the answers, and how often the server is asked for one.
    fn document(&self) -> (Result<Document, SdkError<DescribeInstancesError, HttpResponse>>, usize) {
        let request = self.client().describe_instances();
        let document = wait(document(|taken| request.customize().interceptor(taken).send()));
        (document, *self.asked.lock().unwrap())
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

const GOOD: &str =
    "<DescribeInstancesResponse><reservationSet/><nextToken>&amp;1</nextToken></DescribeInstancesResponse>";

const DENIED: &str = "<Response><Errors><Error><Code>UnauthorizedOperation</Code></Error></Errors></Response>";
const BUSY: &str = "<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";

#[test]
fn a_broken_answer_is_asked_for_again_and_errors_are_the_sdks() {
    let (document, asked) = Server::of(&[(200, &GOOD[..50]), (200, GOOD)]).document();
    assert_eq!((document.unwrap().root().text("nextToken").as_deref(), asked), (Some("&1"), 2));

    let (document, asked) = Server::of(&[(403, DENIED)]).document();
    let error = document.unwrap_err();
    assert_eq!((error.as_service_error().unwrap().code(), asked), (Some("UnauthorizedOperation"), 1));

    let (document, asked) = Server::of(&[(503, BUSY), (200, GOOD)]).document();
    assert_eq!((document.is_ok(), asked), (true, 2));
}

/// The SDK refuses it, too.
#[test]
fn a_token_that_is_no_text_does_not_make_a_page_the_last() {
    const BROKEN: &str = "<DescribeInstancesResponse><nextToken><x/></nextToken></DescribeInstancesResponse>";
    let server = Server::of(&[(200, BROKEN)]);
    assert!(server.document().0.is_err());
    assert!(wait(server.client().describe_instances().send()).is_err());
}

#[test]
fn what_is_no_such_answer_is_an_error() {
    for body in ["", "{}", &GOOD[..50], DESCRIBE_VOLUMES, "<html><p>Log in</p></html>", "<html><p>Log in</html>"] {
        assert!(Server::of(&[(200, body)]).document().0.is_err(), "{body}");
    }
}

const DESCRIBE_INSTANCES: &str = include_str!("instances.xml");

const DESCRIBE_VOLUMES: &str = "<DescribeVolumesResponse><volumeSet>\
    <item><volumeId>vol-1</volumeId><encrypted>true</encrypted><kmsKeyId>arn:aws:kms:k</kmsKeyId></item>\
    <item><volumeId>vol-2</volumeId><encrypted>false</encrypted></item><item/>\
    </volumeSet><nextToken>t</nextToken></DescribeVolumesResponse>";

/// The members of an instance that are read, as the answer has them.
fn instance(node: Node<'_>) -> Vec<(&'static str, Option<String>)> {
    let inside = |name, member| node.child(name).and_then(|child| child.text(member));
    let list = |of: Node<'_>, name, member| {
        of.items(name).map(|items| format!("{:?}", items.map(|item| item.text(member)).collect::<Vec<_>>()))
    };
    let interfaces = node.items("networkInterfaceSet").map(|interfaces| {
        let each = interfaces.map(|interface| {
            (
                (interface.text("networkInterfaceId"), interface.text("privateIpAddress")),
                list(interface, "groupSet", "groupId"),
                list(interface, "privateIpAddressesSet", "privateIpAddress"),
                list(interface, "ipv6AddressesSet", "ipv6Address"),
            )
        });
        format!("{:?}", each.collect::<Vec<_>>())
    });
    let volumes = node.items("blockDeviceMapping").map(|mappings| {
        let volume = |mapping: Node<'_>| mapping.child("ebs").and_then(|ebs| ebs.text("volumeId"));
        format!("{:?}", mappings.map(volume).collect::<Vec<_>>())
    });
    vec![
        ("id", node.text("instanceId")),
        ("state", inside("instanceState", "name")),
        ("launch time", node.text("launchTime")),
        ("monitoring", inside("monitoring", "state")),
        ("vpc", node.text("vpcId")),
        ("groups", list(node, "groupSet", "groupId")),
        ("root type", node.text("rootDeviceType")),
        ("root name", node.text("rootDeviceName")),
        ("devices", list(node, "blockDeviceMapping", "deviceName")),
        ("volumes", volumes),
        ("tag keys", list(node, "tagSet", "key")),
        ("tag values", list(node, "tagSet", "value")),
        ("interfaces", interfaces),
        ("profile", inside("iamInstanceProfile", "arn")),
        ("managed", inside("operator", "managed")),
        ("operator", inside("operator", "principal")),
        ("metadata", node.child("metadataOptions").map(|_| String::new())),
        ("tokens", inside("metadataOptions", "httpTokens")),
        ("hop limit", inside("metadataOptions", "httpPutResponseHopLimit")),
        ("endpoint", inside("metadataOptions", "httpEndpoint")),
        ("tags in metadata", inside("metadataOptions", "instanceMetadataTags")),
    ]
}

/// The same members, as the SDK has them.
fn instance_of_the_sdk(instance: &Instance) -> Vec<(&'static str, Option<String>)> {
    fn list<T, M: std::fmt::Debug>(items: Option<&Vec<T>>, member: impl Fn(&T) -> M) -> Option<String> {
        items.map(|items| format!("{:?}", items.iter().map(member).collect::<Vec<_>>()))
    }
    let time = |time: &aws_smithy_types::DateTime| time.fmt(aws_smithy_types::date_time::Format::DateTime).unwrap();
    let options = instance.metadata_options.as_ref();
    let interfaces = list(instance.network_interfaces.as_ref(), |interface| {
        (
            (interface.network_interface_id.clone(), interface.private_ip_address.clone()),
            list(interface.groups.as_ref(), |group| group.group_id.clone()),
            list(interface.private_ip_addresses.as_ref(), |address| address.private_ip_address.clone()),
            list(interface.ipv6_addresses.as_ref(), |address| address.ipv6_address.clone()),
        )
    });
    let mappings = instance.block_device_mappings.as_ref();
    let text = |text: &str| text.to_owned();
    vec![
        ("id", instance.instance_id.clone()),
        ("state", instance.state.as_ref().and_then(|state| state.name()).map(|name| text(name.as_str()))),
        ("launch time", instance.launch_time.as_ref().map(|at| time(at).replace('Z', ".000Z"))),
        ("monitoring", instance.monitoring.as_ref().and_then(|it| it.state()).map(|state| text(state.as_str()))),
        ("vpc", instance.vpc_id.clone()),
        ("groups", list(instance.security_groups.as_ref(), |group| group.group_id.clone())),
        ("root type", instance.root_device_type.as_ref().map(|kind| text(kind.as_str()))),
        ("root name", instance.root_device_name.clone()),
        ("devices", list(mappings, |mapping| mapping.device_name.clone())),
        ("volumes", list(mappings, |mapping| mapping.ebs().and_then(|ebs| ebs.volume_id.clone()))),
        ("tag keys", list(instance.tags.as_ref(), |tag| tag.key.clone())),
        ("tag values", list(instance.tags.as_ref(), |tag| tag.value.clone())),
        ("interfaces", interfaces),
        ("profile", instance.iam_instance_profile.as_ref().and_then(|profile| profile.arn.clone())),
        ("managed", instance.operator.as_ref().and_then(|by| by.managed).map(|managed| managed.to_string())),
        ("operator", instance.operator.as_ref().and_then(|by| by.principal.clone())),
        ("metadata", options.map(|_| String::new())),
        ("tokens", options.and_then(|options| options.http_tokens()).map(|value| text(value.as_str()))),
        ("hop limit", options.and_then(|options| options.http_put_response_hop_limit).map(|it| it.to_string())),
        ("endpoint", options.and_then(|options| options.http_endpoint()).map(|value| text(value.as_str()))),
        (
            "tags in metadata",
            options.and_then(|options| options.instance_metadata_tags()).map(|value| text(value.as_str())),
        ),
    ]
}

#[test]
fn instances_are_read_as_the_sdk_reads_them() {
    let server = Server::of(&[(200, DESCRIBE_INSTANCES)]);
    let ours = server.document().0.unwrap();
    let theirs = wait(server.client().describe_instances().send()).unwrap();
    assert_eq!(ours.root().text("nextToken"), theirs.next_token);
    let ours = ours.root().items("reservationSet").unwrap().map(|reservation| {
        reservation.items("instancesSet").map(|instances| instances.map(instance).collect::<Vec<_>>())
    });
    let theirs = theirs.reservations.unwrap().into_iter().map(|reservation| {
        reservation.instances.map(|instances| instances.iter().map(instance_of_the_sdk).collect::<Vec<_>>())
    });
    assert_eq!(ours.collect::<Vec<_>>(), theirs.collect::<Vec<_>>());
}

#[test]
fn volumes_are_read_as_the_sdk_reads_them() {
    let server = Server::of(&[(200, DESCRIBE_VOLUMES)]);
    let request = server.client().describe_volumes();
    let ours = wait(document(|taken| request.customize().interceptor(taken).send())).unwrap();
    let theirs = wait(server.client().describe_volumes().send()).unwrap();
    assert_eq!(ours.root().text("nextToken"), theirs.next_token);
    let read = |volume: Node<'_>| (volume.text("volumeId"), volume.text("encrypted"), volume.text("kmsKeyId"));
    let of_the_sdk =
        |volume: Volume| (volume.volume_id, volume.encrypted.map(|encrypted| encrypted.to_string()), volume.kms_key_id);
    let ours: Vec<_> = ours.root().items("volumeSet").unwrap().map(read).collect();
    assert_eq!(ours, theirs.volumes.unwrap().into_iter().map(of_the_sdk).collect::<Vec<_>>());
}
