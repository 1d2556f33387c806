//! Resource types, a folder each. A file of a folder belongs to the room that its name tells: `schema` (attributes) to
//! `model`, `collect` (a live account) and `terraform` (code) to `collect`, `observed`, `operations` and `fix` to
//! `remediate`, `edit` (source files) to `terraform_fix`.

pub mod bucket;
pub mod instance;
pub mod instance_profile;
pub mod key;
pub mod log_group;
pub mod managed_instance;
pub mod managed_policy;
pub mod prefix_list;
pub mod role;
pub mod security_group;
pub mod session_preferences;
pub mod volume;
pub mod vpc_endpoint;
