//! `inline_waivers:` in `ssm-audit.yaml`: which comments in code waive anything (`# ssm-audit:ignore RULE reason="…"`).

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::diagnostic::Diagnostic;
use crate::engine::waiver::{Glob, Waiver};
use crate::yaml::Spanned;

/// Which comments in code are accepted as waivers.
#[derive(Debug, Clone, Default)]
pub enum InlineWaivers {
    /// The configuration does not say: all, unless the code comes from somebody else than the configuration.
    #[default]
    Unsaid,
    /// None, for this reason.
    Denied(String),
    /// Those that hold to this.
    Limited {
        /// The rules that can be waived.
        rules: Vec<Glob>,
        /// Whether a last day is asked for.
        until: bool,
    },
}

impl InlineWaivers {
    /// Splits the waivers of code into those that are accepted and warnings about those that are not.
    pub fn accept(&self, waivers: Vec<Waiver>) -> (Vec<Waiver>, Vec<Diagnostic>) {
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        for waiver in waivers {
            match self.objection(&waiver) {
                None => accepted.push(Waiver { within: self.rules().to_vec(), ..waiver }),
                Some(why) => {
                    let message = format!("the waiver of {} is not accepted: {why}", waiver.rule);
                    refused.push(Diagnostic { message, ..waiver.place });
                }
            }
        }
        (accepted, refused)
    }

    fn rules(&self) -> &[Glob] {
        if let Self::Limited { rules, .. } = self { rules } else { &[] }
    }

    fn objection(&self, waiver: &Waiver) -> Option<String> {
        match self {
            Self::Denied(why) => Some(why.clone()),
            Self::Limited { until: true, .. } if waiver.expires.is_none() => {
                Some("inline_waivers asks for `until=YYYY-MM-DD`".to_owned())
            }
            Self::Unsaid | Self::Limited { .. } => None,
        }
    }
}

/// `deny`, or what is asked of comments.
#[derive(Debug, Default)]
pub(super) enum InlineWaiversFile {
    #[default]
    Unsaid,
    Deny,
    Limited(LimitsFile),
}

/// What is asked of a comment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "InlineWaivers")]
pub(super) struct LimitsFile {
    /// The rules that can be waived, by id; `*` and `?` match. All of them, if it is left out.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) rules: Vec<Spanned<String>>,
    /// What each comment must say.
    #[serde(default)]
    require: Vec<Requirement>,
}

/// What a comment must say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Requirement {
    /// A reason, without which no comment is a waiver.
    Reason,
    /// The last day on which it applies.
    Until,
}

impl InlineWaiversFile {
    /// The globs that name rules.
    pub(super) fn globs(&self) -> &[Spanned<String>] {
        if let Self::Limited(limits) = self { &limits.rules } else { &[] }
    }

    pub(super) fn terms(&self, file: &str) -> InlineWaivers {
        match self {
            Self::Unsaid => InlineWaivers::Unsaid,
            Self::Deny => InlineWaivers::Denied(format!("{file} says `inline_waivers: deny`")),
            Self::Limited(limits) => InlineWaivers::Limited {
                rules: limits.rules.iter().map(|glob| Glob::new(glob)).collect(),
                until: limits.require.contains(&Requirement::Until),
            },
        }
    }
}

impl<'de> Deserialize<'de> for InlineWaiversFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DenyOrLimits;

        impl<'de> Visitor<'de> for DenyOrLimits {
            type Value = InlineWaiversFile;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("`deny`, or a mapping with rules and require")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<InlineWaiversFile, E> {
                if word == "deny" {
                    return Ok(InlineWaiversFile::Deny);
                }
                Err(E::custom(format!("expected `deny`, or a mapping with rules and require; found `{word}`")))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<InlineWaiversFile, A::Error> {
                LimitsFile::deserialize(MapAccessDeserializer::new(map)).map(InlineWaiversFile::Limited)
            }
        }

        deserializer.deserialize_any(DenyOrLimits)
    }
}

impl JsonSchema for InlineWaiversFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DenyOrInlineWaivers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"const": "deny"}, generator.subschema_for::<LimitsFile>()]})
    }
}
