//! Who makes a request.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>

use super::arn::Arn;
use std::sync::Arc;

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Principal {
    /// A session of a role, the session's name known or not.
    Role(Role),
    /// An IAM user, or a federated user session: the ARN.
    User(Identity),
    /// The root user of an account: the ARN.
    Root(Identity),
    /// Some principal of an account, and it is not known which: the ARN of the account's root.
    Account(Identity),
    /// An AWS service, for instance `ec2.amazonaws.com`.
    Service(Arc<str>),
    /// A federated identity: its provider's name or ARN.
    Federated(Arc<str>),
    /// Nobody that AWS knows.
    Anonymous,
}

/// A principal with an ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub(super) arn: Arc<str>,
    pub(super) account: Arc<str>,
}

/// A role, acting through one of its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub(super) identity: Identity,
    pub(super) session: Option<Arc<str>>,
    path: Path,
}

/// Whether the path in the ARN of a role is known. The ARN of its session does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    Known,
    Unknown,
}

/// The text is not the ARN of an IAM role, an IAM user, an account's root, or an STS session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the ARN of a principal: {0:?}")]
pub struct NotAPrincipal(String);

impl Principal {
    /// The principal with this ARN. For `arn:aws:sts::…:assumed-role/NAME/SESSION` that is this
    /// session of the role called NAME, whose path is not known.
    ///
    /// # Errors
    /// When the ARN is not a principal's.
    pub fn from_arn(arn: &str) -> Result<Self, NotAPrincipal> {
        let parts = Arn::parse(arn).ok_or_else(|| NotAPrincipal(arn.to_owned()))?;
        let identity = |arn: &str| Identity { arn: arn.into(), account: parts.account.into() };
        match (parts.service, parts.resource.split_once('/')) {
            ("iam", None) if parts.resource == "root" => Ok(Self::Root(identity(arn))),
            ("iam", Some(("role", _))) => {
                Ok(Self::Role(Role { identity: identity(arn), session: None, path: Path::Known }))
            }
            ("iam", Some(("user", _))) | ("sts", Some(("federated-user", _))) => Ok(Self::User(identity(arn))),
            ("sts", Some(("assumed-role", path))) => {
                let (name, session) = path.split_once('/').ok_or_else(|| NotAPrincipal(arn.to_owned()))?;
                let (partition, account) = (parts.partition, parts.account);
                Ok(Self::Role(Role {
                    identity: identity(&format!("arn:{partition}:iam::{account}:role/{name}")),
                    session: Some(session.into()),
                    path: Path::Unknown,
                }))
            }
            _ => Err(NotAPrincipal(arn.to_owned())),
        }
    }

    /// One session of a role, which has this ARN. On an EC2 instance the session's name is the
    /// instance's id.
    ///
    /// # Errors
    /// When the ARN is not a role's.
    pub fn session(role_arn: &str, session: &str) -> Result<Self, NotAPrincipal> {
        match Self::from_arn(role_arn)? {
            Self::Role(role) => Ok(Self::Role(Role { session: Some(session.into()), ..role })),
            _ => Err(NotAPrincipal(role_arn.to_owned())),
        }
    }

    /// Some principal, which one is not known, of this account: twelve digits or the root's ARN.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn some_of_account(partition: &str, account: &str) -> Result<Self, NotAPrincipal> {
        let arn = if account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit()) {
            format!("arn:{partition}:iam::{account}:root")
        } else {
            account.to_owned()
        };
        match Self::from_arn(&arn)? {
            Self::Root(identity) => Ok(Self::Account(identity)),
            _ => Err(NotAPrincipal(arn)),
        }
    }

    /// An AWS service, by its principal name.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self::Service(name.into())
    }

    /// The account that the principal belongs to; services and strangers have none.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Role(role) => Some(&role.identity.account),
            Self::User(identity) | Self::Root(identity) | Self::Account(identity) => Some(&identity.account),
            Self::Service(_) | Self::Federated(_) | Self::Anonymous => None,
        }
    }

    /// The ARN that `aws:PrincipalArn` has, if it is known: for a session, that of its role.
    #[must_use]
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::Role(role) => (role.path == Path::Known).then_some(&*role.identity.arn),
            Self::User(identity) | Self::Root(identity) => Some(&identity.arn),
            Self::Account(_) | Self::Service(_) | Self::Federated(_) | Self::Anonymous => None,
        }
    }
}

impl Role {
    /// The role's name, without its path.
    #[must_use]
    pub fn name(&self) -> &str {
        last_name(&self.identity.arn)
    }
}

pub(super) fn last_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests;
