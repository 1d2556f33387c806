//! Where a notification goes. User name, password, path and query of the address may be secrets: they are never shown.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// An address that takes notifications.
#[derive(Clone, PartialEq, Eq)]
pub struct Receiver {
    /// `https://host:port`
    pub(super) origin: String,
    /// `/path?query`
    pub(super) path: String,
    /// The value of the header, where the address has a user name.
    pub(super) authorization: Option<String>,
}

/// Why an address cannot be used. It says nothing of the address itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReceiverError {
    /// It is of another scheme.
    #[error("the address of --notify begins with neither https:// nor http://")]
    Scheme,
    /// It names no host.
    #[error("the address of --notify names no host")]
    Host,
    /// It is no address.
    #[error("the address of --notify has characters that no address has")]
    Characters,
}

impl FromStr for Receiver {
    type Err = ReceiverError;

    fn from_str(text: &str) -> Result<Self, ReceiverError> {
        let (scheme, rest) = text.split_once("://").ok_or(ReceiverError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "https" | "http") {
            return Err(ReceiverError::Scheme);
        }
        if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
            return Err(ReceiverError::Characters);
        }
        // A fragment is for browsers.
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if host.is_empty() || host.starts_with(':') {
            return Err(ReceiverError::Host);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let basic = |user: &str| {
            let user = if user.contains(':') { user.to_owned() } else { format!("{user}:") };
            format!("Basic {}", STANDARD.encode(decoded(&user)))
        };
        Ok(Self { origin: format!("{scheme}://{host}"), path, authorization: user.map(basic) })
    }
}

/// The bytes that a text with `%2F` and the like means.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hexadecimal = others.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = hexadecimal.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    bytes
}

impl fmt::Display for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.origin)
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Receiver({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        let receiver: Receiver =
            "HTTPS://me:p%40ss@hooks.example:8443/T0/secret?token=x#y".parse().expect("an address");
        assert_eq!(
            (receiver.to_string(), format!("{receiver:?}").contains("secret")),
            ("https://hooks.example:8443".to_owned(), false)
        );
        assert_eq!(receiver.path, "/T0/secret?token=x");
        assert_eq!(receiver.authorization.as_deref(), Some("Basic bWU6cEBzcw=="));
        let plain: Receiver = "http://127.0.0.1:80?a=b".parse().expect("an address");
        assert_eq!((plain.path.as_str(), plain.authorization), ("/?a=b", None));
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_shown() {
        let refused = |text: &str| text.parse::<Receiver>().expect_err("refused");
        assert_eq!(refused("ftp://secret"), ReceiverError::Scheme);
        assert_eq!(refused("secret"), ReceiverError::Scheme);
        assert_eq!(refused("https://"), ReceiverError::Host);
        assert_eq!(refused("https://user:secret@/x"), ReceiverError::Host);
        assert_eq!(refused("https://secret host/\r\nX: y"), ReceiverError::Characters);
    }
}
