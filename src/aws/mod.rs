//! Client for AWS APIs: credentials, connections, rate limits, retries, pagination and errors. It knows no resource types.

pub(crate) mod api_error;
mod assume_role;
pub(crate) mod circuit_breaker;
pub(crate) mod connection;
mod connection_error;
mod http;
pub(crate) mod nearest;
pub(crate) mod once_map;
pub(crate) mod pagination;
mod rate_limiter;
pub(crate) mod raw_response;
pub(crate) mod response_integrity;
mod retry;
pub(crate) mod xml;

pub(crate) use api_error::Failure;
pub use assume_role::Assumption;
pub use circuit_breaker::Shared;
pub use connection::{Carrier, Connection, ConnectionSettings, Timeouts};
pub use connection_error::ConnectionError;
pub(crate) use pagination::{follow, next_marker};
