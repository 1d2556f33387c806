//! Systems Manager: `aws_ssm_document` with the session preferences, and default host management by
//! `aws_ssm_service_setting` and `aws_ssm_default_host_management…`.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use super::super::instance::Instance;
use super::super::value::Value;
use super::super::view::View;
use super::{Draft, Judged, Mapper, fact};
use crate::iam::is_symbol;
use crate::model::iam::Role;
use crate::model::ssm::{PREFERENCES_DOCUMENT, SessionInputs, SessionPreferences};
use crate::model::{Entry, Fact, Gap, Key, Link, Region, ResourceType};
use crate::source::session_document::Content;

/// The setting that names the role of default host management, at the end of its id.
const HOST_MANAGEMENT: &str = "/ssm/managed-instance/default-ec2-instance-management-role";

/// The members of the document that attributes come from.
static MEMBERS: &[(&str, &str)] = &[
    ("schema_version", "schemaVersion"),
    ("session_type", "sessionType"),
    ("s3_bucket", "s3BucketName"),
    ("log_group", "cloudWatchLogGroupName"),
    ("kms_key", "kmsKeyId"),
    ("inputs.s3_bucket_name", "s3BucketName"),
    ("inputs.s3_key_prefix", "s3KeyPrefix"),
    ("inputs.s3_encryption_enabled", "s3EncryptionEnabled"),
    ("inputs.cloud_watch_log_group_name", "cloudWatchLogGroupName"),
    ("inputs.cloud_watch_encryption_enabled", "cloudWatchEncryptionEnabled"),
    ("inputs.cloud_watch_streaming_enabled", "cloudWatchStreamingEnabled"),
    ("inputs.kms_key_id", "kmsKeyId"),
    ("inputs.run_as_enabled", "runAsEnabled"),
    ("inputs.idle_session_timeout", "idleSessionTimeout"),
    ("inputs.max_session_duration", "maxSessionDuration"),
];

impl Mapper {
    /// The preferences, where the code declares them: those that live elsewhere are not missed.
    pub(super) fn session_preferences(&mut self) {
        for document in self.all("aws_ssm_document") {
            match fact::text(&self.world, &document.attribute("name")) {
                Fact::Known(Some(name)) if name == PREFERENCES_DOCUMENT => self.put_preferences(&document),
                Fact::Known(_) => {}
                // Another document, unless it is one of sessions.
                Fact::Unknown(gap) => match document.attribute("document_type") {
                    Value::Text(kind) if *kind != *"Session" && !kind.contains(is_symbol) => {}
                    _ => self.unlisted(ResourceType::SessionPreferences, document.region(), &gap),
                },
            }
        }
        self.host_management();
    }

    fn put_preferences(&mut self, document: &Rc<Instance>) {
        let view = document.view();
        let key = Self::key_of(ResourceType::SessionPreferences, document);
        let mut draft: Draft<SessionPreferences> = Draft::new();
        draft.at("document_exists", view.span_of("name"));
        let content = view.span_of("content");
        for path in ["problems", "inputs"] {
            draft.at(path, content);
        }
        for (path, word) in MEMBERS {
            draft.at(path, content.map(|span| self.world.find_in(span, word).unwrap_or(span)));
        }
        let preferences = &mut draft.resource;
        preferences.arn = self.told(document, "arn");
        preferences.document_exists = Fact::Known(true);
        // Terraform makes the newest version the default one.
        preferences.default_version = Fact::Known(Some("$LATEST".to_owned()));
        preferences.latest_version = Fact::Known(Some("$LATEST".to_owned()));
        self.read_content(&view, preferences);
        let inputs = match &preferences.inputs {
            Fact::Known(inputs) => inputs.clone(),
            Fact::Unknown(gap) => SessionInputs {
                s3_bucket_name: Fact::Unknown(Arc::clone(gap)),
                cloud_watch_log_group_name: Fact::Unknown(Arc::clone(gap)),
                kms_key_id: Fact::Unknown(Arc::clone(gap)),
                ..SessionInputs::default()
            },
        };
        preferences.s3_bucket = self.bucket_link(&written(&inputs.s3_bucket_name), document, Judged::Yes);
        preferences.log_group = self.log_group_link(&written(&inputs.cloud_watch_log_group_name), document);
        preferences.kms_key = self.key_link(&written(&inputs.kms_key_id), document, Judged::Yes);
        preferences.default_host_management_role = Fact::Known(None);
        self.put(key, document, draft, Judged::Yes);
    }

    fn read_content(&self, view: &View, preferences: &mut SessionPreferences) {
        let unknown = |preferences: &mut SessionPreferences, gap: Arc<Gap>| {
            preferences.schema_version = Fact::Unknown(Arc::clone(&gap));
            preferences.session_type = Fact::Unknown(Arc::clone(&gap));
            preferences.problems = Fact::Unknown(Arc::clone(&gap));
            preferences.inputs = Fact::Unknown(gap);
        };
        let text = match view.get("content") {
            Value::Text(text) => text,
            Value::Unknown(hole) => return unknown(preferences, Arc::clone(&hole.gap)),
            _ => return unknown(preferences, fact::left_open(view, "the document has no content")),
        };
        if !self.world.afford_text(text.len().saturating_mul(16)) {
            return unknown(preferences, fact::left_open(view, "it takes too much to read the document"));
        }
        let format = view.get("document_format");
        if matches!(&format, Value::Text(format) if **format != *"JSON") {
            let message = "content in YAML is not read: JSON says the same";
            return unknown(preferences, fact::left_open(view, message));
        }
        let mut holes: Vec<(String, Arc<Gap>)> = Vec::new();
        let text = match serde_json::from_str::<Json>(&text) {
            Ok(mut json) => {
                self.take_holes(&mut json, "", &mut holes);
                json.to_string()
            }
            Err(_) if text.contains(is_symbol) => return unknown(preferences, fact::gap_in(&self.world, &text)),
            Err(_) => text.to_string(),
        };
        let (world, span) = (Rc::clone(&self.world), view.span_of("content").unwrap_or(view.span()));
        let mut content = Content::parse(&text, move |problem| world.gap(span, problem.to_string()));
        preferences.schema_version = content.text("schemaVersion");
        preferences.session_type = content.text("sessionType");
        let mut inputs = Fact::Known(content.inputs());
        preferences.problems = Fact::Known(content.into_problems());
        for (path, gap) in holes {
            match (path.as_str(), &mut inputs) {
                ("/schemaVersion", _) => preferences.schema_version = Fact::Unknown(gap),
                ("/sessionType", _) => preferences.session_type = Fact::Unknown(gap),
                ("/inputs", _) => inputs = Fact::Unknown(gap),
                (path, Fact::Known(inputs)) => leave_open(inputs, path, gap),
                _ => {}
            }
        }
        preferences.inputs = inputs;
    }

    /// Takes texts with holes out of a document, each with its path: what they will be is not for its form to say.
    fn take_holes(&self, json: &mut Json, path: &str, holes: &mut Vec<(String, Arc<Gap>)>) {
        match json {
            Json::String(text) if text.contains(is_symbol) => {
                holes.push((path.to_owned(), fact::gap_in(&self.world, text)));
                *json = Json::Null;
            }
            Json::Object(members) if path.matches('/').count() < 2 => {
                for (name, member) in members {
                    self.take_holes(member, &format!("{path}/{name}"), holes);
                }
            }
            _ => {}
        }
    }

    /// The role that default host management names, in each region whose code says so.
    fn host_management(&mut self) {
        for setting in self.all("aws_ssm_service_setting") {
            let id = match fact::text(&self.world, &setting.attribute("setting_id")) {
                Fact::Known(Some(id)) => id,
                Fact::Unknown(gap) => gap.symbol.as_deref().unwrap_or_default().to_owned(),
                Fact::Known(None) => String::new(),
            };
            if !id.ends_with(HOST_MANAGEMENT) {
                continue;
            }
            let value = setting.attribute("setting_value");
            let value = match &value {
                // The role may be named with its path.
                Value::Text(text) if text.contains('/') => Value::text(text.rsplit('/').next().unwrap_or_default()),
                _ => value,
            };
            let role = self.role_link(&value, &setting);
            self.set_host_management(setting.region(), role);
        }
    }

    fn set_host_management(&mut self, region: Option<Region>, role: Fact<Option<Link<Role>>>) {
        let of_region = |key: &&Key| key.region == region;
        let key = self.inventory.session_preferences.keys().find(of_region).cloned();
        let key = key.unwrap_or_else(|| {
            // The preferences of this region live elsewhere.
            let key = Key { region, id: PREFERENCES_DOCUMENT.into() };
            let preferences =
                SessionPreferences { document_exists: Fact::Known(false), ..SessionPreferences::default() };
            let entry = Entry { exists: Fact::Known(true), in_scope: false, attributes: preferences };
            self.inventory.session_preferences.insert(key.clone(), entry);
            key
        });
        if let Some(entry) = self.inventory.session_preferences.get_mut(&key) {
            entry.attributes.default_host_management_role = role;
        }
    }
}

/// A fact as the value that it was.
fn written(fact: &Fact<Option<String>>) -> Value {
    use super::super::value::{Hole, Nature};
    match fact {
        Fact::Known(None) => Value::Null,
        Fact::Known(Some(text)) => Value::text(text.as_str()),
        Fact::Unknown(gap) => match &gap.symbol {
            Some(symbol) => Value::Text(Arc::clone(symbol)),
            None => Value::Unknown(Hole::new(Arc::clone(gap), Nature::Open)),
        },
    }
}

/// Of an input, what it is, is not known.
fn leave_open(inputs: &mut SessionInputs, path: &str, gap: Arc<Gap>) {
    // What is no text has no symbol.
    let plain = || Arc::new(Gap { symbol: None, ..gap.as_ref().clone() });
    match path {
        "/inputs/s3BucketName" => inputs.s3_bucket_name = Fact::Unknown(gap),
        "/inputs/s3KeyPrefix" => inputs.s3_key_prefix = Fact::Unknown(gap),
        "/inputs/cloudWatchLogGroupName" => inputs.cloud_watch_log_group_name = Fact::Unknown(gap),
        "/inputs/kmsKeyId" => inputs.kms_key_id = Fact::Unknown(gap),
        "/inputs/runAsDefaultUser" => inputs.run_as_default_user = Fact::Unknown(gap),
        "/inputs/s3EncryptionEnabled" => inputs.s3_encryption_enabled = Fact::Unknown(plain()),
        "/inputs/cloudWatchEncryptionEnabled" => inputs.cloud_watch_encryption_enabled = Fact::Unknown(plain()),
        "/inputs/cloudWatchStreamingEnabled" => inputs.cloud_watch_streaming_enabled = Fact::Unknown(plain()),
        "/inputs/runAsEnabled" => inputs.run_as_enabled = Fact::Unknown(plain()),
        "/inputs/idleSessionTimeout" => inputs.idle_session_timeout = Fact::Unknown(plain()),
        "/inputs/maxSessionDuration" => inputs.max_session_duration = Fact::Unknown(plain()),
        _ => {}
    }
}
