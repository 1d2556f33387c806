//! After a run: its rules are held again against what is read anew, and they say what came of it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::apply::Accounts;
use super::aws_args::{self, LiveArgs};
use super::{Error, Exit, Globals};
use crate::collect::Shutdown;
use crate::engine::rule::params::ParamValue;
use crate::engine::rule::{Library, Policy};
use crate::engine::scan::{self, Selected};
use crate::remediate::plan::Plan;
use crate::remediate::verify::{Result as Verification, Verified, verify};

/// The rules of a plan, with the parameters that they were held with when it was made.
pub(super) fn rules<'r>(plan: &Plan, library: &'r Library) -> Result<Vec<Selected<'r>>, Error> {
    plan.rules.iter().map(|(id, params)| rule(id, params, library)).collect()
}

fn rule<'r>(id: &str, given: &BTreeMap<String, Json>, library: &'r Library) -> Result<Selected<'r>, Error> {
    let rule = library.rule(id).ok_or_else(|| Error::Usage {
        message: format!("the plan is for the rule {id}, which there is not"),
        help: "give the folder that it is in with --rules; it says whether the plan has made things right".to_owned(),
    })?;
    let mut params: BTreeMap<String, ParamValue> = BTreeMap::new();
    for (name, value) in given {
        let value = rule
            .params
            .get(name)
            .ok_or_else(|| format!("it has no parameter `{name}`"))
            .and_then(|param| param.value(value));
        let value = value.map_err(|problem| Error::Usage {
            message: format!("the plan is for the rule {id} with parameters that it does not take: {problem}"),
            help: "the rule has changed since the plan was made: make the plan again".to_owned(),
        })?;
        params.insert(name.clone(), value);
    }
    Ok(Selected::new(rule, None, params))
}

/// Looks again at what a plan was to make right; none where the user did not wait for it.
pub(super) async fn check(
    plan: &Plan,
    rules: &[Selected<'_>],
    accounts: &Accounts,
    arguments: &LiveArgs,
    globals: &Globals,
) -> Result<Option<Vec<Verified>>, Error> {
    let needs = scan::needs(rules);
    let started_at = Timestamp::now();
    let shutdown = Shutdown::new();
    let mut judged = Vec::new();
    for (account, account_clients) in accounts.iter().filter(|(account, _)| plan.accounts().contains(account)) {
        let regions = plan.scopes.get(account).map(|extent| extent.regions.as_slice()).unwrap_or_default();
        let connection = account_clients.connection();
        let inventory = aws_args::read_regions(arguments, connection, regions, &needs, &shutdown, globals).await?;
        judged.push(scan::judge(&inventory, rules));
    }
    let report = scan::report(judged, rules, Policy::default(), started_at);
    Ok((!shutdown.is_requested()).then(|| verify(plan, &report)))
}

/// How a run ended, as far as the rules go.
pub(super) fn exit(verified: &[Verified]) -> Exit {
    let any = |result| verified.iter().any(|verified| verified.result == Some(result));
    if any(Verification::StillFailing) {
        Exit::Failed
    } else if any(Verification::Unknown) || verified.iter().any(|verified| verified.result.is_none()) {
        Exit::Unknown
    } else {
        Exit::Success
    }
}
