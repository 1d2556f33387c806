//! Glob patterns of paths: `*` and `?` within a name, `[…]` for character classes, `{a,b}` for alternatives,
//! `**` for folders.
//! <https://developer.hashicorp.com/terraform/language/functions/fileset>

/// Maximum number of patterns that alternatives may expand to.
const MOST_ALTERNATIVES: usize = 100;

/// Maximum length of a pattern. Paths are no longer.
const LONGEST: usize = 4_096;

/// A pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Patterns without alternatives, each split into names.
    alternatives: Vec<Vec<Vec<char>>>,
}

impl Pattern {
    /// Parses a pattern; none if the pattern is not supported.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let mut alternatives = Vec::new();
        expand(text, &mut alternatives)?;
        let names = |text: String| text.split('/').map(|name| name.chars().collect()).collect::<Vec<Vec<char>>>();
        let alternatives: Vec<Vec<Vec<char>>> = alternatives.into_iter().map(names).collect();
        let understood = |name: &Vec<char>| !matches!(name.as_slice(), [] | ['.'] | ['.', '.']);
        alternatives.iter().flatten().all(understood).then_some(Self { alternatives })
    }

    /// Number of characters that a path is compared with.
    pub(crate) fn size(&self) -> usize {
        self.alternatives.iter().flatten().map(Vec::len).sum()
    }

    /// Returns `true` if a path matches.
    pub(crate) fn matches(&self, path: &str) -> bool {
        let path: Vec<Vec<char>> = path.split('/').map(|name| name.chars().collect()).collect();
        self.alternatives.iter().any(|pattern| path_matches(pattern, &path))
    }

    /// Returns `true` if a path below this folder may match.
    pub(super) fn may_match_below(&self, folder: &str) -> bool {
        let folder: Vec<Vec<char>> = folder.split('/').map(|name| name.chars().collect()).collect();
        self.alternatives.iter().any(|pattern| {
            for (index, name) in pattern.iter().enumerate() {
                match folder.get(index) {
                    _ if name == &['*', '*'] => return true,
                    None => return true,
                    Some(other) if name_matches(name, other) => {}
                    Some(_) => return false,
                }
            }
            false
        })
    }
}

/// Expands the alternatives in braces.
fn expand(text: &str, found: &mut Vec<String>) -> Option<()> {
    if found.len() >= MOST_ALTERNATIVES || text.contains('\\') {
        return None;
    }
    let Some(open) = text.find('{') else {
        if text.contains('}') {
            return None;
        }
        found.push(text.to_owned());
        return Some(());
    };
    let close = open + text[open..].find('}')?;
    let inner = &text[open + 1..close];
    // Nested braces, or braces in brackets, are not supported.
    if inner.contains('{') || text[..open].contains('[') {
        return None;
    }
    for alternative in inner.split(',') {
        expand(&format!("{}{alternative}{}", &text[..open], &text[close + 1..]), found)?;
    }
    Some(())
}

fn path_matches(pattern: &[Vec<char>], path: &[Vec<char>]) -> bool {
    // Set of pattern prefixes that match the path so far, so that matching takes linear time.
    let mut states = vec![false; pattern.len() + 1];
    states[0] = true;
    let skip = |states: &mut Vec<bool>| {
        for index in 0..pattern.len() {
            states[index + 1] |= states[index] && pattern[index] == ['*', '*'];
        }
    };
    skip(&mut states);
    for name in path {
        let mut next = vec![false; pattern.len() + 1];
        for (index, part) in pattern.iter().enumerate().filter(|(index, _)| states[*index]) {
            if *part == ['*', '*'] {
                next[index] = true;
            } else if name_matches(part, name) {
                next[index + 1] = true;
            }
        }
        states = next;
        skip(&mut states);
    }
    states[pattern.len()]
}

/// Returns `true` if a name matches the pattern of a name. After a mismatch, matching resumes at the last
/// star, once for each character.
fn name_matches(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at + 1, read));
            at += 1;
            continue;
        }
        if let Some(length) = pattern.get(at..).and_then(|rest| one(rest, name[read])) {
            at += length;
            read += 1;
            continue;
        }
        let Some((after, from)) = star else { return false };
        star = Some((after, from + 1));
        (at, read) = (after, from + 1);
    }
    pattern[at..].iter().all(|character| *character == '*')
}

/// Length of the pattern element that matches this character.
fn one(pattern: &[char], character: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => {
            let end = pattern.iter().skip(2).position(|other| *other == ']')? + 2;
            let (negated, set) = match &pattern[1..end] {
                ['^' | '!', set @ ..] => (true, set),
                set => (false, set),
            };
            let mut found = false;
            let mut rest = set;
            while let Some(first) = rest.first() {
                if let [from, '-', to, ..] = rest {
                    found |= (*from..=*to).contains(&character);
                    rest = &rest[3..];
                } else {
                    found |= *first == character;
                    rest = &rest[1..];
                }
            }
            (found != negated).then_some(end + 1)
        }
        literal => (*literal == character).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_terraform_has_it() {
        let matches = |pattern: &str, path: &str| Pattern::parse(pattern).expect("a pattern").matches(path);
        for (pattern, path) in [
            ("*.json", "a.json"),
            ("**/*.json", "a.json"),
            ("**/*.json", "b/c/a.json"),
            ("**", "b/c/a.json"),
            ("a/**/b", "a/b"),
            ("?.tf", "a.tf"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("{a,b}/*.{tf,json}", "b/x.json"),
            ("*", ".hidden"),
        ] {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("*.json", "b/a.json"), ("?.tf", "ab.tf"), ("[a-c]x", "dx"), ("a/*", "a"), ("a", "a/b"), ("{a,b}", "c")]
        {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
        assert!(Pattern::parse("../*").is_none() && Pattern::parse("{a,{b}}").is_none());
    }

    #[test]
    fn folders_that_cannot_match_are_not_looked_into() {
        let pattern = Pattern::parse("a/*/x.json").expect("a pattern");
        assert!(pattern.may_match_below("a") && pattern.may_match_below("a/b"));
        assert!(!pattern.may_match_below("b") && !pattern.may_match_below("a/b/c"));
        assert!(Pattern::parse("**/x").expect("a pattern").may_match_below("a/b/c"));
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = Pattern::parse(&"*a".repeat(200)).expect("a pattern");
        assert!(!pattern.matches(&"a".repeat(150)));
        let pattern = Pattern::parse(&"**/a/".repeat(100)).map(|pattern| pattern.matches(&"a/".repeat(90)));
        assert_eq!(pattern, None);
    }
}
