//! Runs the binary with an environment of its own: nothing of the machine's AWS configuration, home or
//! flags reaches it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;
use tempfile::TempDir;

use crate::emulator::Emulator;

/// A run of the binary, being put together.
pub(crate) struct Audit {
    command: Command,
    home: TempDir,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Audit {
    /// A run without any AWS configuration, in an empty folder.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let home = TempDir::new().unwrap();
        let mut command = Command::cargo_bin("ssm-audit").unwrap();
        command.args(arguments).env_clear().current_dir(home.path());
        command.env("HOME", home.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        Self { command, home }
    }

    /// A run on an account of an emulator.
    pub(crate) fn on(emulator: &Emulator, account: &str, region: &str, arguments: &[&str]) -> Self {
        Self::new(arguments).environment(emulator.environment(account, region))
    }

    pub(crate) fn environment<K: AsRef<str>, V: AsRef<str>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        for (name, value) in variables {
            self.command.env(name.as_ref(), value.as_ref());
        }
        self
    }

    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        self.environment([(name, value)])
    }

    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.command.args(arguments);
        self
    }

    /// Puts a file into the folder that the binary runs in.
    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        let path = self.home.path().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(path, content).unwrap();
        self
    }

    /// Runs in another folder.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// The folder that the binary runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// The command itself, for tests that need more than its end.
    pub(crate) fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    pub(crate) fn run(&mut self) -> Outcome {
        let output = self.command.output().unwrap();
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.stdout, self.stderr))
    }

    /// Its end, standard output and standard error, with what differs between machines taken out.
    pub(crate) fn shown(&self, audit: &Audit) -> String {
        let home = audit.folder().display().to_string();
        let text = format!("exit code {:?}\n--- stdout\n{}--- stderr\n{}", self.code, self.stdout, self.stderr);
        text.replace(&home, "[HOME]")
    }
}

/// What a finding is about: its rule, and the type, region and id of its resource.
pub(crate) type Subject = (String, String, String, String);

/// The verdicts of a report.
pub(crate) fn verdicts(report: &Value) -> BTreeMap<Subject, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap();
    let verdicts: BTreeMap<Subject, String> = findings
        .iter()
        .map(|finding| {
            let resource = &finding["resource"];
            let subject =
                (text(&finding["rule"]), text(&resource["type"]), text(&resource["region"]), text(&resource["id"]));
            (subject, text(&finding["verdict"]))
        })
        .collect();
    assert_eq!(verdicts.len(), findings.len(), "two findings of one rule on one resource");
    verdicts
}
