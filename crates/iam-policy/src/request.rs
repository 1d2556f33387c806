//! What is asked: may this principal do this action to this resource.

use super::asked::{Asked, FRESH};
use super::context::{Context, Lookup};
use super::pattern::Dialect;
use super::principal::Principal;
use super::variable::Values;

/// Keys that a request has only where a service makes it, by its own principal, for a resource.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-sourcearn>
const ABSENT_FOR_PEOPLE: [&str; 4] = ["aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths"];

/// A question to a set of policies. The action and the resource may each be a pattern; the question
/// is then about every action and every resource that match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(super) principal: Principal,
    pub(super) action: Asked,
    pub(super) resource: Asked,
    pub(super) context: Context,
}

/// The resource of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource(Asked);

impl Resource {
    /// Exactly this resource. With `*`: an action that takes no resource, which only a statement on
    /// `*` allows.
    #[must_use]
    pub fn exactly(arn: &str) -> Self {
        Self(Asked::exactly(arn))
    }

    /// Every resource that matches, `arn:aws:s3:::bucket/prefix/*` for instance. In the first five
    /// segments of an ARN a wildcard stands for a name without colons.
    #[must_use]
    pub fn every(pattern: &str) -> Self {
        Self(Asked::new(pattern, Dialect::Asked))
    }

    /// Resources of this shape in a place of somebody else's: the first wildcard is a name that nobody
    /// can have guessed, what comes after it is as the shape says. `arn:aws:s3:::*/*` gives the objects of
    /// some bucket. The name is as short, as usual and as long as one of a bucket may be, since `?`
    /// counts; of each, one resource comes with all of them, as what is allowed of all may be more or less
    /// certain than what is allowed of one.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
    #[must_use]
    pub fn arbitrary(shape: &str) -> Vec<Self> {
        const LENGTHS: [usize; 3] = [3, 20, 63];
        let Some((before, after)) = shape.split_once('*') else {
            return vec![Self::exactly(shape)];
        };
        let names = LENGTHS.iter().map(|length| FRESH.to_string().repeat(*length));
        let resources = names.flat_map(|name| {
            let all = Asked::new(&format!("{before}{name}{after}"), Dialect::Asked);
            all.witness().into_iter().chain([all])
        });
        resources.map(Self).collect()
    }
}

impl Request {
    /// A question with nothing known of its context. The action may have wildcards: `kms:*`.
    #[must_use]
    pub fn new(principal: Principal, action: &str, resource: Resource) -> Self {
        Self { principal, action: Asked::new(action, Dialect::Action), resource: resource.0, context: Context::new() }
    }

    /// The same question in this context. Keys that follow from the principal, such as
    /// `aws:PrincipalArn`, need not be in it; where they are, they win.
    #[must_use]
    pub fn in_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// The same question about another action.
    #[must_use]
    pub fn with_action(&self, action: &str) -> Self {
        Self { action: Asked::new(action, Dialect::Action), ..self.clone() }
    }

    /// Who asks.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// One of the requests, where there are many: see [`Asked::witness`].
    pub(super) fn witness(&self) -> Option<Self> {
        let (action, resource) = (self.action.witness(), self.resource.witness());
        if action.is_none() && resource.is_none() {
            return None;
        }
        Some(Self {
            principal: self.principal.clone(),
            action: action.unwrap_or_else(|| self.action.clone()),
            resource: resource.unwrap_or_else(|| self.resource.clone()),
            context: self.context.clone(),
        })
    }

    /// The keys that follow from who asks.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
    fn derived(&self, key: &str) -> Lookup<'_> {
        let is = |name: &str| key.eq_ignore_ascii_case(name);
        let person = matches!(
            self.principal,
            Principal::Role(_) | Principal::User(_) | Principal::Root(_) | Principal::Account(_)
        );
        let found = if is("aws:PrincipalArn") {
            self.principal.arn()
        } else if is("aws:PrincipalAccount") || is("kms:CallerAccount") {
            self.principal.account()
        } else if is("aws:PrincipalIsAWSService") {
            match self.principal {
                Principal::Service(_) => Some("true"),
                _ if person => Some("false"),
                _ => None,
            }
        } else if is("aws:PrincipalServiceName") {
            match &self.principal {
                Principal::Service(name) => Some(&**name),
                _ => {
                    return if person { Lookup::Absent } else { Lookup::Unknown };
                }
            }
        } else if is("aws:PrincipalType") {
            match self.principal {
                Principal::Role(_) => Some("AssumedRole"),
                Principal::Root(_) => Some("Account"),
                _ => None,
            }
        } else if is("aws:username") && matches!(self.principal, Principal::Role(_)) {
            // "Not present" for a role's session.
            return Lookup::Absent;
        } else if person && ABSENT_FOR_PEOPLE.iter().any(|name| is(name)) {
            return Lookup::Absent;
        } else {
            None
        };
        found.map_or(Lookup::Unknown, Lookup::One)
    }
}

impl Values for Request {
    fn lookup(&self, key: &str) -> Lookup<'_> {
        if self.context.mentions(key) {
            return self.context.get(key);
        }
        match self.derived(key) {
            Lookup::Unknown => self.context.get(key),
            derived => derived,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_from_the_principal_unless_the_context_says_otherwise() {
        let role = "arn:aws:iam::111122223333:role/ssm/node";
        let principal = Principal::from_arn(role).expect("a role");
        let request = Request::new(principal, "s3:GetObject", Resource::every("*"));
        assert_eq!(request.lookup("AWS:principalarn"), Lookup::One(role));
        assert_eq!(request.lookup("kms:CallerAccount"), Lookup::One("111122223333"));
        assert_eq!(request.lookup("aws:username"), Lookup::Absent);
        assert_eq!(request.lookup("aws:SourceIp"), Lookup::Unknown);
        let request = request.in_context(Context::new().with("aws:PrincipalArn", "x"));
        assert_eq!(request.lookup("aws:PrincipalArn"), Lookup::One("x"));
    }

    #[test]
    fn an_arbitrary_resource_is_one_or_all_of_a_place_with_a_name_of_any_length() {
        let shapes = Resource::arbitrary("arn:aws:s3:::*/*");
        let texts = shapes.iter().map(|Resource(asked)| (asked.text.chars().count(), asked.tokens.is_some()));
        let empty = "arn:aws:s3:::/*".len();
        let expected = [3, 20, 63].map(|length| [(empty + length, false), (empty + length, true)]);
        assert_eq!(texts.collect::<Vec<_>>(), expected.concat());
        assert_eq!(Resource::arbitrary("arn:aws:s3:::a"), [Resource::exactly("arn:aws:s3:::a")]);
    }
}
