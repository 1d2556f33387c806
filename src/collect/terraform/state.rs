//! States (version 4): which resource of the code is which of the account. Of what a state holds, only names are read.
//! <https://developer.hashicorp.com/terraform/language/state>

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value as Json;

use crate::boundary::{Refusal, read_named_json};
use crate::model::{ResourceRef, ResourceType};

/// A state that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read.
    #[error("failed to read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is none.
    #[error("{} is no Terraform state: {source}; `terraform state pull` writes one", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It is of another version.
    #[error("{} is a state of version {version}, and version 4 is read; `terraform state pull` writes it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
}

#[derive(Deserialize)]
struct Written {
    version: u64,
    #[serde(default)]
    resources: Vec<WrittenResource>,
}

#[derive(Deserialize)]
struct WrittenResource {
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<WrittenInstance>,
}

#[derive(Deserialize)]
struct WrittenInstance {
    /// The key of an object that was replaced and is still to be deleted: no code stands for it.
    deposed: Option<String>,
    index_key: Option<Json>,
    #[serde(default)]
    attributes: Names,
}

/// The names of a resource. Everything else in a state, secrets among it, is skipped.
#[derive(Deserialize, Default)]
struct Names {
    id: Option<String>,
    arn: Option<String>,
    name: Option<String>,
    bucket: Option<String>,
    key_id: Option<String>,
}

/// Which resource of the account has which address.
#[derive(Debug, Default)]
pub struct State {
    by_arn: BTreeMap<String, String>,
    /// By the type of the resource and what it is known by; an address that several have counts for none.
    by_name: BTreeMap<(ResourceType, String), Option<String>>,
}

impl State {
    /// Reads it.
    ///
    /// # Errors
    /// Where it is not a state of version 4.
    pub fn read(path: &Path) -> Result<Self, StateError> {
        let unreadable = |refusal: Refusal| StateError::Unreadable { path: path.to_owned(), source: refusal.into() };
        let text = read_named_json(path).map_err(unreadable)?;
        let written: Written =
            serde_json::from_str(&text).map_err(|source| StateError::Malformed { path: path.to_owned(), source })?;
        if written.version != 4 {
            return Err(StateError::Version { path: path.to_owned(), version: written.version });
        }
        let mut state = Self::default();
        for resource in written.resources.iter().filter(|resource| resource.mode == "managed") {
            for instance in resource.instances.iter().filter(|instance| instance.deposed.is_none()) {
                state.add(resource, instance);
            }
        }
        Ok(state)
    }

    fn add(&mut self, resource: &WrittenResource, instance: &WrittenInstance) {
        let Some(resource_type) = type_of(&resource.kind) else { return };
        let module = resource.module.as_ref().map(|module| format!("{module}.")).unwrap_or_default();
        let index = instance.index_key.as_ref().map(|key| format!("[{key}]")).unwrap_or_default();
        let address = format!("{module}{}.{}{index}", resource.kind, resource.name);
        let names = &instance.attributes;
        // The ARN of a log group ends with `:*` in some versions of the provider.
        if let Some(arn) = &names.arn {
            self.by_arn.insert(arn.trim_end_matches(":*").to_owned(), address.clone());
        }
        let mut known: Vec<&String> =
            [&names.id, &names.name, &names.bucket, &names.key_id].into_iter().flatten().collect();
        known.dedup();
        for name in known {
            let other = self.by_name.entry((resource_type, name.clone())).or_insert_with(|| Some(address.clone()));
            if other.as_ref() != Some(&address) {
                *other = None;
            }
        }
    }

    /// The address of a resource of an account.
    pub fn address(&self, resource: &ResourceRef) -> Option<&str> {
        if let Some(arn) = &resource.arn {
            // A name alone may be that of another account or region.
            if let Some(address) = self.by_arn.get(arn.trim_end_matches(":*")) {
                return Some(address);
            }
            if !self.by_arn.is_empty() && !self.lacks_arns(resource.resource_type) {
                return None;
            }
        }
        self.by_name.get(&(resource.resource_type, resource.id.clone()))?.as_deref()
    }

    /// Whether the provider tells no ARN of such resources.
    fn lacks_arns(&self, resource_type: ResourceType) -> bool {
        // Of the documents of a state, one may be the session preferences.
        if resource_type == ResourceType::SessionPreferences {
            return true;
        }
        let Some(kind) = resource_type.terraform_types().first() else { return true };
        let marker = format!("{kind}.");
        !self.by_arn.values().any(|address| address.contains(&marker))
    }
}

fn type_of(kind: &str) -> Option<ResourceType> {
    ResourceType::ALL.iter().copied().find(|resource_type| resource_type.terraform_types().contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(resource_type: ResourceType, id: &str, arn: Option<&str>) -> ResourceRef {
        ResourceRef {
            resource_type,
            id: id.to_owned(),
            arn: arn.map(str::to_owned),
            name: None,
            account: None,
            region: None,
            address: None,
        }
    }

    #[test]
    fn resources_are_known_by_their_arns_and_by_names_that_only_one_has() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("terraform.tfstate");
        let state = serde_json::json!({"version": 4, "resources": [
            {"module": "module.a[\"x\"]", "mode": "managed", "type": "aws_instance", "name": "n", "instances": [
                {"index_key": 0, "deposed": "abcd1234", "attributes": {"id": "i-0", "arn": "arn:aws:ec2:r:1:instance/i-0"}},
                {"index_key": 0, "attributes": {"id": "i-1", "arn": "arn:aws:ec2:r:1:instance/i-1", "password": {"a": 1}}}]},
            {"mode": "managed", "type": "aws_cloudwatch_log_group", "name": "l", "instances": [
                {"attributes": {"id": "/ssm", "arn": "arn:aws:logs:r:1:log-group:/ssm:*"}}]},
            {"mode": "managed", "type": "aws_ssm_document", "name": "p", "instances": [{"attributes": {"id": "P"}}]},
            {"mode": "data", "type": "aws_instance", "name": "d", "instances": [{"attributes": {"id": "i-2"}}]},
        ]});
        std::fs::write(&path, state.to_string()).expect("a file");
        let state = State::read(&path).expect("a state");
        let of = |resource: ResourceRef| state.address(&resource).map(str::to_owned);
        let arn = |id: &str| format!("arn:aws:ec2:r:1:instance/{id}");
        assert_eq!(
            of(resource(ResourceType::Instance, "i-1", Some(&arn("i-1")))).as_deref(),
            Some("module.a[\"x\"].aws_instance.n[0]")
        );
        assert_eq!(of(resource(ResourceType::Instance, "i-2", Some(&arn("i-2")))), None);
        assert_eq!(of(resource(ResourceType::Instance, "i-0", Some(&arn("i-0")))), None);
        let group = "arn:aws:logs:r:1:log-group:/ssm";
        assert!(of(resource(ResourceType::LogGroup, "/ssm", Some(group))).is_some());
        // The same name in another account.
        assert_eq!(of(resource(ResourceType::LogGroup, "/ssm", Some("arn:aws:logs:r:2:log-group:/ssm"))), None);
        let preferences = resource(ResourceType::SessionPreferences, "P", Some("arn:aws:ssm:r:1:document/P"));
        assert_eq!(of(preferences).as_deref(), Some("aws_ssm_document.p"));
        std::fs::write(&path, "{\"version\": 3}").expect("a file");
        assert!(matches!(State::read(&path), Err(StateError::Version { version: 3, .. })));
    }
}
