//! JSON with places.

use std::ops::Range;

use super::{Misunderstood, NO_INPUTS, Splice};

/// How deep objects and lists may nest.
const DEPTH: usize = 64;

const NOT_JSON: Misunderstood = "the document is not JSON";

/// A value and its place.
struct Node {
    bytes: Range<usize>,
    /// Of an object.
    members: Option<Vec<Member>>,
}

struct Member {
    name: String,
    key: Range<usize>,
    value: Node,
}

/// The bytes of a member's value, where it is a scalar.
pub(crate) fn value(text: &str, way: &[&str], name: &str) -> Result<Option<Range<usize>>, Misunderstood> {
    let object = object(text, way)?;
    // Of equal names, the last one counts.
    let Some(member) = object.iter().rev().find(|member| member.name == name) else { return Ok(None) };
    match member.value.members {
        Some(_) => Err("the value is an object"),
        None => Ok(Some(member.value.bytes.clone())),
    }
}

/// Adds a member behind the others.
pub(crate) fn addition(text: &str, way: &[&str], name: &str, value: &str) -> Result<Splice, Misunderstood> {
    let whole = node(text, way)?;
    let Some(last) = whole.members.as_deref().and_then(<[Member]>::last) else {
        return Ok(Splice { bytes: whole.bytes, text: format!("{{\"{name}\": {value}}}") });
    };
    let gap = &text[last.key.end..last.value.bytes.start];
    let sign = if gap.contains('\n') { ": " } else { gap };
    let line = text[..last.key.start].rfind('\n').map_or(0, |newline| newline + 1);
    let indent = &text[line..last.key.start];
    let before =
        if line > whole.bytes.start && indent.trim().is_empty() { format!(",\n{indent}") } else { ", ".to_owned() };
    let end = last.value.bytes.end;
    Ok(Splice { bytes: end..end, text: format!("{before}\"{name}\"{sign}{value}") })
}

fn object(text: &str, way: &[&str]) -> Result<Vec<Member>, Misunderstood> {
    node(text, way)?.members.ok_or("the inputs of the document are computed")
}

/// The object at the end of the way.
fn node(text: &str, way: &[&str]) -> Result<Node, Misunderstood> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let mut node = reader.value()?;
    reader.blanks();
    if reader.at != text.len() {
        return Err(NOT_JSON);
    }
    for name in way {
        let members = node.members.ok_or("the document is computed")?;
        let member = members.into_iter().rev().find(|member| member.name == *name);
        node = member.ok_or(NO_INPUTS)?.value;
    }
    if node.members.is_none() {
        return Err("the inputs of the document are computed");
    }
    Ok(node)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.blanks();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, byte: u8) -> Result<(), Misunderstood> {
        if self.take(byte) { Ok(()) } else { Err(NOT_JSON) }
    }

    fn value(&mut self) -> Result<Node, Misunderstood> {
        self.blanks();
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("the document nests too deep");
        }
        let start = self.at;
        let members = match self.peek().ok_or(NOT_JSON)? {
            b'{' => Some(self.members()?),
            b'[' => {
                self.elements()?;
                None
            }
            b'"' => {
                self.text()?;
                None
            }
            _ => {
                self.word()?;
                None
            }
        };
        self.depth -= 1;
        Ok(Node { bytes: start..self.at, members })
    }

    fn members(&mut self) -> Result<Vec<Member>, Misunderstood> {
        let mut members = Vec::new();
        self.expect(b'{')?;
        if self.take(b'}') {
            return Ok(members);
        }
        loop {
            self.blanks();
            let start = self.at;
            self.text()?;
            let key = start..self.at;
            let name = serde_json::from_str(&self.text[key.clone()]).map_err(|_error| NOT_JSON)?;
            self.expect(b':')?;
            members.push(Member { name, key, value: self.value()? });
            if !self.take(b',') {
                self.expect(b'}')?;
                return Ok(members);
            }
        }
    }

    fn elements(&mut self) -> Result<(), Misunderstood> {
        self.expect(b'[')?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value()?;
            if !self.take(b',') {
                return self.expect(b']');
            }
        }
    }

    fn text(&mut self) -> Result<(), Misunderstood> {
        self.expect(b'"')?;
        loop {
            match self.peek().ok_or(NOT_JSON)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    /// A number, `true`, `false`, `null`, or an interpolation.
    fn word(&mut self) -> Result<(), Misunderstood> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) {
            self.at += 1;
        }
        if self.at == start { Err(NOT_JSON) } else { Ok(()) }
    }
}
