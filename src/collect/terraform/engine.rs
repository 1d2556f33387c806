//! The programs that run the code. OpenTofu also reads `.tofu` files, and each replaces the `.tf` file of the
//! same name: <https://opentofu.org/docs/language/files/>.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parse::Form;

/// The program that runs the code.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Terraform
    #[default]
    Terraform,
    /// OpenTofu
    Tofu,
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Terraform => "Terraform",
            Self::Tofu => "OpenTofu",
        })
    }
}

/// File name extensions of code, each with `true` for files of OpenTofu only.
static ENDINGS: &[(&str, Form, bool)] = &[
    (".tf.json", Form::Json, false),
    (".tofu.json", Form::Json, true),
    (".tf", Form::Native, false),
    (".tofu", Form::Native, true),
];

/// Returns the form of a file of code, by its name; none for any other file.
pub(super) fn form_of(name: &str) -> Option<Form> {
    ENDINGS.iter().find(|(ending, ..)| name.ends_with(ending)).map(|(_, form, _)| *form)
}

/// The files of code in a folder.
#[derive(Debug, Default)]
pub(crate) struct CodeFiles {
    /// Files that the engine reads, sorted in the order in which the engine reads them.
    pub(crate) names: Vec<(PathBuf, Form)>,
    /// `true` if some of the files are read by OpenTofu only.
    pub(super) has_tofu: bool,
}

impl CodeFiles {
    /// Selects the code files among the names of the files of a folder.
    pub(crate) fn among(names: Vec<String>, engine: Engine) -> Self {
        let mut all: BTreeMap<String, (Form, bool)> = BTreeMap::new();
        for name in names {
            if name.starts_with(['.', '#']) || name.ends_with('~') {
                continue;
            }
            if let Some((_, form, tofu)) = ENDINGS.iter().find(|(ending, ..)| name.ends_with(ending)) {
                all.insert(name, (*form, *tofu));
            }
        }
        let has_tofu = all.values().any(|(_, tofu)| *tofu);
        let is_read = |name: &String, tofu: bool| match engine {
            Engine::Terraform => !tofu,
            Engine::Tofu => tofu || !all.contains_key(&of_tofu(name)),
        };
        let names = all.iter().filter(|(name, (_, tofu))| is_read(name, *tofu));
        Self { names: names.map(|(name, (form, _))| (PathBuf::from(name), *form)).collect(), has_tofu }
    }
}

/// The OpenTofu file that replaces this file.
fn of_tofu(name: &str) -> String {
    match name.strip_suffix(".tf.json") {
        Some(stem) => format!("{stem}.tofu.json"),
        None => format!("{}.tofu", name.strip_suffix(".tf").unwrap_or(name)),
    }
}

/// The name of a code file without its extension.
pub(crate) fn stem(name: &str) -> &str {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    ENDINGS.iter().find_map(|(ending, ..)| name.strip_suffix(ending)).unwrap_or(name)
}
