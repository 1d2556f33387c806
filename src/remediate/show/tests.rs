use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::*;
use crate::model::ResourceType;
use crate::remediate::approvals::Allow;
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::plan::Extent;
use crate::remediate::plan::{Aim, Subject};
use crate::remediate::setters::trial::{Trial, region, thing};

/// A plan for instances: most accept IMDSv1, one also has its metadata service off, and the first root volume is replaced.
fn plan_of(instances: usize) -> Plan {
    let options = |endpoint: &str| {
        json!({"HttpTokens": "optional", "HttpEndpoint": endpoint, "HttpPutResponseHopLimit": 1,
            "InstanceMetadataTags": "disabled", "State": "applied"})
    };
    let ids: Vec<String> = (1..=instances).map(|number| format!("i-{number:017x}")).collect();
    let mut trial = Trial::new();
    for id in &ids {
        let is_odd = id.ends_with("00a");
        trial = trial.finding("ec2-require-imdsv2", thing(ResourceType::Instance, id), Json::Null);
        if is_odd {
            trial = trial.finding("ec2-enable-imds-endpoint", thing(ResourceType::Instance, id), Json::Null);
        }
        let endpoint = if is_odd { "disabled" } else { "enabled" };
        trial = trial.sees(ObservedAspect::of(AspectKind::InstanceMetadataOptions, id), options(endpoint));
    }
    let planned = trial.allowing(&[Allow::Replace], &[]).plan();
    let account: AccountId = "111122223333".parse().expect("an account");
    let mut plan = Plan::empty("PLAN".to_owned(), "2026-11-22T15:00:00Z".to_owned(), "sha256:0".to_owned());
    plan.scopes.insert(account, Extent { regions: vec![region()], resources: instances });
    plan.steps = planned.steps;
    plan.findings = planned.aims;
    plan.names = ids.iter().skip(1).map(|id| (id.clone(), format!("web-{}", &id[14..]))).collect();
    plan
}

fn shown(plan: &Plan, cap: Option<ChangeLimit>, look: Look) -> String {
    let mut out = Vec::new();
    super::plan(plan, cap, look, &mut out).expect("written");
    String::from_utf8(out).expect("text")
}

const PLAIN: Look = Look { paint: Paint::Plain, width: 80, all: false };

#[test]
fn like_changes_are_one_group_and_exceptions_stand_apart() {
    let mut plan = plan_of(182);
    let left = plan.findings[0].resource.clone();
    plan.left_out.extend((0..40).map(|number| LeftOut {
        rule: "ec2-root-volume-encrypted".to_owned(),
        resource: Subject { id: format!("i-{number:017x}"), ..left.clone() },
        reason:
            "it replaces a part, with the instance stopped: allow it with `--allow replace --resource ID`".to_owned(),
        failed: false,
    }));
    let narrow = shown(&plan, Some(ChangeLimit::default()), PLAIN);
    let wide = shown(&plan, Some(ChangeLimit::default()), Look { width: 140, ..PLAIN });
    insta::assert_snapshot!(format!("{narrow}\n{wide}"));
    let all = shown(&plan, None, Look { all: true, ..PLAIN });
    for step in &plan.steps {
        assert!(all.contains(&step.resource.id), "{}", step.resource.id);
    }
    assert!(all.contains("182. i-000000000000000b6 (web-000b6)"), "{all}");
}

#[test]
fn ten_thousand_changes_are_a_screen() {
    let mut plan = plan_of(2);
    let first = plan.steps[0].clone();
    plan.steps = (1..=10_000)
        .map(|number| {
            let mut step = first.clone();
            step.number = number;
            step.resource.id = format!("i-{number:017x}");
            step.aspect.id.clone_from(&step.resource.id);
            step
        })
        .collect();
    plan.findings.clear();
    let text = shown(&plan, None, PLAIN);
    assert!(text.lines().count() < 20 && text.contains("1-10000. 10000 × AWS::EC2::Instance"), "{text}");
}

#[test]
fn names_of_others_are_harmless() {
    let mut plan = plan_of(2);
    for name in plan.names.values_mut() {
        *name = "x\u{1b}[2J\n::error::y \u{202e}".to_owned();
    }
    for look in [PLAIN, Look { all: true, ..PLAIN }] {
        let text = shown(&plan, None, look);
        assert!(!text.contains(['\u{1b}', '\u{202e}']) && !text.lines().any(|line| line.starts_with("::")), "{text}");
    }
}

#[test]
fn a_part_of_a_plan_holds_together() {
    let plan = plan_of(12);
    assert_eq!(groups(&plan).len(), 2);
    let chosen: BTreeSet<usize> = [2, 5].into();
    let part = plan.narrowed(&chosen);
    assert_eq!(part.steps.iter().map(|step| step.number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(part.steps[1].resource, plan.steps[4].resource);
    assert_eq!(part.findings.len(), 2);
    assert_eq!(part.findings[1].steps, [2]);
    assert_eq!(part.left_out.len(), plan.findings.len() - 2);
    assert!(part.left_out.iter().all(|left| left.reason == "not chosen"));
    assert_eq!(plan.narrowed(&BTreeSet::new()).steps.len(), 0);
}

/// A finding that needs two steps is left out with one of them, and the other step with it.
#[test]
fn a_step_that_is_for_nothing_chosen_is_left_out() {
    let mut plan = plan_of(3);
    plan.steps[1].needs = vec![1];
    plan.findings = vec![
        Aim { steps: vec![1, 2], ..plan.findings[0].clone() },
        Aim { steps: vec![3], rule: "other".to_owned(), ..plan.findings[1].clone() },
    ];
    let part = plan.narrowed(&[1, 3].into());
    assert_eq!(part.steps.len(), 1);
    assert_eq!(part.findings.iter().map(|aim| aim.rule.as_str()).collect::<Vec<_>>(), ["other"]);
    let whole = plan.narrowed(&[1, 2].into());
    assert_eq!((whole.steps.len(), whole.steps[1].needs.clone()), (2, vec![1]));
}
