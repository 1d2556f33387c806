//! References to a resource: what refers to a resource that is removed must not be left without it.

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, Traversal, TraversalOperator};
use hcl_edit::visit::{Visit, visit_attr, visit_expr, visit_traversal};

use super::edit_session::{EditSession, Edited, Refusal};
use super::hcl_file::{BlockRef, HclFile};

/// Finds the references to one resource.
struct Finder<'a> {
    kind: &'a str,
    name: &'a str,
    /// Where the attribute begins that is visited.
    attribute: usize,
    /// Where the references stand.
    found: Vec<usize>,
}

impl Visit for Finder<'_> {
    fn visit_attr(&mut self, node: &hcl_edit::structure::Attribute) {
        self.attribute = node.span().map_or(self.attribute, |span| span.start);
        visit_attr(self, node);
    }

    fn visit_expr(&mut self, node: &Expression) {
        // Old code names resources in texts.
        if let Expression::String(text) = node
            && is_address(text.value(), self.kind, self.name)
        {
            self.found.push(node.span().map_or(self.attribute, |span| span.start));
        }
        visit_expr(self, node);
    }

    fn visit_traversal(&mut self, node: &Traversal) {
        let is_kind = matches!(&node.expr, Expression::Variable(root) if root.as_str() == self.kind);
        let name = node.operators.first().map(hcl_edit::Decorated::value);
        if is_kind && matches!(name, Some(TraversalOperator::GetAttr(name)) if name.as_str() == self.name) {
            self.found.push(node.span().map_or(self.attribute, |span| span.start));
        }
        visit_traversal(self, node);
    }
}

/// Returns `true` if a text is the address of the resource, or of a part of it.
fn is_address(text: &str, kind: &str, name: &str) -> bool {
    let rest = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('.')).and_then(|rest| rest.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

impl HclFile {
    /// The bytes at which something refers to the resource.
    fn references(&self, kind: &str, name: &str) -> Vec<usize> {
        let Some(body) = self.body() else { return Vec::new() };
        let mut finder = Finder { kind, name, attribute: 0, found: Vec::new() };
        finder.visit_body(&body);
        finder.found
    }

    /// Takes the resource out of the `depends_on` of a block.
    fn remove_dependency(&mut self, block_ref: &BlockRef, kind: &str, name: &str) -> Option<()> {
        let Some(list) = self.value(block_ref, "depends_on") else { return Some(()) };
        let gone = |element: &str| is_address(element.trim_matches('"'), kind, name);
        let Expression::Array(array) = &list else { return Some(()) };
        let any = array.iter().filter_map(hcl_edit::Span::span).any(|span: Range<usize>| gone(self.source(&span)));
        if any && self.remove_elements(&list, gone)? == 0 {
            self.remove_attribute(block_ref, "depends_on")?;
        }
        Some(())
    }
}

impl EditSession<'_> {
    /// Removes a resource, and its address from the `depends_on` of others. Any other reference to it is a refusal.
    pub(crate) fn remove_resource(&mut self, block_ref: &BlockRef) -> Edited {
        let (kind, name) = block_ref.labels();
        let (kind, name) = (kind.to_owned(), name.to_owned());
        if let Some(protected) = self.protection(block_ref) {
            return Err(protected);
        }
        for top in self.tops(&block_ref.file) {
            if top != *block_ref && top.kind() == "resource" && top.labels() == (&kind, &name) {
                return Err(self.refuse(&top, "", format!("{kind}.{name} is written here too")));
            }
        }
        let misunderstood = |session: &Self| session.refuse(block_ref, "", format!("{kind}.{name} shares its lines"));
        if self.edit(&block_ref.file)?.remove(block_ref).is_none() {
            return Err(misunderstood(self));
        }
        for top in self.tops(&block_ref.file) {
            let depends = self.value(&top, "depends_on").map(|value| self.source(&top.file, &value));
            if depends.is_some_and(|source| source.contains(&format!("{kind}.{name}"))) {
                let done = self.edit(&top.file)?.remove_dependency(&top, &kind, &name);
                done.ok_or_else(|| self.refuse(&top, "depends_on", "depends_on is not understood"))?;
            }
        }
        for file in self.folder_of(&block_ref.file) {
            let Some(document) = self.document(&file) else { continue };
            if let Some(at) = document.references(&kind, &name).first() {
                let line = document.line(*at);
                // The line as it is on disk, if this file is as it was.
                let line = self.line_on_disk(&file, &kind, &name).unwrap_or(line);
                let reason = format!("{kind}.{name} would have to be removed, and is referred to");
                return Err(Refusal::at(reason, Some((file, line))));
            }
        }
        self.refuse_if_named_in_json(&block_ref.file, &format!("{kind}.{name}"))
    }

    /// The first line that refers to the resource and is no dependency, in the file as it is on disk.
    fn line_on_disk(&self, file: &str, kind: &str, name: &str) -> Option<usize> {
        let document = self.original(file)?;
        let dependencies: Vec<Range<usize>> = document
            .tops(file)
            .iter()
            .filter_map(|top| hcl_edit::Span::span(&document.value(top, "depends_on")?))
            .collect();
        let found = document.references(kind, name);
        let at = found.iter().find(|at| !dependencies.iter().any(|range| range.contains(at)))?;
        Some(document.line(*at))
    }

    /// A refusal where a resource may not be destroyed.
    pub(crate) fn protection(&self, block_ref: &BlockRef) -> Option<Refusal> {
        let same = |top: &BlockRef| top.kind() == block_ref.kind() && top.labels() == block_ref.labels();
        for top in self.tops(&block_ref.file).iter().filter(|top| same(top)) {
            for lifecycle in self.document(&top.file)?.nested(top, "lifecycle") {
                if let Some(Expression::Bool(yes)) = self.value(&lifecycle, "prevent_destroy")
                    && *yes.value()
                {
                    let (kind, name) = block_ref.labels();
                    let reason = format!("lifecycle.prevent_destroy keeps {kind}.{name} from being destroyed");
                    return Some(self.refuse(&lifecycle, "prevent_destroy", reason));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stand_in_expressions_templates_and_old_texts() {
        let text = "output \"x\" {\n  value = \"a-${aws_a.b.id}\"\n}\n\nmoved {\n  from = aws_a.c\n  to   = aws_a.b\n}\n\n\
                    resource \"aws_d\" \"e\" {\n  depends_on = [\"aws_a.b\"]\n  text = <<-EOT\n    ${aws_a.b[0].id} aws_a.bc\n  EOT\n}\n";
        let document = HclFile::new(text);
        let lines: Vec<usize> = document.references("aws_a", "b").iter().map(|at| document.line(*at)).collect();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert!(lines.contains(&2) && lines.contains(&7) && lines.contains(&11), "{lines:?}");
        assert!(document.references("aws_a", "bc").is_empty());
    }

    #[test]
    fn a_dependency_is_taken_out_and_an_empty_list_with_it() {
        let mut document =
            HclFile::new("a {\n  depends_on = [aws_a.b]\n}\n\nc {\n  depends_on = [aws_a.b[0], aws_d.e]\n}\n");
        for top in document.tops("main.tf") {
            document.remove_dependency(&top, "aws_a", "b").expect("an edit");
        }
        assert_eq!(document.text(), "a {\n}\n\nc {\n  depends_on = [aws_d.e]\n}\n");
    }
}
