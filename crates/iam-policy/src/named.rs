//! Whom the `Principal` element of a statement names.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use super::arn::Arn;
use super::pattern::is_symbol;
use super::principal::{Identity, Principal, Role, last_name};
use super::truth::Truth;

/// The kind of a named principal: a member of the `Principal` element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalKind {
    /// `"AWS"`: an account, a role, a user, a session, or `*`.
    Aws,
    /// `"Service"`.
    Service,
    /// `"Federated"`.
    Federated,
    /// `"CanonicalUser"`, in bucket policies.
    CanonicalUser,
}

/// A principal as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedPrincipal {
    /// Under which member of `Principal` it stands.
    pub kind: PrincipalKind,
    /// As written: an ARN, an account, a service, `*`.
    pub id: String,
}

/// How an entry names the one who asks. A grant to the account itself is no grant to a role in it:
/// it leaves the decision to the account's own policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The session, the user, the service, or everyone.
    Direct,
    /// The role whose session it is.
    Role,
    /// The account.
    Account,
}

impl NamedPrincipal {
    /// Whether it stands for everybody.
    #[must_use]
    pub fn is_everyone(&self) -> bool {
        self.kind == PrincipalKind::Aws && self.id == "*"
    }

    /// Whether, and how, the entry names this principal.
    pub(super) fn names(&self, principal: &Principal) -> (Reach, Truth) {
        if self.is_everyone() {
            return (Reach::Direct, Truth::True);
        }
        let (reach, truth) = self.names_as_written(principal);
        // What is equal as it is written is equal, whatever its symbols are. What is not may be.
        let symbolic = || self.id.contains(is_symbol) || principal.arn().is_some_and(|arn| arn.contains(is_symbol));
        if truth == Truth::False && symbolic() && self.may_name(principal) {
            return (Reach::Role, Truth::Unknown);
        }
        (reach, truth)
    }

    /// Whether the kind of the entry is that of the principal.
    fn may_name(&self, principal: &Principal) -> bool {
        match principal {
            Principal::Service(_) => self.kind == PrincipalKind::Service,
            Principal::Federated(_) => self.kind == PrincipalKind::Federated,
            Principal::Anonymous => false,
            _ => matches!(self.kind, PrincipalKind::Aws | PrincipalKind::CanonicalUser),
        }
    }

    fn names_as_written(&self, principal: &Principal) -> (Reach, Truth) {
        let direct = |truth| (Reach::Direct, truth);
        match (principal, self.kind) {
            (Principal::Role(role), PrincipalKind::Aws) => self.names_role(role),
            (Principal::User(user), PrincipalKind::Aws) if *user.arn == *self.id => direct(Truth::True),
            (Principal::User(user), PrincipalKind::Aws) => (Reach::Account, Truth::from(self.names_account(user))),
            (Principal::Root(root), PrincipalKind::Aws) => direct(Truth::from(self.names_account(root))),
            (Principal::Account(account), PrincipalKind::Aws) => direct(self.names_some_of(account)),
            (Principal::Service(name), PrincipalKind::Service) => direct(same_service(&self.id, name)),
            (Principal::Federated(name), PrincipalKind::Federated) => {
                direct(Truth::from(self.id == "*" || *self.id == **name))
            }
            // A canonical user id is an account's, and we do not know whose.
            (
                Principal::Role(_) | Principal::User(_) | Principal::Root(_) | Principal::Account(_),
                PrincipalKind::CanonicalUser,
            ) => (Reach::Account, Truth::Unknown),
            _ => direct(Truth::False),
        }
    }

    fn names_account(&self, identity: &Identity) -> bool {
        if *self.id == *identity.account {
            return true;
        }
        let (Some(named), Some(own)) = (Arn::parse(&self.id), Arn::parse(&identity.arn)) else {
            return false;
        };
        named.service == "iam"
            && named.resource == "root"
            && (named.partition, named.account) == (own.partition, own.account)
    }

    fn names_some_of(&self, account: &Identity) -> Truth {
        let within = || Arn::parse(&self.id).is_some_and(|named| named.account == &*account.account);
        Truth::between(self.names_account(account), within)
    }

    fn names_role(&self, role: &Role) -> (Reach, Truth) {
        if self.names_account(&role.identity) {
            return (Reach::Account, Truth::True);
        }
        let (Some(named), Some(own)) = (Arn::parse(&self.id), Arn::parse(&role.identity.arn)) else {
            // A principal id ("AROA…") is what AWS shows once the role was deleted: not this one.
            return (Reach::Direct, Truth::False);
        };
        let at_home = (named.partition, named.account) == (own.partition, own.account);
        // The name of a role is its own in the account, whatever its path.
        if at_home
            && named.service == "iam"
            && named.resource.starts_with("role/")
            && last_name(named.resource) == role.name()
        {
            return (Reach::Role, Truth::True);
        }
        let session = named.resource.strip_prefix("assumed-role/").and_then(|rest| rest.split_once('/'));
        let truth = match session {
            Some((name, session)) if at_home && named.service == "sts" && name == role.name() => match &role.session {
                Some(own) => Truth::from(**own == *session),
                None => Truth::Unknown,
            },
            _ => Truth::False,
        };
        (Reach::Direct, truth)
    }
}

/// Some services have a principal for all regions and one for each; a request carries all of those
/// names, but which are accepted is for the service to say.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalservicenameslist>
fn same_service(one: &str, other: &str) -> Truth {
    if one == "*" || one == other {
        return Truth::True;
    }
    let cut = |name: &str| -> Option<(String, bool)> {
        let (service, rest) = name.split_once('.')?;
        let suffix = ["amazonaws.com.cn", "amazonaws.com"].into_iter().find(|suffix| rest.ends_with(suffix))?;
        let regional = rest.len() > suffix.len();
        Some((format!("{service}.{suffix}"), regional))
    };
    match (cut(one), cut(other)) {
        (Some((one, one_regional)), Some((other, other_regional)))
            if one == other && one_regional != other_regional =>
        {
            Truth::Unknown
        }
        _ => Truth::False,
    }
}

#[cfg(test)]
mod tests;
