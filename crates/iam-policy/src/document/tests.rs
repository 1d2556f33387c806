use super::*;
use proptest::prelude::*;

#[track_caller]
fn refuses(json: &str, message: &str) {
    let error = PolicyDocument::from_json(json).expect_err("refused");
    assert_eq!(error.to_string(), message);
}

#[test]
fn all_shapes_of_the_language_are_read() {
    for json in [
        r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#,
        r#"{"Version": "2008-10-17", "Id": "x", "Statement": []}"#,
        r#"{"Statement": [{"Sid": "", "Effect": "Deny", "NotAction": ["a:b", "*"], "NotResource": ["*"]}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Principal": {"AWS": ["1", "2"],
            "Service": "a.amazonaws.com", "Federated": ["x"], "CanonicalUser": "y"}}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "*",
            "Condition": {"NumericEquals": {"a:b": 1}, "Bool": {"c:d": [true, "false"]}, "X": {}}}]}"#,
    ] {
        let document = PolicyDocument::from_json(json).expect(json);
        let written = serde_json::to_string(&document).unwrap();
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(written, value.to_string(), "written as it was read");
    }
}

#[test]
fn errors_say_where_and_what() {
    let allow = r#"{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}"#;
    refuses(
        &format!(r#"{{"Statement": [{allow}, {{"Effect": "allow", "Action": "s3:*"}}]}}"#),
        r#"Statement[1].Effect: expected "Allow" or "Deny", got "allow""#,
    );
    refuses(r#"{"Statement": {"effect": "Allow", "Action": "s3:*"}}"#, "Statement.effect: no such element");
    refuses(r#"{"Version": "2012-10-17"}"#, "Statement: missing");
    refuses("[]", "document: expected an object, got []");
    refuses(
        r#"{"Version": "2012-10-18", "Statement": []}"#,
        r#"Version: expected "2012-10-17" or "2008-10-17", got "2012-10-18""#,
    );
    refuses(
        r#"{"Statement": [{"Effect": "Allow", "Action": ["s3:*", 1]}]}"#,
        "Statement[0].Action[1]: expected a string, got 1",
    );
    refuses(
        r#"{"Statement": [{"Effect": "Allow", "Action": "PutObject"}]}"#,
        r#"Statement[0].Action: no service before "PutObject""#,
    );
    refuses(
        r#"{"Statement": [{"Effect": "Allow", "Action": "*", "NotAction": "*"}]}"#,
        "Statement[0]: both Action and NotAction",
    );
    refuses(r#"{"Statement": [{"Effect": "Allow"}]}"#, "Statement[0]: neither Action nor NotAction");
    refuses(
        r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Principal": {"aws": "*"}}]}"#,
        "Statement[0].Principal.aws: no such kind of principal",
    );
    refuses(
        r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Principal": "111122223333"}]}"#,
        r#"Statement[0].Principal: expected "*" or an object, got "111122223333""#,
    );
    refuses(
        r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Condition": {"Bool": {"a:b": {}}}}]}"#,
        "Statement[0].Condition.Bool.a:b: expected a string, number or boolean, got {}",
    );
}

#[test]
fn iam_gives_documents_percent_encoded() {
    let encoded = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3A%2A%22%2C\
        %22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Ab%2F%C3%A4+%25%22%7D%5D%7D";
    let document = PolicyDocument::from_url_encoded(encoded).unwrap();
    let resource = &document.as_value()["Statement"][0]["Resource"];
    assert_eq!(resource, "arn:aws:s3:::b/ä+%");
    for broken in ["%7", "%zz", "%+1", "%ff", "a%ä"] {
        let error = PolicyDocument::from_url_encoded(broken).unwrap_err();
        assert!(matches!(error, PolicyError::Encoding(_)), "{broken}");
    }
}

#[test]
fn documents_are_equal_as_their_json_is() {
    let read = |text: &str| serde_json::from_str::<PolicyDocument>(text).unwrap();
    let one = read(r#"{"Version": "2012-10-17", "Statement": []}"#);
    assert_eq!(one, one.clone());
    assert_eq!(one, read(r#"{"Statement": [], "Version": "2012-10-17"}"#));
    assert_ne!(one, read(r#"{"Statement": []}"#));
    assert!(serde_json::from_str::<PolicyDocument>("{}").is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}") {
        let _ = PolicyDocument::from_json(&text);
        let _ = PolicyDocument::from_url_encoded(&text);
    }

    #[test]
    fn what_is_encoded_is_decoded(text in "\\PC{0,40}") {
        let hex = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>();
        let encoded = hex.concat();
        prop_assert_eq!(percent_decode(&encoded).unwrap(), text);
    }
}
