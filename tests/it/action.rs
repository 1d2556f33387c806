//! The scripts of `action.yml`, run as the runner runs them, on a checkout that tries to choose what runs.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Programs that the scripts call, all of which the checkout has, too.
const PROGRAMS: &[&str] = &[
    "base64",
    "bash",
    "cargo",
    "cat",
    "env",
    "find",
    "git",
    "mktemp",
    "od",
    "rm",
    "rustc",
    "sed",
    "sh",
    "sha256sum",
    "sort",
    "ssm-audit",
    "tr",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn steps() -> Vec<Value> {
    let action: Value = serde_saphyr::from_str(&fs::read_to_string(root().join("action.yml")).unwrap()).unwrap();
    action["runs"]["steps"].as_array().unwrap().clone()
}

/// The script that has this in it.
fn script(marker: &str) -> String {
    let runs = steps().into_iter().filter_map(|step| step["run"].as_str().map(str::to_owned));
    runs.into_iter().find(|run| run.contains(marker)).unwrap()
}

/// A runner with a hostile checkout.
struct Runner {
    folder: TempDir,
}

impl Runner {
    fn new() -> Self {
        let runner = Self { folder: TempDir::new().unwrap() };
        for folder in ["checkout/bin", "checkout/.cargo", "tools", "temp", "home", "action/src", "action/deploy/action"]
        {
            fs::create_dir_all(runner.path(folder)).unwrap();
        }
        let canary = format!("#!/bin/sh\necho \"$0\" >> {}\n", runner.path("canary").display());
        for program in PROGRAMS {
            runner.program(&format!("checkout/bin/{program}"), &canary);
            runner.program(&format!("checkout/{program}"), &canary);
        }
        runner.write("checkout/startup.sh", &format!("echo startup >> {}\n", runner.path("canary").display()));
        let toolchain = format!("[toolchain]\npath = \"{}\"\n", runner.path("checkout").display());
        runner.write("checkout/rust-toolchain.toml", &toolchain);
        runner.write("checkout/.cargo/config.toml", "[build]\nrustc-wrapper = \"bin/rustc\"\n");
        // What stands for the toolchain of the runner notes how it was called.
        let note = format!(
            "#!/bin/sh\n{{ pwd; env; printf '%s\\n' \"$@\"; }} > {}\necho rustc 1.0.0\n",
            runner.path("called").display()
        );
        runner.program("tools/rustc", "#!/bin/sh\necho rustc 1.0.0\n");
        runner.program("tools/cargo", &note);
        let clean = "deploy/action/clean.sh";
        fs::copy(root().join(clean), runner.path("action").join(clean)).unwrap();
        runner.write("action/src/main.rs", "fn main() {}\n");
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.folder.path()).unwrap().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    fn program(&self, name: &str, content: &str) {
        self.write(name, content);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Runs a script, in the checkout and with an environment that points into it.
    fn run(&self, script: &str, variables: &[(&str, &str)]) -> Output {
        let own = |name: &str| self.path(name).display().to_string();
        let path = format!(
            "bin:.:{}:{}::{}:/usr/local/bin:/usr/bin:/bin",
            own("checkout/bin"),
            own("checkout/bin/../bin"),
            own("tools"),
        );
        for output in ["output", "summary"] {
            self.write(output, "");
        }
        self.write("script.sh", script);
        let output = Command::new("/bin/bash")
            .args(["-p", &own("script.sh")])
            .current_dir(self.path("checkout"))
            .env_clear()
            .envs([
                ("PATH", path),
                ("HOME", own("home")),
                ("GITHUB_WORKSPACE", own("checkout")),
                ("GITHUB_ACTION_PATH", own("action")),
                ("GITHUB_OUTPUT", own("output")),
                ("GITHUB_STEP_SUMMARY", own("summary")),
                ("RUNNER_TEMP", own("temp")),
                ("BASH_ENV", own("checkout/startup.sh")),
                ("RUSTUP_TOOLCHAIN", own("checkout")),
                ("RUSTC_WRAPPER", own("checkout/bin/rustc")),
                ("CARGO_HOME", own("checkout/.cargo")),
                ("GIT_CONFIG_GLOBAL", own("checkout/gitconfig")),
            ])
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert_eq!(self.read("canary"), "", "the checkout chose what ran: {output:?}");
        output
    }

    /// Runs a script that must succeed.
    fn runs(&self, script: &str, variables: &[(&str, &str)]) -> String {
        let output = self.run(script, variables);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

#[test]
fn the_key_of_the_cache_is_a_digest_of_all_that_the_program_is_made_from() {
    let runner = Runner::new();
    let key = |runner: &Runner| {
        runner.runs(&script("digest="), &[]);
        runner.read("output")
    };
    let first = key(&runner);
    assert!(first.starts_with("digest=") && first.contains("root="), "{first}");
    assert_eq!(key(&runner), first);
    for (file, content) in [
        ("action/src/main.rs", "fn main() { evil() }\n"),
        ("action/.cargo/config.toml", "[build]\n"),
        ("action/templates/x.html", "x"),
    ] {
        let before = key(&runner);
        runner.write(file, content);
        assert_ne!(key(&runner), before, "{file}");
    }
    let before = key(&runner);
    runner.program("tools/rustc", "#!/bin/sh\necho rustc 2.0.0\n");
    assert_ne!(key(&runner), before, "another toolchain");
}

#[test]
fn the_build_obeys_nothing_of_the_checkout() {
    let runner = Runner::new();
    let root = runner.path("temp/ssm-audit-digest").display().to_string();
    runner.write("temp/ssm-audit-digest/bin/ssm-audit", "of an older version");
    runner.runs(&script("cargo install"), &[("ROOT", &root)]);
    let called = runner.read("called");
    let checkout = runner.path("checkout").display().to_string();
    let mentions: Vec<&str> = called.lines().filter(|line| line.contains(&checkout)).collect();
    assert_eq!(mentions, Vec::<&str>::new());
    assert!(called.contains("--locked\n") && called.contains(&root), "{called}");
    for name in ["RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER", "CARGO_HOME", "BASH_ENV", "GITHUB_OUTPUT"] {
        assert!(!called.contains(&format!("{name}=")), "{name}: {called}");
    }
    assert!(!runner.path("temp/ssm-audit-digest/bin/ssm-audit").exists(), "what was there is not used");
}

#[test]
fn the_base_is_fetched_without_the_configuration_of_the_checkout() {
    let runner = Runner::new();
    let git = |folder: &str, arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(runner.path(folder))
            .env("HOME", runner.path("home"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    for (folder, policy) in [("server/owner/repo", "guide"), ("server/evil/repo", "hardened")] {
        runner.write(&format!("{folder}/ssm-audit.yaml"), &format!("policy: {policy}\n"));
        git(folder, &["init", "--quiet"]);
        symlink("/etc/passwd", runner.path(folder).join("link")).unwrap();
        git(folder, &["add", "."]);
        git(folder, &["commit", "--quiet", "--message", "base"]);
    }
    let base = git("server/owner/repo", &["rev-parse", "HEAD"]);
    let evil =
        format!("[url \"file://{0}/evil/\"]\n\tinsteadOf = file://{0}/owner/\n", runner.path("server").display());
    runner.write("checkout/gitconfig", &evil);
    runner.write("home/.gitconfig", &evil);
    git("checkout", &["init", "--quiet"]);
    let server = format!("file://{}", runner.path("server").display());
    runner.runs(
        &script("git fetch"),
        &[("BASE", &base), ("TOKEN", "hunter2"), ("GITHUB_SERVER_URL", &server), ("GITHUB_REPOSITORY", "owner/repo")],
    );
    let output = runner.read("output");
    let folder = Path::new(output.trim().strip_prefix("folder=").unwrap());
    assert_eq!(fs::read_to_string(folder.join("ssm-audit.yaml")).unwrap(), "policy: guide\n");
    assert!(!folder.join(".git").exists(), "the token is gone");
    assert!(!fs::symlink_metadata(folder.join("link")).unwrap().is_symlink());
    fs::remove_dir_all(folder).unwrap();
}

/// Runs the last step with the binary in place, on code in a folder of that name.
fn scan(runner: &Runner, folder: &str, variables: &[(&str, &str)]) -> (Output, String) {
    let code =
        "resource \"aws_instance\" \"a\" {\n  monitoring = false\n  tags = { Name = \"::error::all is well\" }\n}\n";
    runner.write(&format!("checkout/{folder}/main.tf"), code);
    runner.write("checkout/ssm-audit.yaml", "disable: [\"*-*\"]\n");
    fs::create_dir_all(runner.path("temp/root/bin")).unwrap();
    let binary = runner.path("temp/root/bin/ssm-audit");
    if !binary.exists() {
        symlink(env!("CARGO_BIN_EXE_ssm-audit"), binary).unwrap();
    }
    let root = runner.path("temp/root").display().to_string();
    let given = [
        ("ROOT", root.as_str()),
        ("BASE", ""),
        ("SCAN_CONFIG", "base"),
        ("SCAN_PATH", folder),
        ("SCAN_ARGS", "--account\n123456789012\n\n--region\nus-east-1\n"),
        ("SCAN_SARIF", "r.sarif"),
    ];
    let output = runner.run(&script("stop-commands"), &[&given[..], variables].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, said)
}

#[test]
fn the_scan_is_judged_by_the_base_and_only_the_action_gives_commands() {
    let runner = Runner::new();
    runner.write("base/ssm-audit.yaml", "policy: guide\n");
    let base = runner.path("base").display().to_string();
    let (output, said) = scan(&runner, "in:fra,100%", &[("BASE", &base)]);
    assert_eq!(output.status.code(), Some(1), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let commands: Vec<&str> = said.lines().filter(|line| line.trim_start().starts_with("::")).collect();
    let [stop, resume, error] = commands[..] else { panic!("{commands:?}") };
    let token = stop.strip_prefix("::stop-commands::").unwrap();
    assert!(token.len() == 32 && resume == format!("::{token}::"), "{commands:?}");
    assert_eq!(error, "::error title=ssm-audit::a rule fails in in%3Afra%2C100%25");
    assert_eq!(runner.read("output"), "sarif=r.sarif\nexit-code=1\n");
    assert!(runner.read("summary").contains(" fail") && runner.path("checkout/r.sarif").exists());
    let sarif: Value = serde_json::from_str(&runner.read("checkout/r.sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["properties"]["provenance"]["configuration"]["base"], base);
}

#[test]
fn the_configuration_can_come_from_the_checkout_or_not_at_all() {
    let runner = Runner::new();
    let (output, said) = scan(&runner, "infra", &[("SCAN_CONFIG", "checkout")]);
    assert_eq!(output.status.code(), Some(2), "all rules are disabled: {said}");
    let (output, _) = scan(&runner, "infra", &[("SCAN_CONFIG", "none"), ("SCAN_SARIF", "out put.sarif")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(runner.read("output"), "sarif=out put.sarif\nexit-code=1\n");
    let flags = [("SCAN_CONFIG", "none"), ("SCAN_ARGS", "--param\nnonsense\n"), ("SCAN_SARIF", "out put.sarif")];
    let (output, said) = scan(&runner, "in fra", &flags);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("::error title=ssm-audit::there is no result for in fra%3A exit code 2\n"), "{said}");
    // A report that the checkout brought along is not the report of this run.
    assert_eq!(runner.read("output"), "sarif=\nexit-code=2\n");
    let (output, said) = scan(&runner, "infra", &[("SCAN_CONFIG", "any\n::x::")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said.starts_with("::error title=ssm-audit::the input config is \"any%0A%3A%3Ax%3A%3A\""), "{said}");
}

#[test]
fn a_folder_whose_name_is_a_flag_is_a_folder() {
    let runner = Runner::new();
    let base = runner.path("temp").display().to_string();
    for folder in ["--fail-on=never", "--exclude-rule=*", "-q"] {
        let (output, said) = scan(&runner, folder, &[("BASE", &base)]);
        assert_eq!(output.status.code(), Some(1), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains(" fail ("), "{said}");
    }
}

/// A comment on a pull request, or a run that follows its run, may have checked the pull request out.
#[test]
fn an_event_without_a_base_branch_does_not_use_the_configuration_of_the_checkout() {
    let runner = Runner::new();
    for event in ["issue_comment", "workflow_run", ""] {
        let (output, said) = scan(&runner, "infra", &[("GITHUB_EVENT_NAME", event)]);
        assert_eq!(output.status.code(), Some(2), "{event}: {said}");
        assert!(said.contains(" names no base branch%3A "), "{event}: {said}");
    }
    for event in ["push", "schedule", "workflow_dispatch"] {
        let (_, said) = scan(&runner, "infra", &[("GITHUB_EVENT_NAME", event)]);
        assert!(said.contains("::stop-commands::"), "{event}: {said}");
    }
    let (output, said) = scan(&runner, "infra", &[("GITHUB_EVENT_NAME", "issue_comment"), ("SCAN_CONFIG", "none")]);
    assert_eq!(output.status.code(), Some(1), "{said}");
}

#[test]
fn pull_requests_read_the_cache_and_do_not_write_it() {
    let steps = steps();
    let uses = |name: &str| {
        steps.iter().filter(|step| step["uses"].as_str().is_some_and(|it| it.contains(name))).collect::<Vec<_>>()
    };
    let (restore, save) = (uses("actions/cache/restore@"), uses("actions/cache/save@"));
    assert_eq!((restore.len(), save.len(), uses("actions/cache@").len()), (1, 1, 0));
    assert_eq!(restore[0]["with"], save[0]["with"]);
    assert!(save[0]["with"]["key"].as_str().unwrap().ends_with("-${{ steps.source.outputs.digest }}"));
    let condition = save[0]["if"].as_str().unwrap();
    assert!(condition.contains(r#"fromJSON('["push", "schedule", "workflow_dispatch"]')"#), "{condition}");
    // Each script is run by a shell that nothing of the environment chooses or configures.
    for step in steps.iter().filter(|step| step["run"].is_string()) {
        assert_eq!(step["shell"], "/bin/bash -p {0}");
        assert!(step["run"].as_str().unwrap().starts_with(". \"$GITHUB_ACTION_PATH/deploy/action/clean.sh\"\n"));
    }
}
