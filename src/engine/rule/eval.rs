//! Evaluates a rule on a resource with three-valued logic, and derives the message, the evidence and the gaps.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use cel::ExecutionError;
use cel::common::types::CelString;
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use super::Rule;
use super::params::{BoundParams, Where};
use super::path::Place;
use super::value::{NodeValue, to_json};
use crate::model::gap::SENSITIVE;
use crate::model::{AccountId, Evidence, Gap, GapKind, Key, Region, Source, symbol};

/// Result of evaluating a rule on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The rule is not applicable to the resource.
    NotApplicable,
    /// Every fact that the rule needs was read, and the check passes.
    Pass,
    /// The check fails.
    Fail,
    /// A fact that the rule needs is unknown.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::NotApplicable => "not applicable",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        })
    }
}

/// A rule and a resource, with every value that the rule's expressions can name.
pub(crate) struct Case<'a> {
    rule: &'a Rule,
    place: Place<'a>,
    resource: NodeValue<'a>,
    params: &'a BoundParams,
    account: Option<&'a str>,
    region: Option<&'a str>,
}

impl<'a> Case<'a> {
    /// Returns the case of a rule with these parameters and a resource.
    pub(crate) fn new(rule: &'a Rule, place: Place<'a>, key: &'a Key, params: &'a BoundParams) -> Self {
        Self {
            rule,
            place,
            resource: NodeValue(place),
            params,
            account: place.inventory.account.as_ref().map(AccountId::as_str),
            region: key.region.as_ref().map(Region::as_str),
        }
    }

    /// Evaluates the rule on the resource.
    pub(crate) fn judge(&self) -> (Outcome, Option<ExecutionError>) {
        if let Some(when) = &self.rule.expressions.when {
            match when.holds(self) {
                Ok(true) => {}
                Ok(false) => return (Outcome::NotApplicable, None),
                Err(error) => return (Outcome::Unknown, Some(error)),
            }
        }
        match self.rule.expressions.assert.holds(self) {
            Ok(true) => (Outcome::Pass, None),
            Ok(false) => (Outcome::Fail, None),
            Err(error) => (Outcome::Unknown, Some(error)),
        }
    }

    /// Returns every gap on the paths that the verdict depends on. If there is none, the cause is the error: the rule
    /// could not be evaluated.
    pub(crate) fn gaps(&self, error: &ExecutionError) -> Vec<Gap> {
        let mut gaps: BTreeSet<Arc<Gap>> =
            self.rule.expressions.reads.iter().flat_map(|path| path.gaps(self.place)).collect();
        if gaps.iter().any(|gap| !gap.is_not_collected()) {
            gaps.retain(|gap| !gap.is_not_collected());
        }
        // A gap of a symbol in policies counts only if there is no other gap.
        if gaps.iter().any(|gap| gap.symbol.is_none()) {
            gaps.retain(|gap| gap.symbol.is_none());
        }
        // A host function names its own reason; then attributes that were not collected are not the reason.
        if let ExecutionError::FunctionError { message, .. } = error
            && gaps.iter().all(|gap| gap.is_not_collected())
            && !message.contains(&Gap::not_collected().to_string())
        {
            gaps.clear();
        }
        if gaps.is_empty() {
            let gap = match error {
                // A host function that cannot decide returns the reason.
                ExecutionError::FunctionError { message, .. } => Gap::because(GapKind::Unresolved, message),
                error => Gap {
                    expression: Some(self.rule.assert().to_owned()),
                    ..Gap::because(GapKind::RuleError, error.to_string())
                },
            };
            gaps.insert(Arc::new(gap));
        }
        gaps.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    /// Returns the gaps without details about values that are not shown; `self` is the resource as it is shown.
    pub(crate) fn shown_gaps(&self, gaps: Vec<Gap>) -> Vec<Gap> {
        let shown: BTreeSet<Arc<Gap>> =
            self.rule.expressions.reads.iter().flat_map(|path| path.gaps(self.place)).collect();
        if !shown.iter().any(|gap| gap.is_sensitive) {
            return gaps;
        }
        let mut kept: Vec<Gap> = gaps.into_iter().filter(|gap| shown.contains(gap)).collect();
        if kept.is_empty() {
            kept.push(Gap::sensitive());
        }
        kept
    }

    /// Returns the message of the rule; none if the rule has none.
    pub(crate) fn message(&self) -> Option<String> {
        self.rule.expressions.message.as_ref().map(|message| message.fill(self.place, self.params))
    }

    /// Returns the offending elements if the rule fails and names them; otherwise each attribute that the rule reads.
    pub(crate) fn evidence(&self, outcome: &Outcome) -> Vec<Evidence> {
        let reads_sensitive = || {
            let mut gaps = self.rule.expressions.reads.iter().flat_map(|path| path.gaps(self.place));
            gaps.any(|gap| gap.is_sensitive)
        };
        if let (Some((expression, path)), Outcome::Fail) = (&self.rule.expressions.evidence, outcome) {
            let items = expression.value(self, |value| to_json(value.as_ref()));
            if let Ok(serde_json::Value::Array(items)) = items
                && !items.is_empty()
            {
                // Several parts of a rule may find the same element.
                let mut known = BTreeSet::new();
                let distinct = items.into_iter().filter(|item| known.insert(item.to_string()));
                return distinct.map(|value| Evidence { path: path.clone(), value }).collect();
            }
            if reads_sensitive() {
                return vec![Evidence { path: path.clone(), value: SENSITIVE.into() }];
            }
        }
        let paths = self.rule.expressions.reads.iter().filter(|path| {
            // A path that another path goes through is not evidence of its own.
            !self.rule.expressions.reads.iter().any(|other| other.goes_through(path))
        });
        paths.map(|path| Evidence { path: path.to_string(), value: path.json(self.place) }).collect()
    }
}

impl Case<'_> {
    /// Returns the placeholder for a value that code does not contain.
    fn code_has(&self, symbol: &'static str) -> Option<&'static str> {
        (self.place.inventory.source == Source::Terraform).then_some(symbol)
    }
}

impl VariableResolver for Case<'_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let text = |text: &'b str| Some(CowVal::owned(CelString::from(text)));
        match name {
            "resource" => Some(CowVal::Borrowed(&self.resource as &dyn Val)),
            "params" => Some(CowVal::Borrowed(self.params as &dyn Val)),
            // An unknown value is not declared: reading it is an error.
            "account" => text(self.account.or_else(|| self.code_has(symbol::ACCOUNT))?),
            "region" => text(self.region.or_else(|| self.code_has(symbol::REGION))?),
            "partition" => text(self.place.inventory.partition.as_str()),
            "dns_suffix" => text(self.place.inventory.partition.dns_suffix()),
            "now" => text(&self.place.inventory.collected_at),
            // A name with dots is looked up as a whole, before its first part: a direct match avoids further lookups.
            name => match (name.strip_prefix("resource."), name.strip_prefix("params.")) {
                (Some(path), _) => self.resource.at(path).map(CowVal::Owned),
                (_, Some(name)) => self.params.value(name).map(CowVal::Borrowed),
                _ => None,
            },
        }
    }
}

/// Returns the location of a resource of this inventory.
pub(crate) fn location<'a>(place: Place<'a>, key: &'a Key) -> Where<'a> {
    Where {
        account: place.inventory.account.as_ref(),
        region: key.region.as_ref(),
        partition: place.inventory.partition,
    }
}
