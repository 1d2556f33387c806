//! Parts of an ARN.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use super::super::value::Argument;
use super::{Answer, Arguments, Receiver, Undecided};

pub(super) fn region(_: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    part(arguments, 3, "region")
}

pub(super) fn account(_: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    part(arguments, 4, "account")
}

/// Returns a required part: an empty one would make a pattern with another meaning.
fn part(arguments: &[Argument], index: usize, name: &str) -> Result<Answer, Undecided> {
    let arn = Arguments(arguments).text(0)?;
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    match parts.as_slice() {
        ["arn", _, _, _, _, _] if !parts[index].is_empty() => Ok(Answer::Text(parts[index].to_owned())),
        _ => Err(Undecided(format!("{arn:?} is not an ARN with a {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_its_region_and_its_account_or_nothing() {
        let of = |arn: &str| [Argument::Text(arn.to_owned())];
        let none = Receiver::Other(serde_json::Value::Null);
        let key = of("arn:aws-cn:kms:cn-north-1:123456789012:key/a:b");
        assert_eq!(region(&none, &key), Ok(Answer::Text("cn-north-1".to_owned())));
        assert_eq!(account(&none, &key), Ok(Answer::Text("123456789012".to_owned())));
        assert!(region(&none, &of("arn:aws:s3:::bucket")).is_err());
        assert!(account(&none, &of("bucket")).is_err());
    }
}
