//! What Terraform itself says of fixes. Broken code is applied to the emulator and fixed; then the plan must show a
//! change for each fix, replace nothing that was not announced, and show nothing any more once it was applied.
//!
//! It needs `terraform`, and its AWS provider in a folder that Terraform takes providers from: nothing is fetched. Where
//! one of them is missing, the tests say so and prove nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use rayon::prelude::*;
use serde_json::Value;

use super::breakages::{BREAKAGES, Breakage};
use super::fix::{CONFIG, LEFT};
use super::{ALL, COMPLIANT, PLACE, open, scan};
use crate::audit::Audit;
use crate::emulator::Emulator;
use crate::sample::{is_whole, sample};

/// Terraform, and the folder that it takes its providers from.
struct Terraform {
    providers: PathBuf,
}

/// The provider in a folder of providers.
const PROVIDER: &str = "registry.terraform.io/hashicorp/aws";

impl Terraform {
    /// Terraform of this machine; says loudly where there is none.
    fn find() -> Option<Self> {
        let say = |what: &str| {
            // Not captured, as what tests print is.
            let line = format!("\nNOT PROVED: {what}: no fix was planned by Terraform itself\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        };
        if !Command::new("terraform").arg("version").output().is_ok_and(|done| done.status.success()) {
            return say("there is no `terraform` on this machine");
        }
        match folders().into_iter().find(|folder| folder.join(PROVIDER).is_dir()) {
            Some(providers) => Some(Self { providers }),
            None => say(
                "there is no AWS provider for `terraform` on this machine (TF_PLUGIN_CACHE_DIR names a folder of them)",
            ),
        }
    }
}

/// The folders that may hold providers.
/// <https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories>
fn folders() -> Vec<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let home = variable("HOME").unwrap_or_default();
    let mut folders: Vec<PathBuf> = variable("TF_PLUGIN_CACHE_DIR").into_iter().collect();
    folders.extend(
        [".terraform.d/plugins", ".terraform.d/plugin-cache", ".local/share/terraform/plugins"]
            .map(|name| home.join(name)),
    );
    folders.extend(["/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"].map(PathBuf::from));
    let optional = std::fs::read_dir("/opt").into_iter().flatten().filter_map(Result::ok);
    folders.extend(optional.map(|entry| entry.path()));
    folders
}

/// A folder of code that is applied to an emulator.
struct Root<'t> {
    terraform: &'t Terraform,
    emulator: Emulator,
    audit: Audit,
}

const PROVIDER_BLOCK: &str = r#"provider "aws" {
  region                      = "us-east-1"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

resource "aws_s3_bucket" "access_logs" {
  bucket        = "access-logs"
  force_destroy = true
}

resource "aws_s3_bucket" "another" {
  bucket = "another"
}

resource "aws_s3_bucket_policy" "access_logs" {
  bucket = aws_s3_bucket.access_logs.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "s3:PutObject"
      Resource  = "${aws_s3_bucket.access_logs.arn}/*"
      Principal = { Service = "logging.s3.amazonaws.com" }
    }]
  })
}
"#;

/// The changes that a plan makes, by address: what is done, and all that is planned.
type Changes = BTreeMap<String, (Vec<String>, Value)>;

impl<'t> Root<'t> {
    /// The files, and the emulated account that they are applied to.
    fn new(terraform: &'t Terraform, files: &[(&str, String)]) -> Self {
        let mut audit = Audit::new(&[]).file("ssm-audit.yaml", CONFIG).file("code/provider.tf", PROVIDER_BLOCK);
        for (name, text) in files {
            audit = audit.file(&format!("code/{name}"), text);
        }
        let root = Self { terraform, emulator: Emulator::moto_alone(), audit };
        let providers = format!("-plugin-dir={}", root.terraform.providers.display());
        root.done(&["init", "-backend=false", "-input=false", &providers]);
        // What takes access logs is there before something is logged to it.
        let first = ["-target=aws_s3_bucket_policy.access_logs", "-target=aws_s3_bucket.another"];
        root.done(&["apply", "-auto-approve", "-input=false", first[0], first[1]]);
        root.done(&["apply", "-auto-approve", "-input=false"]);
        root
    }

    fn folder(&self) -> PathBuf {
        self.audit.folder().join("code")
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("terraform");
        command.args(arguments).arg("-no-color").current_dir(self.folder()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.audit.folder());
        command.env("CHECKPOINT_DISABLE", "1").env("TF_IN_AUTOMATION", "1");
        command.envs(self.emulator.environment("123456789012", "us-east-1"));
        command.output().unwrap()
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Fixes the code, and holds it to what Terraform itself takes.
    fn fix(&self, rules: &[&str]) -> Value {
        let mut audit =
            Audit::new(&["fix", "code", "--yes", "--unsafe-fixes", "--format", "json"]).args(ALL).args(PLACE);
        for rule in rules {
            audit = audit.args(&["--rule", rule]);
        }
        let outcome = audit.within(self.audit.folder()).run();
        let answer = outcome.json();
        self.done(&["validate"]);
        for entry in std::fs::read_dir(self.folder()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "tf") {
                self.done(&["fmt", "-check", "-diff", path.to_str().unwrap()]);
            }
        }
        answer
    }

    fn plan(&self, more: &[&str]) -> Changes {
        self.done(&[&["plan", "-input=false", "-out=plan"], more].concat());
        let plan: Value = serde_json::from_str(&self.done(&["show", "-json", "plan"])).unwrap();
        let changes = plan["resource_changes"].as_array().unwrap().iter();
        let change = |change: &Value| {
            let actions = change["change"]["actions"].as_array().unwrap().iter();
            let actions: Vec<String> = actions.map(|action| action.as_str().unwrap().to_owned()).collect();
            let address = change["address"].as_str().unwrap().to_owned();
            (actions != ["no-op"] && actions != ["read"])
                .then(|| (address, (actions, change["change"]["after"].clone())))
        };
        changes.filter_map(change).collect()
    }
}

/// The hazards that a fix announced.
fn hazards(fixed: &Value) -> String {
    fixed["hazards"].as_array().unwrap().iter().map(ToString::to_string).collect()
}

/// What is wrong with the changes that these fixes make.
fn wrong_with(fixed: &[Value], changes: &Changes) -> Vec<String> {
    let announced: String = fixed.iter().map(hazards).collect();
    let mut wrong = Vec::new();
    for (address, (actions, _)) in changes {
        let resource = address.split('[').next().unwrap();
        let destroys = actions.iter().any(|action| action == "delete");
        let creates = actions.iter().any(|action| action == "create");
        if destroys && creates && !announced.contains(&format!("destroys {resource} ")) {
            wrong.push(format!("{address} is replaced, and nobody said so: {announced}"));
        } else if destroys && announced.is_empty() {
            wrong.push(format!("{address} is destroyed, and nobody said so"));
        }
    }
    wrong
}

/// Breakages that Terraform or the emulator does not take: the rule, a part of what breaks it, and why.
const NOT_APPLIED: &[(&str, &str, &str)] = &[
    ("s3-encrypted", "\"none\"", "the provider knows no such algorithm"),
    ("kms-policy-keeps-account-admin", "", "AWS takes no policy that nobody can change any more"),
    ("ec2-root-volume-encrypted", "", "AWS takes no key without encryption; other forms prove the fix"),
];

/// Rules that are broken once everything is there: AWS makes nothing with a key that cannot be used, and the provider
/// sends no other option of the metadata service while its endpoint is off.
const AFTERWARDS: &[&str] = &["kms-key-usable", "kms-policy-grants-logs", "ec2-imds-endpoint-enabled"];

/// Compliant code as the emulator takes it.
fn appliable(code: &str) -> String {
    let code = code.replace("ami-0a1b2c3d4e5f60718", "ami-0b301ce3ce347599c");
    // What is formatted stays so.
    code.replace("  root_block_device {\n", "  root_block_device {\n    volume_size = 8\n\n")
}

/// Returns `true` if the rules of all these breakages fail. One breakage may remove the resource of another.
fn all_fail<'b>(code: &str, mut breakages: impl Iterator<Item = &'b Breakage>) -> bool {
    let open = open(&scan(code, &[ALL, PLACE].concat()));
    breakages.all(|breakage| open.get(breakage.rule).is_some_and(|verdict| verdict == "fail"))
}

/// The breakages that can be fixed, in as few versions of the compliant code as they can share.
fn groups() -> Vec<(String, Vec<&'static Breakage>)> {
    let mut groups: Vec<(String, Vec<&Breakage>)> = Vec::new();
    for breakage in BREAKAGES {
        let is = |(rule, to, _): &&(&str, &str, &str)| *rule == breakage.rule && breakage.to.contains(to);
        if LEFT.iter().any(|left| is(&left)) || NOT_APPLIED.iter().any(|left| is(&left)) {
            continue;
        }
        let fits = |(code, all): &&mut (String, Vec<&Breakage>)| {
            // Rules that do not hold for other reasons would hide whether this one is fixed.
            let others = |other: &&Breakage| {
                other.rule == breakage.rule
                    || other.also.contains(&breakage.rule)
                    || breakage.also.contains(&other.rule)
            };
            code.matches(breakage.from).count() == 1
                && !all.iter().any(others)
                && all_fail(&code.replace(breakage.from, breakage.to), all.iter().copied().chain([breakage]))
        };
        match groups.iter_mut().find(fits) {
            Some((code, all)) => {
                *code = code.replace(breakage.from, breakage.to);
                all.push(breakage);
            }
            None => groups.push((COMPLIANT.replace(breakage.from, breakage.to), vec![breakage])),
        }
    }
    groups
}

/// The fixes of code, by the remediations that make them: rule by rule, those that code can be judged by.
fn remediations() -> BTreeMap<String, String> {
    let listed = Audit::new(&["rules", "list", "--policy", "hardened", "--format", "json"]).run().json();
    let rules = listed["rules"].as_array().unwrap().iter();
    let of_code = rules.filter(|rule| rule["sources"].as_array().unwrap().iter().any(|source| source == "terraform"));
    let named =
        of_code.filter_map(|rule| Some((rule["id"].as_str()?.to_owned(), rule["remediation"].as_str()?.to_owned())));
    named.collect()
}

/// Plans the fixes of one version of the code one after the other, applies them, and plans again.
fn prove(terraform: &Terraform, code: &str, breakages: &[&Breakage]) -> (Vec<String>, BTreeSet<String>) {
    let afterwards = breakages.iter().filter(|breakage| AFTERWARDS.contains(&breakage.rule));
    let first = afterwards.fold(code.to_owned(), |code, breakage| code.replace(breakage.to, breakage.from));
    let mut formatted = super::fix::formatted(&[appliable(&first), appliable(code)]);
    let broken = formatted.remove(1);
    let root = Root::new(terraform, &[("main.tf", formatted.remove(0))]);
    let (mut wrong, mut rules) = (Vec::new(), BTreeSet::new());
    let (mut before, mut all) = (root.plan(&[]), Vec::new());
    wrong.extend(
        before.iter().map(|(address, what)| format!("{address}: what was applied is not what the code says: {what:?}")),
    );
    if first != code {
        std::fs::write(root.folder().join("main.tf"), broken).unwrap();
        root.done(&["apply", "-auto-approve", "-input=false"]);
        before = root.plan(&[]);
    }
    for breakage in breakages {
        let answer = root.fix(&[breakage.rule]);
        let fixed = answer["fixed"].as_array().unwrap().clone();
        // The fix of another one may have made it right.
        if fixed.is_empty() && answer["left"] == serde_json::json!([]) {
            continue;
        }
        if fixed.is_empty() {
            wrong.push(format!("{} is not fixed: {:#}", breakage.rule, answer["left"]));
        }
        let changes = root.plan(&["-refresh=false"]);
        // An attribute that is known only after the apply looks the same before and after a second change.
        let pending = |one: &Value| one["resource"]["address"].as_str().is_some_and(|of| before.contains_key(of));
        if changes == before && !fixed.iter().any(pending) {
            wrong.push(format!("{} by {:?}: the fix changes nothing", breakage.rule, breakage.to));
        }
        all.extend(fixed.iter().cloned());
        wrong.extend(wrong_with(&all, &changes).into_iter().map(|what| format!("{}: {what}", breakage.rule)));
        rules.extend(fixed.iter().map(|one| one["rule"].as_str().unwrap().to_owned()));
        before = changes;
    }
    root.done(&["apply", "-auto-approve", "-input=false"]);
    wrong
        .extend(root.plan(&[]).into_iter().map(|(address, what)| format!("{address} changes a second time: {what:?}")));
    (wrong, rules)
}

#[test]
fn a_plan_shows_each_fix_and_nothing_the_second_time() {
    let Some(terraform) = Terraform::find() else { return };
    let groups = sample(groups());
    let done: Vec<_> = groups.par_iter().map(|(code, breakages)| prove(&terraform, code, breakages)).collect();
    let wrong: Vec<&String> = done.iter().flat_map(|(wrong, _)| wrong).collect();
    assert!(wrong.is_empty(), "{} of them: {wrong:#?}", wrong.len());
    if !is_whole() {
        return;
    }
    let proved: BTreeSet<&String> = done.iter().flat_map(|(_, rules)| rules).collect();
    let all = remediations();
    let left: BTreeSet<&str> = LEFT.iter().map(|(rule, ..)| *rule).collect();
    let proved: BTreeSet<&str> = proved.iter().filter_map(|rule| Some(all.get(*rule)?.as_str())).collect();
    let unproved = |rule: &str| UNPROVED.contains(&rule) || NOT_APPLIED.iter().any(|(other, ..)| *other == rule);
    let wanted = all.iter().filter(|(rule, _)| !left.contains(rule.as_str()) && !unproved(rule));
    let wanted: BTreeSet<&str> = wanted.map(|(_, id)| id.as_str()).collect();
    let missing: Vec<&&str> = wanted.difference(&proved).collect();
    assert!(missing.is_empty(), "remediations that no plan was made of: {missing:?}");
}

/// Rules that code cannot break.
const UNPROVED: &[&str] = super::breakages::UNBREAKABLE;

/// Code in a form: its name, its files, and rules that must be fixed in it.
type Form = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// Code in other forms.
const FORMS: &[Form] = &[
    (
        "rules in blocks and arguments",
        &[("main.tf", include_str!("../../fixtures/terraform/forms/rules.tf"))],
        &["sg-no-ingress", "sg-egress-https-only", "sg-rules-described", "ec2-https-egress-allowed"],
    ),
    (
        "a document in a heredoc",
        &[("main.tf", include_str!("../../fixtures/terraform/forms/heredoc.tf"))],
        &["ssm-idle-timeout", "ssm-logs-streamed", "ssm-logs-to-s3", "ssm-logs-to-cloudwatch", "ssm-session-key-set"],
    ),
    (
        "a document in a template",
        &[
            ("main.tf", include_str!("../../fixtures/terraform/forms/template.tf")),
            ("preferences.json.tftpl", include_str!("../../fixtures/terraform/forms/preferences.json.tftpl")),
        ],
        &["ssm-idle-timeout", "ssm-logs-streamed", "ssm-s3-key-prefix", "s3-object-lock-enabled"],
    ),
    (
        "templates of instances",
        &[("main.tf", include_str!("../../fixtures/terraform/forms/launch.tf"))],
        &["ec2-imdsv2-required", "ec2-detailed-monitoring"],
    ),
];

/// What the emulator forgets, so that it is planned again: the resource, and what is forgotten.
const FORGOTTEN: &[(&str, &str)] =
    &[("aws_launch_configuration.node", "the metadata options of launch configurations")];

#[test]
fn a_plan_shows_the_fixes_of_code_in_other_forms() {
    let Some(terraform) = Terraform::find() else { return };
    let wrong: Vec<String> = FORMS
        .par_iter()
        .flat_map(|(name, files, rules)| {
            let files: Vec<(&str, String)> = files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
            let root = Root::new(&terraform, &files);
            let mut wrong: Vec<String> =
                root.plan(&[]).into_keys().map(|address| format!("{address} is not settled")).collect();
            let answer = root.fix(&[]);
            let fixed = answer["fixed"].as_array().unwrap().clone();
            let changes = root.plan(&[]);
            for one in &fixed {
                let address = one["resource"]["address"].as_str().unwrap();
                let apart = changes.values().any(|(actions, _)| actions != &["update"]);
                if !changes.contains_key(address) && !apart {
                    wrong.push(format!("{} changes nothing of {address}", one["rule"]));
                }
            }
            wrong.extend(wrong_with(&fixed, &changes));
            for rule in *rules {
                if !fixed.iter().any(|one| one["rule"] == **rule) {
                    wrong.push(format!("{rule} is not fixed: {:#}", answer["left"]));
                }
            }
            root.done(&["apply", "-auto-approve", "-input=false"]);
            let kept = |address: &String| !FORGOTTEN.iter().any(|(forgotten, _)| forgotten == address);
            let second = root.plan(&[]).into_iter().filter(|(address, _)| kept(address));
            wrong.extend(second.map(|(address, what)| format!("{address} changes a second time: {what:?}")));
            let again = root.fix(&[]);
            if again["files"] != serde_json::json!([]) {
                wrong.push(format!("it is not fixed once and for all: {}", again["files"]));
            }
            wrong.into_iter().map(|what| format!("{name}: {what}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
