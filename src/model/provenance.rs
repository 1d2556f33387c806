//! Provenance: what decided a result beside the facts. A report names it, so that a good result that a changed
//! configuration has made is told from one that the account or the code has earned.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The configuration, rules, flags and waivers that were used, and where each came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// The configuration file; null where none was used.
    pub configuration: Option<ConfigurationFile>,
    /// Every key of the configuration that is set, and every flag that was given and can change a result.
    pub settings: Vec<Setting>,
    /// Folders with rules beside those of ssm-audit.
    pub rules: Vec<RulesFolder>,
    /// Waivers, by the file that they stand in.
    pub waivers: Vec<WaiverFile>,
}

/// A configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigurationFile {
    /// Its path.
    pub file: String,
    /// How it was chosen: `found`, `--config`, or `SSM_AUDIT_CONFIG`.
    pub origin: String,
    /// The folder that it was taken from instead of the working folder (`--base`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// `sha256:` and the digest of its text.
    pub digest: String,
}

/// A key of the configuration, or a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Its name, such as `disable` or `--fail-on`.
    pub key: String,
    /// Its value; null where it is not shown, since it may be a secret.
    pub value: Json,
    /// The configuration file, `command line`, or the variable of the environment.
    pub origin: String,
}

/// A folder with rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RulesFolder {
    /// Its path.
    pub folder: String,
    /// The configuration file, or `--rules`.
    pub origin: String,
    /// How many rules it has.
    pub rules: usize,
    /// `sha256:` and the digest of their text.
    pub digest: String,
}

/// The waivers in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaiverFile {
    /// Its path.
    pub file: String,
    /// Whether they are comments in code.
    pub inline: bool,
    /// How many are accepted.
    pub accepted: usize,
    /// How many are not accepted: comments in code where those are refused.
    pub refused: usize,
}
