//! One step of a plan under construction.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{Aims, ResourceId};
use crate::model::Region;
use crate::remediate::approvals::Nature;
use crate::remediate::observed::ObservedAspect;
use crate::remediate::operation::Operation;
use crate::remediate::plan::{Disruption, Made, Undo};
use crate::remediate::step_output::{self, Text};

/// A step that is not numbered yet; `needs` and references count from 0, in the order in which steps were drafted.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) thing: ResourceId,
    /// Where the call is made.
    pub(crate) region: Option<Region>,
    pub(crate) aspect: ObservedAspect,
    pub(crate) before: Json,
    pub(crate) after: Json,
    pub(crate) made: Made,
    pub(crate) call: Operation,
    pub(crate) undo: Undo,
    pub(crate) aims: Aims,
    pub(crate) needs: BTreeSet<usize>,
    pub(crate) unit: Option<String>,
    pub(crate) rehearsal: Option<Operation>,
    pub(crate) disruption: Disruption,
    pub(crate) shared: bool,
    pub(crate) by_name: bool,
    pub(crate) creates: bool,
    pub(crate) warnings: Vec<String>,
}

impl Change {
    /// A change of this resource by one call.
    pub(crate) fn new(
        thing: ResourceId,
        aims: Aims,
        aspect: ObservedAspect,
        before: Json,
        after: Json,
        call: impl Into<Operation>,
    ) -> Self {
        Self {
            region: thing.1.region.clone(),
            thing,
            aspect,
            before,
            after,
            made: Made::default(),
            call: call.into(),
            undo: Undo::Not("nothing takes it back".to_owned()),
            aims,
            needs: BTreeSet::new(),
            unit: None,
            rehearsal: None,
            disruption: Disruption::None,
            shared: false,
            by_name: false,
            creates: false,
            warnings: Vec::new(),
        }
    }

    /// Made in this region: that of a bucket is not part of its key.
    pub(crate) fn in_region(self, region: &Region) -> Self {
        Self { region: Some(region.clone()), ..self }
    }

    /// With this member before it, which an earlier step may make.
    pub(crate) fn with_made_before(mut self, member: &str, text: Text) -> Self {
        put(&mut self.before, &mut self.made.before, member, text);
        self
    }

    /// With this member after it, which an earlier step may make.
    pub(crate) fn with_made_after(mut self, member: &str, text: Text) -> Self {
        put(&mut self.after, &mut self.made.after, member, text);
        self
    }

    /// Taken back by this call.
    pub(crate) fn undone_by(self, call: impl Into<Operation>) -> Self {
        Self { undo: Undo::By(call.into()), ..self }
    }

    /// Asked beforehand by this call, of what is there by then.
    pub(crate) fn rehearsed_by(self, call: impl Into<Operation>) -> Self {
        Self { rehearsal: Some(call.into()), ..self }
    }

    /// Asked beforehand by just its call.
    pub(crate) fn rehearsed(self) -> Self {
        let call = self.call.clone();
        self.rehearsed_by(call)
    }

    /// Not taken back, and why.
    pub(crate) fn not_undone(self, why: impl Into<String>) -> Self {
        Self { undo: Undo::Not(why.into()), ..self }
    }

    /// After these.
    pub(crate) fn needing(mut self, steps: impl IntoIterator<Item = usize>) -> Self {
        self.needs.extend(steps);
        self
    }

    /// With something to know before it is done.
    pub(crate) fn warning(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// What limits look at.
    pub(crate) fn nature(&self) -> Nature<'_> {
        Nature { id: &self.thing.1.id, disruption: self.disruption, shared: self.shared, by_name: self.by_name }
    }

    /// Returns the steps whose output this one uses.
    pub(crate) fn referred(&self) -> BTreeSet<usize> {
        let references = step_output::all(&self.made).into_iter().chain(step_output::all(&self.call));
        references.map(|reference| reference.step).collect()
    }

    /// Makes something that was not there.
    pub(crate) fn creating(self) -> Self {
        Self { creates: true, ..self }
    }
}

/// Puts a member into a state: among the members that steps make, where they make a part of it.
fn put(state: &mut Json, made: &mut step_output::Members, member: &str, text: Text) {
    match text.plain() {
        Some(plain) => state[member] = plain.into(),
        None => drop(made.insert(member.to_owned(), text)),
    }
}
