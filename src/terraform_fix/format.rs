//! How lines are laid out: the equals signs and the comments of lines that follow each other stand below each other, as
//! `terraform fmt` has them.
//! <https://developer.hashicorp.com/terraform/language/style#code-formatting>

use std::ops::Range;

/// The parts of a line, by the bytes at which they begin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cells {
    /// The sign of `name = value`, where all of the value stands in the line.
    assign: Option<usize>,
    /// A comment behind something.
    comment: Option<usize>,
}

/// What surrounds a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    Code,
    Text,
}

/// Takes a line apart.
fn cells(line: &str) -> Cells {
    let bytes = line.as_bytes();
    let mut stack = vec![Around::Code];
    let (mut equal, mut comment, mut net) = (None, None, 0_i32);
    let mut index = 0;
    while index < bytes.len() {
        let (byte, next) = (bytes[index], bytes.get(index + 1).copied().unwrap_or(b' '));
        let around = stack.last().copied().unwrap_or(Around::Code);
        match (around, byte) {
            _ if ends(around, byte, stack.len()) => {
                stack.pop();
            }
            _ if is_pair(around, byte, next) => index += 1,
            (Around::Text, b'$' | b'%') if next == b'{' => {
                stack.push(Around::Code);
                index += 1;
            }
            (Around::Code, b'"') => stack.push(Around::Text),
            (Around::Code, b'#') if stack.len() == 1 => comment = Some(index),
            (Around::Code, b'/') if stack.len() == 1 && next == b'/' => comment = Some(index),
            (Around::Code, b'{' | b'[' | b'(') if equal.is_some() => net += 1,
            (Around::Code, b'}' | b']' | b')') if equal.is_some() => net -= 1,
            (Around::Code, b'=') if equal.is_none() && stack.len() == 1 => equal = Some(index),
            _ => {}
        }
        if comment.is_some() {
            break;
        }
        index += 1;
    }
    let begins = |at: usize| !line[..at].trim().is_empty();
    Cells { assign: equal.filter(|at| net == 0 && begins(*at)), comment: comment.filter(|at| begins(*at)) }
}

/// Whether a text ends here, or code within one: there is no other code in it.
fn ends(around: Around, byte: u8, depth: usize) -> bool {
    match around {
        Around::Text => byte == b'"',
        Around::Code => byte == b'}' && depth > 1,
    }
}

/// Whether the two characters stand for one: what is escaped in a text, and comparisons in code.
fn is_pair(around: Around, byte: u8, next: u8) -> bool {
    match around {
        Around::Text => byte == b'\\' || matches!(byte, b'$' | b'%') && next == byte,
        Around::Code => matches!((byte, next), (b'=' | b'!' | b'<' | b'>', b'=') | (b'=', b'>')),
    }
}

/// The run of lines around this one that have such a part.
fn run(lines: &[String], index: usize, has: impl Fn(&str) -> bool) -> Range<usize> {
    if !lines.get(index).is_some_and(|line| has(line)) {
        return index..index;
    }
    let before = lines[..index].iter().rev().take_while(|line| has(line)).count();
    let after = lines[index..].iter().take_while(|line| has(line)).count();
    index - before..index + after
}

/// The delimiter of a heredoc that begins in this line, and whether it may be indented.
fn heredoc(line: &str) -> Option<(&str, bool)> {
    let code = line.trim_end();
    let at = code.rfind("<<")?;
    // A heredoc that stands in a text or a comment is none.
    if spans_of_code(code).iter().all(|span| !span.contains(&at)) {
        return None;
    }
    let rest = &code[at + 2..];
    let (delimiter, is_indented) = rest.strip_prefix('-').map_or((rest, false), |rest| (rest, true));
    let is_name = delimiter.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && delimiter.chars().all(|one| one.is_alphanumeric() || matches!(one, '_' | '-'));
    is_name.then_some((delimiter, is_indented))
}

/// The bytes of a line that are neither text nor comment.
fn spans_of_code(line: &str) -> Vec<Range<usize>> {
    let end = cells(line).comment.unwrap_or(line.len());
    let (mut spans, mut start, mut in_text, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in line[..end].bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' if in_text => (in_text, start) = (false, at + 1),
            b'"' => {
                spans.push(start..at);
                in_text = true;
            }
            _ => {}
        }
    }
    if !in_text && !is_comment(line) {
        spans.push(start..end);
    }
    spans
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#']) || line.trim_start().starts_with("//")
}

/// The lines, but those of heredocs in one piece with the line that they begin in: the lines around them follow each
/// other.
fn logical(text: &str) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut inside: Option<(String, bool)> = None;
    for line in text.split('\n') {
        if let (Some((delimiter, is_indented)), Some((_, body))) = (&inside, lines.last_mut()) {
            body.push('\n');
            body.push_str(line);
            let end = if *is_indented { line.trim() } else { line.trim_end() };
            if end == delimiter.as_str() {
                inside = None;
            }
            continue;
        }
        inside = heredoc(line).map(|(delimiter, is_indented)| (delimiter.to_owned(), is_indented));
        lines.push((line.to_owned(), String::new()));
    }
    lines
}

/// The number of a line among those that are not within heredocs; none for a line within one.
fn logical_index(lines: &[(String, String)], line: usize) -> Option<usize> {
    let mut first = 0;
    for (index, (_, body)) in lines.iter().enumerate() {
        if first == line {
            return Some(index);
        }
        first += 1 + body.matches('\n').count();
        if first > line {
            return None;
        }
    }
    None
}

fn has_assign(line: &str) -> bool {
    cells(line).assign.is_some()
}

fn has_comment(line: &str) -> bool {
    cells(line).comment.is_some()
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// Moves a part of each line to where it stands below the others.
fn align(lines: &mut [String], part: impl Fn(&str) -> Option<usize>) {
    let before = |line: &str| part(line).map_or(0, |at| columns(line[..at].trim_end()));
    let widest = lines.iter().map(|line| before(line)).max().unwrap_or(0);
    for line in lines {
        let Some(at) = part(line) else { continue };
        let lead = line[..at].trim_end();
        let spaces = " ".repeat(widest - columns(lead) + 1);
        *line = format!("{lead}{spaces}{}", &line[at..]);
    }
}

/// Whether the lines around this one are laid out so.
pub(super) fn is_tidy(text: &str, line: usize) -> bool {
    tidy(text, line) == text
}

/// Lays out the lines around this one.
pub(super) fn tidy(text: &str, line: usize) -> String {
    let lines = logical(text);
    let Some(index) = logical_index(&lines, line) else { return text.to_owned() };
    let (mut heads, bodies): (Vec<String>, Vec<String>) = lines.into_iter().unzip();
    tidy_lines(&mut heads, index);
    joined(heads, &bodies)
}

fn joined(heads: Vec<String>, bodies: &[String]) -> String {
    let lines: Vec<String> = heads.into_iter().zip(bodies).map(|(head, body)| head + body).collect();
    lines.join("\n")
}

fn tidy_lines(lines: &mut [String], line: usize) {
    let assigned = run(lines, line, has_assign);
    align(&mut lines[assigned.clone()], |line| cells(line).assign);
    // Where the values of the lines moved, so did their comments.
    let mut next = assigned.start;
    while next < assigned.end.max(line + 1) && next < lines.len() {
        let commented = run(lines, next, has_comment);
        align(&mut lines[commented.clone()], |line| cells(line).comment);
        next = commented.end.max(next + 1);
    }
}

/// Lays out all lines of a text that is new.
pub(super) fn tidy_all(text: &str) -> String {
    let (mut heads, bodies): (Vec<String>, Vec<String>) = logical(text).into_iter().unzip();
    for index in 0..heads.len() {
        tidy_lines(&mut heads, index);
    }
    joined(heads, &bodies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_stand_below_each_other_and_what_spans_lines_parts_them() {
        let text = "a = 1\nlonger = \"= # ${x[\"=\"]}\" # why\nbb = [\n  1\n]\nc = { d = 1 } # not\n";
        assert_eq!(
            tidy_all(text),
            "a      = 1\nlonger = \"= # ${x[\"=\"]}\" # why\nbb = [\n  1\n]\nc = { d = 1 } # not\n"
        );
    }

    #[test]
    fn comments_stand_below_each_other() {
        assert_eq!(tidy_all("a = 1 # x\nbbb = 22 // y"), "a   = 1  # x\nbbb = 22 // y");
        assert!(is_tidy("a   = 1\nbbb = 2", 0));
        assert!(!is_tidy("a = 1\nbbb = 2", 1));
    }

    #[test]
    fn lines_around_a_heredoc_follow_each_other() {
        let text = "a = <<-EOT\n  x = 1\n    y = 2\n  EOT\nlonger = \"<<EOT\" # <<EOT\nbb = 1\n";
        let tidied = "a      = <<-EOT\n  x = 1\n    y = 2\n  EOT\nlonger = \"<<EOT\" # <<EOT\nbb     = 1\n";
        assert_eq!(tidy_all(text), tidied);
        assert_eq!(tidy(text, 4), tidied);
        assert!(is_tidy(text, 1), "a line of the heredoc stays as it is");
        assert!(!is_tidy(text, 0));
    }

    #[test]
    fn comparisons_and_arrows_are_no_assignments() {
        assert_eq!(cells("  x == y ? 1 : 2"), Cells::default());
        assert_eq!(cells("# a = 1"), Cells::default());
        assert_eq!(cells("a = b ? c : d").assign, Some(2));
        assert_eq!(cells("{ a = 1 },").assign, None);
    }
}
