//! The JSON Schemas that are published under `schemas/`, made from the types themselves.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use crate::collect::snapshot;
use crate::engine::rule;
use crate::model::fact::UNKNOWN;
use crate::model::schema::{Kind, Structure};
use crate::model::{Gap, Report, ResourceType, Scope};
use crate::remediate::plan::Plan;
use crate::remediate::remediation;
use crate::remediate::run::{RunList, RunReport};
use crate::report::baseline::Baseline;
use crate::terraform_fix::show::Answer;

/// Each schema with the name of its file.
pub fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("baseline.schema.json", titled(schemars::schema_for!(Baseline), "ssm-audit baseline")),
        ("code-fix.schema.json", titled(schemars::schema_for!(Answer<'static>), "ssm-audit code fix")),
        ("config.schema.json", crate::config::schema()),
        ("plan.schema.json", titled(schemars::schema_for!(Plan), "ssm-audit plan")),
        ("remediation.schema.json", remediation::file_schema()),
        ("report.schema.json", report()),
        ("rule.schema.json", rule::file_schema()),
        ("run.schema.json", titled(schemars::schema_for!(RunReport), "ssm-audit run")),
        ("runs.schema.json", titled(schemars::schema_for!(RunList), "ssm-audit runs")),
        ("snapshot.schema.json", snapshot()),
    ]
}

/// The JSON report.
pub fn report() -> Schema {
    titled(schemars::schema_for!(Report), "ssm-audit report")
}

fn titled(mut schema: Schema, title: &str) -> Schema {
    schema.insert("title".to_owned(), title.into());
    schema
}

/// A snapshot: the resources with their attributes, as rules read them.
pub fn snapshot() -> Schema {
    let mut generator = SchemaGenerator::default();
    let scope = generator.subschema_for::<Scope>();
    let gap = generator.subschema_for::<Gap>();
    let mut definitions = generator.take_definitions(true);
    definitions
        .insert("Unknown".to_owned(), json!({"type": "object", "required": [UNKNOWN], "properties": {UNKNOWN: gap}}));
    let mut tables = Map::new();
    for resource_type in ResourceType::ALL {
        let structure = resource_type.structure();
        definitions.insert(structure.name.to_owned(), attributes(structure));
        let entry = json!({
            "type": "object",
            "required": ["in_scope", "attributes"],
            "properties": {
                "exists": fact(json!({"type": "boolean"}), false),
                "in_scope": {"type": "boolean"},
                "attributes": {"$ref": format!("#/$defs/{}", structure.name)},
            },
        });
        let table = json!({"description": resource_type.as_str(), "type": "object", "additionalProperties": entry});
        tables.insert(resource_type.table_name().to_owned(), table);
    }
    for (name, part) in rule::schema::parts() {
        definitions.insert(name.to_owned(), attributes(part));
    }
    let mut inventory = json!({
        "source": {"enum": ["aws", "terraform"]},
        "account": {"type": ["string", "null"]},
        "partition": {"enum": ["aws", "aws-cn", "aws-us-gov"]},
        "collected_at": {"type": "string", "format": "date-time"},
        "asked": {"type": "array", "items": {"type": "string"}},
        "scopes": {"type": "array", "items": scope},
        "unlisted": {"type": "array", "items": {"type": "object"}},
    });
    if let Json::Object(members) = &mut inventory {
        members.append(&mut tables);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ssm-audit snapshot",
        "type": "object",
        "required": ["kind", "schema_version", "tool_version", "inventories"],
        "properties": {
            "kind": {"const": snapshot::KIND},
            "schema_version": {"const": snapshot::SCHEMA_VERSION},
            "tool_version": {"type": "string"},
            "inventories": {
                "type": "array",
                "items": {"type": "object", "additionalProperties": false, "properties": inventory},
            },
        },
        "$defs": definitions,
    });
    Schema::try_from(schema).unwrap_or_default()
}

fn attributes(structure: &Structure) -> Json {
    let properties: Map<String, Json> = structure
        .attributes
        .iter()
        .map(|attribute| {
            let mut schema = fact(value(attribute.kind), attribute.optional);
            schema["description"] = attribute.documentation().into();
            (attribute.name.to_owned(), schema)
        })
        .collect();
    json!({
        "description": structure.documentation(),
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    })
}

/// A value, perhaps absent, or unknown.
fn fact(value: Json, optional: bool) -> Json {
    let mut forms = vec![value, json!({"$ref": "#/$defs/Unknown"})];
    if optional {
        forms.push(json!({"type": "null"}));
    }
    json!({"anyOf": forms})
}

fn value(kind: Kind) -> Json {
    let key = json!({"type": "string", "description": "REGION/ID"});
    let list = |items: Json| json!({"type": "array", "items": items});
    let part = |structure: &Structure| json!({"$ref": format!("#/$defs/{}", structure.name)});
    match kind {
        Kind::Bool => json!({"type": "boolean"}),
        Kind::Int => json!({"type": "integer"}),
        Kind::Text => json!({"type": "string"}),
        Kind::Texts => list(json!({"type": "string"})),
        Kind::Map => json!({"type": "object", "additionalProperties": {"type": "string"}}),
        Kind::Document => json!({"type": "object"}),
        Kind::Part(structure) => part(structure()),
        Kind::Parts(structure) => list(part(structure())),
        Kind::Link(_) => key,
        Kind::Links(_) => list(key),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// `UPDATE_SCHEMAS=1 cargo test` writes them anew.
    #[test]
    fn the_published_schemas_are_up_to_date() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        for (name, schema) in super::all() {
            let text = format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"));
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::create_dir_all(&folder).expect("a folder");
                std::fs::write(folder.join(name), &text).expect("written");
            }
            let published = std::fs::read_to_string(folder.join(name)).expect("a published schema");
            assert!(published == text, "schemas/{name} is out of date: run UPDATE_SCHEMAS=1 cargo test");
        }
    }

    fn wrong(schema: &schemars::Schema, instance: &serde_json::Value) -> Vec<String> {
        let validator = jsonschema::validator_for(schema.as_value()).expect("a schema");
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    #[test]
    fn a_collected_snapshot_is_of_its_schema_and_a_misspelt_one_is_not() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/account.json");
        let text = std::fs::read_to_string(path).expect("a snapshot");
        let snapshot: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(wrong(&super::snapshot(), &snapshot), [""; 0]);
        let misspelt = serde_json::from_str(&text.replace("\"http_tokens\"", "\"http_token\"")).expect("JSON");
        assert!(!wrong(&super::snapshot(), &misspelt).is_empty());
    }

    #[test]
    fn every_remediation_is_of_the_schema_of_remediations() {
        for (name, text) in crate::remediate::remediation::EMBEDDED {
            let file: serde_json::Value =
                crate::yaml::parse(&crate::diagnostic::SourceFile::new(*name, *text)).expect("YAML");
            assert_eq!(wrong(&crate::remediate::remediation::file_schema(), &file), [""; 0], "{name}");
        }
    }

    #[test]
    fn every_rule_is_of_the_schema_of_rules() {
        let library = crate::engine::rule::embedded().expect("sound rules");
        for rule in library.rules() {
            let file: serde_json::Value = crate::yaml::parse(&rule.file).expect("YAML");
            assert_eq!(wrong(&crate::engine::rule::file_schema(), &file), [""; 0], "{}", rule.id);
        }
    }
}
