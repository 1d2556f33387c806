//! Headless Chromium, with a script that does what people do with a report (`tests/browser/check.mjs`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

/// What browsers that can be driven are called.
const NAMES: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// A browser, and what drives it.
pub(crate) struct Browser {
    program: PathBuf,
    /// Where the packages of `tests/browser/package.json` are.
    packages: PathBuf,
}

/// The browser of this machine. Where there is none, the tests of pages are left out with a note, so that a new user
/// needs none; continuous integration installs one if it may.
pub(crate) fn installed() -> Option<&'static Browser> {
    static BROWSER: OnceLock<Option<Browser>> = OnceLock::new();
    BROWSER.get_or_init(|| Some(Browser { program: program()?, packages: packages()? })).as_ref()
}

impl Browser {
    /// What is wrong with a page, given the counts that it must show.
    pub(crate) fn problems(&self, page: &Path, expected: &Value) -> Vec<String> {
        let counts = page.with_extension("expected.json");
        std::fs::write(&counts, expected.to_string()).unwrap();
        let script = folder().join("check.mjs");
        let mut node = Command::new("node");
        let ended = node
            .arg(script)
            .args([&self.program, page, &counts, &self.packages.join("package.json")] as [&Path; 4])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(ended.status.success(), "the check of the page broke off: {}", text(&ended.stderr));
        text(&ended.stdout).lines().map(ToOwned::to_owned).collect()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser")
}

fn program() -> Option<PathBuf> {
    on_path().or_else(|| {
        if std::env::var_os("CI").is_none() {
            return left_out("there is no Chromium or Chrome");
        }
        // As far as the machine lets: the packages of Debian have it.
        for arguments in [&["update"][..], &["install", "-y", "--no-install-recommends", "chromium"]] {
            let installed = Command::new("apt-get").arg("-qq").args(arguments).output();
            if !installed.is_ok_and(|output| output.status.success()) {
                return left_out("Chromium could not be installed");
            }
        }
        on_path()
    })
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|program| program.is_file())
}

/// The packages that drive the browser, installed on first use.
fn packages() -> Option<PathBuf> {
    let wanted = std::fs::read_to_string(folder().join("package.json")).unwrap();
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    let packages = home.join(".cache/ssm-audit/browser");
    let stamp = packages.join("installed.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Some(packages);
    }
    std::fs::create_dir_all(&packages).unwrap();
    std::fs::write(packages.join("package.json"), &wanted).unwrap();
    let npm = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
    match Command::new("npm").args(npm).arg(&packages).status() {
        Ok(status) => assert!(status.success(), "npm could not install what drives the browser"),
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "npm is needed to test pages: {error}");
            return left_out("there is no npm");
        }
    }
    std::fs::write(stamp, wanted).unwrap();
    Some(packages)
}

/// Says what is left out, and why.
#[expect(clippy::print_stderr, reason = "who runs the tests must see what they leave out")]
fn left_out(why: &str) -> Option<PathBuf> {
    eprintln!("pages are not tested in a browser: {why}");
    None
}
