use super::plan::Plan;
use std::io::{self, Write};
pub(crate) fn script(_plan: &Plan, _out: &mut dyn Write) -> io::Result<()> {
    Ok(())
}
