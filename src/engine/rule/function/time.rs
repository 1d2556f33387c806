//! Instants.

use jiff::Timestamp;

use super::super::value::Argument;
use super::{Answer, Arguments, Receiver, Undecided};

pub(super) fn minutes_between(_: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let instant = |text: &str| {
        text.parse::<Timestamp>().map_err(|error| Undecided(format!("{text:?} is not an RFC 3339 instant: {error}")))
    };
    let seconds = instant(arguments.text(1)?)?.as_second() - instant(arguments.text(0)?)?.as_second();
    Ok(Answer::Int(seconds.div_euclid(60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_whole() {
        let minutes = |from: &str, to: &str| {
            let arguments = [from, to].map(|text| Argument::Text(text.to_owned()));
            minutes_between(&Receiver::Other(serde_json::Value::Null), &arguments)
        };
        assert_eq!(minutes("2026-01-01T00:00:00Z", "2026-01-01T00:15:59Z"), Ok(Answer::Int(15)));
        assert_eq!(minutes("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z"), Ok(Answer::Int(0)));
        assert!(minutes("yesterday", "2026-01-01T00:00:00Z").is_err());
    }
}
