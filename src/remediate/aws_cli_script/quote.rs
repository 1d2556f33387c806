//! Text for a POSIX shell.

/// The text as one word: within single quotes nothing has a meaning but a single quote.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The text as one word, without quotes where it needs none.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+=@%,:".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quote(text) }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_gives_back_what_was_quoted() {
        for text in ["plain", "", "it's", "''", "$HOME `date` $(date) \\ \" !", "two\nlines", "-n", "名前; rm -rf *"]
        {
            let shell =
                Command::new("sh").args(["-c", &format!("printf %s {}", quote(text))]).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&shell.stdout), text);
        }
    }
}
