//! Comparisons that support symbols: texts of code of which a part is known to AWS only. Two equal texts are equal; a
//! symbol compared with anything else is undecided. CEL's own operators do not know symbols and cannot fail, so each
//! comparison of an expression is replaced by a call.

use cel::common::ast::{Expr, IdedExpr, operators};
use cel::common::types::{CelBool, CelList, CelString, DYN_TYPE};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};
use iam_policy::is_symbol;

use super::expression::parts;

const EQUAL: &str = "ssm_audit_equal";
const NOT_EQUAL: &str = "ssm_audit_not_equal";
const IN: &str = "ssm_audit_in";

/// Declares the comparisons in CEL.
///
/// # Errors
/// If there are others of these names.
pub(crate) fn declare(env: &mut Env) -> Result<(), cel::DeclarationError> {
    let two = || vec![DYN_TYPE.to_owned(), DYN_TYPE.to_owned()];
    env.add_overload(EQUAL, EQUAL, two(), |arguments| compared(&arguments, true))?;
    env.add_overload(NOT_EQUAL, NOT_EQUAL, two(), |arguments| compared(&arguments, false))?;
    env.add_overload(IN, IN, two(), |arguments| contained(&arguments))
}

/// Replaces the comparison operators by calls.
pub(crate) fn guard(expression: &mut IdedExpr) {
    if let Expr::Call(call) = &mut expression.expr {
        let name = match call.func_name.as_str() {
            operators::EQUALS => Some(EQUAL),
            operators::NOT_EQUALS => Some(NOT_EQUAL),
            operators::IN => Some(IN),
            _ => None,
        };
        if let Some(name) = name.filter(|_| call.args.len() == 2 && !call.args.iter().any(is_number)) {
            name.clone_into(&mut call.func_name);
        }
    }
    parts(expression).for_each(guard);
}

/// Returns `true` for a literal number: then the other side is no text.
fn is_number(expression: &IdedExpr) -> bool {
    use cel::common::ast::LiteralValue;
    matches!(&expression.expr, Expr::Literal(LiteralValue::Int(_) | LiteralValue::Boolean(_)))
}

fn sides<'s, 'v>(arguments: &'s [CowVal<'_, 'v>]) -> Result<(&'s (dyn Val + 'v), &'s (dyn Val + 'v)), ExecutionError> {
    match arguments {
        [left, right] => Ok((left.as_ref(), right.as_ref())),
        _ => Err(ExecutionError::function_error("compare", "two sides are wanted")),
    }
}

fn compared<'b, 'v>(arguments: &[CowVal<'b, 'v>], wanted: bool) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let (left, right) = sides(arguments)?;
    equal(left, right).map(|equal| CowVal::owned(CelBool::from(equal == wanted)))
}

/// Returns `true` if two values are equal.
fn equal(left: &dyn Val, right: &dyn Val) -> Result<bool, ExecutionError> {
    if let (Some(left), Some(right)) = (left.downcast_ref::<CelString>(), right.downcast_ref::<CelString>()) {
        return texts_equal(left.inner(), right.inner());
    }
    if let (Some(left), Some(right)) = (left.downcast_ref::<CelList>(), right.downcast_ref::<CelList>()) {
        if left.inner().len() != right.inner().len() {
            return Ok(false);
        }
        let mut undecided = None;
        for (left, right) in left.inner().iter().zip(right.inner()) {
            match equal(left.as_ref(), right.as_ref()) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => undecided = Some(error),
            }
        }
        return undecided.map_or(Ok(true), Err);
    }
    Ok(left.equals(right))
}

fn texts_equal(left: &str, right: &str) -> Result<bool, ExecutionError> {
    if left == right || !(left.contains(is_symbol) || right.contains(is_symbol)) {
        return Ok(left == right);
    }
    // A text that is known to be present is not empty.
    if left.is_empty() || right.is_empty() {
        return Ok(false);
    }
    // Before the first symbol and after the last, the texts may certainly differ.
    let start = |text: &str| text.split(is_symbol).next().map(str::to_owned).unwrap_or_default();
    let end = |text: &str| text.rsplit(is_symbol).next().map(str::to_owned).unwrap_or_default();
    let (left_start, right_start) = (start(left), start(right));
    let (left_end, right_end) = (end(left), end(right));
    let starts = left_start.starts_with(&right_start) || right_start.starts_with(&left_start);
    let ends = left_end.ends_with(&right_end) || right_end.ends_with(&left_end);
    if starts && ends {
        Err(ExecutionError::function_error("compare", "the text is known to AWS only"))
    } else {
        Ok(false)
    }
}

fn contained<'b, 'v>(arguments: &[CowVal<'b, 'v>]) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let (wanted, all) = sides(arguments)?;
    let found = match (wanted.downcast_ref::<CelString>(), all.downcast_ref::<CelList>()) {
        (Some(_), Some(items)) => {
            let mut undecided = None;
            let mut found = false;
            for item in items.inner() {
                match equal(wanted, item.as_ref()) {
                    Ok(equal) => found |= equal,
                    Err(error) => undecided = Some(error),
                }
            }
            if let (false, Some(error)) = (found, undecided) {
                return Err(error);
            }
            found
        }
        (Some(text), None) if text.inner().contains(is_symbol) => {
            return Err(ExecutionError::function_error("compare", "the text is known to AWS only"));
        }
        _ => match all.as_container() {
            Some(container) => container.contains(wanted)?,
            None => {
                return Err(ExecutionError::UnexpectedType {
                    got: all.get_type().name().to_owned(),
                    want: "a list or a map".to_owned(),
                });
            }
        },
    };
    Ok(CowVal::owned(CelBool::from(found)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_equals_itself_and_is_undecided_against_what_it_may_be() {
        assert_eq!(texts_equal("a\u{E002}", "a\u{E002}").ok(), Some(true));
        assert!(texts_equal("a\u{E002}", "a\u{E003}").is_err());
        assert_eq!(texts_equal("\u{E002}", "").ok(), Some(false));
        assert_eq!(texts_equal("a\u{E002}", "b").ok(), Some(false));
        assert_eq!(texts_equal("\u{E002}/x", "abc/y").ok(), Some(false));
        assert!(texts_equal("arn:aws:s3:::\u{E002}", "arn:aws:s3:::logs").is_err());
    }
}
