//! What is added beside a resource: other resources, and the data sources that they need, with the provider, the region
//! and the repetition of that resource.

use std::collections::BTreeSet;
use std::path::Path;

use super::edit_session::{EditSession, Edited, Refusal};
use super::hcl_file::{BlockRef, indented};
use super::values::quoted;

/// Arguments that say where a resource is made.
const PLACE: &[&str] = &["provider", "region"];

/// A name, and the same with numbers from 2.
pub(crate) fn numbered(name: &str) -> impl Iterator<Item = String> {
    std::iter::once(name.to_owned()).chain((2..=u32::MAX).map(move |number| format!("{name}_{number}")))
}

impl EditSession<'_> {
    /// Adds a resource beside another one, under a name that no other has, and says which.
    pub(crate) fn add_resource(
        &mut self,
        beside: &BlockRef,
        kind: &str,
        name: &str,
        content: &str,
    ) -> Result<String, Refusal> {
        self.add(beside, kind, name, &[], content)
    }

    /// Adds a resource for another one, as often as that is made. The content is told how it names the other one.
    pub(crate) fn add_companion(
        &mut self,
        of: &BlockRef,
        kind: &str,
        name: &str,
        content: impl FnOnce(&str) -> String,
    ) -> Result<String, Refusal> {
        let (of_kind, of_name) = of.labels();
        let address = format!("{of_kind}.{of_name}");
        for (repeats, key) in [("count", "count.index"), ("for_each", "each.key")] {
            if let Some(value) = self.value(&of.top(), repeats) {
                let source = self.source(&of.file, &value);
                let content = content(&format!("{address}[{key}]"));
                return self.add(of, kind, name, &[(repeats, source)], &content);
            }
        }
        let content = match self.enabled(of) {
            Some(enabled) => format!("{}\n\nlifecycle {{\n  enabled = {enabled}\n}}", content(&address)),
            None => content(&address),
        };
        self.add(of, kind, name, &[], &content)
    }

    /// The expression by which OpenTofu makes a resource or leaves it out.
    /// <https://opentofu.org/docs/language/meta-arguments/enabled/>
    fn enabled(&self, of: &BlockRef) -> Option<String> {
        let blocks = self.document(&of.file)?.nested(&of.top(), "lifecycle");
        blocks.iter().find_map(|lifecycle| Some(self.source(&of.file, &self.value(lifecycle, "enabled")?)))
    }

    fn add(
        &mut self,
        beside: &BlockRef,
        kind: &str,
        name: &str,
        repetition: &[(&str, String)],
        content: &str,
    ) -> Result<String, Refusal> {
        let mut head: Vec<String> = repetition.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        for (name, value) in self.place_of(beside) {
            // What is global has no region.
            if name == "provider" || !kind.starts_with("aws_iam_") {
                head.push(format!("{name} = {value}"));
            }
        }
        let head = if head.is_empty() { String::new() } else { format!("{}\n\n", head.join("\n")) };
        let content = format!("{head}{content}");
        // What another instance of the same block has led to.
        if let Some(same) =
            self.resources(&beside.file, kind).iter().find(|block_ref| self.is_written(block_ref, &content))
        {
            return Ok(same.labels().1.to_owned());
        }
        let name = self.free_name(beside, kind, name);
        let block = format!("resource \"{kind}\" \"{name}\" {{\n{}\n}}", indented(&content, "  "));
        self.add_top(beside, &block)?;
        Ok(name)
    }

    /// Returns `true` if a block has exactly this content.
    fn is_written(&self, block_ref: &BlockRef, content: &str) -> bool {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let written =
            self.document(&block_ref.file).and_then(|document| Some(document.source(&document.span(block_ref)?)));
        let written = written.and_then(|block| block.split_once('{')).and_then(|(_, rest)| rest.rsplit_once('}'));
        written.is_some_and(|(body, _)| words(body) == words(content))
    }

    /// A name that no resource of the type has in the folder.
    fn free_name(&self, beside: &BlockRef, kind: &str, name: &str) -> String {
        let tops = self.resources(&beside.file, kind);
        self.first_free(beside, name, tops.iter().map(|top| top.labels().1.to_owned()).collect())
    }

    /// A refusal to make what is there once in an account, where the code would make it twice.
    pub(crate) fn refuse_twice(&self, beside: &BlockRef, kind: &str, name: &str) -> Edited {
        let uses = self.source_map.uses(Path::new(&beside.file));
        if uses > 1 {
            let reason =
                format!("the module is used {uses} times, and an account takes only one {kind} of the name {name}");
            return Err(Refusal::at(reason, Some((beside.file.clone(), 1))));
        }
        let own = self.folder_of(&beside.file);
        for file in self.names().into_iter().filter(|file| !own.contains(file)) {
            let is_it = |top: &&BlockRef| {
                let value = self.value(top, "name").map(|value| self.source(&file, &value));
                top.kind() == "resource" && top.labels().0 == kind && value.as_deref() == Some(name)
            };
            let tops = self.document(&file).map(|document| document.tops(&file)).unwrap_or_default();
            if tops.iter().any(|top| is_it(&top)) {
                let reason = format!("{file} makes a {kind} of the name {name} already, and an account takes only one");
                return Err(Refusal::new(reason));
            }
        }
        Ok(())
    }

    /// A name that is not taken, neither by these nor in a file in JSON of the folder.
    fn first_free(&self, beside: &BlockRef, name: &str, mut taken: BTreeSet<String>) -> String {
        for (_, text) in self.json_beside(&beside.file) {
            taken.extend(numbered(name).take(9).filter(|name| text.contains(&format!("\"{name}\""))));
        }
        numbered(name).find(|name| !taken.contains(name)).unwrap_or_default()
    }

    /// The arguments that say where a resource is made, as they are written.
    pub(crate) fn place_of(&self, block_ref: &BlockRef) -> Vec<(&'static str, String)> {
        let top = block_ref.top();
        let written = |name: &&'static str| Some((*name, self.source(&top.file, &self.value(&top, name)?)));
        PLACE.iter().filter_map(written).collect()
    }

    /// The resources of a type that are made in the same place as another one.
    pub(crate) fn resources_beside(&self, beside: &BlockRef, kind: &str) -> Vec<BlockRef> {
        let place = self.place_of(beside);
        self.resources(&beside.file, kind).into_iter().filter(|block_ref| self.place_of(block_ref) == place).collect()
    }

    fn add_top(&mut self, beside: &BlockRef, block: &str) -> Edited {
        let added = self.edit(&beside.file)?.add_after(beside, block);
        added.ok_or_else(|| Refusal::new(format!("{} cannot be added to", beside.file)))
    }

    /// The name of a data source of this type, which is made where there is none.
    fn data(&mut self, beside: &BlockRef, kind: &str) -> Result<String, Refusal> {
        let mut place = self.place_of(beside);
        // Accounts and partitions have no region.
        place.retain(|(name, _)| *name == "provider" || kind == "aws_region");
        let tops = self.tops(&beside.file);
        let of_kind = |top: &&BlockRef| top.kind() == "data" && top.labels().0 == kind;
        let repeated = |top: &BlockRef| ["count", "for_each"].iter().any(|name| self.value(top, name).is_some());
        let own = |top: &&BlockRef| of_kind(top) && self.place_of(top) == place && !repeated(top);
        if let Some(top) = tops.iter().find(own) {
            return Ok(top.labels().1.to_owned());
        }
        let taken = tops.iter().filter(of_kind).map(|top| top.labels().1.to_owned()).collect();
        let name = self.first_free(beside, "current", taken);
        let lines: Vec<String> = place.iter().map(|(name, value)| format!("  {name} = {value}\n")).collect();
        let content = if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) };
        self.add_top(beside, &format!("data \"{kind}\" \"{name}\" {{{content}}}"))?;
        Ok(name)
    }

    /// A text of the configuration as HCL writes it: account, region and partition become references.
    pub(crate) fn template(&mut self, beside: &BlockRef, text: &str) -> Result<String, Refusal> {
        let mut template = quoted(text);
        for (placeholder, kind, attribute) in [
            ("$${account}", "aws_caller_identity", "account_id"),
            ("$${region}", "aws_region", "name"),
            ("$${partition}", "aws_partition", "partition"),
        ] {
            if template.contains(placeholder) {
                let name = self.data(beside, kind)?;
                template = template.replace(placeholder, &format!("${{data.{kind}.{name}.{attribute}}}"));
            }
        }
        Ok(template)
    }
}
