//! Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and the escapes `${*}`,
//! `${?}` and `${$}`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

use super::context::{Context, Lookup};

/// A pattern, cut up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// As written: `*` and `?` are wildcards.
    Char(char),
    /// Never a wildcard.
    Escaped(char),
    /// To be replaced by a value of the request.
    Variable(Variable),
    /// A variable whose value is not known.
    Unknown,
}

/// `${key}` or `${key, 'default'}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) key: Box<str>,
    default: Option<Box<str>>,
}

/// Where a request's own facts, besides its context, are looked up.
pub(super) trait Values {
    fn lookup(&self, key: &str) -> Lookup<'_>;
}

impl Values for Context {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        self.get(key)
    }
}

/// Cuts a text at its variables. A `${` that is never closed is ordinary text.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else {
            break;
        };
        pieces.extend(rest[..start].chars().map(Piece::Char));
        pieces.push(piece(&rest[start + 2..start + length]));
        rest = &rest[start + length + 1..];
    }
    pieces.extend(rest.chars().map(Piece::Char));
    pieces
}

fn piece(inside: &str) -> Piece {
    match inside {
        "*" => Piece::Escaped('*'),
        "?" => Piece::Escaped('?'),
        "$" => Piece::Escaped('$'),
        _ => Piece::Variable(Variable::parse(inside)),
    }
}

impl Variable {
    fn parse(inside: &str) -> Self {
        let (key, default) = match inside.split_once(',') {
            Some((key, default)) => (key, Some(default.trim().trim_matches('\'').into())),
            None => (inside, None),
        };
        Self { key: key.trim().into(), default }
    }

    /// The text to put in its place, `Ok(None)` if that is not known.
    ///
    /// # Errors
    /// The request has no such key, and the variable no default.
    pub(super) fn value<'a>(&'a self, values: &'a dyn Values) -> Result<Option<&'a str>, Absent> {
        match values.lookup(&self.key) {
            Lookup::One(value) => Ok(Some(value)),
            Lookup::Many([value]) => Ok(Some(value)),
            // "You cannot use a multivalued context key as a policy variable."
            Lookup::Many(_) | Lookup::OneOf(_) | Lookup::Unknown => Ok(None),
            Lookup::Absent => self.default.as_deref().map(Some).ok_or(Absent),
        }
    }
}

/// The request has no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Absent;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_characters_and_the_rest_are_variables() {
        let pieces = pieces("a${*}*${aws:username, 'none'}${open");
        assert_eq!(pieces[0], Piece::Char('a'));
        assert_eq!(pieces[1], Piece::Escaped('*'));
        assert_eq!(pieces[2], Piece::Char('*'));
        assert_eq!(pieces[3], Piece::Variable(Variable { key: "aws:username".into(), default: Some("none".into()) }));
        assert_eq!(pieces[4], Piece::Char('$'));
    }

    #[test]
    fn a_value_is_known_defaulted_absent_or_unknown() {
        let context = Context::new().with("aws:username", "ada").without("aws:userid");
        let value = |inside| Variable::parse(inside).value(&context).map(|value| value.map(str::to_owned));
        assert_eq!(value("AWS:UserName"), Ok(Some("ada".to_owned())));
        assert_eq!(value("aws:userid, 'x'"), Ok(Some("x".to_owned())));
        assert_eq!(value("aws:userid"), Err(Absent));
        assert_eq!(value("aws:SourceIp, 'x'"), Ok(None));
    }
}
