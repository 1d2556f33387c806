//! One condition of a statement: an operator, a key, and the values of the policy.
//!
//! Keys that the request does not have:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>;
//! several keys or values:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html>;
//! `ForAllValues`, `ForAnyValue`:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.

pub(super) use super::operator::Operator;

use super::context::Lookup;
use super::decision::Cause;
use super::operator::{Compared, Kind, Matching, Operand, Quantifier};
use super::pattern::Variables;
use super::truth::Truth;
use super::variable::Values;

/// An operator, a key, and the values that the policy gives. All conditions of a statement must hold.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    operator: Operator,
    key: Box<str>,
    operands: Vec<Operand>,
}

impl Condition {
    pub(super) fn new(operator: Operator, key: &str, values: &[String], variables: Variables) -> Self {
        let operands = values.iter().map(|value| Operand::new(operator.kind, value, variables)).collect();
        let key = key.into();
        Self { operator, key, operands }
    }

    /// Whether the request satisfies the condition. Where that is unknown, the causes say why.
    pub(super) fn holds(&self, values: &dyn Values, causes: &mut Vec<Cause>) -> Truth {
        if self.operator.kind == Kind::Unknown {
            causes.push(Cause::Operator(self.operator.name.to_string()));
            return Truth::Unknown;
        }
        let found = values.lookup(&self.key);
        if found == Lookup::Unknown {
            causes.push(Cause::Key(self.key.to_string()));
            return Truth::Unknown;
        }
        if self.operator.kind == Kind::Null {
            return self.is_null(found, causes);
        }
        match (found, self.operator.quantifier) {
            (Lookup::Absent | Lookup::Many([]), _) => Truth::from(self.holds_without_key()),
            // "…or if the context key value resolves to a null dataset, such as an empty string."
            (Lookup::One(""), Quantifier::ForAllValues) => Truth::True,
            (Lookup::One(""), Quantifier::ForAnyValue) => Truth::False,
            (Lookup::One(value), _) => self.holds_for(value, values, causes),
            (Lookup::OneOf(list), _) => self.holds_for_any_of(list, values, causes),
            (Lookup::Many(list), Quantifier::ForAllValues) => {
                list.iter().map(|value| self.holds_for(value, values, causes)).fold(Truth::True, Truth::and)
            }
            (Lookup::Many(list), Quantifier::ForAnyValue) => {
                list.iter().map(|value| self.holds_for(value, values, causes)).fold(Truth::False, Truth::or)
            }
            // "Multivalued context keys require a condition set operator."
            (Lookup::Many(_) | Lookup::Unknown, Quantifier::Single) | (Lookup::Unknown, _) => {
                causes.push(Cause::Key(self.key.to_string()));
                Truth::Unknown
            }
        }
    }

    /// The key has one of these values: known only where the answer is the same for each.
    fn holds_for_any_of(&self, list: &[String], values: &dyn Values, causes: &mut Vec<Cause>) -> Truth {
        let mut answers = list.iter().map(|value| self.holds_for(value, values, causes)).collect::<Vec<_>>();
        answers.dedup();
        if let [answer] = answers[..] {
            return answer;
        }
        causes.push(Cause::Key(self.key.to_string()));
        Truth::Unknown
    }

    fn holds_without_key(&self) -> bool {
        match self.operator.quantifier {
            _ if self.operator.if_exists => true,
            Quantifier::ForAllValues => true,
            Quantifier::ForAnyValue => false,
            Quantifier::Single => self.operator.sense == Matching::Negated,
        }
    }

    /// One value of the request matches one of the policy, or for a negated operator none.
    fn holds_for(&self, value: &str, values: &dyn Values, causes: &mut Vec<Cause>) -> Truth {
        let negated = self.operator.sense == Matching::Negated;
        let mut matched = Truth::False;
        for operand in &self.operands {
            let one = match operand.compare(self.operator.kind, value, values) {
                Compared::Known(truth) => truth,
                Compared::Absent(_) if !negated => Truth::False,
                Compared::Absent(key) | Compared::Variable(key) => {
                    causes.push(Cause::Key(key.to_owned()));
                    Truth::Unknown
                }
                Compared::Unreadable(text) => {
                    causes.push(Cause::Value(text.to_owned()));
                    Truth::Unknown
                }
            };
            matched = matched.or(one);
        }
        if negated { !matched } else { matched }
    }

    fn is_null(&self, found: Lookup<'_>, causes: &mut Vec<Cause>) -> Truth {
        let absent = match found {
            Lookup::Absent | Lookup::Many([]) => true,
            Lookup::One("") | Lookup::Unknown => {
                causes.push(Cause::Key(self.key.to_string()));
                return Truth::Unknown;
            }
            Lookup::One(_) | Lookup::Many(_) | Lookup::OneOf(_) => false,
        };
        let mut holds = Truth::False;
        for operand in &self.operands {
            let Some(wanted) = operand.wants_absence() else {
                causes.push(Cause::Value(operand.text().to_owned()));
                holds = holds.or(Truth::Unknown);
                continue;
            };
            holds = holds.or(Truth::from(wanted == absent));
        }
        holds
    }
}

#[cfg(test)]
mod tests;
