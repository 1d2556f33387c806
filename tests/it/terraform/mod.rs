//! Terraform code: every rule holds for compliant code and fails for broken code, at the right place; what is not
//! known is said to be.

mod breakages;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde_json::Value;

use crate::audit::{Audit, Outcome};
use breakages::{BREAKAGES, UNBREAKABLE};

const COMPLIANT: &str = include_str!("../../fixtures/terraform/compliant.tf");

/// The flags under which every rule that knows code has something to say.
const ALL: &[&str] = &["--policy", "hardened", "--param", "iam-role-uses-volume-key.required=true"];

const PLACE: &[&str] = &["--account", "123456789012", "--region", "us-east-1"];

/// Scans this code, as `code/main.tf`.
fn scan(code: &str, flags: &[&str]) -> Outcome {
    Audit::new(&["scan", "code", "--format", "json"]).args(flags).file("code/main.tf", code).run()
}

fn findings(outcome: &Outcome) -> Vec<Value> {
    let report = outcome.json();
    report["findings"].as_array().unwrap().clone()
}

/// The rules that do not hold, with the verdict.
fn open(outcome: &Outcome) -> BTreeMap<String, String> {
    let open = findings(outcome).into_iter().filter(|finding| finding["verdict"] != "pass");
    open.map(|finding| {
        let text = |name: &str| finding[name].as_str().unwrap().to_owned();
        (text("rule"), text("verdict"))
    })
    .collect()
}

fn at<'f>(findings: &'f [Value], rule: &str) -> &'f Value {
    findings.iter().find(|finding| finding["rule"] == rule).unwrap_or_else(|| panic!("no finding of {rule}"))
}

/// The ids of the rules that can be judged in code.
fn rules_of_code() -> BTreeSet<String> {
    let listed = Audit::new(&["rules", "list", "--policy", "hardened", "--format", "json"]).run().json();
    let rules = listed["rules"].as_array().unwrap();
    let of_code =
        rules.iter().filter(|rule| rule["sources"].as_array().unwrap().iter().any(|source| source == "terraform"));
    of_code.map(|rule| rule["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_rule_that_knows_code_holds_for_compliant_code() {
    let outcome = scan(COMPLIANT, &[ALL, PLACE].concat());
    assert_eq!(open(&outcome), BTreeMap::new(), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0));
    let held: BTreeSet<String> =
        findings(&outcome).iter().map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect();
    assert_eq!(held, rules_of_code());
}

#[test]
fn every_rule_that_knows_code_fails_for_code_that_breaks_it() {
    let broken: BTreeSet<String> = BREAKAGES.iter().map(|breakage| breakage.rule.to_owned()).collect();
    let unbreakable = UNBREAKABLE.iter().map(|rule| (*rule).to_owned());
    assert_eq!(broken.into_iter().chain(unbreakable).collect::<BTreeSet<_>>(), rules_of_code());
    let wrong: Vec<String> = BREAKAGES
        .par_iter()
        .filter_map(|breakage| {
            assert_eq!(COMPLIANT.matches(breakage.from).count(), 1, "{}: {}", breakage.rule, breakage.from);
            let outcome = scan(&COMPLIANT.replace(breakage.from, breakage.to), &[ALL, PLACE].concat());
            let failed: BTreeSet<String> = open(&outcome).into_keys().collect();
            let fails = open(&outcome).get(breakage.rule).map(String::as_str) == Some("fail");
            let expected: BTreeSet<String> =
                [breakage.rule].iter().chain(breakage.also).map(|rule| (*rule).to_owned()).collect();
            (!fails || failed != expected)
                .then(|| format!("{} by {:?}: {:?}", breakage.rule, breakage.to, open(&outcome)))
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}
