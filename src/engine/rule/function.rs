//! Host functions: functions of rule expressions beyond comparing attributes. They cover only what the field itself
//! defines: IAM policies, security groups and address ranges, instants.
//!
//!
//! Each function has one description, which the checker, the evaluator, the derived evidence and `rules schema` read.

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
    /// Name of the function.
    pub name: &'static str,
    /// Description of the result.
    pub doc: &'static str,
    /// Receiver: the name of a structure, or `PolicyDocument`; none for a plain function.
    pub receiver: Option<&'static str>,
    /// Parameters, by name.
    pub parameters: &'static [(&'static str, Parameter)],
    /// Type of the result.
    pub returns: Returns,
    /// Paths that the function reads from its receiver.
    pub reads: &'static [&'static str],
    /// Paths that the function reads from its last argument, if that is a resource.
    pub argument_reads: &'static [&'static str],
    /// Computes the result.
    pub(crate) evaluate: fn(&Receiver<'_>, &[Argument]) -> Result<Answer, Undecided>,
    /// Function that CEL calls.
    call: cel::common::functions::Function,
}

/// Type of a parameter.
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

/// Type of a result.
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

/// Result of a host function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Bool(bool),
    Int(i64),
    Text(String),
    Texts(Vec<String>),
}

/// Reason why there is no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undecided(pub(crate) String);

impl From<&Gap> for Undecided {
    fn from(gap: &Gap) -> Self {
        Self(gap.to_string())
    }
}

/// Receiver of a function.
pub(crate) enum Receiver<'a> {
    Place(Place<'a>),
    Document(&'a PolicyDocument),
    Other(Json),
}

impl Function {
    /// Returns the function of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FUNCTIONS.iter().find(|function| function.name == name)
    }
}

/// Formats the description as the signature that a rule author reads.
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
        /// All host functions.
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
                // The description is looked up: a CEL function is a plain `fn` without other data.
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
    /// Returns `true` if the role may do the action with the key, calling KMS itself: the key policy and the role's
    /// policies evaluated together.
    fn allows_with_key on Role(action: Parameter::Text, key: Parameter::Resource(ResourceType::KmsKey)) -> Bool
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["arn", "policy"] = policy::allows_with_key;
    /// Like `allows_with_key`, if an AWS service calls KMS on the role's behalf: `s3` for uploads, `ec2` for volumes.
    fn allows_with_key_through on Role(action: Parameter::Text, service: Parameter::Text, key: Parameter::Resource(ResourceType::KmsKey)) -> Bool
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["arn", "policy"] = policy::allows_with_key_through;
    /// Returns `true` if SSM Agent, with this role, may upload session logs to the bucket that the preferences name,
    /// under their prefix: the role's policies and the bucket policy evaluated together, and for another account's
    /// bucket its Object Ownership and its key too.
    fn delivers_logs on Role(preferences: Parameter::Resource(ResourceType::SessionPreferences)) -> Bool
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["inputs.s3_key_prefix", "s3_bucket.arn", "s3_bucket.bucket_region", "s3_bucket.foreign", "s3_bucket.owner", "s3_bucket.policy", "s3_bucket.object_ownership", "s3_bucket.sse_algorithm", "s3_bucket.kms_master_key_id", "s3_bucket.kms_key.arn", "s3_bucket.kms_key.key_manager", "s3_bucket.kms_key.key_spec", "s3_bucket.kms_key.key_usage", "s3_bucket.kms_key.key_state", "s3_bucket.kms_key.region", "s3_bucket.kms_key.policy"] = bucket::delivers_logs;
    /// Returns the denials of the upload of session logs, as `delivers_logs` evaluates it: each action, with the policy
    /// that denies it or does not allow it.
    fn delivery_denial on Role(preferences: Parameter::Resource(ResourceType::SessionPreferences)) -> Text
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["inputs.s3_key_prefix", "s3_bucket.arn", "s3_bucket.policy"] = bucket::delivery_denial;
    /// Returns `true` if the role may `s3:GetEncryptionConfiguration` of the bucket that the preferences name: the
    /// role's policies and the bucket policy evaluated together.
    fn sees_bucket_encryption on Role(preferences: Parameter::Resource(ResourceType::SessionPreferences)) -> Bool
        reads ["arn", "attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"]
        and ["s3_bucket.arn", "s3_bucket.bucket_region", "s3_bucket.foreign", "s3_bucket.owner", "s3_bucket.policy"] = bucket::sees_bucket_encryption;
    /// Returns the role's statements that allow one of the actions somewhere in an arbitrary place, in another account:
    /// the name that the first `*` stands for is not bound. `policy: statement`. Statements whose actions a deny or the
    /// permissions boundary blocks do not count.
    fn open_statements on Role(actions: Parameter::Texts, resource: Parameter::Text) -> Texts
        reads ["attached_policies[].policy", "inline_policies[].policy", "permissions_boundary.policy"] = policy::open_statements;
    /// Returns `true` if the trust policy lets these principals (services) assume the role, and no others. The map
    /// provides condition keys that their requests have; a result that depends on others is undecided.
    fn trusts_only on PolicyDocument(principals: Parameter::Texts, context: Parameter::Map) -> Bool
        reads [] = policy::trusts_only;
    /// Returns all principals whom the document may allow the action, conditionally or not: ARNs, services, or `*`.
    fn principals on PolicyDocument(action: Parameter::Text) -> Texts
        reads [] = policy::principals;
    /// Returns `true` if the document allows the principal (a service, or an ARN) the action on the resource. The map
    /// provides condition keys that the request has; a result that depends on others is undecided.
    fn admits on PolicyDocument(principal: Parameter::Text, action: Parameter::Text, resource: Parameter::Text, context: Parameter::Map) -> Bool
        reads [] = policy::admits;
    /// Returns `true` if the interface's security groups, taken together, let traffic out to every address of the
    /// range.
    fn allows_egress on NetworkInterface(protocol: Parameter::Text, port: Parameter::Int, cidr: Parameter::Text) -> Bool
        reads ["security_groups[].egress", "security_groups[].egress[].prefix_list.cidrs"] = network::allows_egress;
    /// Returns `true` if the interface's security groups let traffic out to any address or group at all.
    fn allows_any_egress on NetworkInterface(protocol: Parameter::Text, port: Parameter::Int) -> Bool
        reads ["security_groups[].egress", "security_groups[].egress[].prefix_list.cidrs"] = network::allows_any_egress;
    /// Returns `true` if the interface's security groups let traffic out to every one of the addresses, by range, by
    /// prefix list, or by a reference to one of the security groups that the addresses have.
    fn allows_egress_to on NetworkInterface(protocol: Parameter::Text, port: Parameter::Int, addresses: Parameter::Texts, security_group_ids: Parameter::Texts) -> Bool
        reads ["security_groups[].egress", "security_groups[].egress[].prefix_list.cidrs"] = network::allows_egress_to;
    /// Returns `true` if the interface's security groups let traffic out to endpoints that the account does not show:
    /// those of a hub, of a shared VPC, of a Route 53 profile. The ranges contain the addresses of such endpoints. True
    /// if traffic may go to all of their addresses, false if it may go to none. Anything in between is undecided;
    /// without ranges, the result is undecided if traffic may go to private addresses or to a security group.
    fn allows_egress_to_hidden_endpoints on NetworkInterface(protocol: Parameter::Text, port: Parameter::Int, endpoint_cidrs: Parameter::Texts) -> Bool
        reads ["private_ips", "security_groups[].egress", "security_groups[].egress[].prefix_list.cidrs"] = network::allows_egress_to_hidden_endpoints;
    /// Returns `true` if a version of SSM Agent, such as `3.3.40.0`, is the minimum or later, compared number by
    /// number.
    fn version_at_least(version: Parameter::Text, minimum: Parameter::Text) -> Bool reads [] = version::at_least;
    /// Returns the region in an ARN.
    fn arn_region(arn: Parameter::Text) -> Text reads [] = arn::region;
    /// Returns the account in an ARN.
    fn arn_account(arn: Parameter::Text) -> Text reads [] = arn::account;
    /// Returns the number of whole minutes between two instants (RFC 3339).
    fn minutes_between(from: Parameter::Text, to: Parameter::Text) -> Int
        reads [] = time::minutes_between;
}

/// Declares the functions in CEL.
///
/// # Errors
/// If two functions have the same name and number of arguments.
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

/// Arguments of a call, which the checker has verified.
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
