//! KMS: `aws_kms_key`, `aws_kms_external_key`, `aws_kms_replica_key`, `aws_kms_alias`, `aws_kms_key_policy`,
//! `aws_kms_grant`.

use std::rc::Rc;
use std::sync::Arc;

use iam_policy::PolicyDocument;
use serde_json::Value as Json;

use super::schema::KmsKey;
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::associations::with_text;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Entry, Fact, Gap, GapKind, Key, Link, ResourceType, symbol};

/// The types that are keys.
pub(crate) const KEYS: &[&str] =
    &["aws_kms_key", "aws_kms_external_key", "aws_kms_replica_key", "aws_kms_replica_external_key"];

/// The types that are replicas of a multi-Region key.
const REPLICAS: &[&str] = &["aws_kms_replica_key", "aws_kms_replica_external_key"];

/// The aliases of the keys that AWS keeps for its services begin so.
const OF_AWS: &str = "alias/aws/";

impl Mapper {
    /// The key that a value names, by id, ARN or alias.
    pub(crate) fn key_link(&mut self, value: &Value, by: &Rc<Instance>, judged: Judged) -> Fact<Option<Link<KmsKey>>> {
        let kinds = [KEYS, &["aws_kms_alias"]].concat();
        let mut target = self.target(value, &kinds, by);
        // Aliases of aliases there are none of.
        if let Reference::Declared(alias) = &target
            && *alias.kind == *"aws_kms_alias"
        {
            target = self.target(&alias.attribute("target_key_id"), KEYS, alias);
        }
        if let Some(none) = self.no_link(&target, by, judged) {
            return none;
        }
        Fact::Known(Some(match target {
            Reference::Declared(key) => Link::to(self.put_key(&key, judged)),
            Reference::Named(name) => {
                let key = Key { region: by.region(), id: name };
                if key.id.starts_with(OF_AWS) || key.id.contains(&format!(":{OF_AWS}")) {
                    self.put_key_of_aws(&key);
                    Link::to(key)
                } else {
                    self.put_named(key, by)
                }
            }
            _ => return Fact::Known(None),
        }))
    }

    fn put_key_of_aws(&mut self, key: &Key) {
        let known = |text: &str| Fact::Known(text.to_owned());
        let attributes = KmsKey {
            key_manager: known("AWS"),
            key_spec: known("SYMMETRIC_DEFAULT"),
            key_usage: known("ENCRYPT_DECRYPT"),
            region: match &key.region {
                Some(region) => known(region.as_str()),
                None => Fact::Unknown(Self::of_some_region()),
            },
            origin: known("AWS_KMS"),
            key_state: known("Enabled"),
            enable_key_rotation: Fact::Known(true),
            deletion_window_in_days: Fact::Known(None),
            ..KmsKey::default()
        };
        let entry = Entry { exists: Fact::Known(true), in_scope: false, attributes };
        self.inventory.keys.entry(key.clone()).or_insert(entry);
    }

    /// The gap of a key that is in the region that the code is deployed to, whichever that is.
    fn of_some_region() -> Arc<Gap> {
        let gap = Gap::because(GapKind::Unresolved, "the code does not say its region");
        Arc::new(Gap { symbol: Some(symbol::REGION.into()), ..gap })
    }

    pub(crate) fn put_key(&mut self, instance: &Rc<Instance>, judged: Judged) -> Key {
        let key = Self::key_of(ResourceType::KmsKey, instance);
        if self.seen::<KmsKey>(&key, judged) {
            return key;
        }
        let view = instance.view();
        let mut mapped: Mapped<KmsKey> = Mapped::new();
        let rotation = fact::flag(&mapped.get("enable_key_rotation", &view, "enable_key_rotation"));
        // Replicas share the material of their primary, and what follows from it.
        // <https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html>
        let primary = REPLICAS.contains(&&*instance.kind).then(|| self.primary(instance));
        let of_primary = |text: &dyn Fn(&Rc<Instance>) -> Fact<String>| match &primary {
            None => text(instance),
            Some(Ok(primary)) => text(primary),
            Some(Err(gap)) => Fact::Unknown(Arc::clone(gap)),
        };
        let key_spec = of_primary(&|key| {
            fact::or(fact::text(&self.context, &key.view().get("customer_master_key_spec")), || {
                "SYMMETRIC_DEFAULT".to_owned()
            })
        });
        let key_usage = of_primary(&|key| {
            fact::or(fact::text(&self.context, &key.view().get("key_usage")), || "ENCRYPT_DECRYPT".to_owned())
        });
        let origin = match &*instance.kind {
            "aws_kms_replica_external_key" => Fact::Known("EXTERNAL".to_owned()),
            _ => of_primary(&origin),
        };
        let rotation = match &primary {
            None => rotation,
            Some(Ok(primary)) => {
                let view = primary.view();
                mapped.at("enable_key_rotation", view.span_of("enable_key_rotation").or(Some(view.span())));
                fact::flag(&view.get("enable_key_rotation"))
            }
            Some(Err(gap)) => Fact::Unknown(Arc::clone(gap)),
        };
        let window =
            fact::whole(&self.context, &mapped.get("deletion_window_in_days", &view, "deletion_window_in_days"));
        mapped.at("key_state", view.span_of("is_enabled").or_else(|| view.span_of("enabled")));
        mapped.resource = KmsKey {
            arn: self.told(instance, "arn"),
            key_id: self.told(instance, "key_id"),
            region: fact::or(fact::text(&self.context, &instance.region_value()), String::new),
            key_usage,
            key_manager: Fact::Known("CUSTOMER".to_owned()),
            key_spec,
            origin,
            key_state: key_state(instance),
            enable_key_rotation: fact::or(rotation, || false),
            policy: self.key_policy(instance, &mut mapped),
            log_groups: Fact::default(),
            deletion_window_in_days: window,
        };
        self.put(key.clone(), instance, mapped, judged);
        key
    }

    /// Returns the primary key of a replica.
    fn primary(&self, replica: &Rc<Instance>) -> Result<Rc<Instance>, Arc<Gap>> {
        let view = replica.view();
        match self.target(&view.get("primary_key_arn"), KEYS, replica) {
            Reference::Declared(primary) => Ok(primary),
            Reference::Unknown(gap) | Reference::Outside(gap) => Err(gap),
            Reference::None | Reference::Named(_) => Err(fact::left_open(
                &view,
                "a replica rotates as its primary key does, which is not declared in this code",
            )),
        }
    }

    /// The policy of the key, or of `aws_kms_key_policy`; without either, the one that KMS makes, which leaves
    /// everything to the account.
    fn key_policy(&self, instance: &Rc<Instance>, mapped: &mut Mapped<KmsKey>) -> Fact<PolicyDocument> {
        let own = |view: &BlockView| Ok(with_text(view, "policy"));
        let written = match self.companion_or_own("aws_kms_key_policy", "key_id", instance, KEYS, own) {
            Err(gap) => return Fact::Unknown(gap),
            Ok(None) => Fact::Known(None),
            Ok(Some(view)) => fact::policy(&self.context, &view, &mapped.get("policy", &view, "policy")),
        };
        let policy = match written {
            Fact::Unknown(gap) => return Fact::Unknown(gap),
            Fact::Known(Some(policy)) => Fact::Known(policy),
            Fact::Known(None) => self.default_key_policy(instance),
        };
        match (policy, self.grants(instance)) {
            (Fact::Known(policy), Ok(grants)) => with_statements(policy, grants).into(),
            (Fact::Unknown(gap), _) | (_, Err(gap)) => Fact::Unknown(gap),
        }
    }

    /// The grants on the key, as statements of its policy: both allow a principal operations on this key alone.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/grants.html>
    fn grants(&self, key: &Rc<Instance>) -> Result<Vec<Json>, Arc<Gap>> {
        let known = |value: &Value| match fact::text(&self.context, value) {
            Fact::Known(text) => Ok(text.unwrap_or_default()),
            Fact::Unknown(gap) => gap.symbol.as_deref().map(str::to_owned).ok_or(gap),
        };
        let mut statements = Vec::new();
        for grant in self.associations("aws_kms_grant", "key_id", key, KEYS)? {
            let view = grant.view();
            if !view.blocks("constraints")?.is_empty() {
                return Err(fact::left_open(&view, "what a grant with constraints allows is not judged"));
            }
            let operations = match view.get("operations") {
                Value::List(items) | Value::Set(items) => items.to_vec(),
                Value::Unknown(hole) => return Err(Arc::clone(&hole.gap)),
                _ => Vec::new(),
            };
            let action = |operation: &Value| Ok(format!("kms:{}", known(operation)?));
            let actions = operations.iter().map(action).collect::<Result<Vec<_>, Arc<Gap>>>()?;
            let principal = known(&view.get("grantee_principal"))?;
            statements.push(serde_json::json!({
                "Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*",
            }));
        }
        Ok(statements)
    }

    /// <https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html>
    fn default_key_policy(&self, instance: &Rc<Instance>) -> Fact<PolicyDocument> {
        let partition = instance.partition();
        let account = match fact::text(&self.context, &instance.account_value()) {
            Fact::Known(account) => account.unwrap_or_default(),
            Fact::Unknown(gap) => gap.symbol.as_deref().unwrap_or_default().to_owned(),
        };
        let document = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:{partition}:iam::{account}:root")},
                "Action": "kms:*",
                "Resource": "*",
            }],
        });
        match PolicyDocument::from_value(document) {
            Ok(policy) => Fact::Known(policy),
            Err(error) => Fact::Unknown(Self::not_told(error.to_string())),
        }
    }
}

/// Returns a policy with further statements.
fn with_statements(policy: PolicyDocument, more: Vec<Json>) -> Result<PolicyDocument, Arc<Gap>> {
    if more.is_empty() {
        return Ok(policy);
    }
    let mut json = policy.as_value().clone();
    let mut statements = match json["Statement"].take() {
        Json::Array(statements) => statements,
        one => vec![one],
    };
    statements.extend(more);
    json["Statement"] = Json::Array(statements);
    PolicyDocument::from_value(json).map_err(|error| Mapper::not_told(error.to_string()))
}

/// Where the material of a key comes from.
fn origin(instance: &Rc<Instance>) -> Fact<String> {
    let view = instance.view();
    if *instance.kind == *"aws_kms_external_key" {
        return Fact::Known("EXTERNAL".to_owned());
    }
    match (view.get("custom_key_store_id"), view.get("xks_key_id")) {
        (Value::Null, Value::Null) => Fact::Known("AWS_KMS".to_owned()),
        (_, Value::Null) => Fact::Known("AWS_CLOUDHSM".to_owned()),
        _ => Fact::Known("EXTERNAL_KEY_STORE".to_owned()),
    }
}

/// The state that the code puts a key into.
fn key_state(instance: &Rc<Instance>) -> Fact<String> {
    let view = instance.view();
    let name = if *instance.kind == *"aws_kms_key" { "is_enabled" } else { "enabled" };
    if matches!(&*instance.kind, "aws_kms_external_key" | "aws_kms_replica_external_key")
        && matches!(view.get("key_material_base64"), Value::Null)
    {
        return Fact::Known("PendingImport".to_owned());
    }
    let enabled = fact::or(fact::flag(&view.get(name)), || true);
    enabled.map(|enabled| if enabled { "Enabled" } else { "Disabled" }.to_owned())
}
