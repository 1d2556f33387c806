//! Instances: the encryption of root volumes, the profile of instances that have none, and a way out for HTTPS.

use crate::model::{Fact, ResourceType};
use crate::resource::{role, security_group};
use crate::terraform_fix::edit_session::{Edited, New, Refusal, Workspace};
use crate::terraform_fix::hcl_file::{Found, Spot};
use crate::terraform_fix::task::{Task, undone};

pub(crate) fn carry_out(name: &str, task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    match name {
        "swap-root-volume" => encrypt_root_volume(task, work),
        "instance-profile" => attach_profile(task, work),
        "allow-https-egress" => allow_https(task, work),
        name => Err(undone(name)),
    }
}

/// Encrypts the root volume. Terraform makes the instance anew for it.
fn encrypt_root_volume(task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let yes = New::Literal("true".to_owned());
    let spot = match task.written("root_volume.encrypted", work) {
        Some(Some(Found::Attribute(spot, name))) => {
            work.set(&spot, &name, &yes)?;
            spot
        }
        Some(Some(Found::Block(spot))) => {
            work.set(&spot, "encrypted", &yes)?;
            spot
        }
        Some(None) => return Err(Refusal::new("the root volume is not written in Terraform's own syntax")),
        None if task.spot.labels().0 == "aws_launch_template" => {
            return Err(work.refuse(
                &task.spot,
                "block_device_mappings",
                "the template does not say which device is the root volume: that depends on the image",
            ));
        }
        None => return work.set_nested(&task.spot, &["root_block_device"], "encrypted", &yes),
    };
    match work.settings.volume_key.clone() {
        Some(key) if work.value(&spot, "kms_key_id").is_none() => {
            let key = work.template(&spot, &key)?;
            work.set(&spot, "kms_key_id", &New::Literal(key))
        }
        _ => Ok(()),
    }
}

/// Attaches the configured profile, which is made, with its role, where there is none.
fn attach_profile(task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let name = work.template(&task.spot, &work.settings.instance_profile.clone())?;
    let there = work
        .resources_beside(&task.spot, "aws_iam_instance_profile")
        .into_iter()
        .find(|spot| work.value(spot, "name").is_some_and(|value| work.source(&spot.file, &value) == name));
    let profile = match there {
        Some(spot) => spot.labels().1.to_owned(),
        None => make_profile(&task.spot, &name, work)?,
    };
    let reference = New::Expression(format!("aws_iam_instance_profile.{profile}.name"), None);
    if task.spot.labels().0 == "aws_launch_template" {
        return work.set_nested(&task.spot, &["iam_instance_profile"], "name", &reference);
    }
    work.set(&task.spot, "iam_instance_profile", &reference)
}

fn make_profile(beside: &Spot, name: &str, work: &mut Workspace<'_>) -> Result<String, Refusal> {
    work.refuse_twice(beside, "aws_iam_instance_profile", name)?;
    let role = role::edit::ensure(beside, work)?;
    let content = format!("name = {name}\nrole = aws_iam_role.{role}.name");
    work.add_resource(beside, "aws_iam_instance_profile", "ssm", &content)
}

/// Lets HTTPS out through the first group of the instance that this module declares.
fn allow_https(task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let interfaces = work.inventory.instances.get(&task.key).map(|entry| &entry.attributes.network_interfaces);
    let primary = interfaces.and_then(|interfaces| interfaces.known()?.first());
    let Some(Fact::Known(groups)) = primary.map(|primary| primary.security_groups.clone()) else {
        return Err(Refusal::new("which security groups the instance has is not known"));
    };
    let mut refusal = Refusal::new("none of its security groups is declared in this code");
    for group in groups {
        let address = &group.key.id;
        let found = Workspace::reference(&task.place.address, address)
            .and_then(|_| work.spot(ResourceType::SecurityGroup, &group.key));
        match found {
            Ok((_, spot)) => return security_group::edit::allow_https(&spot, work),
            Err(elsewhere) => refusal = elsewhere,
        }
    }
    Err(refusal)
}
