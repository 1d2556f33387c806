//! `fleet:` in `ssm-audit.yaml`, as it is written.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::diagnostic::{Diagnostic, SourceFile};
use crate::fleet::choice::{Listed, Part, UnitId};
use crate::fleet::role::{ExternalId, RoleArn, RolePattern, SessionName};
use crate::fleet::{Access, Accounts, Choice, LogArchive, Regions};
use crate::model::{AccountId, Region};
use crate::yaml::Spanned;

/// Accounts and regions. One of `accounts`, `organization` and `profiles`; without them, the account of the
/// credentials.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Fleet")]
pub(super) struct FleetFile {
    /// Accounts by id; `self` is the one of the credentials.
    #[schemars(with = "Option<Vec<String>>", inner(pattern("^([0-9]{12}|self)$")))]
    accounts: Option<Spanned<Vec<Listed>>>,
    /// The accounts of the organisation, or of a part of it.
    #[schemars(with = "Option<OrganizationFile>")]
    organization: Option<Spanned<OrganizationFile>>,
    /// The accounts that these profiles of the AWS configuration files lead to.
    #[schemars(with = "Option<Vec<String>>")]
    profiles: Option<Spanned<Vec<String>>>,
    /// The role to assume in each account: its name, or its ARN with `${account}` (and `${partition}`) in it.
    #[schemars(with = "Option<String>")]
    role: Option<Spanned<RolePattern>>,
    /// ARNs of roles to assume before it, each with the credentials of the one before.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    via: Vec<RoleArn>,
    /// What the trust policy of the role asks for.
    #[schemars(with = "Option<String>", length(min = 2, max = 1224))]
    external_id: Option<ExternalId>,
    /// The name of the session, which CloudTrail shows.
    #[schemars(with = "Option<String>", length(min = 2, max = 64))]
    session_name: Option<SessionName>,
    /// Regions by name, or `all` that are enabled for the account.
    #[serde(default)]
    regions: RegionsFile,
}

impl FleetFile {
    /// What it asks for, with what is wrong with it.
    pub(super) fn choice(self, source: &SourceFile, diagnostics: &mut Vec<Diagnostic>) -> Choice {
        let mut chosen: Vec<(&str, std::ops::Range<usize>)> = Vec::new();
        let mut accounts = Accounts::Own;
        let mut excluded = Vec::new();
        if let Some(listed) = self.accounts.filter(|listed| !listed.is_empty()) {
            chosen.push(("accounts", listed.span));
            accounts = Accounts::Listed(listed.value.into_iter().collect());
        }
        if let Some(organization) = self.organization
            && let Some(part) = organization.value.0
        {
            chosen.push(("organization", organization.span));
            excluded = part.exclude;
            accounts = Accounts::Organization(Part { units: part.ous.into_iter().collect(), tags: part.tags });
        }
        if let Some(profiles) = self.profiles.filter(|profiles| !profiles.is_empty()) {
            chosen.push(("profiles", profiles.span.clone()));
            if let Some(role) = &self.role {
                let error =
                    Diagnostic::error("profiles have credentials of their own, and `role` is not assumed with them");
                diagnostics.push(error.at(source, role.span.clone()).related(profiles.span, "profiles here"));
            }
            accounts = Accounts::Profiles(profiles.value.into_iter().collect());
        }
        if let [(first, first_span), others @ ..] = &chosen[..] {
            for (other, span) in others {
                let error = Diagnostic::error(format!("`{first}` and `{other}` both say which accounts are looked at"));
                diagnostics.push(error.at(source, span.clone()).related(first_span.clone(), "first here"));
            }
        }
        Choice {
            accounts,
            excluded: excluded.into_iter().collect(),
            access: Access {
                role: self.role.map(|role| role.value),
                via: self.via,
                external_id: self.external_id,
                session_name: self.session_name.unwrap_or_default(),
                log_archive: None,
            },
            regions: self.regions.0,
        }
    }
}

/// The account that keeps the session logs of others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LogArchive")]
pub(super) struct LogArchiveFile {
    /// The ARN of a role in that account that may read its buckets' policies.
    #[schemars(with = "String")]
    role: RoleArn,
    /// What the trust policy of the role asks for.
    #[schemars(with = "Option<String>", length(min = 2, max = 1224))]
    external_id: Option<ExternalId>,
}

impl LogArchiveFile {
    /// What it says.
    pub(super) fn log_archive(self) -> LogArchive {
        LogArchive { role: self.role, external_id: self.external_id }
    }
}

/// `true`, or a part of the organisation.
#[derive(Debug)]
struct OrganizationFile(Option<PartFile>);

/// A part of the organisation.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OrganizationPart")]
struct PartFile {
    /// Only accounts in these organisational units, and in the units below them.
    #[serde(default)]
    #[schemars(with = "Vec<String>", inner(pattern("^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$")))]
    ous: Vec<UnitId>,
    /// Only accounts with all of these tags.
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// Accounts that are left out.
    #[serde(default)]
    exclude: Vec<AccountId>,
}

impl<'de> Deserialize<'de> for OrganizationFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TrueOrPart;

        impl<'de> Visitor<'de> for TrueOrPart {
            type Value = OrganizationFile;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("true, or a mapping with ous, tags and exclude")
            }

            fn visit_bool<E>(self, all: bool) -> Result<OrganizationFile, E> {
                Ok(OrganizationFile(all.then(PartFile::default)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrganizationFile, A::Error> {
                PartFile::deserialize(MapAccessDeserializer::new(map)).map(|part| OrganizationFile(Some(part)))
            }
        }

        deserializer.deserialize_any(TrueOrPart)
    }
}

impl JsonSchema for OrganizationFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Organization".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "boolean"}, generator.subschema_for::<PartFile>()]})
    }
}

/// Names of regions, or `all`.
#[derive(Debug, Default)]
struct RegionsFile(Regions);

impl<'de> Deserialize<'de> for RegionsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOrNames;

        impl<'de> Visitor<'de> for AllOrNames {
            type Value = RegionsFile;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`all`, or a list of regions")
            }

            fn visit_unit<E>(self) -> Result<RegionsFile, E> {
                Ok(RegionsFile::default())
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<RegionsFile, E> {
                Regions::of(&[name]).map(RegionsFile).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<RegionsFile, A::Error> {
                let names = Vec::<Region>::deserialize(SeqAccessDeserializer::new(names))?;
                let named = Regions::Named(names.into_iter().collect());
                Ok(RegionsFile(if named.first().is_none() { Regions::Configured } else { named }))
            }
        }

        deserializer.deserialize_any(AllOrNames)
    }
}

impl JsonSchema for RegionsFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Regions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
    }
}
