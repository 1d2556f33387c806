//! Schema for rule authors: types of resources with their attributes, parts, functions.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::function::FUNCTIONS;
use super::path::target;
use crate::model::ResourceType;
use crate::model::schema::{Attribute, Kind, Structure};

/// Returns the type of an attribute as rule authors write it.
pub fn type_name(kind: Kind) -> String {
    match kind {
        Kind::Bool => "bool".to_owned(),
        Kind::Int => "int".to_owned(),
        Kind::Text => "string".to_owned(),
        Kind::Texts => "list(string)".to_owned(),
        Kind::Map => "map(string, string)".to_owned(),
        Kind::Document => "PolicyDocument".to_owned(),
        Kind::Part(structure) => structure().name.to_owned(),
        Kind::Parts(structure) => format!("list({})", structure().name),
        Kind::Link(linked) => linked.as_str().to_owned(),
        Kind::Links(linked) => format!("list({linked})"),
    }
}

/// Returns the parts that the attributes of these structures consist of, by name.
pub fn parts() -> BTreeMap<&'static str, &'static Structure> {
    let mut found = BTreeMap::new();
    let mut open: Vec<&'static Structure> =
        ResourceType::ALL.iter().map(|resource_type| resource_type.structure()).collect();
    while let Some(structure) = open.pop() {
        for attribute in structure.attributes {
            if let Some((part, None)) = target(attribute.kind)
                && found.insert(part.name, part).is_none()
            {
                open.push(part);
            }
        }
    }
    found
}

/// Returns the whole schema as JSON.
pub fn json() -> Json {
    let resources: Vec<Json> = ResourceType::ALL
        .iter()
        .map(|resource_type| {
            let structure = resource_type.structure();
            json!({
                "type": resource_type.as_str(),
                "synthetic": resource_type.is_synthetic(),
                "regional": resource_type.is_regional(),
                "description": structure.documentation(),
                "attributes": attributes(structure),
            })
        })
        .collect();
    let parts: Vec<Json> = parts()
        .into_values()
        .map(|part| json!({"name": part.name, "description": part.documentation(), "attributes": attributes(part)}))
        .collect();
    let functions: Vec<Json> = FUNCTIONS
        .iter()
        .map(|function| json!({"signature": function.to_string(), "description": function.doc.trim()}))
        .collect();
    json!({"kind": "ssm-audit/rule-schema", "schema_version": 1, "resources": resources, "parts": parts, "functions": functions})
}

fn attributes(structure: &Structure) -> Vec<Json> {
    let describe = |attribute: &Attribute| {
        json!({
            "name": attribute.name,
            "type": type_name(attribute.kind),
            "optional": attribute.optional,
            "description": attribute.documentation(),
            "calls": attribute.calls.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    structure.attributes.iter().map(describe).collect()
}
