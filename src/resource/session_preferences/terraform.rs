//! Session preferences: `aws_ssm_document`, and default host management by `aws_ssm_service_setting`.

use std::rc::Rc;
use std::sync::Arc;

use iam_policy::is_symbol;
use serde_json::Value as Json;

use super::document::Content;
use super::schema::{PREFERENCES_DOCUMENT, SessionInputs, SessionPreferences};
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::file::Span;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::{Value, number_json};
use crate::collect::terraform::yaml::{Mistake, decode};
use crate::diagnostic::Diagnostic;
use crate::model::{Entry, Fact, Gap, Key, Link, Region, ResourceType};
use crate::resource::role::schema::Role;
use crate::resource::role::terraform::role_name;

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
    ("inputs.run_as_default_user", "runAsDefaultUser"),
    ("inputs.idle_session_timeout", "idleSessionTimeout"),
    ("inputs.max_session_duration", "maxSessionDuration"),
];

impl Mapper {
    /// The preferences, where the code declares them.
    pub(crate) fn session_preferences(&mut self) {
        for document in self.all("aws_ssm_document") {
            match fact::text(&self.context, &document.attribute("name")) {
                Fact::Known(Some(name)) if name == PREFERENCES_DOCUMENT => self.put_preferences(&document),
                Fact::Unknown(gap) if gap.symbol.as_deref().is_none_or(|name| may_be(name, PREFERENCES_DOCUMENT)) => {
                    // Another document, unless it is one of sessions.
                    match document.attribute("document_type") {
                        Value::Text(kind) if *kind != *"Session" && !kind.contains(is_symbol) => {}
                        _ => self.unlisted(ResourceType::SessionPreferences, document.region(), &gap),
                    }
                }
                Fact::Known(_) | Fact::Unknown(_) => {}
            }
        }
        self.host_management();
        self.hybrid_nodes();
    }

    /// Puts in the preferences of regions with nodes whose document the code does not declare, so that nobody takes
    /// what is not there for right. They may live elsewhere.
    pub(crate) fn undeclared_preferences(&mut self) {
        let others = self.other_session_documents();
        let mut regions: Vec<(Option<Region>, Option<Span>)> = Vec::new();
        let nodes = self.inventory.instances.keys().map(|key| (ResourceType::Instance, key));
        let nodes =
            nodes.chain(self.inventory.managed_instances.keys().map(|key| (ResourceType::ManagedInstance, key)));
        for (resource_type, key) in nodes {
            if !regions.iter().any(|(region, _)| *region == key.region) {
                let place = self.source_map.of(resource_type, key);
                regions.push((key.region.clone(), place.map(|place| place.block)));
            }
        }
        for (region, span) in regions {
            let declared = self.inventory.session_preferences.iter();
            let mut declared = declared.filter(|(key, entry)| entry.in_scope && key.region == region);
            let unlisted = self.inventory.unlisted.iter().any(|unlisted| {
                unlisted.resource_type == ResourceType::SessionPreferences
                    && (unlisted.region.is_none() || unlisted.region == region)
            });
            if declared.next().is_none() && !unlisted {
                self.put_undeclared(region, span, &others);
            }
        }
    }

    fn put_undeclared(&mut self, region: Option<Region>, span: Option<Span>, others: &[String]) {
        let mut message = format!(
            "the code has nodes and does not declare the document {PREFERENCES_DOCUMENT}, by which sessions are logged: \
             scan the account, or the code that declares it"
        );
        if !others.is_empty() {
            message = format!("{message}; only sessions that name {} use its settings", others.join(" or "));
        }
        let gap = span.map_or_else(|| Self::not_told(message.clone()), |span| self.context.gap(span, message.clone()));
        let key = Key { region, id: PREFERENCES_DOCUMENT.into() };
        let earlier = self.inventory.session_preferences.remove(&key);
        let unread: Entry<SessionPreferences> = Entry::unread(&gap);
        let attributes = SessionPreferences {
            default_host_management_role: earlier
                .map_or(Fact::Known(None), |earlier| earlier.attributes.default_host_management_role),
            ..unread.attributes
        };
        self.inventory.session_preferences.insert(key, Entry::existing(attributes));
    }

    /// Returns the Session documents of other names, each of which is warned of where none has the name.
    fn other_session_documents(&self) -> Vec<String> {
        let is_session = |document: &Rc<Instance>| match document.attribute("document_type") {
            Value::Text(kind) => *kind == *"Session",
            _ => false,
        };
        let declared = |region: Option<Region>| {
            let mut preferences = self.inventory.session_preferences.iter();
            preferences.any(|(key, entry)| entry.in_scope && key.region == region)
        };
        let all = self.all("aws_ssm_document").into_iter();
        let others: Vec<Rc<Instance>> =
            all.filter(|document| is_session(document) && !declared(document.region())).collect();
        for document in &others {
            let message = format!(
                "{} is a Session document, and not {PREFERENCES_DOCUMENT}: only sessions that name it use its settings",
                document.address
            );
            self.context.report(document.block.span, Diagnostic::warning(message));
        }
        others.iter().map(|document| document.address.clone()).collect()
    }

    fn put_preferences(&mut self, document: &Rc<Instance>) {
        let view = document.view();
        let key = Self::key_of(ResourceType::SessionPreferences, document);
        let mut mapped: Mapped<SessionPreferences> = Mapped::new();
        mapped.at("document_exists", view.span_of("name"));
        let document_type = fact::text(&self.context, &mapped.get("document_type", &view, "document_type"));
        let content = view.span_of("content");
        for path in ["problems", "inputs"] {
            mapped.at(path, content);
        }
        for (path, word) in MEMBERS {
            mapped.at(path, content.map(|span| self.context.find_in(span, word).unwrap_or(span)));
        }
        let preferences = &mut mapped.resource;
        preferences.arn = self.told(document, "arn");
        preferences.document_exists = Fact::Known(true);
        preferences.document_type = document_type;
        // Terraform makes the newest version the default one.
        preferences.default_version = Fact::Known(Some("$LATEST".to_owned()));
        preferences.latest_version = Fact::Known(Some("$LATEST".to_owned()));
        self.read_content(&view, preferences);
        if let (Value::Text(kind), Fact::Known(problems)) = (view.get("document_type"), &mut preferences.problems)
            && *kind != *"Session"
            && !kind.contains(is_symbol)
        {
            problems.push(format!("document_type: expected Session, got {kind}"));
        }
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
        self.put(key, document, mapped, Judged::Yes);
    }

    fn read_content(&self, view: &BlockView, preferences: &mut SessionPreferences) {
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
        if !self.context.afford_text(text.len().saturating_mul(16)) {
            return unknown(preferences, fact::left_open(view, "it takes too much to read the document"));
        }
        let document = match view.get("document_format") {
            Value::Null => serde_json::from_str::<Json>(&text).ok(),
            Value::Text(format) if *format == *"JSON" => serde_json::from_str(&text).ok(),
            Value::Text(format) if *format == *"YAML" => match self.json_of_yaml(&text) {
                Ok(document) => Some(document),
                Err(_) if text.contains(is_symbol) => return unknown(preferences, fact::gap_in(&self.context, &text)),
                Err(why) => return unknown(preferences, fact::left_open(view, &format!("the content: {why}"))),
            },
            Value::Unknown(hole) => return unknown(preferences, Arc::clone(&hole.gap)),
            _ => return unknown(preferences, fact::left_open(view, "document_format is neither JSON nor YAML")),
        };
        let mut holes: Vec<(String, Arc<Gap>)> = Vec::new();
        let text = match document {
            Some(mut json) => {
                self.take_holes(&mut json, "", &mut holes);
                json.to_string()
            }
            None if text.contains(is_symbol) => return unknown(preferences, fact::gap_in(&self.context, &text)),
            None => text.to_string(),
        };
        let (context, span) = (Rc::clone(&self.context), view.span_of("content").unwrap_or(view.span()));
        let mut content = Content::parse(&text, move |problem| context.gap(span, problem.to_string()));
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

    /// The document that a text in YAML is: Systems Manager gives it out as JSON.
    fn json_of_yaml(&self, text: &str) -> Result<Json, String> {
        fn json(value: &Value) -> Json {
            match value {
                Value::Bool(value) => Json::Bool(*value),
                Value::Number(value) => number_json(*value),
                Value::Text(text) => Json::from(text.as_ref()),
                Value::List(items) | Value::Set(items) => items.iter().map(json).collect(),
                Value::Map(members) => members.iter().map(|(name, value)| (name.to_string(), json(value))).collect(),
                // YAML gives no others.
                Value::Null | Value::Instance(_) | Value::Module(_) | Value::Unknown(_) | Value::Sensitive(_) => {
                    Json::Null
                }
            }
        }
        match decode(text, &|amount| self.context.afford(amount)) {
            Ok(value) => Ok(json(&value)),
            Err(Mistake::Wrong(why)) => Err(why),
            Err(Mistake::Unknown(why)) => Err(why.to_owned()),
        }
    }

    /// Takes texts with holes out of a document, each with its path: what they will be is not for its form to say.
    fn take_holes(&self, json: &mut Json, path: &str, holes: &mut Vec<(String, Arc<Gap>)>) {
        match json {
            Json::String(text) if text.contains(is_symbol) => {
                holes.push((path.to_owned(), fact::gap_in(&self.context, text)));
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
            let id = match fact::text(&self.context, &setting.attribute("setting_id")) {
                Fact::Known(Some(id)) => id,
                Fact::Unknown(gap) => gap.symbol.as_deref().unwrap_or_default().to_owned(),
                Fact::Known(None) => String::new(),
            };
            if !id.ends_with(HOST_MANAGEMENT) {
                continue;
            }
            let value = setting.attribute("setting_value");
            // The role may be named with its path.
            let role = self.role_link(&role_name(&value), &setting);
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

/// Returns `true` if a text with holes in it may be this one. A hole may be empty.
fn may_be(text: &str, wanted: &str) -> bool {
    let parts: Vec<&str> = text.split(is_symbol).collect();
    let [first, middle @ .., last] = parts.as_slice() else { return text == wanted };
    let Some(mut rest) = wanted.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    for part in middle {
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    true
}

/// A fact as the value that it was.
fn written(fact: &Fact<Option<String>>) -> Value {
    use crate::collect::terraform::value::{Nature, UnknownValue};
    match fact {
        Fact::Known(None) => Value::Null,
        Fact::Known(Some(text)) => Value::text(text.as_str()),
        Fact::Unknown(gap) => match &gap.symbol {
            Some(symbol) => Value::Text(Arc::clone(symbol)),
            None => Value::Unknown(UnknownValue::new(Arc::clone(gap), Nature::Open)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_holes_may_be_another_where_all_that_is_known_of_it_fits() {
        let wanted = "SSM-SessionManagerRunShell";
        for text in ["\u{E010}", "SSM-\u{E010}", "\u{E010}RunShell", "SSM-\u{E010}Manager\u{E011}", wanted] {
            assert!(may_be(text, wanted), "{text}");
        }
        for text in [
            "\u{E010}-session-logging",
            "acme-\u{E010}",
            "SSM-\u{E010}x\u{E011}",
            "\u{E010}SSM-SessionManagerRunShell2",
        ] {
            assert!(!may_be(text, wanted), "{text}");
        }
    }
}
