//! The documentation: pages of rules are those of their files, links lead somewhere, commands run, and the picture is that
//! of a scan.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use comrak::nodes::NodeValue;
use comrak::{Arena, Options, parse_document};
use tempfile::TempDir;

use crate::audit::Audit;
use crate::emulator::programs;

/// Commands on standard output or files that need neither an account nor the network, by their first words.
const OFFLINE: [&str; 7] = [
    "ssm-audit scan account.json",
    "ssm-audit scan examples/",
    "ssm-audit scan infra/ --account",
    "ssm-audit rules ",
    "ssm-audit iam-policy --for scan",
    "ssm-audit iam-policy --for fix",
    "ssm-audit completions ",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file of a folder and the folders below it with this ending, by its path from the root.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![root().join(folder)];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.to_str().unwrap().ends_with(ending) {
            found.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
    found.sort();
    found
}

/// Every page for readers.
fn pages() -> Vec<PathBuf> {
    let mut pages = files("docs", ".md");
    pages.extend(
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "deploy/README.md", "benches/README.md"].map(PathBuf::from),
    );
    pages
}

/// Addresses and anchors of a page.
fn links_and_anchors(text: &str) -> (Vec<String>, BTreeSet<String>) {
    let arena = Arena::new();
    let mut options = Options::default();
    options.extension.table = true;
    let document = parse_document(&arena, text, &options);
    let (mut links, mut anchors) = (Vec::new(), BTreeSet::new());
    for node in document.descendants() {
        match &node.data.borrow().value {
            NodeValue::Link(link) | NodeValue::Image(link) => links.push(link.url.clone()),
            NodeValue::Heading(_) => {
                let text: String = node
                    .descendants()
                    .filter_map(|part| match &part.data.borrow().value {
                        NodeValue::Text(text) => Some(text.to_string()),
                        NodeValue::Code(code) => Some(code.literal.clone()),
                        _ => None,
                    })
                    .collect();
                let kept =
                    text.to_lowercase().chars().map(|one| if one == ' ' { '-' } else { one }).collect::<String>();
                anchors.insert(kept.chars().filter(|one| one.is_alphanumeric() || "-_".contains(*one)).collect());
            }
            _ => {}
        }
    }
    (links, anchors)
}

#[test]
fn links_lead_somewhere() {
    let mut checked = 0;
    for page in pages() {
        let (links, own) = links_and_anchors(&read(&root().join(&page)));
        for link in links {
            if link.contains("://") {
                assert!(link.starts_with("https://"), "{}: {link}", page.display());
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = root().join(&page).parent().unwrap().join(path);
            assert!(path.is_empty() || target.exists(), "{}: {link} leads nowhere", page.display());
            // The site has nothing but docs/.
            let inside = fs::canonicalize(&target)
                .is_ok_and(|target| target.starts_with(fs::canonicalize(root().join("docs")).unwrap()));
            assert!(
                path.is_empty() || inside || !page.starts_with("docs"),
                "{}: {link} leads out of the site",
                page.display()
            );
            if !anchor.is_empty() {
                let anchors = if path.is_empty() { own.clone() } else { links_and_anchors(&read(&target)).1 };
                assert!(anchors.contains(anchor), "{}: {link}: no such heading in {anchors:?}", page.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked}");
}

#[test]
fn pages_of_rules_are_those_of_their_files() {
    let folder = TempDir::new().unwrap();
    let written = Audit::new(&["rules", "pages", "--to", folder.path().to_str().unwrap()]).run();
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let names = |folder: &Path| -> BTreeSet<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let committed = root().join("docs/rules");
    assert_eq!(names(&committed), names(folder.path()), "run `make docs`");
    for name in names(&committed) {
        let same = read(&committed.join(&name)) == read(&folder.path().join(&name));
        assert!(same, "docs/rules/{name} is out of date: run `make docs`");
    }
    let id = "ec2-imdsv2-required";
    let explained = Audit::new(&["rules", "explain", id, "--format", "markdown"]).run();
    assert_eq!(explained.stdout, read(&committed.join(format!("{id}.md"))));
}

#[test]
fn the_contents_list_every_page() {
    let listed: BTreeSet<String> = links_and_anchors(&read(&root().join("docs/SUMMARY.md"))).0.into_iter().collect();
    let there = files("docs", ".md").into_iter().map(|page| page.strip_prefix("docs").unwrap().display().to_string());
    let there: BTreeSet<String> = there.filter(|page| page != "SUMMARY.md").collect();
    let missing: Vec<_> = there.difference(&listed).collect();
    assert_eq!(listed, there, "docs/SUMMARY.md lacks {missing:?}");
}

/// Lines after `$ ` in blocks of shell sessions, with their pages.
fn commands() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for page in pages() {
        let text = read(&root().join(&page));
        let lines = text.lines().filter_map(|line| line.strip_prefix("$ "));
        found.extend(lines.map(|line| (page.clone(), line.to_owned())));
    }
    found
}

#[test]
fn commands_that_need_no_account_run() {
    let folder = TempDir::new().unwrap();
    fs::copy(root().join("examples/account.json"), folder.path().join("account.json")).unwrap();
    std::os::unix::fs::symlink(root().join("examples"), folder.path().join("examples")).unwrap();
    fs::create_dir_all(folder.path().join("infra")).unwrap();
    for file in files("examples/session-manager", ".tf") {
        fs::copy(root().join(&file), folder.path().join("infra").join(file.file_name().unwrap())).unwrap();
    }
    fs::create_dir_all(folder.path().join("rules")).unwrap();
    fs::copy(root().join("rules/logs/logs-retention-set.yaml"), folder.path().join("rules/own-retention.yaml"))
        .unwrap();
    let own =
        read(&folder.path().join("rules/own-retention.yaml")).replace("id: logs-retention-set", "id: own-retention");
    fs::write(folder.path().join("rules/own-retention.yaml"), own).unwrap();
    fs::create_dir_all(folder.path().join(".local/share/bash-completion/completions")).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_ssm-audit")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let runnable = commands().into_iter().filter(|(page, line)| {
        // Of the pages of rules, which have the same commands, some.
        let sampled = !page.starts_with("docs/rules") || page.ends_with("logs-retention-set.md");
        sampled && OFFLINE.iter().any(|start| line.starts_with(start))
    });
    let runnable: BTreeSet<(PathBuf, String)> = runnable.collect();
    assert!(runnable.len() > 20, "{runnable:?}");
    for (page, line) in runnable {
        let ended = Command::new("sh")
            .args(["-c", &line])
            .env_clear()
            .env("PATH", &path)
            .env("HOME", folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr);
        assert!(matches!(ended.status.code(), Some(0 | 1 | 3)), "{}: {line}\n{errors}", page.display());
    }
    assert!(folder.path().join("report.html").exists() && folder.path().join("ssm-audit-scan.json").exists());
}

/// A page of a rule shows commands that the AWS CLI takes.
#[test]
fn the_aws_cli_takes_the_commands_of_rules() {
    let mut lines = Vec::new();
    for page in files("docs/rules", ".md") {
        let text = read(&root().join(&page)).replace("\\\n", " ");
        lines.extend(text.lines().filter(|line| line.starts_with("aws ")).map(ToOwned::to_owned));
    }
    assert!(lines.len() > 60, "{}", lines.len());
    let mut checking = Command::new(programs().join("python"))
        .arg(root().join("tests/docs/aws_cli.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    checking.stdin.take().unwrap().write_all(serde_json::to_string(&lines).unwrap().as_bytes()).unwrap();
    let checked = checking.wait_with_output().unwrap();
    assert!(checked.status.success());
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "");
}

#[test]
fn the_picture_is_that_of_the_scan() {
    let makefile = read(&root().join("Makefile"));
    let command = makefile.lines().find_map(|line| line.strip_prefix("PICTURE := ")).unwrap();
    let unquoted = command.replace('\'', "");
    let arguments: Vec<&str> = unquoted.split(' ').chain(["--color", "always"]).collect();
    let scanned = Audit::new(&arguments).within(root()).env("COLUMNS", "100").run();
    assert_eq!(scanned.code, Some(1), "{}", scanned.stderr);
    let mut drawing = Command::new("python3")
        .arg(root().join("tests/docs/picture.py"))
        .arg(format!("$ ssm-audit {command}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drawing.stdin.take().unwrap().write_all(scanned.stdout.as_bytes()).unwrap();
    let drawn = drawing.wait_with_output().unwrap();
    assert!(drawn.status.success());
    let same = String::from_utf8(drawn.stdout).unwrap() == read(&root().join("docs/scan.svg"));
    assert!(same, "docs/scan.svg is out of date: run `make docs`");
}

/// Without it, a link in the README would not lead to the rest.
#[test]
fn the_readme_fits_a_screen_and_begins_with_the_demo() {
    let readme = read(&root().join("README.md"));
    assert!(readme.lines().count() < 90, "move text to docs/");
    let commands: Vec<&str> = readme.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(commands[0].starts_with("make demo") && commands[1].starts_with("make test"), "{commands:?}");
    let links = links_and_anchors(&readme).0;
    for page in files("docs", ".md").iter().filter(|page| page.components().count() == 2) {
        let name = page.display().to_string();
        let of_the_site = ["docs/SUMMARY.md", "docs/README.md"].contains(&name.as_str());
        assert!(of_the_site || links.contains(&name), "README.md does not link {name}");
    }
}

/// Builds the site, where its generator is installed (`make docs` installs it).
#[test]
#[expect(clippy::print_stderr, reason = "who runs the tests must see what they leave out")]
fn the_site_is_built_and_its_links_lead_somewhere() {
    let cached = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/ssm-audit/mdbook/bin/mdbook"));
    let program = cached.filter(|program| program.exists()).unwrap_or_else(|| "mdbook".into());
    let folder = TempDir::new().unwrap();
    let built = Command::new(&program).args(["build", "--dest-dir"]).arg(folder.path()).current_dir(root()).output();
    let Ok(built) = built else {
        eprintln!("the site is not built, as mdbook is not installed; `make docs` installs it");
        return;
    };
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for page in files("docs", ".md") {
        let page = page.strip_prefix("docs").unwrap();
        if page == Path::new("SUMMARY.md") {
            continue;
        }
        let name = page.display().to_string().replace("README.md", "index.md").replace(".md", ".html");
        let html = read(&folder.path().join(&name));
        for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let path = link.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(folder.path().join(&name).parent().unwrap().join(path).exists(), "{name}: {link}");
        }
    }
}

fn demo(arguments: &[&str], input: &str) -> String {
    let target = Path::new(env!("CARGO_BIN_EXE_ssm-audit")).parent().unwrap().parent().unwrap();
    let mut running = Command::new("python3")
        .arg(root().join("examples/demo.py"))
        .arg("--target-dir")
        .arg(target)
        .args(arguments)
        .env("SHELL", "/bin/sh")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    running.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = running.wait_with_output().unwrap();
    assert!(ended.status.success());
    String::from_utf8(ended.stdout).unwrap()
}

#[test]
fn the_demo_has_four_acts_of_a_screen_each() {
    let shown = demo(&[], "");
    let acts: Vec<&str> = shown.split("──── ").collect();
    assert_eq!(acts.len(), 5, "{shown}");
    for (number, name) in ["before", "plan", "after", "undone"].iter().enumerate() {
        let act = acts[number + 1];
        assert!(act.starts_with(&format!("{} of 4 · {name}", number + 1)), "{act}");
        assert!(act.lines().count() <= 50, "{act}");
    }
    assert!(acts[3].contains("fixed     1      ec2-imdsv2-required") && acts[4].contains("make play"), "{shown}");
}

#[test]
fn the_accounts_of_the_demo_can_be_played_with() {
    let commands = "ssm-audit scan --rule ec2-imdsv2-required | grep -c 'http_tokens = optional'\naws sts get-caller-identity --output text\nexit\n";
    let shown = demo(&["--play"], commands);
    assert!(shown.contains("arn:aws:sts::222222222222:"), "{shown}");
    assert!(shown.lines().any(|line| line == "1"), "{shown}");
}
