//! What IAM policies and key policies allow.

use super::super::value::Argument;
use super::{Answer, Receiver, Undecided};

pub(super) fn allows(_: &Receiver<'_>, _: &[Argument]) -> Result<Answer, Undecided> {
    Err(Undecided("x".into()))
}
pub(super) fn allows_with_key(_: &Receiver<'_>, _: &[Argument]) -> Result<Answer, Undecided> {
    Err(Undecided("x".into()))
}
pub(super) fn open_statements(_: &Receiver<'_>, _: &[Argument]) -> Result<Answer, Undecided> {
    Err(Undecided("x".into()))
}
pub(super) fn principals(_: &Receiver<'_>, _: &[Argument]) -> Result<Answer, Undecided> {
    Err(Undecided("x".into()))
}
pub(super) fn admits(_: &Receiver<'_>, _: &[Argument]) -> Result<Answer, Undecided> {
    Err(Undecided("x".into()))
}
