//! Requirements on all built-in rules, beyond the examples of each.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::eval::Outcome;
use super::example::{Bases, Example};
use super::{Library, Policy, Rule, embedded};
use crate::model::{Gap, GapKind, Partition, ResourceType};
use crate::yaml::Spanned;

fn library() -> Library {
    embedded().unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn base(partition: Partition) -> Example {
    Example::new(Outcome::Pass, &Spanned::new(json!({"$partition": partition}), 0..0))
}

/// Returns the example without the parameters, which belong to the rule that it was written for.
fn without_params(example: &Example) -> Example {
    let mut attributes = example.attributes.clone();
    if let Json::Object(members) = &mut attributes {
        members.remove("$params");
    }
    Example { attributes, ..example.clone() }
}

fn judge(rule: &Rule, example: &Example, bases: &Bases) -> (Outcome, Vec<Gap>) {
    let judged = example.case(rule, bases, |case| {
        let (outcome, error) = case.judge();
        (outcome, error.map(|error| case.gaps(&error)).unwrap_or_default())
    });
    judged.unwrap_or_else(|message| panic!("{}: {message}", rule.id))
}

#[test]
fn the_rules_are_those_that_were_reviewed() {
    let library = library();
    let listed: Vec<String> = library
        .rules()
        .map(|rule| {
            let sources: Vec<String> = rule.sources.iter().map(|source| format!("{source:?}").to_lowercase()).collect();
            let (severity, policy, resource_type) = (rule.severity, rule.policy.as_str(), rule.resource_type);
            format!("{} {severity} {policy} {resource_type} {}", rule.id, sources.join(","))
        })
        .collect();
    insta::assert_snapshot!(listed.join("\n"));
}

#[test]
fn every_type_with_a_rule_has_a_base_on_which_every_rule_of_the_guide_holds_or_has_nothing_to_say() {
    let library = library();
    for partition in [Partition::Aws, Partition::China, Partition::UsGov] {
        for rule in library.rules().filter(|rule| rule.policy == Policy::Guide) {
            let (outcome, gaps) = judge(rule, &base(partition), library.bases());
            let good = matches!(outcome, Outcome::Pass | Outcome::NotApplicable);
            assert!(good, "{} in {partition}: {outcome:?} {gaps:?}", rule.id);
        }
    }
}

#[test]
fn a_base_leaves_nothing_unknown() {
    let library = library();
    for resource_type in ResourceType::ALL {
        for attribute in resource_type.structure().attributes.iter().filter(|attribute| !attribute.optional) {
            let known =
                library.bases().of(resource_type.as_str()).is_some_and(|base| base.get(attribute.name).is_some());
            assert!(known, "the base of {resource_type} does not say what `{}` is", attribute.name);
        }
    }
}

#[test]
fn every_rule_can_be_held_against_every_example_of_its_type() {
    let library = library();
    for rule in library.rules() {
        let others = library.rules().filter(|other| other.resource_type == rule.resource_type);
        for example in others.flat_map(|other| &other.examples) {
            let (_, gaps) = judge(rule, &without_params(example), library.bases());
            let broken = gaps.iter().find(|gap| gap.kind == GapKind::RuleError);
            assert!(broken.is_none(), "{}: {broken:?} on {}", rule.id, example.attributes);
        }
    }
}

#[test]
fn every_rule_has_an_example_for_each_of_its_parameters() {
    let library = library();
    for rule in library.rules() {
        let used: BTreeSet<&String> = rule
            .examples
            .iter()
            .filter_map(|example| example.attributes.get("$params").and_then(Json::as_object))
            .flat_map(|params| params.keys())
            .collect();
        let unused = rule.params.keys().find(|name| !used.contains(name));
        assert!(unused.is_none(), "{}: no example sets `{}`", rule.id, unused.map_or("", String::as_str));
    }
}

#[test]
fn a_rule_that_does_not_speak_of_all_has_an_example_of_which_it_does_not_speak() {
    let library = library();
    for rule in library.rules().filter(|rule| rule.when().is_some()) {
        let shown = rule.examples.iter().any(|example| example.expected == Outcome::NotApplicable);
        assert!(shown, "{}", rule.id);
    }
}

#[test]
fn what_fails_says_so_with_evidence() {
    let library = library();
    for rule in library.rules() {
        let mut own_evidence = rule.expressions.evidence.is_none();
        for example in rule.examples.iter().filter(|example| example.expected == Outcome::Fail) {
            let (message, evidence) = example
                .case(rule, library.bases(), |case| (case.message(), case.evidence(&Outcome::Fail)))
                .unwrap_or_else(|message| panic!("{}: {message}", rule.id));
            let message = message.unwrap_or_else(|| panic!("{} has no message", rule.id));
            assert!(!message.contains("${") && !message.contains('\n'), "{}: {message}", rule.id);
            assert!(!evidence.is_empty(), "{}: no evidence for {}", rule.id, example.attributes);
            let path = rule.expressions.evidence.as_ref().map(|(_, path)| path.as_str());
            own_evidence |= path.is_some_and(|path| evidence.iter().all(|one| one.path == path));
        }
        assert!(own_evidence, "{}: no failing example yields the rule's own evidence", rule.id);
    }
}

#[test]
fn titles_are_short_and_one_of_a_kind_and_references_are_to_those_who_know() {
    let library = library();
    let mut titles = BTreeSet::new();
    for rule in library.rules() {
        assert!(rule.title.chars().count() <= 90, "{}: {}", rule.id, rule.title);
        assert!(!rule.title.ends_with('.'), "{}", rule.id);
        assert!(titles.insert(rule.title.as_str()), "{}: the title is another rule's", rule.id);
        for text in [&rule.description, &rule.rationale] {
            assert!(text.ends_with('.') && !text.contains('\n'), "{}: {text}", rule.id);
        }
        for reference in &rule.references {
            let known = ["https://docs.aws.amazon.com/", "https://github.com/aws/"];
            assert!(known.iter().any(|site| reference.starts_with(site)), "{}: {reference}", rule.id);
        }
    }
}

#[test]
fn every_rule_says_how_it_is_fixed_by_hand() {
    for rule in library().rules() {
        let by_hand = &rule.manual_fix;
        assert!(by_hand.console.is_some() && by_hand.cli.is_some(), "{} lacks the console or the CLI", rule.id);
        let in_code = rule.sources.contains(&crate::model::Source::Terraform);
        assert_eq!(by_hand.terraform.is_some(), in_code, "{}: Terraform", rule.id);
        if let Some(code) = &by_hand.terraform {
            let parsed = hcl_edit::parser::parse_body(code);
            assert!(parsed.is_ok(), "{}: {}", rule.id, parsed.expect_err("an error"));
        }
    }
}
