//! Resources that `--resource` names: each pattern must match one that was read, or that the plan is about.

use std::collections::BTreeSet;

use super::Error;
use crate::engine::scan;
use crate::engine::waiver::Glob;
use crate::model::{Inventory, ResourceRef};
use crate::remediate::plan::Plan;
use crate::yaml::nearest;

/// The names of the resources of accounts, as they are read.
#[derive(Debug, Default)]
pub(super) struct Names {
    resources: Vec<ResourceRef>,
    /// Whether everything that was asked for was read.
    incomplete: bool,
}

impl Names {
    /// Adds the resources of an account.
    pub(super) fn add(&mut self, inventory: &Inventory) {
        self.resources.extend(scan::resources(inventory));
        self.incomplete |= inventory.scopes.iter().any(|scope| !scope.complete);
    }

    /// Refuses a pattern that matches nothing.
    pub(super) fn check(&self, patterns: &[String], plan: &Plan) -> Result<(), Error> {
        let planned: BTreeSet<&str> = plan
            .steps
            .iter()
            .map(|step| &step.resource)
            .chain(plan.findings.iter().map(|aim| &aim.resource))
            .chain(plan.left_out.iter().map(|left| &left.resource))
            .map(|resource| resource.id.as_str())
            .filter(|id| *id != scan::ANY)
            .collect();
        let unknown = patterns.iter().find(|pattern| {
            let glob = Glob::new(pattern);
            let read = |resource: &ResourceRef| {
                let names = [Some(&resource.id), resource.arn.as_ref(), resource.address.as_ref()];
                names.into_iter().flatten().any(|name| glob.matches(name))
            };
            !self.resources.iter().any(read) && !planned.iter().any(|id| glob.matches(id))
        });
        let Some(pattern) = unknown else { return Ok(()) };
        let not_all = if self.incomplete { ", and not everything could be read" } else { "" };
        Err(Error::Usage {
            message: format!("no such resource in what was read: {pattern}{not_all}"),
            help: self.suggestion(pattern).unwrap_or_else(|| {
                "--resource takes ids and ARNs, with * and ?; `ssm-audit scan -v` lists what there is".to_owned()
            }),
        })
    }

    /// The resource that may be meant: the one of that name, or the one whose id or name is the nearest.
    fn suggestion(&self, pattern: &str) -> Option<String> {
        let ids = self.resources.iter().map(|resource| resource.id.as_str());
        let names = self.resources.iter().filter_map(|resource| resource.name.as_deref());
        let exact = names.clone().find(|name| *name == pattern);
        let meant = exact.or_else(|| nearest(pattern, ids.chain(names)))?;
        let of = |resource: &&ResourceRef| resource.id == meant || resource.name.as_deref() == Some(meant);
        let mut found: Vec<&ResourceRef> = self.resources.iter().filter(of).collect();
        found.sort_by_key(|resource| resource.id != meant);
        found.dedup_by_key(|resource| &resource.id);
        let described = |resource: &&ResourceRef| match &resource.name {
            Some(name) => format!("{} ({name})", resource.id),
            None => resource.id.clone(),
        };
        let meant: Vec<String> = found.iter().take(3).map(described).collect();
        Some(format!("did you mean {}?", meant.join(" or ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ResourceType;

    fn names(of: &[(&str, Option<&str>)]) -> Names {
        let resource = |(id, name): &(&str, Option<&str>)| ResourceRef {
            resource_type: ResourceType::Instance,
            id: (*id).to_owned(),
            arn: None,
            name: name.map(str::to_owned),
            account: None,
            region: None,
            address: None,
        };
        Names { resources: of.iter().map(resource).collect(), incomplete: false }
    }

    fn help(names: &Names, pattern: &str) -> Option<String> {
        let plan = Plan::empty("PLAN".to_owned(), String::new(), String::new());
        match names.check(&[pattern.to_owned()], &plan) {
            Ok(()) => None,
            Err(Error::Usage { help, .. }) => Some(help),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_may_be_meant() {
        let names = names(&[("i-0123456789abcdef0", Some("web")), ("i-0fedcba9876543210", None)]);
        for there in ["i-0123456789abcdef0", "i-0123*", "*", "i-0fedcba987654321?"] {
            assert_eq!(help(&names, there), None, "{there}");
        }
        let web = "did you mean i-0123456789abcdef0 (web)?";
        assert_eq!(help(&names, "i-0123456789abcdef1").as_deref(), Some(web));
        assert_eq!(help(&names, "web").as_deref(), Some(web));
        assert_eq!(help(&names, "wbe").as_deref(), Some(web));
        assert!(help(&names, "nothing-like-it-at-all").is_some_and(|help| help.contains("scan -v")));
        assert!(help(&names, "x-*").is_some());
    }
}
