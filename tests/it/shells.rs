//! Completion, by pressing TAB in real shells (`tests/shells/press.py`).

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::audit::Audit;

/// Returns `true` if the shell is installed. Continuous integration installs it if it may; elsewhere it is left out with a note.
#[expect(clippy::print_stderr, reason = "who runs the tests must see what they leave out")]
fn is_installed(shell: &str) -> bool {
    let runs = || Command::new(shell).arg("--version").output().is_ok_and(|output| output.status.success());
    if !runs() && std::env::var_os("CI").is_some() {
        for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends", shell]] {
            // The note below says so if this fails.
            let _ = Command::new("apt-get").arg("-qq").args(arguments).output();
        }
    }
    let installed = runs();
    if !installed {
        eprintln!("completion is not tested in {shell}, which is not installed");
    }
    installed
}

/// A home folder in which the shell loads our completions and shows the prompt `ready>`.
fn home(shell: &str) -> TempDir {
    let home = TempDir::new().unwrap();
    let script = Audit::new(&["completions", shell]).run();
    assert_eq!(script.code, Some(0), "{}", script.stderr);
    let write = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    match shell {
        "bash" => {
            write("completions", &script.stdout);
            write(".bashrc", "PS1='ready> '\nsource ~/completions\n");
        }
        "zsh" => {
            write("functions/_ssm-audit", &script.stdout);
            write(".zshrc", "fpath=(~/functions $fpath)\nautoload -Uz compinit && compinit -u\nPS1='ready> '\n");
        }
        _ => {
            write(".config/fish/completions/ssm-audit.fish", &script.stdout);
            write(".config/fish/config.fish", "function fish_prompt\n  echo 'ready> '\nend\nset -g fish_greeting\n");
        }
    }
    write(".aws/config", "[default]\n[profile production]\nregion = eu-west-1\n[profile $(touch hacked)]\n");
    home
}

fn press(shell: &str, home: &Path, keys: &str, expected: &str) {
    let program = Path::new(env!("CARGO_BIN_EXE_ssm-audit"));
    let path = std::env::var("PATH").unwrap();
    let pressed = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shells/press.py"))
        .args([shell, keys, expected])
        .env_clear()
        .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
        .env("HOME", home)
        .env("LANG", "C.UTF-8")
        .current_dir(home)
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&pressed.stdout);
    assert!(
        pressed.status.success(),
        "{shell}: {keys} does not complete to {expected}\n{shown}\n{}",
        String::from_utf8_lossy(&pressed.stderr)
    );
    assert!(!home.join("hacked").exists(), "{shell} ran the name of a profile");
}

fn completes(shell: &str) {
    if !is_installed(shell) {
        return;
    }
    let home = home(shell);
    // The name has a hyphen, after which the static script for bash completes nothing.
    press(shell, home.path(), r"ssm-audit iam-p\t", "ssm-audit iam-policy");
    press(shell, home.path(), r"ssm-audit rules explain ec2-imdsv2\t", "ec2-imdsv2-required");
    press(shell, home.path(), r"ssm-audit scan --fail-on crit\t", "critical");
    press(shell, home.path(), r"ssm-audit scan --format sar\t", "sarif");
    press(shell, home.path(), r"ssm-audit scan --profile prod\t", "production");
    press(shell, home.path(), r"ssm-audit scan --regions us-east-1,eu-west-3\t", "us-east-1,eu-west-3");
}

#[test]
fn bash_completes() {
    completes("bash");
}

#[test]
fn zsh_completes() {
    completes("zsh");
}

#[test]
fn fish_completes() {
    completes("fish");
}
