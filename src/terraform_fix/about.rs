//! Which resource another one is about, by how it is written: the group of a rule, the bucket of its versioning.

use super::edit_session::{EditSession, Refusal};
use super::hcl_file::BlockRef;

/// The relation of a resource to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// It names it.
    This,
    /// It names another one, or one from elsewhere.
    Other,
    /// It computes the one that it names.
    Unclear,
}

impl EditSession<'_> {
    /// Compares another resource with the one that this argument names, also by its own name.
    pub(crate) fn about(&self, block_ref: &BlockRef, argument: &str, other: &BlockRef, own_name: &str) -> About {
        let Some(value) = self.value(block_ref, argument) else { return About::Other };
        let mut source = self.source(&block_ref.file, &value);
        if let Some(("local", name)) = super::values::source_of(&value)
            && let Some((top, value)) = self.local(block_ref, &name)
        {
            source = self.source(&top.file, &value);
        }
        let named = self.value(other, own_name).map(|name| self.source(&other.file, &name));
        if source.starts_with('"') && named.is_some_and(|name| name == source) {
            return About::This;
        }
        let (kind, name) = other.labels();
        about(&source, &format!("{kind}.{name}"))
    }

    /// The file of the folder, in JSON, that has resources of this type.
    fn in_json(&self, beside: &BlockRef, kind: &str) -> Option<(String, usize)> {
        let mut code = self.json_beside(&beside.file).filter(|(name, _)| !name.ends_with(".tfvars.json"));
        code.find_map(|(name, text)| {
            let at = text.find(&format!("\"{kind}\""))?;
            Some((name.to_owned(), text[..at].matches('\n').count() + 1))
        })
    }

    /// Refuses to add what a list of all that a resource has would take away again.
    pub(crate) fn refuse_exclusive(&self, kind: &str, argument: &str, block_ref: &BlockRef) -> Result<(), Refusal> {
        let (of_kind, of_name) = block_ref.labels();
        let address = format!("{of_kind}.{of_name}");
        for exclusive in self.resources(&block_ref.file, kind) {
            let owner = self.value(&exclusive, argument).map(|value| self.source(&exclusive.file, &value));
            let names = |owner: String| ['.', '['].iter().any(|next| owner.contains(&format!("{address}{next}")));
            if owner.is_some_and(names) {
                let why = format!("{kind}.{} names all that {address} has: add it there", exclusive.labels().1);
                return Err(self.refuse(&exclusive, argument, why));
            }
        }
        Ok(())
    }

    /// A refusal where it cannot be seen whether a resource of this type is about another one already.
    pub(crate) fn refuse_unclear(
        &self,
        kind: &str,
        argument: &str,
        other: &BlockRef,
        own_name: &str,
    ) -> Result<(), Refusal> {
        let address = other.labels();
        for block_ref in self.resources(&other.file, kind) {
            if self.about(&block_ref, argument, other, own_name) == About::Unclear {
                let name = block_ref.labels().1;
                let reason = format!("whether {kind}.{name} is about {}.{} already is computed", address.0, address.1);
                return Err(self.refuse(&block_ref, argument, reason));
            }
        }
        match self.in_json(other, kind) {
            Some(place) => {
                let reason = format!("a {kind} in JSON may be about {}.{} already", address.0, address.1);
                Err(Refusal::at(reason, Some(place)))
            }
            None => Ok(()),
        }
    }
}

fn about(source: &str, address: &str) -> About {
    let source = source.trim();
    // Old code writes every reference as a text.
    let source = source
        .strip_prefix("\"${")
        .and_then(|rest| rest.strip_suffix("}\""))
        .filter(|rest| !rest.contains("${"))
        .map_or(source, str::trim);
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    let is_whole = |at: usize| {
        !source[..at].ends_with(|one| is_part(one) || one == '.') && !source[at + address.len()..].starts_with(is_part)
    };
    let is_path = source.chars().all(|one| is_part(one) || matches!(one, '.' | '[' | ']' | '"' | '*'));
    if source.match_indices(address).any(|(at, _)| is_whole(at)) {
        return if source.starts_with(address) && is_reference(&source[address.len()..]) {
            About::This
        } else {
            About::Unclear
        };
    }
    let is_literal = source.starts_with('"') && !source.contains("${");
    let is_elsewhere = is_path && ["aws_", "data.", "module.", "var."].iter().any(|start| source.starts_with(start));
    if is_literal || is_elsewhere { About::Other } else { About::Unclear }
}

/// Returns `true` if what follows an address is the rest of one reference.
fn is_reference(rest: &str) -> bool {
    let mut depth = 0_i32;
    rest.starts_with(['.', '['])
        && rest.chars().all(|one| {
            match one {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            depth > 0 || one.is_alphanumeric() || matches!(one, '_' | '-' | '.' | '*' | ']')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_about_what_it_names() {
        for (source, is) in [
            ("aws_security_group.node.id", About::This),
            ("aws_security_group.node[count.index].id", About::This),
            ("\"${aws_security_group.node.id}\"", About::This),
            ("\"${aws_security_group.node.*.id[0]}\"", About::This),
            ("one(aws_security_group.node[*].id)", About::Unclear),
            ("var.create ? aws_security_group.node.id : var.id", About::Unclear),
            ("aws_security_group.node_2.id", About::Other),
            ("aws_security_group.other.id", About::Other),
            ("data.aws_security_group.node.id", About::Other),
            ("var.group", About::Other),
            ("\"sg-0123\"", About::Other),
            ("each.value.group", About::Unclear),
            ("local.group", About::Unclear),
            ("\"${var.prefix}-x\"", About::Unclear),
        ] {
            assert_eq!(about(source, "aws_security_group.node"), is, "{source}");
        }
    }
}
