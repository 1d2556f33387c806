//! `init`: write a commented `ssm-audit.yaml`, and the check for a repository: a workflow, or a pre-commit hook.
//!
//! Nothing that exists is overwritten, and nothing is written through a symbolic link. Without a terminal nothing is asked.

use std::path::{Path, PathBuf};

use clap::Args;

use super::apply::say;
use super::confirm::{ask, can_ask};
use super::{Error, Exit, Globals, output};
use crate::boundary::{Boundary, Refusal};
use crate::collect::terraform;
use crate::config::{self, FILE_NAME};
use crate::repository::Repository;
use crate::terminal::Encoding;

/// The file with the schema, which editors read.
const SCHEMA: &str = "ssm-audit.schema.json";
const WORKFLOW: &str = ".github/workflows/ssm-audit.yml";
const PRE_COMMIT: &str = ".pre-commit-config.yaml";
/// The action, where it is not named.
const ACTION: &str = "OWNER/ssm-audit@COMMIT";

/// The arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssm-audit init
  ssm-audit init --workflow --action my-org/ssm-audit@0123456789abcdef0123456789abcdef01234567
  ssm-audit init --pre-commit

Without --workflow and --pre-commit, a terminal is asked. Elsewhere, the workflow is written if the repository has a \
folder .github. No file is overwritten.")]
pub(super) struct InitArgs {
    /// Write a GitHub workflow: for Terraform code in this folder, otherwise a nightly sweep of accounts
    #[arg(long)]
    workflow: bool,
    /// Write a pre-commit hook for the Terraform code in this folder
    #[arg(long)]
    pre_commit: bool,
    /// The action that the workflow uses: the repository of ssm-audit and a commit of it
    #[arg(long, value_name = "OWNER/REPO@COMMIT", default_value = ACTION, value_parser = parse_action)]
    action: String,
    /// The address of the JSON Schema [default: ssm-audit.schema.json, written beside ssm-audit.yaml]
    #[arg(long, value_name = "URL", value_parser = parse_schema)]
    schema: Option<String>,
}

fn parse_action(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-@".contains(letter);
    let parts = text.split_once('@').filter(|(name, commit)| name.contains('/') && !commit.is_empty());
    match parts {
        Some(_) if text.chars().all(is_plain) => Ok(text.to_owned()),
        _ => Err("expected OWNER/REPO@COMMIT".to_owned()),
    }
}

fn parse_schema(text: &str) -> Result<String, String> {
    let is_plain = text.chars().all(|letter| letter.is_ascii_graphic());
    let is_address = ["https://", "http://", "./", "../", "/"].iter().any(|start| text.starts_with(start));
    if is_plain && is_address {
        Ok(text.to_owned())
    } else {
        Err("expected a URL, or a path that begins with ./".to_owned())
    }
}

/// The folder that is set up.
struct Place {
    /// The top of the repository, or the working folder.
    top: PathBuf,
    is_repository: bool,
    boundary: Boundary,
    /// The folder of the Terraform code, from the top on; none where the working folder has no code.
    code: Option<String>,
}

pub(super) fn run(arguments: &InitArgs, _: &Globals) -> Result<Exit, Error> {
    let place = Place::here()?;
    place.configuration(arguments)?;
    let (workflow, pre_commit) = place.wanted(arguments)?;
    if workflow {
        place.workflow(&arguments.action)?;
    }
    if pre_commit {
        place.pre_commit()?;
    }
    say(&match &place.code {
        Some(_) => {
            "Next: `ssm-audit scan .` evaluates the code, `ssm-audit config show` shows the configuration.".to_owned()
        }
        None => {
            "Next: `ssm-audit scan` evaluates the account, `ssm-audit config show` shows the configuration.".to_owned()
        }
    });
    Ok(Exit::Success)
}

impl Place {
    fn here() -> Result<Self, Error> {
        let here = std::fs::canonicalize(".").map_err(|error| failed(Path::new("."), &Refusal::Failed(error)))?;
        let boundary = Boundary::of(&here, None).map_err(|error| failed(&here, &Refusal::Failed(error)))?;
        let top = boundary.top().to_owned();
        let below = here.strip_prefix(&top).unwrap_or(Path::new("")).display().to_string();
        let code = terraform::is_code(&here).then(|| if below.is_empty() { ".".to_owned() } else { below });
        Ok(Self { is_repository: Repository::is_at(&top), code, boundary, top })
    }

    /// Writes the configuration and its schema, unless one is found here or in a folder above.
    fn configuration(&self, arguments: &InitArgs) -> Result<(), Error> {
        if let Some(found) = config::above(&std::fs::canonicalize(".").unwrap_or_default()) {
            say(&format!("{} already exists: left as it is.", self.shown(&found)));
            return Ok(());
        }
        let schema = arguments.schema.clone().unwrap_or_else(|| format!("./{SCHEMA}"));
        let text =
            format!("# yaml-language-server: $schema={schema}\n{}", include_str!("../../templates/ssm-audit.yaml"));
        self.create(FILE_NAME, &text)?;
        if arguments.schema.is_none() {
            let schema = serde_json::to_string_pretty(&config::schema()).unwrap_or_default();
            self.create(SCHEMA, &format!("{schema}\n"))?;
        }
        Ok(())
    }

    /// Returns whether a workflow and a hook are written: as the flags say, as the user says, or as the repository looks.
    fn wanted(&self, arguments: &InitArgs) -> Result<(bool, bool), Error> {
        if arguments.workflow || arguments.pre_commit {
            return match (self.is_repository, &self.code) {
                (false, _) => Err(Error::Usage {
                    message: format!("{} is in no Git repository", self.top.display()),
                    help: "workflows and pre-commit hooks belong to a repository: run `git init` first".to_owned(),
                }),
                (true, None) if arguments.pre_commit => Err(Error::Usage {
                    message: "there is no Terraform code in this folder".to_owned(),
                    help: "run `ssm-audit init --pre-commit` in the folder of the root module".to_owned(),
                }),
                _ => Ok((arguments.workflow, arguments.pre_commit)),
            };
        }
        if !self.is_repository {
            return Ok((false, false));
        }
        let is_there = |name: &str| self.top.join(name).symlink_metadata().is_ok();
        if !can_ask() {
            return Ok((is_there(".github") && !is_there(WORKFLOW), false));
        }
        let yes = |question: String| Ok::<_, Error>(matches!(ask(&question)?.as_str(), "y" | "yes"));
        let subject =
            if self.code.is_some() { "checks this code on pull requests" } else { "sweeps accounts each night" };
        let workflow = !is_there(WORKFLOW) && yes(format!("Write {WORKFLOW}, which {subject}? [y/N] "))?;
        let hook = self.code.is_some() && yes(format!("Add a hook to {PRE_COMMIT}? [y/N] "))?;
        Ok((workflow, hook))
    }

    fn workflow(&self, action: &str) -> Result<(), Error> {
        let Some(code) = self.code.as_deref() else {
            self.create(WORKFLOW, include_str!("../../deploy/github/ssm-audit.yml"))?;
            say("The workflow needs a role and an image: its first lines name the variables to set.");
            return Ok(());
        };
        let text =
            include_str!("../../templates/workflow.yml").replace("@PATH@", plain(code)?).replace("@ACTION@", action);
        if self.create(WORKFLOW, &text)? && action == ACTION {
            say(&format!("Replace {ACTION} in it by the repository of ssm-audit and a commit of it."));
        }
        Ok(())
    }

    fn pre_commit(&self) -> Result<(), Error> {
        let Some(code) = self.code.as_deref() else { return Ok(()) };
        let hook = format!(
            "  - repo: local\n    hooks:\n      - id: ssm-audit\n        name: ssm-audit\n        language: system\n        \
             entry: ssm-audit scan {}\n        files: \\.(tf|tofu|tfvars|tftpl|tpl|json|ya?ml)$\n        \
             pass_filenames: false\n        require_serial: true\n",
            plain(code)?
        );
        if self.create(PRE_COMMIT, &format!("repos:\n{hook}"))? {
            return Ok(());
        }
        say(&format!("Add the lines on standard output to `repos` in {PRE_COMMIT}."));
        output::to_stdout(Encoding::Text, |out| out.write_all(hook.as_bytes()))
    }

    /// Creates a file at the top, unless it exists; whether it was created.
    fn create(&self, name: &str, text: &str) -> Result<bool, Error> {
        let path = self.top.join(name);
        match self.boundary.create(&path, text.as_bytes()) {
            Ok(()) => {
                say(&format!("{} created.", self.shown(&path)));
                Ok(true)
            }
            Err(Refusal::Exists) => {
                say(&format!("{} already exists: left as it is.", self.shown(&path)));
                Ok(false)
            }
            Err(refusal) => Err(failed(&path, &refusal)),
        }
    }

    /// The path from the top on.
    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.top).unwrap_or(path).display().to_string()
    }
}

/// A path that means itself in YAML, in a workflow and in a shell.
fn plain(path: &str) -> Result<&str, Error> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    if path.chars().all(is_plain) && !path.starts_with('-') {
        return Ok(path);
    }
    Err(Error::Usage {
        message: format!("the folder {path:?} has a name that a workflow may take for something else"),
        help: "write the workflow by hand, as in the README".to_owned(),
    })
}

fn failed(path: &Path, refusal: &Refusal) -> Error {
    Error::Usage {
        message: format!("cannot create {}: {refusal}", path.display()),
        help: "nothing is written outside of the repository, or through a symbolic link".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::diagnostic::SourceFile;

    /// What the comments of the template propose is a configuration.
    #[test]
    fn the_template_is_a_configuration_with_and_without_its_comments() {
        let template = include_str!("../../templates/ssm-audit.yaml");
        let library = crate::engine::rule::embedded().expect("the rules");
        let is_key = |line: &str| {
            let line = line.strip_prefix("# ").unwrap_or(line);
            line.starts_with("  ") || line.split(':').next().is_some_and(|key| !key.contains(' ')) && line.contains(':')
        };
        let active: Vec<&str> =
            template.lines().filter(|line| is_key(line)).map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
        for text in [template.to_owned(), active.join("\n")] {
            let config = Config::parse(&SourceFile::new(FILE_NAME, text.as_str()), Path::new("")).expect(&text);
            config.check(&library).expect("rules that exist");
        }
        assert!(active.iter().filter(|line| !line.starts_with(' ')).count() >= 11, "{active:?}");
    }

    #[test]
    fn the_actions_are_those_of_the_readme() {
        let deployed = include_str!("../../deploy/github/ssm-audit.yml");
        for line in include_str!("../../templates/workflow.yml").lines().filter(|line| line.contains("# v")) {
            let action = line.trim_start_matches([' ', '-']);
            assert!(deployed.contains(action), "{action}");
        }
    }

    #[test]
    fn names_that_mean_something_are_not_written() {
        for name in ["a b", "${{ x }}", "-x", "a'b", "größe", "a\nb"] {
            assert!(plain(name).is_err(), "{name}");
        }
        assert!(plain("infra/prod-1").is_ok());
        for action in ["x", "a/b", "a/b@", "a/b@c d", "a/b@c\n"] {
            assert!(parse_action(action).is_err(), "{action}");
        }
    }
}
