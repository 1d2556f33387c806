use super::*;
use crate::truth::Truth::{False, True, Unknown};

const ROLE: &str = "arn:aws:iam::111122223333:role/ssm/node";

fn aws(id: &str) -> NamedPrincipal {
    NamedPrincipal { kind: PrincipalKind::Aws, id: id.to_owned() }
}

#[track_caller]
fn check(id: &str, principal: &Principal, expected: (Reach, Truth)) {
    assert_eq!(aws(id).names(principal), expected, "{id}");
}

#[test]
fn a_role_is_named_itself_by_its_session_or_by_its_account() {
    let role = Principal::from_arn(ROLE).unwrap();
    check("*", &role, (Reach::Direct, True));
    check("111122223333", &role, (Reach::Account, True));
    check("arn:aws:iam::111122223333:root", &role, (Reach::Account, True));
    check("arn:aws-cn:iam::111122223333:root", &role, (Reach::Direct, False));
    check("arn:aws:iam::444455556666:root", &role, (Reach::Direct, False));
    check(ROLE, &role, (Reach::Role, True));
    check("arn:aws:iam::444455556666:role/ssm/node", &role, (Reach::Direct, False));
    check("arn:aws:iam::111122223333:user/node", &role, (Reach::Direct, False));
    check("AROAEXAMPLEID", &role, (Reach::Direct, False));
    // Which session it will be is not known, or it is.
    let session = "arn:aws:sts::111122223333:assumed-role/node/i-0abc";
    check(session, &role, (Reach::Direct, Unknown));
    let own = Principal::session(ROLE, "i-0abc").unwrap();
    check(session, &own, (Reach::Direct, True));
    let other = Principal::session(ROLE, "i-0def").unwrap();
    check(session, &other, (Reach::Direct, False));
    // The session's ARN does not tell the role's path; its name is enough.
    let session = Principal::from_arn(session).unwrap();
    check(ROLE, &session, (Reach::Role, True));
    assert_eq!(session.arn(), None);
}

#[test]
fn users_roots_accounts_and_strangers() {
    let user = Principal::from_arn("arn:aws:iam::111122223333:user/ada").unwrap();
    check("arn:aws:iam::111122223333:user/ada", &user, (Reach::Direct, True));
    check("arn:aws:iam::111122223333:user/Ada", &user, (Reach::Account, False));
    check("111122223333", &user, (Reach::Account, True));
    let root = Principal::from_arn("arn:aws:iam::111122223333:root").unwrap();
    check("111122223333", &root, (Reach::Direct, True));
    check(ROLE, &root, (Reach::Direct, False));
    let some = Principal::some_of_account("aws", "111122223333").unwrap();
    check("111122223333", &some, (Reach::Direct, True));
    check(ROLE, &some, (Reach::Direct, Unknown));
    check("arn:aws:iam::444455556666:root", &some, (Reach::Direct, False));
    check("*", &Principal::Anonymous, (Reach::Direct, True));
    check("111122223333", &Principal::Anonymous, (Reach::Direct, False));
}

#[test]
fn services_have_regional_names() {
    let service = |id: &str| NamedPrincipal { kind: PrincipalKind::Service, id: id.to_owned() };
    let logs = Principal::service("logs.us-east-1.amazonaws.com");
    for (id, expected) in [
        ("logs.us-east-1.amazonaws.com", True),
        ("logs.amazonaws.com", Unknown),
        ("logs.eu-west-1.amazonaws.com", False),
        ("ec2.amazonaws.com", False),
        ("*", True),
    ] {
        assert_eq!(service(id).names(&logs).1, expected, "{id}");
    }
    let ec2 = Principal::service("ec2.amazonaws.com");
    assert_eq!(service("ec2.amazonaws.com.cn").names(&ec2).1, False);
    assert_eq!(aws("ec2.amazonaws.com").names(&ec2).1, False);
    assert_eq!(aws("*").names(&ec2).1, True);
}
