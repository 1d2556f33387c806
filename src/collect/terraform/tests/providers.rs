//! Accounts and regions of resources: provider aliases, roles, modules that are given providers, regions of resources.

use std::collections::BTreeSet;

use super::super::read::Code;
use super::{Options, code, folder, read};
use crate::model::{AccountId, Fact, Inventory, Region};

/// The inventory of an account.
fn of<'c>(code: &'c Code, account: &str) -> &'c Inventory {
    let has = |inventory: &&Inventory| inventory.account.as_ref().is_some_and(|known| known.as_str() == account);
    code.inventories.iter().find(has).unwrap_or_else(|| panic!("no inventory of {account}"))
}

/// The scopes as `account region`.
fn scopes(code: &Code) -> Vec<String> {
    let scopes = code.inventories.iter().flat_map(|inventory| &inventory.scopes);
    let text = |part: Option<&str>| part.unwrap_or("?").to_owned();
    scopes
        .map(|scope| {
            let (account, region) = (scope.account.as_ref().map(AccountId::as_str), scope.region.as_ref());
            format!("{} {}", text(account), text(region.map(Region::as_str)))
        })
        .collect()
}

/// The log group that the preferences of this address lead to.
fn log_group(code: &Code, preferences: &str) -> String {
    let all = code.inventories.iter().flat_map(|inventory| &inventory.session_preferences);
    let (_, entry) = all.into_iter().find(|(key, _)| &*key.id == preferences).expect("preferences");
    match &entry.attributes.log_group {
        Fact::Known(Some(link)) => link.key.to_string(),
        Fact::Known(None) => "none".to_owned(),
        Fact::Unknown(gap) => format!("unknown: {gap}"),
    }
}

/// The preferences with a log group of this name.
fn preferences(name: &str, more: &str, group: &str) -> String {
    format!(
        "resource \"aws_ssm_document\" \"{name}\" {{\n  {more}\n  name = \"SSM-SessionManagerRunShell\"\n  document_type = \"Session\"\n  content = jsonencode({{ schemaVersion = \"1.0\", sessionType = \"Standard_Stream\", inputs = {{ cloudWatchLogGroupName = {group} }} }})\n}}\n"
    )
}

fn group(name: &str, more: &str) -> String {
    format!("resource \"aws_cloudwatch_log_group\" \"{name}\" {{\n  {more}\n  name = \"/ssm\"\n}}\n")
}

const TWO_REGIONS: &str = "provider \"aws\" { region = \"us-east-1\" }\nprovider \"aws\" {\n  alias = \"west\"\n  region = \"us-west-2\"\n}\n";

#[test]
fn a_name_in_two_regions_is_that_of_two_resources() {
    for west in ["provider = aws.west", "region = \"us-west-2\""] {
        let text = [
            TWO_REGIONS.to_owned(),
            group("east", ""),
            group("west", west),
            preferences("east", "", "\"/ssm\""),
            preferences("west", west, "aws_cloudwatch_log_group.west.name"),
        ];
        let code = code(&[("main.tf", &text.concat())]);
        assert_eq!(log_group(&code, "aws_ssm_document.east"), "us-east-1/aws_cloudwatch_log_group.east");
        assert_eq!(log_group(&code, "aws_ssm_document.west"), "us-west-2/aws_cloudwatch_log_group.west");
        assert_eq!(scopes(&code), ["? us-east-1", "? us-west-2"]);
    }
}

#[test]
fn a_resource_of_another_region_is_not_what_a_name_leads_to() {
    let text = [TWO_REGIONS.to_owned(), group("east", ""), preferences("west", "provider = aws.west", "\"/ssm\"")];
    let code = code(&[("main.tf", &text.concat())]);
    assert_eq!(log_group(&code, "aws_ssm_document.west"), "us-west-2//ssm");
    let inventory = &code.inventories[0];
    assert!(inventory.log_groups.values().all(|entry| !entry.in_scope), "{:?}", inventory.log_groups);
    // A name that AWS makes up is one of its region, too.
    let text = [
        TWO_REGIONS.to_owned(),
        "resource \"aws_cloudwatch_log_group\" \"east\" {}\n".to_owned(),
        preferences("west", "provider = aws.west", "aws_cloudwatch_log_group.east.name"),
    ];
    let found = log_group(&super::code(&[("main.tf", &text.concat())]), "aws_ssm_document.west");
    assert!(found.contains("is in another account or region"), "{found}");
}

#[test]
fn a_region_that_is_not_known_is_not_the_first_one() {
    let provider = "variable \"there\" {}\nprovider \"aws\" { region = \"us-east-1\" }\nprovider \"aws\" {\n  alias = \"there\"\n  region = var.there\n}\n";
    let open = [provider.to_owned(), group("east", ""), preferences("there", "provider = aws.there", "\"/ssm\"")];
    let found = log_group(&code(&[("main.tf", &open.concat())]), "aws_ssm_document.there");
    assert!(found.contains("may be in another account or region"), "{found}");
    // Both are there, wherever that is.
    let both = [provider.to_owned(), group("east", ""), group("there", "provider = aws.there")];
    let both = [both.concat(), preferences("there", "provider = aws.there", "\"/ssm\"")].concat();
    let found = log_group(&code(&[("main.tf", &both)]), "aws_ssm_document.there");
    assert_eq!(found, "aws-global/aws_cloudwatch_log_group.there");
    let options = Options { variables: vec!["there=eu-west-1".to_owned()], ..Options::default() };
    let code = read(folder(&[("main.tf", &both)]).path(), &options).expect("code");
    assert_eq!(log_group(&code, "aws_ssm_document.there"), "eu-west-1/aws_cloudwatch_log_group.there");
}

#[test]
fn modules_have_the_providers_that_they_are_given() {
    let root = [
        TWO_REGIONS,
        "module \"east\" { source = \"./outer\" }\n",
        "module \"west\" {\n  source = \"./outer\"\n  providers = { aws = aws.west }\n}\n",
        "module \"both\" {\n  source = \"./both\"\n  providers = {\n    aws.here = aws\n    aws.there = aws.west\n  }\n}\n",
    ];
    let inner = [group("g", ""), preferences("p", "", "\"/ssm\"")].concat();
    let both = [
        "terraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n      configuration_aliases = [aws.here, aws.there]\n    }\n  }\n}\n",
        &group("here", "provider = aws.here").replace("/ssm", "/both"),
        &group("there", "provider = aws.there").replace("/ssm", "/both"),
        &preferences("there", "provider = aws.there", "\"/both\""),
    ];
    let code = code(&[
        ("main.tf", &root.concat()),
        ("outer/main.tf", "module \"inner\" { source = \"../inner\" }\n"),
        ("inner/main.tf", &inner),
        ("both/main.tf", &both.concat()),
    ]);
    for (preferences, wanted) in [
        (
            "module.east.module.inner.aws_ssm_document.p",
            "us-east-1/module.east.module.inner.aws_cloudwatch_log_group.g",
        ),
        (
            "module.west.module.inner.aws_ssm_document.p",
            "us-west-2/module.west.module.inner.aws_cloudwatch_log_group.g",
        ),
        ("module.both.aws_ssm_document.there", "us-west-2/module.both.aws_cloudwatch_log_group.there"),
    ] {
        assert_eq!(log_group(&code, preferences), wanted);
    }
    // A configuration that nobody gives is not the default one.
    let alone = super::code(&[("main.tf", &both.concat())]);
    assert_eq!(scopes(&alone), ["? ?", "? ?"]);
}

#[test]
fn one_provider_of_several_keys_is_that_of_the_key() {
    let text = "locals { regions = toset([\"us-east-1\", \"eu-west-1\"]) }\nprovider \"aws\" {\n  alias = \"by\"\n  for_each = local.regions\n  region = each.value\n}\n";
    let calls =
        "module \"m\" {\n  source = \"./m\"\n  for_each = local.regions\n  providers = { aws = aws.by[each.key] }\n}\n";
    let own = group("g", "for_each = local.regions\n  provider = aws.by[each.key]");
    let code = code(&[
        ("main.tf", &[text, calls, &own].concat()),
        ("m/main.tf", &[group("g", ""), preferences("p", "", "\"/ssm\"")].concat()),
    ]);
    let address = "module.m[\"eu-west-1\"].aws_ssm_document.p";
    // Two groups of this name in one region cannot be.
    assert!(log_group(&code, address).contains("have the same name"), "{}", log_group(&code, address));
    assert_eq!(scopes(&code), ["? eu-west-1", "? us-east-1"]);
}

#[test]
fn accounts_come_from_roles_and_allowed_accounts() {
    let role = |alias: &str, account: &str| {
        format!("provider \"aws\" {{\n  alias = \"{alias}\"\n  region = \"us-east-1\"\n  {account}\n}}\n")
    };
    let text = [
        role("prod", "assume_role { role_arn = \"arn:aws:iam::111111111111:role/tf\" }"),
        role("dev", "allowed_account_ids = [\"222222222222\"]"),
        role(
            "test",
            "dynamic \"assume_role\" {\n    for_each = [\"333333333333\"]\n    content { role_arn = \"arn:aws:iam::${assume_role.value}:role/tf\" }\n  }",
        ),
        role("other", "profile = \"other\""),
    ];
    let mut text = text.concat();
    for alias in ["prod", "dev", "test", "other"] {
        let provider = format!("provider = aws.{alias}");
        text.push_str(&group(alias, &provider));
        text.push_str(&preferences(alias, &provider, "\"/ssm\""));
    }
    text.push_str("data \"aws_caller_identity\" \"dev\" { provider = aws.dev }\n");
    text.push_str("resource \"aws_s3_bucket\" \"b\" {\n  provider = aws.dev\n  bucket = \"logs-${data.aws_caller_identity.dev.account_id}\"\n}\n");
    let code = code(&[("main.tf", &text)]);
    let wanted = ["111111111111 us-east-1", "222222222222 us-east-1", "333333333333 us-east-1", "? us-east-1"];
    assert_eq!(scopes(&code), wanted);
    for (account, alias) in [("111111111111", "prod"), ("222222222222", "dev"), ("333333333333", "test")] {
        let ids: BTreeSet<String> = of(&code, account).log_groups.keys().map(|key| key.id.to_string()).collect();
        assert_eq!(ids, BTreeSet::from([format!("aws_cloudwatch_log_group.{alias}")]));
    }
}

#[test]
fn a_bucket_of_the_log_archive_is_judged_in_its_own_account() {
    let text = "provider \"aws\" {\n  region = \"us-east-1\"\n  allowed_account_ids = [\"111111111111\"]\n}\nprovider \"aws\" {\n  alias = \"archive\"\n  region = \"us-east-1\"\n  assume_role { role_arn = \"arn:aws:iam::222222222222:role/tf\" }\n}\nresource \"aws_s3_bucket\" \"logs\" {\n  provider = aws.archive\n  bucket = \"logs\"\n}\nresource \"aws_ssm_document\" \"p\" {\n  name = \"SSM-SessionManagerRunShell\"\n  content = jsonencode({ schemaVersion = \"1.0\", inputs = { s3BucketName = aws_s3_bucket.logs.id } })\n}\n";
    let code = code(&[("main.tf", text)]);
    let here = of(&code, "111111111111").buckets.values().next().expect("the bucket");
    assert_eq!((here.in_scope, &here.attributes.foreign), (false, &Fact::Known(true)));
    let there = of(&code, "222222222222").buckets.values().next().expect("the bucket");
    assert_eq!((there.in_scope, &there.attributes.foreign), (true, &Fact::Known(false)));
}

#[test]
fn what_the_user_says_counts_where_the_default_provider_leaves_it_open() {
    let text = "variable \"r\" {}\nvariable \"role\" {}\nprovider \"aws\" {\n  region = var.r\n  assume_role { role_arn = var.role }\n}\nresource \"aws_instance\" \"a\" {}\n";
    let folder = folder(&[("main.tf", text)]);
    assert_eq!(scopes(&read(folder.path(), &Options::default()).expect("code")), ["? ?"]);
    let options =
        Options { account: "123456789012".parse().ok(), region: "eu-west-1".parse().ok(), ..Options::default() };
    assert_eq!(scopes(&read(folder.path(), &options).expect("code")), ["123456789012 eu-west-1"]);
}

#[test]
fn a_region_from_a_data_source_of_another_provider_does_not_depend_on_itself() {
    let text = "data \"terraform_remote_state\" \"main\" { backend = \"local\" }\nlocals { region = data.terraform_remote_state.main.outputs.region }\nprovider \"aws\" { region = local.region }\nresource \"aws_instance\" \"a\" {}\n";
    let code = code(&[("main.tf", text)]);
    assert_eq!(code.problems, []);
    assert_eq!(scopes(&code), ["? ?"]);
}
