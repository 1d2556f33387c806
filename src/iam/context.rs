//! The condition keys of a request: known, known to be absent, or not known.

/// What is known of a request's condition keys. A key that is never mentioned is *not known*, and a
/// condition on it undecided. Names of keys ignore case.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html#AccessPolicyLanguage_RequestContext>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    entries: Vec<(String, Option<Vec<String>>)>,
    others: Others,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Others {
    #[default]
    Unknown,
    Absent,
}

/// What a request says of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup<'a> {
    One(&'a str),
    Many(&'a [String]),
    Absent,
    Unknown,
}

impl Context {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The key has this one value.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<String>) -> Self {
        self.set(key, Some(vec![value.into()]))
    }

    /// The key has these values, as multivalued keys do.
    #[must_use]
    pub fn with_all(self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.set(key, Some(values.into_iter().collect()))
    }

    /// The request does not have this key.
    #[must_use]
    pub fn without(self, key: &str) -> Self {
        self.set(key, None)
    }

    /// The request has no key besides those mentioned.
    #[must_use]
    pub fn and_no_others(mut self) -> Self {
        self.others = Others::Absent;
        self
    }

    fn set(mut self, key: &str, values: Option<Vec<String>>) -> Self {
        match self.position(key) {
            Some(index) => self.entries[index].1 = values,
            None => self.entries.push((key.to_owned(), values)),
        }
        self
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|(name, _)| name.eq_ignore_ascii_case(key))
    }

    /// Whether the key was mentioned.
    pub(super) fn mentions(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    pub(super) fn get(&self, key: &str) -> Lookup<'_> {
        match self.position(key).map(|index| &self.entries[index].1) {
            Some(Some(values)) => match values.as_slice() {
                [value] => Lookup::One(value),
                values => Lookup::Many(values),
            },
            Some(None) => Lookup::Absent,
            None => match self.others {
                Others::Unknown => Lookup::Unknown,
                Others::Absent => Lookup::Absent,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_absent_or_unknown_whatever_its_case() {
        let context = Context::new().with("aws:SourceAccount", "111122223333").without("aws:SourceVpc");
        assert_eq!(context.get("AWS:sourceaccount"), Lookup::One("111122223333"));
        assert_eq!(context.get("aws:sourcevpc"), Lookup::Absent);
        assert_eq!(context.get("aws:SourceIp"), Lookup::Unknown);
        assert_eq!(context.and_no_others().get("aws:SourceIp"), Lookup::Absent);
    }
}
