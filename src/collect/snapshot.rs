//! Snapshots: inventories saved to a file by `collect`, and read again by `scan`.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::file_envelope::{Form, SavedError};
use crate::model::Inventory;

/// The `kind` that every snapshot begins with.
pub const KIND: &str = "ssm-audit/snapshot";
/// The version of the format.
pub const SCHEMA_VERSION: u32 = 1;

/// A snapshot: inventories of one or more accounts.
#[derive(Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// `ssm-audit/snapshot`
    pub kind: String,
    /// 1
    pub schema_version: u32,
    /// Version of the tool that wrote the snapshot.
    pub tool_version: String,
    /// Inventories of the accounts.
    pub inventories: Vec<Inventory>,
}

/// Format of the file.
pub const FORM: &Form = &Form {
    kind: KIND,
    version: SCHEMA_VERSION,
    noun: "snapshot",
    made_with: "ssm-audit collect -o FILE",
    most_mib: 256,
};

/// Writes inventories as a snapshot.
///
/// # Errors
/// If the snapshot cannot be written.
pub fn write(inventories: &[Inventory], out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Written<'a> {
        kind: &'static str,
        schema_version: u32,
        tool_version: &'static str,
        inventories: &'a [Inventory],
    }
    let snapshot =
        Written { kind: KIND, schema_version: SCHEMA_VERSION, tool_version: env!("CARGO_PKG_VERSION"), inventories };
    serde_json::to_writer(&mut *out, &snapshot)?;
    writeln!(out)
}

/// Reads a snapshot.
///
/// # Errors
/// If the file is not a snapshot that this version supports.
pub fn read(path: &Path) -> Result<Snapshot, SavedError> {
    let mut snapshot: Snapshot = FORM.read(path)?;
    // Derived attributes are computed again: if another version or a person wrote them, they may not follow
    // from the other facts.
    snapshot.inventories.iter_mut().for_each(Inventory::join);
    Ok(snapshot)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account() -> Inventory {
        let there = |attributes: serde_json::Value| json!({"exists": true, "in_scope": true, "attributes": attributes});
        let mut inventory: Inventory = serde_json::from_value(json!({
            "source": "aws", "account": "123456789012", "partition": "aws", "collected_at": "2026-11-22T15:00:00Z",
            "scopes": [],
            "unlisted": [{"resource_type": "AWS::EC2::Instance", "region": "eu-west-1", "gap": {"kind": "denied"}}],
            "instances": {"us-east-1/i-1": there(json!({"iam_instance_profile": null, "vpc_id": "vpc-1"}))},
            "session_preferences": {
                "us-east-1/d": there(json!({"default_host_management_role": "aws-global/r"})),
                "eu-west-1/d": there(json!({"default_host_management_role": null})),
            },
            "roles": {"aws-global/r": there(json!({}))},
            "managed_instances": {"us-east-1/i-1": there(json!({"iam_role": null}))},
        }))
        .expect("an inventory");
        inventory.join();
        inventory
    }

    fn written(inventory: &Inventory) -> serde_json::Value {
        let mut text = Vec::new();
        write(std::slice::from_ref(inventory), &mut text).expect("it is written to memory");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    fn reread(snapshot: &serde_json::Value) -> Inventory {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("snapshot.json");
        std::fs::write(&path, snapshot.to_string()).expect("it is written");
        read(&path).expect("a snapshot").inventories.remove(0)
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let account = account();
        assert_eq!(reread(&written(&account)), account);
    }

    #[test]
    fn what_a_snapshot_says_of_derived_attributes_is_not_believed() {
        let account = account();
        let mut snapshot = written(&account);
        let role = &mut snapshot["inventories"][0]["roles"]["aws-global/r"]["attributes"];
        assert_eq!(role["used_by_systems_manager"], json!(true));
        role["used_by_systems_manager"] = json!(false);
        // Actually unknown: instances of a region were not listed.
        role["session_preferences"] = json!([]);
        let preferences = &mut snapshot["inventories"][0]["session_preferences"]["eu-west-1/d"]["attributes"];
        preferences["has_nodes"] = json!(false);
        assert_eq!(reread(&snapshot), account);
    }
}
