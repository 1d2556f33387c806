//! Versions of SSM Agent.

use super::super::value::Argument;
use super::{Answer, Arguments, Receiver, Undecided};
use crate::model::version::Version;

pub(super) fn at_least(_: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    Ok(Answer::Bool(parse(arguments.text(0)?)? >= parse(arguments.text(1)?)?))
}

fn parse(text: &str) -> Result<Version, Undecided> {
    Version::parse(text).ok_or_else(|| Undecided(format!("{text:?} is no version: expected numbers with dots between")))
}
