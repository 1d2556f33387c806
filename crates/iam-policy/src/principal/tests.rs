use super::*;

#[test]
fn principals_are_told_by_their_arns() {
    let account = |arn: &str| Principal::from_arn(arn).unwrap().account().map(str::to_owned);
    for arn in [
        "arn:aws:iam::111122223333:root",
        "arn:aws-us-gov:iam::111122223333:role/path/name",
        "arn:aws:iam::111122223333:user/name",
        "arn:aws:sts::111122223333:assumed-role/name/session",
        "arn:aws:sts::111122223333:federated-user/name",
    ] {
        assert_eq!(account(arn).as_deref(), Some("111122223333"), "{arn}");
    }
    for text in [
        "",
        "*",
        "111122223333",
        "arn:aws:iam::111122223333:group/name",
        "arn:aws:iam::111122223333:instance-profile/name",
        "arn:aws:sts::111122223333:assumed-role/name",
        "arn:aws:s3:::bucket",
    ] {
        let error = Principal::from_arn(text).unwrap_err();
        assert_eq!(error, NotAPrincipal(text.to_owned()));
    }
    let role = "arn:aws:iam::111122223333:role/name";
    assert!(Principal::some_of_account("aws", role).is_err());
    assert!(Principal::session("arn:aws:iam::111122223333:root", "x").is_err());
}
