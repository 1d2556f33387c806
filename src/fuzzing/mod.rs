//! Fuzz targets: input that others write, read and evaluated as the commands do it. Built for `fuzz/` and for tests only.
//!
//! A target panics where something does not hold that must hold for every input.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use iam_policy::{Boundary, Context, PolicyDocument, Principal, Request, Resource};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::collect::terraform::{self, About, Options, State};
use crate::collect::{live, snapshot};
use crate::config::Config;
use crate::diagnostic::SourceFile;
use crate::engine::rule::{self, Library};
use crate::engine::scan::{self, Selected};
use crate::model::{Finding, Inventory};
use crate::remediate::plan::Plan;
use crate::remediate::remediation::{self, RemediationSpecs};
use crate::remediate::settings::Settings;
use crate::remediate::{aws_cli_script, show};
use crate::terminal::Paint;
use crate::terraform_fix::{self, Look, Texts};

/// A target.
pub type Target = fn(&[u8]);

/// The targets, each named as its file in `fuzz/fuzz_targets/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("aws", answers),
    ("hcl", hcl),
    ("plan", plan),
    ("policy", policy),
    ("snapshot", snapshot),
    ("state", state),
    ("terraform_plan", terraform_plan),
    ("tfvars", tfvars),
    ("yaml", yaml),
];

static LIBRARY: LazyLock<Library> = LazyLock::new(|| rule::embedded().expect("the rules load"));
static REMEDIES: LazyLock<RemediationSpecs> =
    LazyLock::new(|| remediation::embedded(&LIBRARY).expect("the remediations load"));
static RULES: LazyLock<Vec<Selected<'static>>> =
    LazyLock::new(|| LIBRARY.rules().map(|rule| Selected::new(rule, None, BTreeMap::new())).collect());
static NO_RULES_PARAMS: BTreeMap<String, BTreeMap<String, Json>> = BTreeMap::new();

/// The time at which everything is read.
const NOW: &str = "2026-11-22T15:00:00Z";

/// The value of `var.hidden`, which is sensitive, and what declares it.
const HIDDEN: &str = "5f1e9c0dHiddenByAll";
const DECLARED: &str = "variable \"hidden\" {\n  sensitive = true\n}\n";

/// Makes a folder of these files.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).expect("a file");
    }
    folder
}

/// Runs something twice, where it is one of the inputs for which that is done, and compares.
fn same<T: PartialEq>(input: &[u8], make: impl Fn() -> T) -> T {
    const EACH: usize = 4;
    let first = make();
    assert!(
        !input.len().is_multiple_of(EACH) || first == make(),
        "the same input gives something else the second time"
    );
    first
}

/// Looks at code as `scan` and `fix` do.
fn look(root: &Path, options: &Options) -> Result<Look, terraform::CodeError> {
    let code = terraform::read(root, options)?;
    let mut judged = scan::judge_all(&code.inventories, &RULES);
    let about = |rule: &rule::Rule| About {
        oldest_id: rule.oldest_id().to_owned(),
        reads: rule.reads().map(ToString::to_string).collect(),
    };
    let about = RULES.iter().map(|selected| (selected.rule.id.as_str(), about(selected.rule))).collect();
    code.source_map.locate(judged.findings_mut(), &code.inventories, &about);
    let _ = terraform::waivers(&code.source_map);
    let findings = judged.findings().to_vec();
    let shown = |mut inventory: Inventory| inventory.shown.take().map_or(inventory, |shown| *shown);
    let inventories = code.inventories.into_iter().map(shown).collect();
    Ok(Look { inventories, source_map: code.source_map, findings, steps: code.steps })
}

fn options() -> Options {
    Options { variables: vec![format!("hidden={HIDDEN}")], collected_at: NOW.to_owned(), ..Options::default() }
}

/// Scans a folder; gives the findings in JSON.
fn scanned(root: &Path, options: &Options) -> Option<(Look, String)> {
    let look = look(root, options).ok()?;
    let json = serde_json::to_string(&look.findings).expect("findings are JSON");
    Some((look, json))
}

/// Plans the fixes of a folder of code: gives the texts of the files that change.
fn fixes(root: &Path, options: &Options, first: &Look) -> Vec<String> {
    let request = terraform_fix::Request {
        root,
        library: &LIBRARY,
        remedies: &REMEDIES,
        params: &NO_RULES_PARAMS,
        settings: &Settings::default(),
        with_unsafe: true,
        bytes: std::cell::Cell::new(usize::MAX),
        concerns: &|_: &Finding| true,
        look: &|texts: &Texts| look(root, &Options { edited: texts.clone(), ..options.clone() }),
    };
    let patch = terraform_fix::plan(&request, first).expect("what was read is read again");
    patch.files.into_iter().map(|changed| changed.after).collect()
}

/// A `.tf` file in a folder: read, evaluated, judged, and sometimes fixed. What is sensitive is shown nowhere.
pub fn hcl(input: &[u8]) {
    const EACH: usize = 8;
    let folder = folder(&[("main.tf", input), ("hidden.tf", DECLARED.as_bytes())]);
    let options = options();
    let text = String::from_utf8_lossy(input);
    // Where the code unmarks it, or declares it otherwise, it may be shown.
    let may_show = text.contains("nonsensitive") || text.matches("hidden").count() > text.matches("var.hidden").count();
    let found = same(input, || scanned(folder.path(), &options).map(|(_, json)| json));
    let Some(json) = found else { return };
    assert!(may_show || !json.contains(HIDDEN), "a finding shows a sensitive value: {json}");
    if input.len() % EACH == 1
        && let Some((first, _)) = scanned(folder.path(), &options)
    {
        for text in fixes(folder.path(), &options, &first) {
            assert!(terraform::body_of(&text).is_some(), "a fix leaves no code: {text}");
            assert!(may_show || !text.contains(HIDDEN), "a fix shows a sensitive value: {text}");
        }
    }
}

/// A file of values for variables of each type.
pub fn tfvars(input: &[u8]) {
    const MAIN: &[u8] = b"variable \"any\" {}\nvariable \"text\" { type = string }\nvariable \"on\" {\n  type = bool\n  validation {\n    condition = var.on\n    error_message = \"off\"\n  }\n}\nvariable \"count\" { type = number }\nvariable \"list\" { type = list(string) }\nvariable \"set\" { type = set(number) }\nvariable \"map\" { type = map(any) }\nvariable \"object\" {\n  type = object({ a = string, b = optional(list(object({ c = optional(number, 1) })), []) })\n}\nvariable \"tuple\" { type = tuple([string, bool]) }\nresource \"aws_instance\" \"i\" {\n  count      = var.count\n  monitoring = var.on\n  tags       = merge(var.map, { a = var.text, b = jsonencode(var.object), c = jsonencode(var.tuple) })\n}\nresource \"aws_security_group\" \"g\" {\n  for_each = toset(var.list)\n  dynamic \"egress\" {\n    for_each = var.set\n    content {\n      from_port   = egress.value\n      to_port     = egress.value\n      protocol    = \"tcp\"\n      cidr_blocks = var.any\n    }\n  }\n}\n";
    let form = if input.first() == Some(&b'{') { "terraform.tfvars.json" } else { "terraform.tfvars" };
    let folder = folder(&[("main.tf", MAIN), (form, input)]);
    let found = same(input, || scanned(folder.path(), &options()).map(|(_, json)| json));
    assert!(found.is_some(), "values of variables keep code from being read");
}

/// A plan or state of `terraform show -json`.
pub fn terraform_plan(input: &[u8]) {
    let folder = folder(&[("plan.json", input)]);
    let path = folder.path().join("plan.json");
    same(input, || scanned(&path, &options()).map(|(_, json)| json));
}

/// A state.
pub fn state(input: &[u8]) {
    let folder = folder(&[("terraform.tfstate", input)]);
    if let Ok(state) = State::read(&folder.path().join("terraform.tfstate")) {
        for finding in &*FINDINGS {
            let _ = state.address(&finding.resource);
        }
    }
}

/// The account of a snapshot that has something of everything.
static ACCOUNT: LazyLock<Inventory> = LazyLock::new(|| {
    let snapshot: snapshot::Snapshot =
        serde_json::from_str(include_str!("../../benches/account.json")).expect("a snapshot");
    snapshot.inventories.into_iter().next().expect("an account")
});
static FINDINGS: LazyLock<Vec<Finding>> =
    LazyLock::new(|| scan::judge_all(std::slice::from_ref(&*ACCOUNT), &RULES).findings().to_vec());

/// A snapshot: read, judged, written again.
pub fn snapshot(input: &[u8]) {
    let folder = folder(&[("snapshot.json", input)]);
    let read = |name: &str| snapshot::read(&folder.path().join(name)).ok();
    let Some(first) = read("snapshot.json") else { return };
    let judged = same(input, || {
        serde_json::to_string(scan::judge_all(&first.inventories, &RULES).findings()).expect("findings are JSON")
    });
    let mut written = Vec::new();
    snapshot::write(&first.inventories, &mut written).expect("memory");
    std::fs::write(folder.path().join("again.json"), written).expect("a file");
    let again = read("again.json").expect("what was written is read");
    let again = scan::judge_all(&again.inventories, &RULES);
    assert!(
        judged == serde_json::to_string(again.findings()).expect("findings are JSON"),
        "a snapshot changes when written"
    );
}

/// A plan of `fix`: what is consistent can be shown, and stays consistent.
pub fn plan(input: &[u8]) {
    let folder = folder(&[("plan.json", input)]);
    let Ok(plan) = Plan::FORM.read::<Plan>(&folder.path().join("plan.json")) else { return };
    let consistent = |plan: &Plan| plan.consistent(&LIBRARY, &REMEDIES);
    let found = same(input, || (plan.check(), consistent(&plan)));
    assert!(found.0.is_ok() || found.1.is_err(), "a plan is consistent that does not hold together");
    // Whoever writes a plan can write its digests.
    let sealed = plan.sealed();
    if consistent(&sealed).is_err() {
        return;
    }
    let look = show::Look { paint: Paint::Plain, width: 100, all: false };
    let mut shown = Vec::new();
    show::origin(&sealed, look, &mut shown).expect("memory");
    show::plan(&sealed, None, look, &mut shown).expect("memory");
    let shown = String::from_utf8(shown).expect("a text");
    for step in &sealed.steps {
        assert!(shown.contains(step.call.call().operation), "a call is not shown");
    }
    let _ = aws_cli_script::script(&sealed);
    let again: Plan = serde_json::from_value(serde_json::to_value(&sealed).expect("JSON")).expect("a plan");
    assert_eq!(consistent(&again), Ok(()), "a plan changes when written");
}

/// A policy document: whatever it says, a denial of everything wins.
pub fn policy(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let documents = [PolicyDocument::from_json(text), PolicyDocument::from_url_encoded(text)];
    let deny = json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}});
    let deny = PolicyDocument::from_value(deny).expect("a policy");
    for document in documents.into_iter().flatten() {
        let again = PolicyDocument::from_json(&document.as_value().to_string()).expect("what was read is read again");
        let principal = Principal::from_arn("arn:aws:iam::111122223333:role/node").expect("a principal");
        for (action, arn) in [
            ("kms:Decrypt", "arn:aws:kms:us-east-1:111122223333:key/1"),
            ("s3:PutObject", "arn:aws:s3:::logs/key"),
            ("sts:AssumeRole", "arn:aws:iam::111122223333:role/node"),
        ] {
            let request = Request::new(principal.clone(), action, Resource::exactly(arn))
                .in_context(Context::new().with("aws:SourceVpc", "vpc-1"));
            let all = |document: &PolicyDocument| {
                let policies = [Some(document)];
                [
                    iam_policy::identity_allows(&policies, Boundary::Unset, &request),
                    iam_policy::identity_allows(&policies, Boundary::Document(document), &request),
                    iam_policy::resource_allows(Some(document), &request),
                    iam_policy::key_allows(Some(document), "111122223333", &policies, Boundary::Unset, &request),
                ]
                .map(|decision| decision.truth())
            };
            assert_eq!(all(&document), all(&again), "a policy changes when written");
            let denied = iam_policy::identity_allows(&[Some(&document), Some(&deny)], Boundary::Unset, &request);
            assert!(!denied.is_allowed(), "a denial does not win");
        }
        let _ = iam_policy::trusted_principals(&document, &["sts:AssumeRole"], &Context::new());
        let _ = iam_policy::trusts_only(&document, std::slice::from_ref(&principal), &Context::new());
    }
}

/// A file in YAML: as configuration, as a rule (which is then held against an account), and in code.
pub fn yaml(input: &[u8]) {
    const MAIN: &[u8] = b"locals {\n  y = yamldecode(file(\"input.yaml\"))\n}\nresource \"aws_instance\" \"i\" {\n  tags = { a = try(yamlencode(local.y), \"\"), b = try(jsonencode(local.y), \"\") }\n}\n";
    let Ok(text) = std::str::from_utf8(input) else { return };
    let parsed = |folder: &Path| {
        let source = SourceFile::new("ssm-audit.yaml", text);
        Config::parse(&source, folder)
            .and_then(|config| config.check(&LIBRARY).map(|()| config.disables(RULES[0].rule)))
    };
    let folder = folder(&[("main.tf", MAIN), ("input.yaml", input)]);
    same(input, || format!("{:?}", parsed(folder.path())));
    let mut library = Library::default();
    if library.add([SourceFile::new("rules/input.yaml", text)]).is_ok() {
        let rules: Vec<Selected<'_>> = library.rules().map(|rule| Selected::new(rule, None, BTreeMap::new())).collect();
        same(input, || serde_json::to_string(scan::judge_all(std::slice::from_ref(&*ACCOUNT), &rules).findings()).ok());
    }
    same(input, || scanned(folder.path(), &options()).map(|(_, json)| json));
}

/// Answers of AWS, read as a live account.
pub fn answers(input: &[u8]) {
    let needs = scan::needs(&RULES);
    same(input, || {
        let inventory = live::answered(input, &needs, NOW);
        serde_json::to_string(scan::judge(&inventory, &RULES).findings()).expect("findings are JSON")
    });
}
