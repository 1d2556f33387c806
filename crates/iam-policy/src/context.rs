//! The condition keys of a request: known, known to be absent, or not known.

/// What is known of a request's condition keys. A key that is never mentioned is *not known*, and a
/// condition on it undecided. Names of keys ignore case.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html#AccessPolicyLanguage_RequestContext>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    entries: Vec<(String, Known)>,
    /// Beginnings of keys: those that begin so and are not among the entries are absent.
    families: Vec<String>,
    others: Others,
}

/// What is known of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Known {
    Values(Vec<String>),
    OneOf(Vec<String>),
    Absent,
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
    /// One of these values; which one is not known.
    OneOf(&'a [String]),
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
        self.set(key, Known::Values(vec![value.into()]))
    }

    /// The key has one of these values, and it is not known which.
    #[must_use]
    pub fn with_one_of(self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.set(key, Known::OneOf(values.into_iter().collect()))
    }

    /// The key has these values, as multivalued keys do.
    #[must_use]
    pub fn with_all(self, key: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.set(key, Known::Values(values.into_iter().collect()))
    }

    /// The request does not have this key.
    #[must_use]
    pub fn without(self, key: &str) -> Self {
        self.set(key, Known::Absent)
    }

    /// The request has no key that begins so, besides those mentioned: `aws:PrincipalTag/`, where all tags are known.
    #[must_use]
    pub fn without_family(mut self, beginning: &str) -> Self {
        self.families.push(beginning.to_owned());
        self
    }

    /// The request has no key besides those mentioned.
    #[must_use]
    pub fn and_no_others(mut self) -> Self {
        self.others = Others::Absent;
        self
    }

    fn set(mut self, key: &str, known: Known) -> Self {
        match self.position(key) {
            Some(index) => self.entries[index].1 = known,
            None => self.entries.push((key.to_owned(), known)),
        }
        self
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|(name, _)| name.eq_ignore_ascii_case(key))
    }

    /// Returns `true` if the key has exactly this value.
    pub fn is(&self, key: &str, value: &str) -> bool {
        self.get(key) == Lookup::One(value)
    }

    /// Whether the key was mentioned, by itself or with its family.
    pub(super) fn mentions(&self, key: &str) -> bool {
        self.position(key).is_some() || self.is_of_absent_family(key)
    }

    fn is_of_absent_family(&self, key: &str) -> bool {
        self.families
            .iter()
            .any(|beginning| key.get(..beginning.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(beginning)))
    }

    pub(super) fn get(&self, key: &str) -> Lookup<'_> {
        match self.position(key).map(|index| &self.entries[index].1) {
            Some(Known::Values(values)) => match values.as_slice() {
                [value] => Lookup::One(value),
                values => Lookup::Many(values),
            },
            Some(Known::OneOf(values)) => Lookup::OneOf(values),
            Some(Known::Absent) => Lookup::Absent,
            None if self.is_of_absent_family(key) => Lookup::Absent,
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

    #[test]
    fn of_a_family_that_is_known_what_is_not_mentioned_is_absent() {
        let context = Context::new().with("aws:PrincipalTag/team", "logs").without_family("aws:PrincipalTag/");
        assert_eq!(context.get("aws:principaltag/TEAM"), Lookup::One("logs"));
        assert_eq!(context.get("AWS:PrincipalTag/other"), Lookup::Absent);
        assert_eq!(context.get("aws:PrincipalTag"), Lookup::Unknown);
    }
}
