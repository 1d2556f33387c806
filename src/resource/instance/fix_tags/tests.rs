use serde_json::{Value as Json, json};

use crate::model::ResourceType;
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::plan::Undo;
use crate::remediate::setters::trial::{Planned, Trial, thing};

fn plan(there: Json, given: &[(&str, &str)]) -> Planned {
    let mut trial = Trial::new()
        .finding("ec2-set-required-tags", thing(ResourceType::Instance, "i-1"), json!(["AppID", "DataType"]))
        .sees(ObservedAspect::of(AspectKind::InstanceTags, "i-1"), there);
    trial.settings.tags = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    trial.plan()
}

#[test]
fn only_what_is_missing_is_added_and_taken_back() {
    let planned = plan(json!({"AppID": "mine", "Name": "web"}), &[("AppID", "other"), ("DataType", "Sensitive")]);
    let tags = json!({"Resources": ["i-1"], "Tags": [{"Key": "DataType", "Value": "Sensitive"}]});
    assert_eq!(planned.calls(), [("CreateTags", tags.clone())]);
    let step = &planned.steps[0];
    assert_eq!((&step.before, &step.after), (&json!({"DataType": null}), &json!({"DataType": "Sensitive"})));
    let Undo::By(undo) = &step.undo else { panic!("{:?}", step.undo) };
    assert_eq!((undo.call().operation, undo.parameters()), ("DeleteTags", tags));
}

#[test]
fn values_that_nobody_gave_are_asked_for_by_their_settings() {
    let planned = plan(json!({}), &[("Owner", "me")]);
    assert_eq!(planned.operations(), [] as [&str; 0]);
    let wanted = "the values of the tags are for you to say: set fix.tags.AppID and fix.tags.DataType";
    assert_eq!(planned.reasons(), [wanted]);
}

#[test]
fn an_instance_that_is_gone_is_left_out() {
    assert_eq!(plan(Json::Null, &[]).reasons(), ["tags of i-1: it is not there any more"]);
}
