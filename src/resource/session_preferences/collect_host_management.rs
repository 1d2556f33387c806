//! `GetServiceSetting`: the role that default host management gives to a region's instances.
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/fleet-manager-default-host-management-configuration.html>

use aws_sdk_ssm::types::ServiceSetting;

use super::collect;
use crate::collect::live::api_call::{ApiCall, filled};
use crate::collect::live::collector::Collector;
use crate::model::call::GET_SERVICE_SETTING;
use crate::model::{Fact, Key, Link, Region};
use crate::resource::role;

/// The setting that holds the role's name.
const SETTING: &str = "/ssm/managed-instance/default-ec2-instance-management-role";

/// What the setting holds where default host management is off.
const NONE: &str = "$None";

/// The code by which Systems Manager says that it has no such setting, in this region or partition: nobody can have
/// switched it on.
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetServiceSetting.html>
const ABSENT: &[&str] = &["ServiceSettingNotFound"];

/// The values of the setting's status.
const STATUSES: &[&str] = &["Default", "Customized", "PendingUpdate"];

/// Reads the setting of a region, and the role that it names.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region) {
    if !collector.wants(&GET_SERVICE_SETTING) {
        return;
    }
    let inquiry = collector.inquire(&GET_SERVICE_SETTING, Some(region));
    let request = collector.connection.ssm(region).get_service_setting().setting_id(SETTING);
    let role = match inquiry.send_unless(ABSENT, request.send()).await {
        Ok(None) => Fact::Known(None),
        Ok(Some(answer)) => named_by(inquiry, answer.service_setting),
        Err(gap) => Fact::Unknown(gap),
    };
    if let Fact::Unknown(gap) = &role {
        inquiry.unlisted(gap);
    }
    let key = role.known().cloned().flatten();
    collect::change(collector, region, |preferences| {
        preferences.default_host_management_role = role.map(|key| key.map(Link::to));
    });
    if let Some(key) = key {
        role::collect::role_once(collector, key).await;
    }
}

fn named_by(inquiry: ApiCall<'_>, setting: Option<ServiceSetting>) -> Fact<Option<Key>> {
    let (status, value) = setting.map(|setting| (setting.status, setting.setting_value)).unwrap_or_default();
    match filled(status) {
        // As AWS delivers it, the setting is off, whatever value it shows.
        Some(status) if status == "Default" => Fact::Known(None),
        Some(status) if !STATUSES.contains(&status.as_str()) => {
            Fact::Unknown(inquiry.problem("Status in the answer is not understood"))
        }
        _ => inquiry.required("SettingValue", value).map(|value| role_named(&value)),
    }
}

fn role_named(value: &str) -> Option<Key> {
    Some(role::collect::role_key(value)).filter(|role| value != NONE && !role.id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_names_a_role_with_or_without_its_path() {
        assert_eq!(role_named("$None"), None);
        assert_eq!(role_named(""), None);
        assert_eq!(role_named("service-role/"), None);
        assert_eq!(role_named("service-role/Hosts"), Some(Key::global("Hosts")));
        assert_eq!(role_named("Hosts"), Some(Key::global("Hosts")));
    }
}
