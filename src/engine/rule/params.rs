//! Parameters of rules: declared in the rule, set by the configuration.

use std::collections::BTreeMap;

use cel::ExecutionError;
use cel::common::traits::Indexer;
use cel::common::types::{CelBool, CelInt, CelList, CelString, Type};
use cel::common::value::{CowVal, Val};
use serde::Serialize;
use serde_json::Value as Json;

use super::file::ParamFile;
pub use super::file::ParamKind;
use super::types::Type as RuleType;
use crate::model::ids::{AccountId, Partition, Region};

/// A parameter of a rule.
#[derive(Debug, Clone)]
pub struct Param {
    /// Type of the parameter.
    pub kind: ParamKind,
    /// Default value.
    pub default: ParamValue,
    /// Allowed values; if empty, all of the type.
    pub values: Vec<ParamValue>,
    /// Meaning of the parameter.
    pub description: String,
}

/// Value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum ParamValue {
    /// true or false
    Bool(bool),
    /// a whole number
    Int(i64),
    /// text
    Text(String),
    /// a list of texts
    Texts(Vec<String>),
}

impl Param {
    /// Returns the parameter that a rule file declares.
    ///
    /// # Errors
    /// The error in the declaration.
    pub(crate) fn from_file(file: &ParamFile) -> Result<Self, String> {
        let read = |value: &Json| ParamValue::read(file.kind, value);
        let values = file.values.iter().flatten().map(read).collect::<Result<Vec<_>, _>>()?;
        let param =
            Self { kind: file.kind, default: read(&file.default)?, values, description: file.description.clone() };
        param.allows(&param.default)?;
        Ok(param)
    }

    /// Returns the configured value.
    ///
    /// # Errors
    /// The error in the value.
    pub fn value(&self, configured: &Json) -> Result<ParamValue, String> {
        let value = ParamValue::read(self.kind, configured)?;
        self.allows(&value)?;
        Ok(value)
    }

    fn allows(&self, value: &ParamValue) -> Result<(), String> {
        if self.values.is_empty() || self.values.contains(value) {
            return Ok(());
        }
        let allowed: Vec<String> = self.values.iter().map(ToString::to_string).collect();
        Err(format!("expected one of {}, got {value}", allowed.join(", ")))
    }

    pub(super) fn checked_type(&self) -> RuleType {
        match self.kind {
            ParamKind::Bool => RuleType::Bool,
            ParamKind::Int => RuleType::Int,
            ParamKind::String => RuleType::Text,
            ParamKind::List => RuleType::List(Box::new(RuleType::Text)),
        }
    }
}

/// Maximum number of texts of a parameter. Rules iterate over them, perhaps once for each.
const MOST_ITEMS: usize = 1_000;

impl ParamValue {
    fn read(kind: ParamKind, value: &Json) -> Result<Self, String> {
        match (kind, value) {
            (ParamKind::Bool, Json::Bool(value)) => Ok(Self::Bool(*value)),
            (ParamKind::Int, Json::Number(number)) if number.is_i64() => {
                Ok(Self::Int(number.as_i64().unwrap_or_default()))
            }
            (ParamKind::String, Json::String(text)) => Ok(Self::Text(text.clone())),
            (ParamKind::List, Json::Array(items)) if items.len() > MOST_ITEMS => {
                Err(format!("expected at most {MOST_ITEMS} texts, found {}", items.len()))
            }
            (ParamKind::List, Json::Array(items)) if items.iter().all(Json::is_string) => {
                Ok(Self::Texts(items.iter().filter_map(Json::as_str).map(str::to_owned).collect()))
            }
            _ => {
                let wanted = match kind {
                    ParamKind::Bool => "true or false",
                    ParamKind::Int => "a whole number",
                    ParamKind::String => "a string",
                    ParamKind::List => "a list of strings",
                };
                Err(format!("expected {wanted}, got {value}"))
            }
        }
    }

    /// Parses the value of a flag, `NAME=VALUE`.
    ///
    /// # Errors
    /// If the text is not a value of that type.
    pub fn parse(kind: ParamKind, text: &str) -> Result<Json, String> {
        match kind {
            ParamKind::String => Ok(text.into()),
            ParamKind::List => Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
            ParamKind::Bool | ParamKind::Int => serde_json::from_str(text).map_err(|_error| {
                let wanted = if kind == ParamKind::Int { "a whole number" } else { "true or false" };
                format!("expected {wanted}, got {text:?}")
            }),
        }
    }
}

impl std::fmt::Display for ParamValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::Int(value) => write!(formatter, "{value}"),
            Self::Text(value) => formatter.write_str(value),
            Self::Texts(values) => formatter.write_str(&values.join(", ")),
        }
    }
}

/// Location of a resource, for the `${account}`, `${region}` and `${partition}` of parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Where<'a> {
    pub(crate) account: Option<&'a AccountId>,
    pub(crate) region: Option<&'a Region>,
    pub(crate) partition: Partition,
}

impl Where<'_> {
    /// Returns the text with the location filled in; none if the text names an unknown part of it.
    fn fill(&self, text: &str) -> Option<String> {
        let mut filled = text.replace("${partition}", self.partition.as_str());
        for (name, value) in
            [("${account}", self.account.map(AccountId::as_str)), ("${region}", self.region.map(Region::as_str))]
        {
            if filled.contains(name) {
                filled = filled.replace(name, value?);
            }
        }
        Some(filled)
    }
}

/// Values of a rule's parameters as CEL's `params`.
#[derive(Debug, Default)]
pub(crate) struct BoundParams(BTreeMap<String, Box<dyn Val>>);

static PARAMS: Type = Type::new_unspecified_type("ssm_audit.Params");

impl BoundParams {
    /// Returns the values at one location. A value that names an unknown part of the location is left out: reading it
    /// is an error, so the verdict is unknown.
    pub(crate) fn at(values: &BTreeMap<String, ParamValue>, place: Where<'_>) -> Self {
        let bind = |value: &ParamValue| -> Option<Box<dyn Val>> {
            Some(match value {
                ParamValue::Bool(value) => Box::new(CelBool::from(*value)),
                ParamValue::Int(value) => Box::new(CelInt::from(*value)),
                ParamValue::Text(text) => Box::new(CelString::from(place.fill(text)?)),
                ParamValue::Texts(texts) => {
                    let texts: Option<Vec<Box<dyn Val>>> = texts
                        .iter()
                        .map(|text| Some(Box::new(CelString::from(place.fill(text)?)) as Box<dyn Val>))
                        .collect();
                    Box::new(CelList::from(texts?))
                }
            })
        };
        Self(values.iter().filter_map(|(name, value)| Some((name.clone(), bind(value)?))).collect())
    }

    /// Returns the values if they are the same everywhere.
    pub(crate) fn if_global(values: &BTreeMap<String, ParamValue>) -> Option<Self> {
        let is_global = values.values().all(|value| match value {
            ParamValue::Text(text) => !text.contains("${"),
            ParamValue::Texts(texts) => texts.iter().all(|text| !text.contains("${")),
            ParamValue::Bool(_) | ParamValue::Int(_) => true,
        });
        let nowhere = Where { account: None, region: None, partition: Partition::Aws };
        is_global.then(|| Self::at(values, nowhere))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&(dyn Val + 'static)> {
        self.0.get(name).map(Box::as_ref)
    }
}

impl Val for BoundParams {
    fn get_type(&self) -> &Type {
        &PARAMS
    }

    fn cel_type() -> &'static Type {
        &PARAMS
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(Self(self.0.clone()))
    }
}

impl Indexer for BoundParams {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = index.downcast_ref::<CelString>().map(CelString::inner).unwrap_or_default();
        self.value(name).map(CowVal::Borrowed).ok_or_else(|| ExecutionError::no_such_key(name))
    }

    fn steal<'v>(mut self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = index.downcast_ref::<CelString>().map(CelString::inner).unwrap_or_default();
        self.0.remove(name).map(|value| value as Box<dyn Val + 'v>).ok_or_else(|| ExecutionError::no_such_key(name))
    }
}
