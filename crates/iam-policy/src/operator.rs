//! Condition operators: their names, and how one value of a request compares with one of a policy.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use super::pattern::{Dialect, Match, Pattern, Variables};
use super::truth::Truth;
use super::variable::Values;
use jiff::Timestamp;
use std::cmp::Ordering;
use std::net::IpAddr;

/// A condition operator with what is before and behind its name. IAM refuses to store an operator
/// that does not exist, so that one whose case differs must be the one that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operator {
    /// As written.
    pub(super) name: Box<str>,
    pub(super) kind: Kind,
    pub(super) sense: Matching,
    pub(super) quantifier: Quantifier,
    pub(super) if_exists: bool,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text(Dialect),
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
    Null,
    Unknown,
}

/// How numbers and dates are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Whether the operator is satisfied by a match or by none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Matching {
    Positive,
    Negated,
}

/// How several values of a request are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quantifier {
    Single,
    ForAllValues,
    ForAnyValue,
}

impl Operator {
    pub(super) fn parse(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let (quantifier, rest) = if let Some(rest) = lower.strip_prefix("forallvalues:") {
            (Quantifier::ForAllValues, rest)
        } else if let Some(rest) = lower.strip_prefix("foranyvalue:") {
            (Quantifier::ForAnyValue, rest)
        } else {
            (Quantifier::Single, lower.as_str())
        };
        let (if_exists, rest) = match rest.strip_suffix("ifexists") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (kind, sense) = match kind(rest) {
            // "…IfExists" is for every operator but `Null`.
            (Kind::Null, sense) if if_exists => (Kind::Unknown, sense),
            known => known,
        };
        Self { name: name.into(), kind, sense, quantifier, if_exists }
    }
}

fn kind(name: &str) -> (Kind, Matching) {
    use Matching::{Negated, Positive};
    match name {
        "stringequals" => (Kind::Text(Dialect::Literal), Positive),
        "stringnotequals" => (Kind::Text(Dialect::Literal), Negated),
        "stringequalsignorecase" => (Kind::Text(Dialect::LiteralCaseless), Positive),
        "stringnotequalsignorecase" => (Kind::Text(Dialect::LiteralCaseless), Negated),
        "stringlike" => (Kind::Text(Dialect::Like), Positive),
        "stringnotlike" => (Kind::Text(Dialect::Like), Negated),
        "arnequals" | "arnlike" => (Kind::Text(Dialect::Arn), Positive),
        "arnnotequals" | "arnnotlike" => (Kind::Text(Dialect::Arn), Negated),
        "bool" => (Kind::Bool, Positive),
        "binaryequals" => (Kind::Binary, Positive),
        "ipaddress" => (Kind::IpAddress, Positive),
        "notipaddress" => (Kind::IpAddress, Negated),
        "null" => (Kind::Null, Positive),
        _ => {
            let (sense, order) = match name.trim_start_matches("numeric").trim_start_matches("date") {
                "equals" => (Positive, Order::Equal),
                "notequals" => (Negated, Order::Equal),
                "lessthan" => (Positive, Order::Less),
                "lessthanequals" => (Positive, Order::LessOrEqual),
                "greaterthan" => (Positive, Order::Greater),
                "greaterthanequals" => (Positive, Order::GreaterOrEqual),
                _ => return (Kind::Unknown, Positive),
            };
            if name.starts_with("numeric") {
                (Kind::Numeric(order), sense)
            } else if name.starts_with("date") {
                (Kind::Date(order), sense)
            } else {
                (Kind::Unknown, sense)
            }
        }
    }
}

impl Order {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// A value in a condition of a policy.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Pattern(Pattern),
    Text(String),
}

/// What came of one comparison.
pub(super) enum Compared<'a> {
    Known(Truth),
    /// The value of the policy, or that of the request, cannot be read as this operator needs it.
    Unreadable(&'a str),
    /// It depends on a variable without a known value.
    Variable(&'a str),
    /// It depends on a variable that the request does not have: "any attempt to match it fails".
    Absent(&'a str),
}

impl Operand {
    pub(super) fn new(kind: Kind, text: &str, variables: Variables) -> Self {
        match kind {
            Kind::Text(dialect) => Self::Pattern(Pattern::new(text, dialect, variables)),
            _ => Self::Text(text.to_owned()),
        }
    }

    /// Whether a value of the request matches this one.
    pub(super) fn compare(&self, kind: Kind, value: &str, values: &dyn Values) -> Compared<'_> {
        let text = match self {
            Self::Pattern(pattern) => return compare_text(pattern, kind, value, values),
            Self::Text(text) => text.as_str(),
        };
        let truth = match kind {
            Kind::Numeric(order) => compare_with(order, number(text), number(value)),
            Kind::Date(order) => compare_with(order, date(text), date(value)),
            Kind::Bool => truth(text).map(|wanted| truth(value) == Some(wanted)),
            Kind::Binary => Some(text.trim_end_matches('=') == value.trim_end_matches('=')),
            Kind::IpAddress => Network::parse(text)
                .zip(value.parse::<IpAddr>().ok())
                .map(|(network, address)| network.contains(address)),
            Kind::Text(_) | Kind::Null | Kind::Unknown => None,
        };
        truth.map_or(Compared::Unreadable(text), |it| Compared::Known(Truth::from(it)))
    }

    /// For `Null`: whether the key is to be absent.
    pub(super) fn wants_absence(&self) -> Option<bool> {
        match self {
            Self::Text(text) => truth(text),
            Self::Pattern(_) => None,
        }
    }

    /// As written.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Pattern(pattern) => pattern.text(),
            Self::Text(text) => text,
        }
    }
}

fn compare_text<'a>(pattern: &'a Pattern, kind: Kind, value: &str, values: &dyn Values) -> Compared<'a> {
    let matched = if kind == Kind::Text(Dialect::LiteralCaseless) {
        pattern.matches(&value.to_lowercase(), values)
    } else {
        pattern.matches(value, values)
    };
    match matched {
        Match::Covers(coverage) if coverage.is_unknown() => Compared::Unreadable(pattern.text()),
        Match::Covers(coverage) => Compared::Known(coverage.all),
        Match::Unknown(key, _) => Compared::Variable(key),
        Match::Absent(key) => Compared::Absent(key),
    }
}

fn compare_with<T: PartialOrd>(order: Order, wanted: Option<T>, got: Option<T>) -> Option<bool> {
    Some(order.holds(got?.partial_cmp(&wanted?)?))
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// ISO 8601, or seconds since 1970.
fn date(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        // Four digits are as likely a year.
        return (text.len() > 4).then(|| Timestamp::from_second(seconds).ok()).flatten();
    }
    if let Ok(timestamp) = text.parse() {
        return Some(timestamp);
    }
    let midnight = text.parse::<jiff::civil::Date>().ok()?;
    midnight.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// A range of addresses; without a prefix, one address.
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(longest);
        (prefix <= longest).then_some(Self { address, prefix })
    }

    fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let different = network.to_bits() ^ address.to_bits();
                different.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let different = network.to_bits() ^ address.to_bits();
                different.leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}
