//! Text for a POSIX shell.

/// The text as one word: within single quotes nothing has a meaning but a single quote.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
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
