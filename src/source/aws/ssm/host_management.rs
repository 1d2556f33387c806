//! `GetServiceSetting`: the role that default host management gives to a region's instances.
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/fleet-manager-default-host-management-configuration.html>

use super::super::iam;
use super::super::reader::Reader;
use super::preferences;
use crate::model::call::GET_SERVICE_SETTING;
use crate::model::{Fact, Key, Link, Region};

/// The setting that holds the role's name.
const SETTING: &str = "/ssm/managed-instance/default-ec2-instance-management-role";

/// What the setting holds where default host management is off.
const NONE: &str = "$None";

/// Reads the setting of a region, and the role that it names.
pub(in super::super) async fn read(reader: &Reader<'_>, region: &Region) {
    if !reader.wants(&GET_SERVICE_SETTING) {
        return;
    }
    let inquiry = reader.inquire(&GET_SERVICE_SETTING, Some(region));
    let request = reader.connection.ssm(region).get_service_setting().setting_id(SETTING);
    let role = match inquiry.send(request.send()).await {
        Ok(answer) => {
            let setting = answer.service_setting;
            // As AWS delivers it, the setting is off, whatever value it shows.
            if setting.as_ref().is_some_and(|setting| setting.status() == Some("Default")) {
                Fact::Known(None)
            } else {
                let value = setting.and_then(|setting| setting.setting_value);
                inquiry.required("SettingValue", value).map(|value| role_named(&value))
            }
        }
        Err(gap) => Fact::Unknown(gap),
    };
    if let Fact::Unknown(gap) = &role {
        inquiry.unlisted(gap);
    }
    let key = role.known().cloned().flatten();
    preferences::change(reader, region, |preferences| {
        preferences.default_host_management_role = role.map(|key| key.map(Link::to));
    });
    if let Some(key) = key {
        iam::role_once(reader, key).await;
    }
}

fn role_named(value: &str) -> Option<Key> {
    (!value.is_empty() && value != NONE).then(|| iam::role_key(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_names_a_role_with_or_without_its_path() {
        assert_eq!(role_named("$None"), None);
        assert_eq!(role_named(""), None);
        assert_eq!(role_named("service-role/Hosts"), Some(Key::global("Hosts")));
        assert_eq!(role_named("Hosts"), Some(Key::global("Hosts")));
    }
}
