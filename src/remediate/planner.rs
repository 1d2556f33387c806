//! From findings to a plan: what each remediation asks for is spread over the resources, what is there is looked at, and
//! setters draft the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;

use super::account_clients::AccountClients;
use super::approvals::Limits;
use super::observed::{CreateHint, ObservedAspect};
use super::plan::{Aim, LeftOut, Step, Subject};
use super::plan_builder::{Contradiction, Goal, PlanBuilder, ResourceId};
use super::remediation::{Action, DesiredValue, RemediationSpec, RemediationSpecs};
use super::setters;
use super::settings::Settings;
use crate::engine::rule::params::ParamValue;
use crate::engine::rule::{Library, Remediation};
use crate::engine::scan::{self, Selected};
use crate::model::call::Needs;
use crate::model::{AccountId, Fact, Finding, Inventory, Key, Region, ResourceType, Source, Verdict};

/// How many looks may run at once.
const LOOKS: usize = 16;

/// What a plan for one account is made from.
pub(crate) struct Request<'a> {
    /// The id of the plan.
    pub(crate) id: &'a str,
    pub(crate) account_clients: &'a AccountClients,
    pub(crate) inventory: &'a Inventory,
    pub(crate) settings: &'a Settings,
    pub(crate) remedies: &'a RemediationSpecs,
    /// The findings, fails and unknowns.
    pub(crate) findings: Vec<&'a Finding>,
    /// The rules that are held.
    pub(crate) rules: &'a [Selected<'a>],
    pub(crate) limits: &'a Limits,
}

/// What a plan does in one account.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) steps: Vec<Step>,
    pub(crate) aims: Vec<Aim>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Returns what must be read to plan. A remediation that only sets attributes of its own resource needs what the rules
/// read. Any other remediation changes roles, keys and what sessions use, and needs all that the rules of live accounts
/// read.
pub(crate) fn needs(rules: &[Selected<'_>], library: &Library, remedies: &RemediationSpecs) -> Needs {
    let mut needs = scan::needs(rules);
    let wide = rules.iter().any(|selected| match &selected.rule.remediation {
        Some(Remediation::Id(id)) => {
            remedies.get(id).is_some_and(|remedy| reads_all(selected.rule.resource_type, remedy))
        }
        _ => false,
    });
    if wide {
        let live = library.rules().filter(|rule| rule.sources.contains(&Source::Aws));
        live.for_each(|rule| needs.extend(rule.needs()));
    }
    needs
}

/// Returns `true` if a remediation depends on more than what the rule of its finding reads.
fn reads_all(resource_type: ResourceType, remedy: &RemediationSpec) -> bool {
    let reads_all = |name: &str| setters::ability(resource_type, name).is_some_and(|ability| ability.reads_all);
    match &remedy.action {
        Action::Do(task) => reads_all(task),
        Action::Set(wishes) => wishes.iter().any(|(attribute, _)| reads_all(attribute)),
    }
}

/// Plans for one account; steps are numbered from `first`.
///
/// # Errors
/// Where the plan contradicts itself, which is an error of this program.
pub(crate) async fn plan(request: &Request<'_>, first: usize) -> Result<Part, Contradiction> {
    let account = request.account_clients.account();
    let mut builder = PlanBuilder::new(request.id, request.inventory, account, request.settings);
    builder.limits = request.limits.clone();
    let rules = request.rules.iter().map(|selected| (selected.rule.id.as_str(), selected));
    let rules: BTreeMap<&str, &Selected<'_>> = rules.collect();
    builder.params = rules.iter().map(|(id, selected)| ((*id).to_owned(), selected.params().clone())).collect();
    let mut unplanned = Vec::new();
    for finding in &request.findings {
        let remediation = rules.get(finding.rule.as_str()).and_then(|selected| selected.rule.remediation.as_ref());
        if let Err(reason) = take(&mut builder, finding, remediation, request) {
            let resource = subject(finding, account);
            unplanned.push(LeftOut { rule: finding.rule.clone(), resource, reason, failed: false });
        }
    }
    for setter in setters::in_order_of_asking() {
        for (thing, wanted) in builder.wanted_of(setter.resource_type()) {
            setter.propagate(&thing, &wanted, &mut builder);
        }
    }
    let mut required_reads: BTreeSet<(Option<Region>, ObservedAspect)> = BTreeSet::new();
    for setter in setters::SETTERS {
        for (thing, wanted) in builder.wanted_of(setter.resource_type()) {
            required_reads.extend(setter.required_reads(&thing, &wanted, &builder));
        }
    }
    builder.seen = stream::iter(required_reads)
        .map(|(region, aspect)| async move {
            let place = request.account_clients.place(region.as_ref());
            let observation = aspect.look(&place, &CreateHint::NotSent).await.map_err(|failure| Arc::new(failure.gap));
            ((region, aspect), observation)
        })
        .buffer_unordered(LOOKS)
        .collect()
        .await;
    for setter in setters::SETTERS {
        for (thing, _) in builder.wanted_of(setter.resource_type()) {
            setter.resolve_alias(&thing, &mut builder);
        }
    }
    for setter in setters::SETTERS {
        for (thing, wanted) in builder.wanted_of(setter.resource_type()) {
            setter.builder(&thing, &wanted, &mut builder);
        }
    }
    builder.share_aims();
    request.limits.hold(&mut builder);
    let (steps, aims, mut left_out) = builder.finish(first)?;
    left_out.extend(unplanned);
    Ok(Part { steps, aims, left_out })
}

/// Takes a finding up: what its remediation asks for becomes wishes about its resource. Or why it does not.
fn take<'a>(
    builder: &mut PlanBuilder<'a>,
    finding: &Finding,
    remediation: Option<&Remediation>,
    request: &Request<'a>,
) -> Result<(), String> {
    let resource = &finding.resource;
    let remedy = match remediation {
        Some(Remediation::Id(id)) => request.remedies.get(id),
        Some(Remediation::None { none }) => return Err(format!("no automatic fix: {none}")),
        None => None,
    };
    let Some(remedy) = remedy else { return Err("no automatic fix".to_owned()) };
    if finding.verdict == Verdict::Unknown {
        return Err(format!("it is not known whether there is something to fix: {}", finding.message));
    }
    let key = match &resource.region {
        Some(region) if resource.resource_type.is_regional() => Key::regional(region, resource.id.as_str()),
        _ => Key::global(resource.id.as_str()),
    };
    let thing = (resource.resource_type, key);
    if let Some(reason) = managed_elsewhere(builder.inventory, &thing) {
        return Err(reason);
    }
    let aim = builder.goals.len();
    builder.goals.push(Goal {
        rule: finding.rule.clone(),
        remedy,
        thing: thing.clone(),
        subject: subject(finding, builder.account),
        fingerprint: finding.fingerprint.clone(),
    });
    let aims = BTreeSet::from([aim]);
    match &remedy.action {
        Action::Do(task) => builder.ask(&thing, task, &aims),
        Action::Set(wishes) => {
            for (attribute, wish) in wishes {
                let value = match wish {
                    DesiredValue::Value(value) => Some(value.clone()),
                    DesiredValue::Param(name) => builder.param(&finding.rule, name).and_then(|value| match value {
                        ParamValue::Text(text) => Some(builder.here(resource.region.as_ref()).fill(text).into()),
                        value => serde_json::to_value(value).ok(),
                    }),
                };
                match value {
                    Some(value) => builder.want(&thing, attribute, value, &aims),
                    None => builder.leave_out(&aims, format!("there is no value for {attribute}")),
                }
            }
        }
    }
    Ok(())
}

/// Why this resource is not for the account's owner to change: another AWS service manages it.
fn managed_elsewhere(inventory: &Inventory, (resource_type, key): &ResourceId) -> Option<String> {
    let instance = inventory.instances.get(key).filter(|_| *resource_type == ResourceType::Instance)?;
    match &instance.attributes.operator {
        Fact::Known(None) => None,
        Fact::Known(Some(operator)) => Some(format!("{operator} manages the instance, and only it can change it")),
        Fact::Unknown(gap) => Some(format!("whether another AWS service manages the instance is not known: {gap}")),
    }
}

fn subject(finding: &Finding, account: &AccountId) -> Subject {
    let resource = &finding.resource;
    Subject {
        resource_type: resource.resource_type,
        id: resource.id.clone(),
        account: account.clone(),
        region: resource.region.clone(),
    }
}
