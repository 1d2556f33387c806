//! Instances: the encryption of root volumes, the profile of instances that have none, and a way out for HTTPS.

use crate::model::{Fact, ResourceType};
use crate::resource::{role, security_group};
use crate::terraform_fix::edit_session::{EditSession, Edited, New, Refusal};
use crate::terraform_fix::hcl_file::{BlockRef, Found};
use crate::terraform_fix::task::{Task, undone};

pub(crate) fn carry_out(name: &str, task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    match name {
        "swap-root-volume" => encrypt_root_volume(task, session),
        "instance-profile" => attach_profile(task, session),
        "allow-https-egress" => allow_https(task, session),
        name => Err(undone(name)),
    }
}

/// Encrypts the root volume. Terraform makes the instance anew for it.
fn encrypt_root_volume(task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let yes = New::Literal("true".to_owned());
    let block_ref = match task.written("root_volume.encrypted", session) {
        Some(Some(Found::Attribute(block_ref, name))) => {
            session.set(&block_ref, &name, &yes)?;
            block_ref
        }
        Some(Some(Found::Block(block_ref))) => {
            session.set(&block_ref, "encrypted", &yes)?;
            block_ref
        }
        Some(None) => return Err(Refusal::new("the root volume is not written in Terraform's own syntax")),
        None if task.block_ref.labels().0 == "aws_launch_template" => {
            return Err(session.refuse(
                &task.block_ref,
                "block_device_mappings",
                "the template does not say which device is the root volume: that depends on the image",
            ));
        }
        None => return session.set_nested(&task.block_ref, &["root_block_device"], "encrypted", &yes),
    };
    match session.settings.volume_key.clone() {
        Some(key) if session.value(&block_ref, "kms_key_id").is_none() => {
            let key = session.template(&block_ref, &key)?;
            session.set(&block_ref, "kms_key_id", &New::Literal(key))
        }
        _ => Ok(()),
    }
}

/// Attaches the configured profile, which is made, with its role, where there is none.
fn attach_profile(task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let name = session.template(&task.block_ref, &session.settings.instance_profile.clone())?;
    let there = session.resources_beside(&task.block_ref, "aws_iam_instance_profile").into_iter().find(|block_ref| {
        session.value(block_ref, "name").is_some_and(|value| session.source(&block_ref.file, &value) == name)
    });
    let profile = match there {
        Some(block_ref) => block_ref.labels().1.to_owned(),
        None => make_profile(&task.block_ref, &name, session)?,
    };
    let reference = New::Expression(format!("aws_iam_instance_profile.{profile}.name"), None);
    if task.block_ref.labels().0 == "aws_launch_template" {
        return session.set_nested(&task.block_ref, &["iam_instance_profile"], "name", &reference);
    }
    session.set(&task.block_ref, "iam_instance_profile", &reference)
}

fn make_profile(beside: &BlockRef, name: &str, session: &mut EditSession<'_>) -> Result<String, Refusal> {
    session.refuse_twice(beside, "aws_iam_instance_profile", name)?;
    let role = role::edit::ensure(beside, session)?;
    let content = format!("name = {name}\nrole = aws_iam_role.{role}.name");
    session.add_resource(beside, "aws_iam_instance_profile", "ssm", &content)
}

/// Lets HTTPS out through the first group of the instance that this module declares.
fn allow_https(task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let interfaces = session.inventory.instances.get(&task.key).map(|entry| &entry.attributes.network_interfaces);
    let primary = interfaces.and_then(|interfaces| interfaces.known()?.first());
    let Some(Fact::Known(groups)) = primary.map(|primary| primary.security_groups.clone()) else {
        return Err(Refusal::new("which security groups the instance has is not known"));
    };
    let mut refusal = Refusal::new("none of its security groups is declared in this code");
    for group in groups {
        let address = &group.key.id;
        let found = EditSession::reference(&task.place.address, address)
            .and_then(|_| session.block_ref(ResourceType::SecurityGroup, &group.key));
        match found {
            Ok((_, block_ref)) => return security_group::edit::allow_https(&block_ref, session),
            Err(elsewhere) => refusal = elsewhere,
        }
    }
    Err(refusal)
}
