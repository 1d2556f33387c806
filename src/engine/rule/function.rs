//! Host functions: what the expressions of rules can ask beyond comparing attributes. Only what the
//! field itself defines: IAM policies, security groups and address ranges, instants.
//!
//! Each is described once; the checker, the evaluator, the derived evidence and `rules schema` read
//! that description.

mod arn;
mod bucket;
mod network;
mod policy;
mod time;
mod version;

use std::collections::BTreeMap;

use cel::Env;
use cel::common::types::DYN_TYPE;
use serde_json::Value as Json;

pub(crate) use self::policy::RolePolicies;
use iam_policy::PolicyDocument;

use super::path::Place;
use super::value::{self, Argument, DOCUMENT, NODE};
use crate::model::{Gap, Key, ResourceType};

/// A function that rules can call.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// What it answers.
    pub doc: &'static str,
    /// What it is called on: the name of a structure, or `PolicyDocument`; none for a plain function.
    pub receiver: Option<&'static str>,
    /// Its parameters, by name.
    pub parameters: &'static [(&'static str, Parameter)],
    /// The type of its answer.
    pub returns: Returns,
    /// The paths that it reads from its receiver.
    pub reads: &'static [&'static str],
    /// The paths that it reads from its last argument, where that is a resource.
    pub argument_reads: &'static [&'static str],
    /// The answer.
    pub(crate) evaluate: fn(&Receiver<'_>, &[Argument]) -> Result<Answer, Undecided>,
    /// What CEL calls.
    call: cel::common::functions::Function,
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// text
    Text,
    /// a whole number
    Int,
    /// a list of texts
    Texts,
    /// texts by name
    Map,
    /// a resource
    Resource(ResourceType),
}

/// The type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// true or false
    Bool,
    /// a whole number
    Int,
    /// text
    Text,
    /// a list of texts
    Texts,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Bool(bool),
    Int(i64),
    Text(String),
    Texts(Vec<String>),
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undecided(pub(crate) String);

impl From<&Gap> for Undecided {
    fn from(gap: &Gap) -> Self {
        Self(gap.to_string())
    }
}

/// What a function is called on.
pub(crate) enum Receiver<'a> {
    Place(Place<'a>),
    Document(&'a PolicyDocument),
    Other(Json),
}

impl Function {
    /// The function of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|function| function.name == name)
    }
}

/// The description as the signature that a rule author reads.
impl std::fmt::Display for Function {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(receiver) = self.receiver {
            write!(formatter, "{receiver}.")?;
        }
        write!(formatter, "{}(", self.name)?;
        for (index, (name, parameter)) in self.parameters.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(formatter, "{separator}{name}: {parameter}")?;
        }
        let returns = match self.returns {
            Returns::Bool => "bool",
            Returns::Int => "int",
            Returns::Text => "string",
            Returns::Texts => "list(string)",
        };
        write!(formatter, ") -> {returns}")
    }
}

impl std::fmt::Display for Parameter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Text => "string",
            Self::Int => "int",
            Self::Texts => "list(string)",
            Self::Map => "map(string, string)",
            Self::Resource(resource_type) => resource_type.as_str(),
        })
    }
}

macro_rules! functions {
    ($(
        $(#[doc = $doc:literal])+
        fn $name:ident $(on $receiver:ident)? ($($parameter:ident: $kind:expr),*) -> $returns:ident
            reads [$($read:literal),*] $(and [$($argument_read:literal),*])? = $evaluate:path;
    )+) => {
        /// All of them.
        pub static FUNCTIONS: &[Function] = &[$(Function {
            name: stringify!($name),
            doc: concat!($($doc),+),
            receiver: functions!(@receiver $($receiver)?),
            parameters: &[$((stringify!($parameter), $kind)),*],
            returns: Returns::$returns,
            reads: &[$($read),*],
            argument_reads: &[$($($argument_read),*)?],
            evaluate: $evaluate,
            call: |arguments| {
                // Its own description; a CEL function is a plain `fn` and knows nothing else.
                match Function::named(stringify!($name)) {
                    Some(function) => value::call(function, arguments),
                    None => Err(cel::ExecutionError::undeclared_reference(stringify!($name))),
                }
            },
        }),+];
    };
    (@receiver) => { None };
    (@receiver $receiver:ident) => { Some(stringify!($receiver)) };
}

functions! {
    /// Returns `true` if the role's policies allow the action on every resource that the ARN pattern matches. Denies and the permissions boundary count. What depends on the request is undecided, unless it is known of every request of SSM Agent.
    fn allows on Role(action: Parameter::Text, resource: Parameter::Text) -> Bool
        reads ["attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"] = policy::allows;
    /// Returns `true` if the role may do the action with the key, asking KMS itself: the key policy and the role's policies judged together.
    fn allows_with_key on Role(action: Parameter::Text, key: Parameter::Resource(ResourceType::KmsKey)) -> Bool
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["arn", "policy"] = policy::allows_with_key;
    /// The same where an AWS service asks KMS on the role's behalf: `s3` for uploads, `ec2` for volumes.
    fn allows_with_key_through on Role(action: Parameter::Text, service: Parameter::Text, key: Parameter::Resource(ResourceType::KmsKey)) -> Bool
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["arn", "policy"] = policy::allows_with_key_through;
    /// Returns `true` if SSM Agent, with this role, may upload session logs to the bucket that the preferences name, under their prefix: the role's policies and the bucket policy judged together, and for another account's bucket its Object Ownership and its key too.
    fn delivers_logs on Role(preferences: Parameter::Resource(ResourceType::SessionPreferences)) -> Bool
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["inputs.s3_key_prefix", "s3_bucket.arn", "s3_bucket.bucket_region", "s3_bucket.foreign", "s3_bucket.owner", "s3_bucket.policy", "s3_bucket.object_ownership", "s3_bucket.sse_algorithm", "s3_bucket.kms_master_key_id", "s3_bucket.kms_key.arn", "s3_bucket.kms_key.key_manager", "s3_bucket.kms_key.key_spec", "s3_bucket.kms_key.key_usage", "s3_bucket.kms_key.key_state", "s3_bucket.kms_key.region", "s3_bucket.kms_key.policy"] = bucket::delivers_logs;
    /// What denies the upload of session logs, as `delivers_logs` judges it: each action, with the policy that denies it or does not allow it.
    fn delivery_denial on Role(preferences: Parameter::Resource(ResourceType::SessionPreferences)) -> Text
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["inputs.s3_key_prefix", "s3_bucket.arn", "s3_bucket.policy"] = bucket::delivery_denial;
    /// Returns `true` if the role may `s3:GetEncryptionConfiguration` of the bucket that the preferences name: the role's policies and the bucket policy judged together.
    fn sees_bucket_encryption on Role(preferences: Parameter::Resource(ResourceType::SessionPreferences)) -> Bool
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["s3_bucket.arn", "s3_bucket.bucket_region", "s3_bucket.foreign", "s3_bucket.owner", "s3_bucket.policy"] = bucket::sees_bucket_encryption;
    /// The role's statements that allow one of the actions somewhere in an arbitrary place, in another account: the name that the first `*` stands for is not bound. `policy: statement`. Those whose actions a deny or the permissions boundary takes back do not count.
    fn open_statements on Role(actions: Parameter::Texts, resource: Parameter::Text) -> Texts
        reads ["attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"] = policy::open_statements;
    /// Whether the trust policy lets these principals (services) assume the role, and nobody else. The map gives condition keys that their requests have; what depends on others is undecided.
    fn trusts_only on PolicyDocument(principals: Parameter::Texts, context: Parameter::Map) -> Bool
        reads [] = policy::trusts_only;
    /// Everyone whom the document may allow the action, conditionally or not: ARNs, services, or `*`.
    fn principals on PolicyDocument(action: Parameter::Text) -> Texts
        reads [] = policy::principals;
    /// Whether the document allows the principal (a service, or an ARN) the action on the resource. The map gives condition keys that the request has; what depends on others is undecided.
    fn admits on PolicyDocument(principal: Parameter::Text, action: Parameter::Text, resource: Parameter::Text, context: Parameter::Map) -> Bool
        reads [] = policy::admits;
    /// Whether the interface's security groups, taken together, let traffic out to every address of the range.
    fn allows_egress on NetworkInterface(protocol: Parameter::Text, port: Parameter::Int, cidr: Parameter::Text) -> Bool
        reads ["security_groups[].egress", "security_groups[].egress[].prefix_list.cidrs"] = network::allows_egress;
    /// Returns `true` if the interface's security groups let traffic out to any address or group at all.
    fn allows_any_egress on NetworkInterface(protocol: Parameter::Text, port: Parameter::Int) -> Bool
        reads ["security_groups[].egress", "security_groups[].egress[].prefix_list.cidrs"] = network::allows_any_egress;
    /// Whether they let traffic out to every one of the addresses, by range, by prefix list, or by a reference to one of the security groups that the addresses have.
    fn allows_egress_to on NetworkInterface(protocol: Parameter::Text, port: Parameter::Int, addresses: Parameter::Texts, security_group_ids: Parameter::Texts) -> Bool
        reads ["security_groups[].egress", "security_groups[].egress[].prefix_list.cidrs"] = network::allows_egress_to;
    /// Whether they let traffic out to endpoints that the account does not show: those of a hub, of a shared VPC, of a Route 53 profile. The ranges say where such endpoints are; true where traffic may go to all of their addresses, false where it may go to none. In between it is undecided, and so it is without ranges where traffic may go to private addresses or to a security group.
    fn allows_egress_to_hidden_endpoints on NetworkInterface(protocol: Parameter::Text, port: Parameter::Int, endpoint_cidrs: Parameter::Texts) -> Bool
        reads ["private_ips", "security_groups[].egress", "security_groups[].egress[].prefix_list.cidrs"] = network::allows_egress_to_hidden_endpoints;
    /// Whether a version of SSM Agent, such as `3.3.40.0`, is this one or a later one, compared number by number.
    fn version_at_least(version: Parameter::Text, minimum: Parameter::Text) -> Bool reads [] = version::at_least;
    /// The region in an ARN.
    fn arn_region(arn: Parameter::Text) -> Text reads [] = arn::region;
    /// The account in an ARN.
    fn arn_account(arn: Parameter::Text) -> Text reads [] = arn::account;
    /// How many whole minutes lie between two instants (RFC 3339).
    fn minutes_between(from: Parameter::Text, to: Parameter::Text) -> Int
        reads [] = time::minutes_between;
}

/// Makes the functions known to CEL.
///
/// # Errors
/// Where two have one name and the same number of arguments.
pub(crate) fn declare(env: &mut Env) -> Result<(), cel::DeclarationError> {
    for function in FUNCTIONS {
        let parameters = function.parameters.iter().map(|_| DYN_TYPE.to_owned()).collect();
        match function.receiver {
            None => env.add_overload(function.name, function.name, parameters, function.call)?,
            Some(receiver) => {
                let receiver = if receiver == "PolicyDocument" { DOCUMENT.to_owned() } else { NODE.to_owned() };
                env.add_member_overload(function.name, function.name, receiver, parameters, function.call)?;
            }
        }
    }
    Ok(())
}

/// The arguments of a call, which the checker has made sure of.
struct Arguments<'a>(&'a [Argument]);

impl<'a> Arguments<'a> {
    fn text(&self, index: usize) -> Result<&'a str, Undecided> {
        match self.0.get(index) {
            Some(Argument::Text(text)) => Ok(text),
            _ => Err(Self::wrong(index, "a string")),
        }
    }

    fn int(&self, index: usize) -> Result<i64, Undecided> {
        match self.0.get(index) {
            Some(Argument::Int(number)) => Ok(*number),
            _ => Err(Self::wrong(index, "an int")),
        }
    }

    fn texts(&self, index: usize) -> Result<&'a [String], Undecided> {
        match self.0.get(index) {
            Some(Argument::Texts(texts)) => Ok(texts),
            _ => Err(Self::wrong(index, "a list of strings")),
        }
    }

    fn map(&self, index: usize) -> Result<&'a BTreeMap<String, String>, Undecided> {
        match self.0.get(index) {
            Some(Argument::Map(members)) => Ok(members),
            _ => Err(Self::wrong(index, "a map of strings")),
        }
    }

    fn resource(&self, wanted: ResourceType, index: usize) -> Result<&'a Key, Undecided> {
        match self.0.get(index) {
            Some(Argument::Resource(resource_type, key)) if *resource_type == wanted => Ok(key),
            _ => Err(Self::wrong(index, wanted.as_str())),
        }
    }

    fn wrong(index: usize, wanted: &str) -> Undecided {
        Undecided(format!("argument {} is not {wanted}", index + 1))
    }
}
