//! KMS: the keys that something refers to, by id, ARN or alias. Each is read once.
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html>

use aws_sdk_kms::types::{
    KeyManagerType, KeyMetadata, KeySpec, KeyState, KeyUsageType, MultiRegionKeyType, OriginType,
};
use futures::join;

use super::schema::KmsKey;
use crate::aws::connection::Connection;
use crate::aws::response_integrity::Requires;
use crate::collect::live::api_call::filled;
use crate::collect::live::collector::Collector;
use crate::model::arn::Arn;
use crate::model::call::{Call, DESCRIBE_KEY, GET_KEY_POLICY, GET_KEY_ROTATION_STATUS};
use crate::model::schema::Node;
use crate::model::{Entry, Fact, Key, Region};

/// The code by which KMS says that a key or an alias does not exist.
const ABSENT: &[&str] = &["InvalidArnException", "NotFoundException"];

/// What refers to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Sessions or their logs: the key is judged.
    Sessions,
    /// The root volume of an instance: the key is read, for the roles that use it, and not judged.
    RootVolume,
    /// A bucket of another account: the key is read, for the roles that write to the bucket, and not judged.
    ForeignBucket,
}

/// A key as a text names it: in which region, and how KMS is to be asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reference {
    region: Region,
    /// What KMS is asked for: an ARN where the key is another account's.
    ask: String,
    /// The key's id, or the alias.
    id: String,
}

/// What `DescribeKey` says for the calls that follow.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    key: Key,
    /// How KMS is asked for its policy; none where only an alias is known, which is not taken.
    ask: Option<String>,
    rotation: Rotation,
}

/// Where a key's rotation can be asked.
#[derive(Debug, Clone)]
enum Rotation {
    Ask {
        region: Region,
        ask: String,
    },
    Never,
    Unknown(std::sync::Arc<crate::model::Gap>),
    /// Nothing more is known of the key, or the key does not exist.
    Nothing,
}

impl Reference {
    fn parse(connection: &Connection, region: &Region, text: &str) -> Self {
        let Some(arn) = Arn::parse(text) else {
            return Self { region: region.clone(), ask: text.to_owned(), id: text.to_owned() };
        };
        let id = arn.resource.strip_prefix("key/").unwrap_or(arn.resource).to_owned();
        let region = arn.region.parse().unwrap_or_else(|_| region.clone());
        let own = arn.account == connection.account().as_str() && arn.partition == connection.partition().as_str();
        Self { region, ask: if own { id.clone() } else { text.to_owned() }, id }
    }

    fn is_alias(&self) -> bool {
        self.id.starts_with("alias/")
    }
}

/// Reads the key that this text names in this region, and gives the key of its entry.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region, text: &str, used: Use) -> Key {
    read_by(collector, collector.connection, region, text, used).await
}

/// Reads the key that this text names in this region of the connection's account.
pub(crate) async fn read_by(
    collector: &Collector<'_>,
    connection: &Connection,
    region: &Region,
    text: &str,
    used: Use,
) -> Key {
    let mut reference = Reference::parse(connection, region, text);
    if connection.account() != collector.connection.account() && reference.ask == reference.id {
        // The same id or alias may be another key in the account that is read.
        let of = if reference.is_alias() { "" } else { "key/" };
        let (partition, account) = (connection.partition(), connection.account());
        reference.ask = format!("arn:{partition}:kms:{}:{account}:{of}{}", reference.region, reference.id);
    }
    let once = (reference.region.clone(), reference.ask.clone());
    let described = collector.described_keys.get(once, describe(collector, connection, reference)).await;
    let key = described.key.clone();
    if used == Use::Sessions {
        change(collector, &key, |entry| entry.in_scope = true);
    }
    let policy = async {
        if let Some(ask) = described.ask.clone() {
            collector.key_policies.get(key.clone(), policy(collector, connection, &key, ask)).await;
        }
    };
    let rotation = async {
        if used == Use::Sessions {
            collector.key_rotations.get(key.clone(), rotation(collector, &key, described.rotation.clone())).await;
        }
    };
    join!(policy, rotation);
    key
}

fn change(collector: &Collector<'_>, key: &Key, change: impl FnOnce(&mut Entry<KmsKey>)) {
    collector.record(|inventory| {
        change(inventory.keys.entry(key.clone()).or_insert_with(|| Entry {
            exists: Fact::default(),
            in_scope: false,
            attributes: KmsKey::default(),
        }));
    });
}

async fn describe(collector: &Collector<'_>, connection: &Connection, reference: Reference) -> Described {
    let known = |reference: &Reference, rotation: Rotation| Described {
        key: Key::regional(&reference.region, reference.id.as_str()),
        ask: (!reference.is_alias()).then(|| reference.ask.clone()),
        rotation,
    };
    let ask_for_rotation =
        |reference: &Reference| Rotation::Ask { region: reference.region.clone(), ask: reference.ask.clone() };
    if !collector.wants(&DESCRIBE_KEY) {
        let rotation = if reference.is_alias() { Rotation::Nothing } else { ask_for_rotation(&reference) };
        let described = known(&reference, rotation);
        change(collector, &described.key, |_| {});
        return described;
    }
    let inquiry = collector.inquire(&DESCRIBE_KEY, Some(&reference.region));
    let request = connection.kms(&reference.region).describe_key().key_id(&reference.ask);
    let metadata = match inquiry.send_unless(ABSENT, request.send()).await {
        Ok(Some(answer)) => {
            let metadata = answer.key_metadata.ok_or_else(|| inquiry.lacks("KeyMetadata"));
            // Without its id, what is said of it would be said of another key, which nothing refers to.
            metadata.and_then(
                |metadata| if metadata.key_id.is_empty() { Err(inquiry.lacks("KeyId")) } else { Ok(metadata) },
            )
        }
        Ok(None) => {
            let described = Described { ask: None, ..known(&reference, Rotation::Nothing) };
            change(collector, &described.key, |entry| *entry = Entry { in_scope: entry.in_scope, ..Entry::missing() });
            return described;
        }
        Err(gap) => Err(gap),
    };
    match metadata {
        Ok(metadata) => take(collector, &reference, metadata),
        Err(gap) => {
            // What does not need the description is asked for nevertheless. A multi-Region key may be a
            // replica, whose rotation its primary has: which one that is, is not known.
            let multi_region = reference.id.starts_with("mrk-");
            let rotation = if multi_region || reference.is_alias() {
                Rotation::Unknown(gap.clone())
            } else {
                ask_for_rotation(&reference)
            };
            let described = known(&reference, rotation);
            change(collector, &described.key, |entry| {
                entry.exists = Fact::Unknown(gap.clone());
                entry.attributes.mark_unknown(&DESCRIBE_KEY, &gap);
                if described.ask.is_none() {
                    entry.attributes.mark_unknown(&GET_KEY_POLICY, &gap);
                }
            });
            described
        }
    }
}

fn take(collector: &Collector<'_>, reference: &Reference, metadata: KeyMetadata) -> Described {
    let inquiry = collector.inquire(&DESCRIBE_KEY, Some(&reference.region));
    let key = Key::regional(&reference.region, metadata.key_id.as_str());
    // By ARN, the key is found in whichever account it is.
    let arn = filled(metadata.arn.clone());
    let ask = arn.clone().unwrap_or_else(|| metadata.key_id.clone());
    let rotation = rotation_of(collector, &reference.region, &ask, &metadata);
    // A key for symmetric encryption has no other use, and the member may be left out of it.
    let symmetric = metadata.key_spec == Some(KeySpec::SymmetricDefault);
    let key_usage = metadata.key_usage.as_ref().map(|value| value.as_str().to_owned());
    let key_usage = key_usage.filter(|usage| !usage.is_empty());
    let key_usage = key_usage.or_else(|| symmetric.then(|| "ENCRYPT_DECRYPT".to_owned()));
    let description = KmsKey {
        arn: inquiry.required("Arn", arn),
        key_id: Fact::Known(metadata.key_id),
        region: Fact::Known(reference.region.to_string()),
        key_manager: inquiry.one_of("KeyManager", metadata.key_manager, KeyManagerType::values()),
        key_spec: inquiry.one_of("KeySpec", metadata.key_spec, KeySpec::values()),
        key_usage: inquiry.one_of("KeyUsage", key_usage, KeyUsageType::values()),
        origin: inquiry.one_of("Origin", metadata.origin, OriginType::values()),
        key_state: inquiry.one_of("KeyState", metadata.key_state, KeyState::values()),
        ..KmsKey::default()
    };
    change(collector, &key, |entry| {
        // Another reference to the same key may have been followed already.
        let KmsKey { enable_key_rotation, policy, .. } = std::mem::take(&mut entry.attributes);
        entry.exists = Fact::Known(true);
        entry.attributes = KmsKey { enable_key_rotation, policy, ..description };
    });
    Described { key, ask: Some(ask), rotation }
}

/// Only symmetric keys with material from KMS rotate by themselves, and a replica as its primary does.
/// <https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html>
fn rotation_of(collector: &Collector<'_>, region: &Region, ask: &str, metadata: &KeyMetadata) -> Rotation {
    // A kind of key that is not known is asked about, as is one that is not told.
    let rotates = metadata
        .key_spec
        .as_ref()
        .is_none_or(|spec| is_new(spec.as_str(), KeySpec::values()) || *spec == KeySpec::SymmetricDefault)
        && metadata
            .origin
            .as_ref()
            .is_none_or(|origin| is_new(origin.as_str(), OriginType::values()) || *origin == OriginType::AwsKms);
    if !rotates {
        return Rotation::Never;
    }
    let Some(configuration) = &metadata.multi_region_configuration else {
        return Rotation::Ask { region: region.clone(), ask: ask.to_owned() };
    };
    match &configuration.multi_region_key_type {
        Some(MultiRegionKeyType::Primary) => return Rotation::Ask { region: region.clone(), ask: ask.to_owned() },
        Some(MultiRegionKeyType::Replica) => {}
        _ => return Rotation::Unknown(collector.inquire(&DESCRIBE_KEY, Some(region)).lacks("MultiRegionKeyType")),
    }
    let primary = configuration.primary_key.as_ref();
    let region_of = primary.and_then(|primary| primary.region.as_deref()).and_then(|name| name.parse().ok());
    match (region_of, primary.and_then(|primary| filled(primary.arn.clone()))) {
        (Some(region), Some(ask)) => Rotation::Ask { region, ask },
        _ => Rotation::Unknown(collector.inquire(&DESCRIBE_KEY, Some(region)).lacks("PrimaryKey")),
    }
}

/// Whether AWS has added this value of an enumeration since.
fn is_new(value: &str, values: &[&str]) -> bool {
    !values.contains(&value)
}

async fn policy(collector: &Collector<'_>, connection: &Connection, key: &Key, ask: String) {
    let (Some(region), true) = (&key.region, collector.wants(&GET_KEY_POLICY)) else { return };
    let inquiry = collector.inquire(&GET_KEY_POLICY, Some(region));
    let request = connection.kms(region).get_key_policy().key_id(ask).policy_name("default");
    let policy = match inquiry.send(request.send()).await {
        Ok(answer) => match answer.policy {
            Some(text) => inquiry.policy_json(&text),
            None => Fact::Unknown(inquiry.lacks("Policy")),
        },
        Err(gap) => Fact::Unknown(gap),
    };
    change(collector, key, |entry| entry.attributes.policy = policy);
}

/// The code by which KMS says that a key of this kind does not rotate.
const UNSUPPORTED: &[&str] = &["UnsupportedOperationException"];

async fn rotation(collector: &Collector<'_>, key: &Key, rotation: Rotation) {
    static CALL: &Call = &GET_KEY_ROTATION_STATUS;
    if !collector.wants(CALL) {
        return;
    }
    let enabled = match rotation {
        Rotation::Nothing => return,
        Rotation::Never => Fact::Known(false),
        Rotation::Unknown(gap) => Fact::Unknown(gap),
        Rotation::Ask { region, ask } => {
            let inquiry = collector.inquire(CALL, Some(&region));
            let request = collector.connection.kms(&region).get_key_rotation_status().key_id(ask);
            let request = request.customize().interceptor(Requires("\"KeyRotationEnabled\""));
            match inquiry.send_unless(UNSUPPORTED, request.send()).await {
                Ok(answer) => Fact::Known(answer.is_some_and(|answer| answer.key_rotation_enabled)),
                Err(gap) => Fact::Unknown(gap),
            }
        }
    };
    change(collector, key, |entry| entry.attributes.enable_key_rotation = enabled);
}
