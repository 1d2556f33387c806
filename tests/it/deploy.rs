//! The files of `deploy/`, each held to its format by the tool that its format has, and the template that the binary
//! prints. `tests/deploy/requirements.txt` names the tools.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audit::Audit;
use crate::deploy_commands::INSTALLED;
use crate::emulator::{Emulator, fresh_account, programs};

/// The folder of the files.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

/// A file of the folder.
pub(crate) fn file(name: &str) -> String {
    let path = folder().join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A tool of `tests/deploy/requirements.txt`, installed on first use.
fn tool(name: &str) -> Command {
    static PROGRAMS: OnceLock<PathBuf> = OnceLock::new();
    let programs = PROGRAMS.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let output = Command::new("python3")
            .arg(tests.join("emulator/install.py"))
            .arg("--requirements")
            .arg(tests.join("deploy/requirements.txt"))
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "the tools could not be installed, see above");
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()).join("bin")
    });
    Command::new(programs.join(name))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat()).into_owned()
}

/// Runs a tool, which must find nothing wrong.
fn finds_nothing(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}:\n{}", said(&output));
}

/// What the binary prints as the role of an account.
fn role(command: &str) -> String {
    let printed = Audit::new(&["iam-policy", "--for", command, "--cloudformation"]).run();
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    printed.stdout
}

/// `UPDATE_DEPLOY=1 cargo test deploy` writes it anew.
#[test]
fn the_role_of_member_accounts_is_what_iam_policy_prints() {
    let wanted = role("scan");
    let path = folder().join("member-role.yaml");
    if std::env::var_os("UPDATE_DEPLOY").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    assert!(file("member-role.yaml") == wanted, "it is out of date: run UPDATE_DEPLOY=1 cargo test deploy");
}

#[test]
fn cloudformation_templates_pass_cfn_lint() {
    let made = TempDir::new().unwrap();
    let fix = made.path().join("fix.yaml");
    std::fs::write(&fix, role("fix")).unwrap();
    let lint = |template: &Path| {
        let mut command = Command::new(programs().join("cfn-lint"));
        command.args(["--include-checks", "I", "--"]).arg(template);
        command
    };
    for template in [fix, folder().join("member-role.yaml"), folder().join("aws-batch/sweep.yaml")] {
        finds_nothing(&mut lint(&template));
    }
    let broken = made.path().join("broken.yaml");
    std::fs::write(&broken, role("scan").replace("MaxSessionDuration", "LongestSession")).unwrap();
    assert!(!lint(&broken).output().unwrap().status.success());
}

/// CloudFormation makes the role that the template says: it trusts one role and nobody else, and may do what a scan
/// does.
#[test]
fn a_stack_of_the_role_trusts_one_role_of_one_account() {
    let (account, hub) = (fresh_account(), fresh_account());
    let aws = |arguments: &[&str]| -> Value {
        let output = Command::new(programs().join("aws"))
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(Emulator::moto().environment(&account, "us-east-1"))
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let trusted = format!("arn:aws:iam::{hub}:role/SsmAuditSweep");
    let template = folder().join("member-role.yaml");
    for external_id in ["", "tell-me"] {
        let name = format!("SsmAudit{}", external_id.len());
        let parameter = |key: &str, value: &str| format!("ParameterKey={key},ParameterValue={value}");
        aws(&[
            "cloudformation",
            "create-stack",
            "--stack-name",
            &name,
            "--template-body",
            &format!("file://{}", template.display()),
            "--capabilities",
            "CAPABILITY_NAMED_IAM",
            "--parameters",
            &parameter("TrustedRoleArn", &trusted),
            &parameter("ExternalId", external_id),
            &parameter("RoleName", &name),
        ]);
        let made = aws(&["iam", "get-role", "--role-name", &name]);
        let statement = &made["Role"]["AssumeRolePolicyDocument"]["Statement"][0];
        assert_eq!(statement["Principal"], json!({"AWS": format!("arn:aws:iam::{hub}:root")}));
        let mut condition = json!({"ArnEquals": {"aws:PrincipalArn": trusted}});
        if !external_id.is_empty() {
            condition["StringEquals"] = json!({"sts:ExternalId": external_id});
        }
        assert_eq!(statement["Condition"], condition);
        let policy = aws(&["iam", "get-role-policy", "--role-name", &name, "--policy-name", "ssm-audit-scan"]);
        // moto keeps the policies of a stack as Python writes them.
        let document = policy["PolicyDocument"].as_str().unwrap().replace('\'', "\"");
        let document: Value = serde_json::from_str(&document).unwrap();
        assert_eq!(document, Audit::new(&["iam-policy", "--for", "scan"]).run().json());
    }
}

/// IAM takes no more than 10,240 characters of policies in a role.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
#[test]
fn the_policies_fit_into_a_role() {
    for command in ["scan", "fix"] {
        let policy = Audit::new(&["iam-policy", "--for", command]).run().json().to_string();
        assert!(policy.len() <= 10_240, "{command}: {}", policy.len());
    }
}

/// Without systemd, what can be seen without it: sections, and settings with values.
#[test]
fn systemd_takes_the_units_and_finds_them_confined() {
    let units = TempDir::new().unwrap();
    let names = ["ssm-audit-sweep.service", "ssm-audit-sweep.timer"];
    let paths = names.map(|name| {
        let text = file(&format!("systemd/{name}"));
        let settings = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '[']));
        for setting in settings {
            let name = setting.split_once('=').map(|(name, _)| name);
            assert!(name.is_some_and(|name| name.chars().all(char::is_alphanumeric)), "{setting}");
        }
        // The program need not be where it is installed.
        let path = units.path().join(name);
        std::fs::write(&path, text.replace(INSTALLED, env!("CARGO_BIN_EXE_ssm-audit"))).unwrap();
        path
    });
    let analyze = |arguments: &[&str], paths: &[PathBuf]| {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).args(paths);
        command
    };
    if let Err(error) = analyze(&["--version"], &[]).output() {
        return left_out(&format!("there is no systemd-analyze ({error})"));
    }
    finds_nothing(&mut analyze(&["verify", "--man=no"], &paths));
    // The exposure that systemd sees, of 100: 96 without any confinement.
    finds_nothing(&mut analyze(&["security", "--offline=true", "--threshold=20"], &paths[..1]));
    let broken = std::fs::read_to_string(&paths[0]).unwrap().replace("Type=oneshot", "Type=once");
    std::fs::write(&paths[0], broken).unwrap();
    let complaint = said(&analyze(&["verify", "--man=no"], &paths[..1]).output().unwrap());
    assert!(complaint.contains("once"), "{complaint}");
}

/// Says what is left out, and why.
#[expect(clippy::print_stderr, reason = "who runs the tests must see what they leave out")]
fn left_out(why: &str) {
    eprintln!("the units are not held to systemd: {why}");
}

#[test]
fn kubernetes_objects_are_of_their_schemas() {
    let validate = |path: &Path| {
        let mut command = tool("kubernetes-validate");
        command.args(["--strict", "--kubernetes-version", "1.35"]).arg(path);
        command
    };
    for name in ["kubernetes/sweep.yaml", "kubernetes/sharded.yaml"] {
        finds_nothing(&mut validate(&folder().join(name)));
    }
    let broken = TempDir::new().unwrap();
    let path = broken.path().join("broken.yaml");
    std::fs::write(&path, file("kubernetes/sweep.yaml").replace("concurrencyPolicy", "concurrency")).unwrap();
    assert!(!validate(&path).output().unwrap().status.success());
}

#[test]
fn the_recipe_of_the_image_passes_hadolint() {
    finds_nothing(tool("hadolint").arg(folder().join("Containerfile")));
}

/// What cargo needs is there: a target whose file was not copied is an error.
#[test]
fn the_recipe_of_the_image_copies_what_is_built() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = file("Containerfile");
    let lines = text.lines().filter_map(|line| line.strip_prefix("COPY "));
    let copied: Vec<&str> = lines
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| line.split_whitespace().rev().skip(1))
        .collect();
    // The folders that the library is made of: those that build.rs and the templates embed, and its own.
    for needed in
        ["Cargo.toml", "Cargo.lock", "build.rs", "crates", "src", "rules", "remediations", "frameworks", "templates"]
    {
        assert!(copied.contains(&needed), "{needed}");
    }
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("[[bench]]") || copied.contains(&"benches"));
    for name in &copied {
        assert!(root.join(name).exists(), "{name}");
    }
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    assert!(text.contains(&format!("rust:{version}-")), "the image builds with the Rust that Cargo.toml names");
}

/// Pinned actions, least permissions, no injection, no persisted credentials; a workflow that GitHub would not take is
/// an error too.
#[test]
fn workflows_pass_zizmor() {
    let audit = |path: &Path| {
        let mut command = tool("zizmor");
        command.args(["--offline", "--strict-collection", "--quiet", "--no-config"]).arg(path);
        command
    };
    let workflow = folder().join("github/ssm-audit.yml");
    finds_nothing(audit(&workflow).arg("--pedantic"));
    finds_nothing(&mut audit(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows/ci.yml")));
    finds_nothing(&mut audit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")));
    let broken = TempDir::new().unwrap();
    let path = broken.path().join("broken.yml");
    let text = file("github/ssm-audit.yml");
    let pin = "@3d3c42e5aac5ba805825da76410c181273ba90b1";
    for (what, other) in [("    steps:", "    stages:"), (pin, "@v7")] {
        assert!(text.contains(what));
        std::fs::write(&path, text.replacen(what, other, 1)).unwrap();
        assert!(!audit(&path).output().unwrap().status.success(), "{other}");
    }
}
