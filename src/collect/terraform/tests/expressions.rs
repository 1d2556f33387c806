//! Expressions with the values that Terraform's documentation and its console give.

use std::fmt::Write as _;
use std::process::Command;

use super::{Options, code, outputs};

/// One a line, `expression => value`; a blank line and lines with `#` count for nothing, and `¶` ends a line.
const TABLE: &str = include_str!("expressions.txt");

const CONTEXT: &str = r#"
variable "unset" {}
variable "text" { default = "hello" }
variable "template" { default = "a-$${name}-%%{ if true }y%%{ endif }" }
variable "list" { default = ["a", "b", "c"] }
variable "map" { default = { one = 1, two = 2 } }
variable "object" { default = { name = "x", ports = [80, 443], nested = { deep = true } } }
resource "aws_s3_bucket" "known" { bucket = "logs" }
resource "aws_s3_bucket" "open" {}
resource "aws_instance" "many" { count = 3 }
resource "aws_instance" "each" { for_each = { a = 1, b = 2 } }
resource "aws_instance" "some" { count = var.unset }
data "aws_caller_identity" "here" {}
locals {
  twice = var.text
  users = [{ name = "ann", admin = true }, { name = "bob", admin = false }]
}
"#;

/// The expressions of the table with their values.
fn cases() -> Vec<(String, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let split = |line: &'static str| line.rsplit_once(" => ").unwrap_or_else(|| panic!("no ` => ` in {line}"));
    lines.map(split).map(|(expression, value)| (expression.replace('¶', "\n"), value.trim())).collect()
}

/// Where Terraform itself is at hand, it gives the same JSON for each.
#[test]
fn terraform_itself_gives_the_same() {
    let text = |cases: &[String]| {
        let variables = CONTEXT.split("resource ").next().unwrap_or_default();
        let mut text = variables.replace("variable \"unset\" {}", "");
        text.push_str("locals { users = [{ name = \"ann\", admin = true }, { name = \"bob\", admin = false }] }\n");
        for (index, expression) in cases.iter().enumerate() {
            let _ = write!(text, "output \"o{index:03}\" {{\n  value = jsonencode({expression}\n)\n}}\n");
        }
        text
    };
    // What has no value, or none without a provider, Terraform refuses as a whole.
    let cases: Vec<String> = cases()
        .into_iter()
        .filter(|(expression, value)| {
            // The last two are OpenTofu's.
            let needs = ["aws_", "var.unset", "local.twice", "missing", "cidrcontains", "urldecode"];
            !matches!(*value, "unknown" | "error") && !needs.iter().any(|word| expression.contains(word))
        })
        .map(|(expression, _)| expression)
        .collect();
    assert!(cases.len() > 150);
    let code = text(&cases);
    let folder = super::folder(&[("main.tf", &code)]);
    let terraform = |arguments: &[&str]| {
        Command::new("terraform").args(arguments).current_dir(folder.path()).env("CHECKPOINT_DISABLE", "1").output()
    };
    let Ok(applied) = terraform(&["apply", "-auto-approve", "-no-color"]) else { return };
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let shown = terraform(&["output", "-json"]).expect("it ran before");
    let theirs: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let ours = outputs(&[("main.tf", &code)], &Options::default());
    let wrong: Vec<String> = ours
        .iter()
        .zip(&cases)
        .filter_map(|((name, ours), expression)| {
            let theirs = format!("{:?}", theirs[name]["value"].as_str().unwrap_or("nothing"));
            (*ours != theirs).then(|| format!("{expression}: Terraform gives {theirs}, we {ours}"))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn expressions_have_the_values_that_terraform_gives() {
    let cases = cases();
    let mut text = CONTEXT.to_owned();
    for (index, (expression, _)) in cases.iter().enumerate() {
        let _ = write!(text, "output \"o{index}\" {{\n  value = {expression}\n}}\n");
    }
    let unread: Vec<String> =
        code(&[("main.tf", &text)]).problems.iter().map(|problem| problem.message.clone()).collect();
    assert!(!unread.iter().any(|message| message.starts_with("not Terraform")), "{unread:?}");
    let found = outputs(&[("main.tf", &text)], &Options::default());
    assert_eq!(found.len(), cases.len());
    let wrong: Vec<String> = cases
        .iter()
        .zip(found)
        .filter(|((_, wanted), (_, found))| wanted != found)
        .map(|((expression, wanted), (_, found))| format!("{expression}: wanted {wanted}, found {found}"))
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}
