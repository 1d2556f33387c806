//! Data sources that are evaluated without AWS: account, region and partition, and policy documents.

use std::rc::Rc;

use iam_policy::{PolicyDocument, managed};

use super::computed_attributes;
use super::instance::Instance;
use super::policy_document;
use super::value::Value;
use crate::model::Partition;

/// The value of an attribute that the code does not set; none if only AWS can return the value.
pub(crate) fn attribute(instance: &Rc<Instance>, name: &str) -> Option<Value> {
    // Evaluated on demand: a provider may take its region from a data source of another provider.
    let partition = || instance.partition();
    match (&*instance.kind, name) {
        ("aws_caller_identity", "account_id" | "id") => Some(instance.account_value()),
        ("aws_region", "name" | "id" | "region") => Some(instance.region_value()),
        ("aws_partition", "partition" | "id") => Some(Value::text(partition().as_str())),
        ("aws_partition", "dns_suffix") => Some(Value::text(partition().dns_suffix())),
        ("aws_service_principal", "name" | "suffix") => match partition() {
            // In the other partitions, some services have different names.
            Partition::Aws | Partition::UsGov => {
                let suffix = Value::text("amazonaws.com");
                let service = [instance.attribute("service_name"), Value::text("."), suffix.clone()];
                Some(if name == "name" { computed_attributes::text(instance, &service) } else { suffix })
            }
            Partition::China => None,
        },
        ("aws_iam_policy_document", "json" | "minified_json") => Some(policy_document::json(instance)),
        // The name of an AWS managed policy is sufficient.
        ("aws_iam_policy", "arn" | "id") => match instance.attribute("name") {
            Value::Text(name) => [String::new(), "service-role/".to_owned()]
                .iter()
                .map(|path| format!("arn:{}:iam::aws:policy/{path}{name}", partition()))
                .find(|arn| managed::document(arn).is_some())
                .map(Value::text),
            _ => None,
        },
        ("aws_iam_policy", "policy") => match instance.attribute("arn") {
            Value::Text(arn) => {
                managed::document(&arn).map(|document: &PolicyDocument| Value::text(document.as_value().to_string()))
            }
            _ => None,
        },
        _ => None,
    }
}
