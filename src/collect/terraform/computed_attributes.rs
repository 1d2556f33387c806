//! Computed attributes that follow from other attributes: ARNs from names, ids that are names. All other
//! computed attributes are known after apply.

use std::rc::Rc;

use super::evaluate::append_value;
use super::instance::Instance;
use super::value::{UnknownValue, Value};

/// Naming of the resources of a type.
struct Naming {
    kind: &'static str,
    /// The attribute that is the name. AWS or the provider generates a name if the attribute is not set.
    name: &'static str,
    /// The attribute whose value is the prefix of a generated name.
    prefix: &'static str,
    /// `true` if `id` is the name.
    id_is_name: bool,
    arn: Arn,
}

/// Format of the ARN.
enum Arn {
    /// `arn:P:SERVICE::ACCOUNT:TYPE` path, name
    Global(&'static str, &'static str),
    /// `arn:P:SERVICE:REGION:ACCOUNT:TYPE` and the value of this attribute
    Regional(&'static str, &'static str, &'static str),
    /// `arn:P:s3:::NAME`
    Bucket,
}

static NAMING: &[Naming] = &[
    Naming { kind: "aws_s3_bucket", name: "bucket", prefix: "bucket_prefix", id_is_name: true, arn: Arn::Bucket },
    Naming {
        kind: "aws_iam_role",
        name: "name",
        prefix: "name_prefix",
        id_is_name: true,
        arn: Arn::Global("iam", "role"),
    },
    Naming {
        kind: "aws_iam_policy",
        name: "name",
        prefix: "name_prefix",
        id_is_name: false,
        arn: Arn::Global("iam", "policy"),
    },
    Naming {
        kind: "aws_iam_instance_profile",
        name: "name",
        prefix: "name_prefix",
        id_is_name: true,
        arn: Arn::Global("iam", "instance-profile"),
    },
    Naming {
        kind: "aws_cloudwatch_log_group",
        name: "name",
        prefix: "name_prefix",
        id_is_name: true,
        arn: Arn::Regional("logs", "log-group:", "name"),
    },
    Naming {
        kind: "aws_kms_alias",
        name: "name",
        prefix: "name_prefix",
        id_is_name: true,
        arn: Arn::Regional("kms", "", "name"),
    },
    Naming {
        kind: "aws_kms_key",
        name: "key_id",
        prefix: "",
        id_is_name: true,
        arn: Arn::Regional("kms", "key/", "key_id"),
    },
    Naming {
        kind: "aws_kms_replica_key",
        name: "key_id",
        prefix: "",
        id_is_name: true,
        arn: Arn::Regional("kms", "key/", "key_id"),
    },
    Naming {
        kind: "aws_kms_replica_external_key",
        name: "key_id",
        prefix: "",
        id_is_name: true,
        arn: Arn::Regional("kms", "key/", "key_id"),
    },
    Naming {
        kind: "aws_kms_external_key",
        name: "key_id",
        prefix: "",
        id_is_name: true,
        arn: Arn::Regional("kms", "key/", "key_id"),
    },
    Naming {
        kind: "aws_ssm_document",
        name: "name",
        prefix: "",
        id_is_name: true,
        arn: Arn::Regional("ssm", "document/", "name"),
    },
    Naming {
        kind: "aws_security_group",
        name: "name",
        prefix: "name_prefix",
        id_is_name: false,
        arn: Arn::Regional("ec2", "security-group/", "id"),
    },
    Naming {
        kind: "aws_instance",
        name: "id",
        prefix: "",
        id_is_name: false,
        arn: Arn::Regional("ec2", "instance/", "id"),
    },
];

/// The value of an attribute that the code does not set; none if the value is known after apply.
pub(crate) fn attribute(instance: &Rc<Instance>, name: &str) -> Option<Value> {
    if name == "region" && instance.kind.starts_with("aws_") {
        return Some(instance.region_value());
    }
    let Some(naming) = NAMING.iter().find(|naming| *naming.kind == *instance.kind) else {
        return linked(instance, name);
    };
    if name == naming.name && !naming.prefix.is_empty() && instance.block.body.attribute(naming.prefix).is_some() {
        let made_up = instance.told_by_aws(naming.name);
        return Some(text(instance, &[instance.attribute(naming.prefix), made_up]));
    }
    if name == "id" && naming.id_is_name {
        return Some(instance.attribute(naming.name));
    }
    if name == "id" && *instance.kind == *"aws_iam_policy" {
        return Some(instance.attribute("arn"));
    }
    if name == "arn" {
        return Some(arn(instance, naming));
    }
    linked(instance, name)
}

fn arn(instance: &Rc<Instance>, naming: &Naming) -> Value {
    let word = Value::text;
    let start = format!("arn:{}:", instance.partition());
    match naming.arn {
        Arn::Bucket => text(instance, &[word(format!("{start}s3:::")), instance.attribute(naming.name)]),
        Arn::Global(service, of) => {
            let path = match instance.view().get("path") {
                Value::Null => word("/".to_owned()),
                path => path,
            };
            let (start, of) = (word(format!("{start}{service}::")), word(format!(":{of}")));
            text(instance, &[start, instance.account_value(), of, path, instance.attribute(naming.name)])
        }
        Arn::Regional(service, of, last) => {
            let (start, colon) = (word(format!("{start}{service}:")), word(":".to_owned()));
            let of = word(format!(":{of}"));
            text(
                instance,
                &[start, instance.region_value(), colon, instance.account_value(), of, instance.attribute(last)],
            )
        }
    }
}

/// Attributes whose values are those of another resource.
fn linked(instance: &Rc<Instance>, name: &str) -> Option<Value> {
    match (&*instance.kind, name) {
        ("aws_s3_bucket_versioning" | "aws_s3_bucket_public_access_block" | "aws_s3_bucket_policy", "id") => {
            Some(instance.attribute("bucket"))
        }
        _ => None,
    }
}

/// Concatenates these values, with the characters of unknown values.
pub(crate) fn text(instance: &Rc<Instance>, parts: &[Value]) -> Value {
    let mut text = String::new();
    for part in parts {
        let appended: Result<(), Rc<UnknownValue>> =
            append_value(part, &mut text, instance.block.span, &instance.module.context);
        if let Err(hole) = appended {
            return Value::Unknown(hole);
        }
    }
    Value::text(text)
}

/// Returns `true` if the `id` of resources of this type is a name that is unique within one account or region
/// only.
pub(super) fn id_is_name(kind: &str) -> bool {
    NAMING.iter().any(|naming| naming.kind == kind && naming.id_is_name && naming.name == "name")
}
