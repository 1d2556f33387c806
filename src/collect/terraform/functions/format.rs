//! `format` and `formatlist`. <https://developer.hashicorp.com/terraform/language/functions/format>

use std::rc::Rc;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{Answer, Arguments, Table};
use crate::collect::terraform::evaluate::INEXACT;
use crate::collect::terraform::value::{UnknownValue, Value, is_exact, number_text};

pub(crate) const TABLE: Table = &[("format", |call| format(call, call.values)), ("formatlist", format_list)];

/// Maximum width of a formatted value.
const WIDEST: usize = 1_000;

fn format(call: &Arguments<'_>, values: &[Value]) -> Answer {
    let pattern = call.text_with_holes(0)?;
    let mut values = values[1..].iter();
    let mut text = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = rest.next_if(|character| "-+# 0".contains(*character)) {
            match flag {
                '-' => verb.left = true,
                '+' => verb.sign = Some('+'),
                '0' => verb.zeros = true,
                ' ' => verb.sign = verb.sign.or(Some(' ')),
                _ => return call.unknown("this form is not evaluated"),
            }
        }
        verb.width = number(&mut rest).unwrap_or(0).min(WIDEST);
        if rest.next_if_eq(&'.').is_some() {
            verb.precision = Some(number(&mut rest).unwrap_or(0).min(WIDEST));
        }
        match rest.next() {
            Some('%') => text.push('%'),
            Some('[') | None => return call.unknown("this form is not evaluated"),
            Some(_) if !call.context().afford_text(verb.width.max(verb.precision.unwrap_or(0))) => {
                return call.unknown("there is too much of it");
            }
            Some(letter) => match values.next() {
                Some(value) => text.push_str(&verb.write(call, letter, value)?),
                None => return call.wrong("there are too few values"),
            },
        }
    }
    call.made_text(text.len(), || text)
}

fn number(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut digits = String::new();
    while let Some(digit) = rest.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    digits.parse().ok()
}

#[derive(Default)]
struct Verb {
    left: bool,
    /// The character before a number that is not negative.
    sign: Option<char>,
    zeros: bool,
    width: usize,
    precision: Option<usize>,
}

impl Verb {
    fn write(&self, call: &Arguments<'_>, letter: char, value: &Value) -> Result<String, Rc<UnknownValue>> {
        let signed = |text: String| match self.sign {
            Some(sign) if !text.starts_with('-') => format!("{sign}{text}"),
            _ => text,
        };
        let text = match letter {
            's' | 'v' if matches!(value, Value::List(_) | Value::Set(_) | Value::Map(_)) => {
                return call.unknown("this form is not evaluated");
            }
            // An unknown value can be inserted unchanged, but not padded or cut.
            's' | 'v' if self.width == 0 && self.precision.is_none() => call.text_of(value)?,
            's' | 'v' => {
                let text = call.known_text(value)?;
                self.precision.map_or(text.clone(), |precision| text.graphemes(true).take(precision).collect())
            }
            'q' => serde_json::Value::from(call.known_text(value)?).to_string(),
            'd' => signed(number_text(call.number_of(value)?.trunc())),
            'f' | 'F' => {
                let (number, precision) = (call.number_of(value)?, self.precision.unwrap_or(6));
                let digits = number_text(number);
                let cut = digits.split_once('.').and_then(|(_, digits)| digits.get(precision..));
                // Rounding of a final five depends on digits that are unknown here.
                if cut == Some("5") && !is_exact(number) {
                    return call.unknown(INEXACT);
                }
                signed(format!("{number:.precision$}"))
            }
            't' => call.flag(value)?.to_string(),
            'x' | 'X' | 'o' | 'b' => {
                let number = call.number_of(value)?;
                if !(0.0..1e15).contains(&number) || number.fract() != 0.0 {
                    return call.unknown("this form is not evaluated");
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole and in range")]
                let number = number as u64;
                match letter {
                    'x' => format!("{number:x}"),
                    'X' => format!("{number:X}"),
                    'o' => format!("{number:o}"),
                    _ => format!("{number:b}"),
                }
            }
            _ => return call.unknown("this form is not evaluated"),
        };
        let missing = self.width.saturating_sub(text.graphemes(true).count());
        Ok(match (self.left, self.zeros && letter != 's') {
            (true, _) => format!("{text}{}", " ".repeat(missing)),
            (false, true) => match text.strip_prefix(['-', '+', ' ']) {
                Some(digits) => format!("{}{}{digits}", &text[..1], "0".repeat(missing)),
                None => format!("{}{text}", "0".repeat(missing)),
            },
            (false, false) => format!("{}{text}", " ".repeat(missing)),
        })
    }
}

/// One text for each element; arguments that are not lists are repeated in each.
fn format_list(call: &Arguments<'_>) -> Answer {
    let mut length = None;
    for value in &call.values[1.min(call.len())..] {
        if let Some(items) = value.elements() {
            if length.is_some_and(|length| length != items.len()) {
                return call.wrong("the lists are not equally long");
            }
            length = Some(items.len());
        } else if let Value::Unknown(hole) = value
            && !hole.is_text()
        {
            return Err(Rc::clone(hole));
        }
    }
    let mut texts = Vec::new();
    for index in 0..length.unwrap_or(1) {
        let nth = |value: &Value| value.elements().map_or_else(|| value.clone(), |items| items[index].clone());
        let values: Vec<Value> = call.values.iter().map(nth).collect();
        texts.push(format(call, &values)?);
    }
    Ok(Value::list(texts))
}
