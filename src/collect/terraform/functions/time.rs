//! Functions of timestamps, RFC 3339.

use std::rc::Rc;

use jiff::SignedDuration;
use jiff::civil::DateTime;

use super::{Answer, Arguments, Table};
use crate::collect::terraform::value::{UnknownValue, Value};

pub(crate) const TABLE: Table = &[
    ("formatdate", format_date),
    ("timeadd", |call| {
        let (time, text) = (timestamp(call, 0)?, call.text(1)?);
        let Some(duration) = duration(&text) else { return call.wrong("it is not a duration") };
        match time.local.checked_add(duration) {
            Ok(local) => Ok(Value::text(Timestamp { local, ..time }.written())),
            Err(_) => call.wrong("the result is no time"),
        }
    }),
    ("timecmp", |call| {
        let (one, other) = (timestamp(call, 0)?.in_utc(), timestamp(call, 1)?.in_utc());
        match (one, other) {
            (Some(one), Some(other)) => Ok(Value::Number(f64::from(one.cmp(&other) as i8))),
            _ => call.wrong("it is no time"),
        }
    }),
];

/// A time, and the offset from UTC with which the time is written.
struct Timestamp {
    local: DateTime,
    offset_minutes: i64,
}

fn timestamp(call: &Arguments<'_>, index: usize) -> Result<Timestamp, Rc<UnknownValue>> {
    match Timestamp::parse(&call.text(index)?) {
        Some(time) => Ok(time),
        None => call.wrong("it is not a timestamp of RFC 3339"),
    }
}

impl Timestamp {
    fn parse(text: &str) -> Option<Self> {
        let (start, rest) = text.split_at_checked(19)?;
        let shape = start.bytes().zip(*b"0000-00-00T00:00:00").all(|(byte, shape)| match shape {
            b'0' => byte.is_ascii_digit(),
            shape => byte == shape,
        });
        let fraction =
            rest.strip_prefix('.').map_or(0, |digits| 1 + digits.bytes().take_while(u8::is_ascii_digit).count());
        let local = text.get(..19 + fraction)?.parse().ok().filter(|_| shape && fraction != 1)?;
        let offset_minutes = match rest.get(fraction..)?.as_bytes() {
            b"Z" => 0,
            [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
                if [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()) =>
            {
                let digit = |byte: &u8| i64::from(byte - b'0');
                let minutes = (digit(h1) * 10 + digit(h2)) * 60 + digit(m1) * 10 + digit(m2);
                if *sign == b'-' { -minutes } else { minutes }
            }
            _ => return None,
        };
        Some(Self { local, offset_minutes })
    }

    fn in_utc(&self) -> Option<DateTime> {
        self.local.checked_sub(SignedDuration::from_mins(self.offset_minutes)).ok()
    }

    /// The offset, with this separator between hours and minutes.
    fn offset(&self, between: &str) -> String {
        let (sign, minutes) = (if self.offset_minutes < 0 { '-' } else { '+' }, self.offset_minutes.abs());
        format!("{sign}{:02}{between}{:02}", minutes / 60, minutes % 60)
    }

    fn written(&self) -> String {
        let offset = if self.offset_minutes == 0 { "Z".to_owned() } else { self.offset(":") };
        format!("{}{offset}", self.local.strftime("%Y-%m-%dT%H:%M:%S"))
    }
}

/// Parses a duration in Go's notation, such as `1h30m`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut total = 0.0_f64;
    loop {
        let number = rest.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let amount: f64 = rest[..number].parse().ok()?;
        rest = &rest[number..];
        let unit = rest.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total += amount * seconds;
        rest = &rest[unit..];
        if rest.is_empty() {
            return SignedDuration::try_from_secs_f64(if negative { -total } else { total }).ok();
        }
    }
}

/// <https://developer.hashicorp.com/terraform/language/functions/formatdate>
fn format_date(call: &Arguments<'_>) -> Answer {
    let (pattern, time) = (call.text(0)?, timestamp(call, 1)?);
    let mut text = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        if character == '\'' {
            loop {
                match rest.next() {
                    Some('\'') if rest.next_if_eq(&'\'').is_some() => text.push('\''),
                    Some('\'') => break,
                    Some(literal) => text.push(literal),
                    None => return call.wrong("a literal has no end"),
                }
            }
        } else if character.is_ascii_alphabetic() {
            let mut count = 1;
            while rest.next_if_eq(&character).is_some() {
                count += 1;
            }
            match time.part(character, count) {
                Some(part) => text.push_str(&part),
                None => return call.wrong(format!("{character} is not a part of a time, this often")),
            }
        } else {
            text.push(character);
        }
    }
    call.made(text.len(), || Value::text(text))
}

impl Timestamp {
    fn part(&self, letter: char, count: usize) -> Option<String> {
        let date = |form: &str| Some(self.local.strftime(form).to_string());
        let number = |value: i8| Some(if count == 2 { format!("{value:02}") } else { value.to_string() });
        let hour = self.local.hour();
        match (letter, count) {
            ('Y', 4) => date("%Y"),
            ('Y', 2) => date("%y"),
            ('M', 4) => date("%B"),
            ('M', 3) => date("%b"),
            ('M', 1 | 2) => number(self.local.month()),
            ('D', 1 | 2) => number(self.local.day()),
            ('E', 4) => date("%A"),
            ('E', 3) => date("%a"),
            ('h', 1 | 2) => number(hour),
            ('H', 1 | 2) => number(if hour % 12 == 0 { 12 } else { hour % 12 }),
            ('A', 2) => Some(if hour < 12 { "AM" } else { "PM" }.to_owned()),
            ('a', 2) => Some(if hour < 12 { "am" } else { "pm" }.to_owned()),
            ('m', 1 | 2) => number(self.local.minute()),
            ('s', 1 | 2) => number(self.local.second()),
            ('Z', 1) if self.offset_minutes == 0 => Some("Z".to_owned()),
            ('Z', 3) if self.offset_minutes == 0 => Some("UTC".to_owned()),
            ('Z', 1 | 5) => Some(self.offset(":")),
            ('Z', 3 | 4) => Some(self.offset("")),
            _ => None,
        }
    }
}
