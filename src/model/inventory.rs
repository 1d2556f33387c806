//! Everything that was read about one subject: flat tables of resources by type and key, what could
//! not be listed, and the coverage. It serialises, and is the snapshot format.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::fact::Fact;
use super::gap::Gap;
use super::ids::{AccountId, Key, Partition, Region};
use super::schema::{Node, Structure};
use crate::resource::bucket::schema::Bucket;
use crate::resource::instance::schema::Instance;
use crate::resource::instance_profile::schema::InstanceProfile;
use crate::resource::key::schema::KmsKey;
use crate::resource::log_group::schema::LogGroup;
use crate::resource::managed_instance::schema::ManagedInstance;
use crate::resource::managed_policy::schema::ManagedPolicy;
use crate::resource::prefix_list::schema::PrefixList;
use crate::resource::role::schema::Role;
use crate::resource::security_group::schema::SecurityGroup;
use crate::resource::session_preferences::schema::SessionPreferences;
use crate::resource::volume::schema::Volume;
use crate::resource::vpc_endpoint::schema::VpcEndpoint;

/// The resources of one type.
pub type Table<T> = BTreeMap<Key, Entry<T>>;

/// A resource in a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry<T> {
    /// Whether it exists. What is only referred to may not, or may not be visible.
    #[serde(default, skip_serializing_if = "Fact::is_not_collected")]
    pub exists: Fact<bool>,
    /// Whether rules judge it. What is there only because another resource refers to it is not.
    pub in_scope: bool,
    /// Its attributes.
    pub attributes: T,
}

impl<T> Entry<T> {
    /// A resource that exists, and that rules judge.
    pub fn existing(attributes: T) -> Self {
        Self { exists: Fact::Known(true), in_scope: true, attributes }
    }
}

impl<T: Resource> Entry<T> {
    /// A resource of which nothing is known but its key, because this call failed.
    pub fn unread(gap: &Arc<Gap>) -> Self {
        let mut attributes = T::default();
        for call in super::call::ALL {
            attributes.mark_unknown(call, gap);
        }
        Self { exists: Fact::Unknown(Arc::clone(gap)), in_scope: true, attributes }
    }

    /// Something that is referred to and does not exist.
    pub fn missing() -> Self {
        Self { exists: Fact::Known(false), in_scope: true, attributes: T::default() }
    }
}

/// Properties of a resource type besides its attributes. The folder of a type states all of them.
pub trait Described {
    /// The call that tells that a resource of the type exists. The calls that lead to it are its prerequisites.
    const FOUND_BY: Call;
    /// The place in which an id names one resource.
    const EXTENT: Extent;
    /// The Terraform resource types that a plan or a state has for a resource of the type.
    const TERRAFORM: &[&str];
    /// The name that Security Hub has for the type; none for a type that it does not know.
    /// <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resources.html>
    const SECURITY_HUB: Option<&str>;
}

/// The place in which an id names one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The region.
    Regional,
    /// The account: resources of the type have no region.
    Global,
    /// The partition: a bucket is in a region, and known by its name.
    Named,
}

/// A type of resource that has a table in the inventory.
pub trait Resource: Node + Described + Default + Sized {
    /// The type.
    const TYPE: ResourceType;

    /// Its table.
    fn table(inventory: &Inventory) -> &Table<Self>;

    /// Its table, to fill.
    fn table_mut(inventory: &mut Inventory) -> &mut Table<Self>;
}

/// An entry of whatever type.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'a> {
    /// Whether it exists.
    pub exists: &'a Fact<bool>,
    /// Whether rules judge it.
    pub in_scope: bool,
    /// Its attributes.
    pub attributes: &'a dyn Node,
}

macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $table:ident: $type:ident = $name:literal;)+) => {
        /// A type of resource, labelled as CloudFormation does where it has the type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum ResourceType {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $type,)+
        }

        impl ResourceType {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$type),+];

            /// The label, e.g. `AWS::EC2::Instance`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$type => $name,)+
                }
            }

            /// The name of its table in an inventory.
            pub fn table_name(self) -> &'static str {
                match self {
                    $(Self::$type => stringify!($table),)+
                }
            }

            /// The call that tells that a resource of this type exists. The calls that lead to it are its prerequisites.
            pub fn found_by(self) -> &'static Call {
                match self {
                    $(Self::$type => &<$type as Described>::FOUND_BY,)+
                }
            }

            /// The place in which an id names one resource.
            pub fn extent(self) -> Extent {
                match self {
                    $(Self::$type => <$type as Described>::EXTENT,)+
                }
            }

            /// The Terraform resource types that a plan or a state has for a resource of this type.
            pub fn terraform_types(self) -> &'static [&'static str] {
                match self {
                    $(Self::$type => <$type as Described>::TERRAFORM,)+
                }
            }

            /// The name that Security Hub has for this type; none for a type that it does not know.
            pub fn security_hub(self) -> Option<&'static str> {
                match self {
                    $(Self::$type => <$type as Described>::SECURITY_HUB,)+
                }
            }

            /// The attributes of such a resource.
            pub fn structure(self) -> &'static Structure {
                match self {
                    $(Self::$type => $type::describe(),)+
                }
            }

            /// A resource of this type from its attributes in JSON, put into the inventory under the key.
            ///
            /// # Errors
            /// Where an attribute has a value of the wrong type.
            pub fn insert(
                self,
                inventory: &mut Inventory,
                key: Key,
                exists: Fact<bool>,
                attributes: serde_json::Value,
            ) -> Result<(), serde_path_to_error::Error<serde_json::Error>> {
                match self {
                    $(Self::$type => {
                        let attributes: $type = serde_path_to_error::deserialize(attributes)?;
                        inventory.$table.insert(key, Entry { exists, in_scope: true, attributes });
                    })+
                }
                Ok(())
            }
        }

        /// Everything that was read about one subject: an account with its selected regions, or one Terraform root.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Inventory {
            /// Where it was read.
            pub source: Source,
            /// The account; code may not say.
            pub account: Option<AccountId>,
            /// The partition.
            pub partition: Partition,
            /// When it was read, RFC 3339. Rules that speak of ages measure from here.
            pub collected_at: String,
            /// The calls that were wanted, as `service:Operation`, of a live account. What others would have found
            /// was not looked for.
            #[serde(default)]
            pub asked: BTreeSet<String>,
            /// What was read, and what failed, in each region, and (without a region) in the account.
            pub scopes: Vec<Scope>,
            /// What could not be listed.
            pub unlisted: Vec<Unlisted>,
            /// The same without what is sensitive, where something is: what is shown of a finding comes from here.
            #[serde(skip)]
            pub shown: Option<Box<Inventory>>,
            $(
                $(#[doc = $doc])+
                #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
                pub $table: Table<$type>,
            )+
        }

        impl Inventory {
            /// An inventory with nothing in it yet.
            pub fn new(source: Source, account: Option<AccountId>, partition: Partition, collected_at: String) -> Self {
                Self {
                    source,
                    account,
                    partition,
                    collected_at,
                    asked: BTreeSet::new(),
                    scopes: Vec::new(),
                    unlisted: Vec::new(),
                    shown: None,
                    $($table: Table::new(),)+
                }
            }

            /// The resource of that type and key.
            pub fn entry(&self, resource_type: ResourceType, key: &Key) -> Option<EntryRef<'_>> {
                match resource_type {
                    $(ResourceType::$type => self.$table.get(key).map(Entry::as_ref),)+
                }
            }

            /// How many resources rules can judge.
            pub fn judged(&self) -> usize {
                let judged = |entry: &EntryRef<'_>| entry.in_scope && !matches!(entry.exists, Fact::Known(false));
                let of_type = |resource_type: &ResourceType| {
                    self.entries(*resource_type).iter().filter(|(_, entry)| judged(entry)).count()
                };
                ResourceType::ALL.iter().map(of_type).sum()
            }

            /// All resources of that type, by key.
            pub fn entries(&self, resource_type: ResourceType) -> Vec<(&Key, EntryRef<'_>)> {
                match resource_type {
                    $(ResourceType::$type => self.$table.iter().map(|(key, entry)| (key, entry.as_ref())).collect(),)+
                }
            }
        }

        $(impl Resource for $type {
            const TYPE: ResourceType = ResourceType::$type;

            fn table(inventory: &Inventory) -> &Table<Self> {
                &inventory.$table
            }

            fn table_mut(inventory: &mut Inventory) -> &mut Table<Self> {
                &mut inventory.$table
            }
        })+
    };
}

tables! {
    /// EC2 instances.
    instances: Instance = "AWS::EC2::Instance";
    /// Security groups.
    security_groups: SecurityGroup = "AWS::EC2::SecurityGroup";
    /// EBS volumes.
    volumes: Volume = "AWS::EC2::Volume";
    /// VPC endpoints.
    vpc_endpoints: VpcEndpoint = "AWS::EC2::VPCEndpoint";
    /// Prefix lists.
    prefix_lists: PrefixList = "AWS::EC2::PrefixList";
    /// Instance profiles.
    instance_profiles: InstanceProfile = "AWS::IAM::InstanceProfile";
    /// Roles.
    roles: Role = "AWS::IAM::Role";
    /// Managed policies, by ARN.
    managed_policies: ManagedPolicy = "AWS::IAM::ManagedPolicy";
    /// KMS keys.
    keys: KmsKey = "AWS::KMS::Key";
    /// Log groups.
    log_groups: LogGroup = "AWS::Logs::LogGroup";
    /// Buckets.
    buckets: Bucket = "AWS::S3::Bucket";
    /// Session preferences.
    session_preferences: SessionPreferences = "SSM::SessionPreferences";
    /// Nodes.
    managed_instances: ManagedInstance = "AWS::SSM::ManagedInstance";
}

impl ResourceType {
    /// The type with that label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|resource_type| resource_type.as_str() == label)
    }

    /// Whether the type is of our own making: CloudFormation does not have it.
    pub fn is_synthetic(self) -> bool {
        !self.as_str().starts_with("AWS::")
    }
}

impl fmt::Display for ResourceType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl<T: Node> Entry<T> {
    fn as_ref(&self) -> EntryRef<'_> {
        EntryRef { exists: &self.exists, in_scope: self.in_scope, attributes: &self.attributes }
    }
}

/// Where an inventory was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A live account.
    Aws,
    /// Terraform source, or a plan.
    Terraform,
}

impl Source {
    /// The word in rules and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Terraform => "terraform",
        }
    }
}

/// The coverage of one region of an account, or (without a region) of what the account has once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scope {
    /// Where it was read.
    pub source: Source,
    /// The account.
    pub account: Option<AccountId>,
    /// The region; none for IAM.
    pub region: Option<Region>,
    /// Whether everything that was asked for was read.
    pub complete: bool,
    /// Whether anything was read at all.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub read: bool,
    /// What was not, each reason once.
    pub gaps: Vec<Gap>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_true(value: &bool) -> bool {
    *value
}

/// Resources of a type that may exist and could not be listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unlisted {
    /// The type.
    pub resource_type: ResourceType,
    /// The region; none for IAM.
    pub region: Option<Region>,
    /// Why.
    pub gap: Arc<Gap>,
}
