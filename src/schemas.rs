//! The JSON Schemas that are published under `schemas/`, made from the types themselves.

use schemars::Schema;

use crate::model::Report;

/// Each schema with the name of its file.
pub fn all() -> Vec<(&'static str, Schema)> {
    vec![("config.schema.json", crate::config::schema()), ("report.schema.json", report())]
}

/// The JSON report.
pub fn report() -> Schema {
    titled(schemars::schema_for!(Report), "ssm-audit report")
}

fn titled(mut schema: Schema, title: &str) -> Schema {
    schema.insert("title".to_owned(), title.into());
    schema
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
}
