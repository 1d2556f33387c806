//! Verdicts on small pieces of code, each about one thing that a resource is read as.

use super::{PLACE, findings, scan};
use crate::audit::Audit;

/// The verdicts of a rule on the resources whose id ends so.
pub(super) fn verdicts(code: &str, flags: &[&str], rule: &str, id: &str) -> Vec<String> {
    let outcome = scan(code, &[PLACE, flags].concat());
    let findings = findings(&outcome);
    let text = |finding: &serde_json::Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<String> = findings
        .iter()
        .filter(|finding| text(finding, "rule") == rule && text(&finding["resource"], "id").ends_with(id))
        .map(|finding| text(finding, "verdict"))
        .collect();
    found.sort();
    found
}

/// Holds that each of these rules has the verdict on the one resource whose id ends so.
pub(super) fn expect(code: &str, expected: &[(&str, &str, &str)]) {
    for (rule, id, verdict) in expected {
        let found = verdicts(code, &[], rule, id);
        let wanted: Vec<String> = if *verdict == "none" { Vec::new() } else { vec![(*verdict).to_owned()] };
        assert_eq!(found, wanted, "{rule} on {id} of {code}");
    }
}

pub(super) const INSTANCE: &str =
    "resource \"aws_instance\" \"node\" {\n  ami = \"ami-1\"\n  instance_type = \"t3.micro\"\n";

#[test]
fn metadata_options_that_are_left_out_are_left_to_the_image_and_the_account() {
    let bare = format!("{INSTANCE}}}\n");
    let options = [
        ("ec2-imds-endpoint-enabled", "node", "unknown"),
        ("ec2-imds-hop-limit", "node", "unknown"),
        ("ec2-imds-tags-disabled", "node", "unknown"),
    ];
    expect(&bare, &[("ec2-imdsv2-required", "node", "fail")]);
    expect(&bare, &options);
    let outcome = scan(&bare, PLACE);
    assert!(outcome.stdout.contains("set it explicitly"), "{}", outcome.stdout);
    // The defaults of the account, for its region.
    let defaults = "resource \"aws_ec2_instance_metadata_defaults\" \"here\" {\n  http_tokens = \"required\"\n  \
                    http_put_response_hop_limit = 2\n  http_endpoint = \"enabled\"\n  instance_metadata_tags = \
                    \"no-preference\"\n";
    expect(
        &format!("{bare}{defaults}}}\n"),
        &[
            ("ec2-imdsv2-required", "node", "pass"),
            ("ec2-imds-endpoint-enabled", "node", "pass"),
            ("ec2-imds-hop-limit", "node", "fail"),
            ("ec2-imds-tags-disabled", "node", "unknown"),
        ],
    );
    let elsewhere = "provider \"aws\" {\n  alias = \"west\"\n  region = \"us-west-2\"\n}\n";
    let of_west = format!("{bare}{elsewhere}{defaults}  provider = aws.west\n}}\n");
    expect(&of_west, &[("ec2-imdsv2-required", "node", "fail")]);
    expect(&of_west, &options);
}

const TEMPLATE: &str = r#"resource "aws_launch_template" "node" {
  image_id = "ami-1"
  metadata_options {
    http_tokens = "required"
  }
"#;

#[test]
fn a_template_does_not_fail_for_what_launches_from_it_supplies() {
    let alone = format!("{TEMPLATE}}}\n");
    expect(
        &alone,
        &[
            ("ec2-imdsv2-required", "template.node", "pass"),
            ("ec2-instance-profile-attached", "template.node", "unknown"),
            ("ec2-no-default-security-group", "template.node", "unknown"),
            ("ec2-detailed-monitoring", "template.node", "unknown"),
            ("ec2-required-tags", "template.node", "unknown"),
        ],
    );
    // An Auto Scaling group supplies nothing.
    let group = "resource \"aws_autoscaling_group\" \"nodes\" {\n  launch_template {\n    id = \
                 aws_launch_template.node.id\n    version = \"$Latest\"\n  }\n}\n";
    expect(
        &format!("{alone}{group}"),
        &[
            ("ec2-instance-profile-attached", "template.node", "fail"),
            ("ec2-detailed-monitoring", "template.node", "fail"),
            ("ec2-required-tags", "template.node", "fail"),
        ],
    );
    // A node group supplies a profile with its role, and a security group.
    let nodes = r#"resource "aws_eks_node_group" "nodes" {
  node_role_arn = aws_iam_role.node.arn
  launch_template {
    id      = aws_launch_template.node.id
    version = aws_launch_template.node.latest_version
  }
}
resource "aws_iam_role" "node" {
  name               = "node"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = "*" } }] })
}
"#;
    expect(
        &format!("{alone}{nodes}"),
        &[
            ("ec2-instance-profile-attached", "template.node", "pass"),
            ("ec2-no-default-security-group", "template.node", "unknown"),
            ("ec2-detailed-monitoring", "template.node", "fail"),
            ("iam-role-trusts-ec2-only", "role.node", "fail"),
        ],
    );
}

#[test]
fn only_a_version_that_the_code_shows_is_judged() {
    let instance = |version: &str| {
        format!(
            "resource \"aws_instance\" \"node\" {{\n  launch_template {{\n    id = aws_launch_template.node.id\n    \
             {version}\n  }}\n}}\n"
        )
    };
    for (version, more, verdict) in [
        ("version = \"$Latest\"", "", "pass"),
        ("version = aws_launch_template.node.latest_version", "", "pass"),
        ("", "", "unknown"),
        ("version = \"$Default\"", "", "unknown"),
        ("version = 3", "", "unknown"),
        ("", "  update_default_version = true\n", "pass"),
        ("version = aws_launch_template.node.default_version", "  update_default_version = true\n", "pass"),
        ("version = aws_launch_template.node.default_version", "", "unknown"),
    ] {
        let code = format!("{TEMPLATE}{more}}}\n{}", instance(version));
        expect(&code, &[("ec2-imdsv2-required", "aws_instance.node", verdict)]);
        // It is judged with the instance.
        expect(&code, &[("ec2-imdsv2-required", "template.node", "none")]);
    }
    let pinned = "resource \"aws_autoscaling_group\" \"nodes\" {\n  launch_template {\n    id = \
                  aws_launch_template.node.id\n    version = 1\n  }\n}\n";
    expect(&format!("{TEMPLATE}}}\n{pinned}"), &[("ec2-imdsv2-required", "group.nodes", "unknown")]);
}

#[test]
fn default_host_management_that_is_set_up_elsewhere_is_a_parameter() {
    let code = format!("{INSTANCE}}}\n");
    let rule = "ec2-instance-profile-attached";
    assert_eq!(verdicts(&code, &[], rule, "node"), ["fail"]);
    let flags = ["--param", "ec2-instance-profile-attached.default_host_management=true"];
    assert_eq!(verdicts(&code, &flags, rule, "node"), ["pass"]);
}

const ROLE: &str = r#"resource "aws_iam_role" "node" {
  name               = "node"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "SERVICE" } }] })
}
"#;

#[test]
fn roles_of_activations_and_of_profiles_without_instances_are_judged() {
    let profile = "resource \"aws_iam_instance_profile\" \"node\" {\n  role = aws_iam_role.node.name\n}\n";
    let activation = "resource \"aws_ssm_activation\" \"node\" {\n  iam_role = aws_iam_role.node.id\n}\n";
    let trust = "iam-role-trusts-ec2-only";
    for (user, service, verdict) in [
        (profile, "ec2.amazonaws.com", "pass"),
        (profile, "ssm.amazonaws.com", "fail"),
        (activation, "ssm.amazonaws.com", "pass"),
        (activation, "ec2.amazonaws.com", "fail"),
    ] {
        let code = format!("{}{user}", ROLE.replace("SERVICE", service));
        expect(&code, &[(trust, "role.node", verdict), ("iam-role-ssm-core", "role.node", "fail")]);
    }
    expect(&ROLE.replace("SERVICE", "ec2.amazonaws.com"), &[(trust, "role.node", "none")]);
}

#[test]
fn an_aws_managed_policy_of_the_list_is_decided_and_its_date_is_named() {
    let attached = |name: &str| {
        format!(
            "resource \"aws_iam_role_policy_attachment\" \"p\" {{\n  role = aws_iam_role.node.name\n  policy_arn = \
             \"arn:aws:iam::aws:policy/{name}\"\n}}\nresource \"aws_iam_instance_profile\" \"node\" {{\n  role = \
             aws_iam_role.node.name\n}}\n{}",
            ROLE.replace("SERVICE", "ec2.amazonaws.com")
        )
    };
    expect(&attached("AdministratorAccess"), &[("iam-role-ssm-core", "role.node", "pass")]);
    expect(&attached("ReadOnlyAccess"), &[("iam-role-ssm-core", "role.node", "fail")]);
    expect(&attached("AmazonBraketFullAccess"), &[("iam-role-ssm-core", "role.node", "unknown")]);
    let outcome = scan(&attached("ReadOnlyAccess"), PLACE);
    assert!(outcome.stdout.contains("ReadOnlyAccess (as of 2026-"), "{}", outcome.stdout);
}

#[test]
fn a_replica_rotates_as_its_primary_does() {
    let replica = |primary: &str, arn: &str| {
        format!(
            "provider \"aws\" {{\n  region = \"us-west-2\"\n}}\nprovider \"aws\" {{\n  alias = \"main\"\n  region = \
             \"us-east-1\"\n}}\n{primary}resource \"aws_kms_replica_key\" \"here\" {{\n  primary_key_arn = {arn}\n}}\n\
             resource \"aws_cloudwatch_log_group\" \"g\" {{\n  name = \"g\"\n  kms_key_id = \
             aws_kms_replica_key.here.arn\n}}\nresource \"aws_ssm_document\" \"p\" {{\n  name = \
             \"SSM-SessionManagerRunShell\"\n  document_type = \"Session\"\n  content = jsonencode({{ schemaVersion = \
             \"1.0\", sessionType = \"Standard_Stream\", inputs = {{ cloudWatchLogGroupName = \"g\" }} }})\n}}\n"
        )
    };
    let primary = |more: &str| {
        format!("resource \"aws_kms_key\" \"main\" {{\n  provider = aws.main\n  multi_region = true\n  {more}\n}}\n")
    };
    for (primary, arn, verdict) in [
        (primary("enable_key_rotation = true"), "aws_kms_key.main.arn", "pass"),
        (primary(""), "aws_kms_key.main.arn", "fail"),
        (primary("customer_master_key_spec = \"RSA_2048\""), "aws_kms_key.main.arn", "none"),
        (String::new(), "\"arn:aws:kms:us-east-1:123456789012:key/mrk-1\"", "unknown"),
    ] {
        expect(&replica(&primary, arn), &[("kms-rotation-enabled", "key.here", verdict)]);
    }
}

#[test]
fn the_default_group_is_known_through_its_vpc() {
    let vpc = "resource \"aws_vpc\" \"v\" {\n  cidr_block = \"10.0.0.0/16\"\n}\n";
    let code = format!("{vpc}{INSTANCE}  vpc_security_group_ids = [aws_vpc.v.default_security_group_id]\n}}\n");
    let expected = [("ec2-no-default-security-group", "node", "fail"), ("ec2-https-egress-allowed", "node", "pass")];
    expect(&code, &expected);
    // The code empties it.
    let emptied = "resource \"aws_default_security_group\" \"d\" {\n  vpc_id = aws_vpc.v.id\n}\n";
    expect(&format!("{code}{emptied}"), &[("ec2-no-default-security-group", "node", "fail")]);
    expect(&format!("{code}{emptied}"), &[("ec2-https-egress-allowed", "node", "fail")]);
    // The code adds to it.
    let more = "resource \"aws_security_group_rule\" \"m\" {\n  type = \"ingress\"\n  security_group_id = \
                aws_vpc.v.default_security_group_id\n  protocol = \"tcp\"\n  from_port = 22\n  to_port = 22\n  \
                cidr_blocks = [\"10.0.0.0/8\"]\n}\n";
    expect(&format!("{code}{more}"), &[("ec2-https-egress-allowed", "node", "unknown")]);
}

#[test]
fn a_group_that_a_data_source_looks_up_by_another_name_is_not_the_default_one() {
    let code = |source: &str| {
        format!(
            "data \"aws_security_group\" \"shared\" {{\n{source}}}\n\nresource \"aws_instance\" \"node\" {{\n  ami                    = \"ami-1\"\n  vpc_security_group_ids = [data.aws_security_group.shared.id]\n}}\n"
        )
    };
    let rule = "ec2-no-default-security-group";
    let filter =
        |name: &str, value: &str| format!("  filter {{\n    name   = \"{name}\"\n    values = [\"{value}\"]\n  }}\n");
    for (source, verdict) in [
        ("  name = \"platform-https\"\n".to_owned(), "pass"),
        ("  name = \"default\"\n".to_owned(), "fail"),
        (filter("group-name", "platform-https"), "pass"),
        (filter("group-name", "default"), "fail"),
        // A pattern may match the default group.
        (filter("group-name", "de*"), "unknown"),
        (filter("tag:Name", "platform-https"), "unknown"),
        ("  id = \"sg-0123456789abcdef0\"\n".to_owned(), "unknown"),
        ("  name = var.missing\n".to_owned(), "unknown"),
    ] {
        expect(&code(&source), &[(rule, "aws_instance.node", verdict)]);
    }
    // Of what it lets out, nothing is known.
    expect(&code("  name = \"platform-https\"\n"), &[("ec2-https-egress-allowed", "aws_instance.node", "unknown")]);
}

#[test]
fn egress_is_decided_where_endpoints_are_not_known() {
    let egress = |rule: &str| {
        format!(
            "resource \"aws_vpc\" \"v\" {{\n  cidr_block = \"10.0.0.0/16\"\n}}\nresource \"aws_security_group\" \"g\" \
             {{\n  name = \"g\"\n  vpc_id = VPC\n{rule}\n}}\n{INSTANCE}  vpc_security_group_ids = \
             [aws_security_group.g.id]\n}}\n"
        )
    };
    let rule = |peer: &str| {
        format!("  egress {{\n    from_port = 443\n    to_port = 443\n    protocol = \"tcp\"\n    {peer}\n  }}")
    };
    let elsewhere = |code: String| code.replace("VPC", "\"vpc-1\"");
    let database = rule("cidr_blocks = [\"0.0.0.0/0\"]").replace("443", "5432");
    for (code, verdict) in [(egress(""), "fail"), (egress(&database), "fail")] {
        expect(&elsewhere(code), &[("ec2-https-egress-allowed", "node", verdict)]);
    }
    let endpoints = "resource \"aws_vpc_endpoint\" \"e\" {\n  for_each = toset([\"ssm\", \"ssmmessages\"])\n  vpc_id = \
                     aws_vpc.v.id\n  vpc_endpoint_type = \"Interface\"\n  private_dns_enabled = true\n  service_name = \
                     \"com.amazonaws.us-east-1.${each.key}\"\n  security_group_ids = [aws_security_group.g.id]\n}\n";
    for (peer, verdict) in [
        ("cidr_blocks = [aws_vpc.v.cidr_block]", "pass"),
        ("cidr_blocks = [\"10.0.0.0/8\"]", "pass"),
        ("cidr_blocks = [\"10.0.1.0/24\"]", "unknown"),
        ("cidr_blocks = [\"192.168.0.0/16\"]", "fail"),
        // The endpoints have the same group.
        ("self = true", "pass"),
    ] {
        let code = egress(&rule(peer)).replace("VPC", "aws_vpc.v.id");
        expect(&format!("{code}{endpoints}"), &[("ec2-https-egress-allowed", "node", verdict)]);
    }
}

#[test]
fn a_tag_that_is_certain_to_be_absent_fails_whatever_is_not_known() {
    let variable = "variable \"name\" {\n  type = string\n}\n";
    let tags = |tags: &str| format!("{variable}{INSTANCE}  tags = {tags}\n}}\n");
    for (written, verdict) in [
        ("{ Name = var.name }", "fail"),
        ("{ Name = var.name, AppID = \"a\", DataType = \"b\" }", "pass"),
        // It may be null, and then there is no such tag.
        ("{ AppID = var.name, DataType = \"b\" }", "unknown"),
        ("merge({ AppID = \"a\" }, { AppID = var.name, DataType = \"b\" })", "unknown"),
    ] {
        expect(&tags(written), &[("ec2-required-tags", "node", verdict)]);
    }
}

#[test]
fn preferences_that_the_code_does_not_declare_are_not_passed_over() {
    let nodes = format!("{INSTANCE}}}\n");
    let document = |name: &str, kind: &str| {
        format!(
            "variable \"name\" {{\n  type = string\n}}\nresource \"aws_ssm_document\" \"d\" {{\n  name = {name}\n  \
             document_type = \"{kind}\"\n  content = jsonencode({{ schemaVersion = \"1.0\", sessionType = \
             \"Standard_Stream\", inputs = {{}} }})\n}}\n"
        )
    };
    let exist = |code: &str| verdicts(code, &[], "ssm-preferences-exist", "");
    assert_eq!(exist(&nodes), ["unknown"]);
    let outcome = scan(&nodes, PLACE);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("does not declare the document SSM-SessionManagerRunShell"), "{}", outcome.stdout);
    // No value of the variable makes it the preferences.
    let other = document("\"${var.name}-sessions\"", "Session");
    assert_eq!(exist(&other), [""; 0]);
    let outcome = scan(&other, PLACE);
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("only sessions that name it use its settings"), "{}", outcome.stderr);
    assert_eq!(exist(&format!("{nodes}{other}")), ["unknown"]);
    // Some value does.
    assert_eq!(exist(&document("\"${var.name}RunShell\"", "Session")), ["unknown"]);
    let wrong_type = document("\"SSM-SessionManagerRunShell\"", "Command");
    assert_eq!(verdicts(&wrong_type, &[], "ssm-preferences-valid", ""), ["fail"]);
}

pub(super) const GROUP: &str = "resource \"aws_security_group\" \"web\" {\n  vpc_id = \"vpc-1\"\n";

/// A rule that lets SSH in, of a group's own or as a resource.
fn ssh(indent: &str, of: &str) -> String {
    format!("{indent}description = \"SSH\"\n{indent}{of} = \"tcp\"\n{indent}from_port = 22\n{indent}to_port = 22\n")
}

#[test]
fn a_dynamic_block_is_one_of_its_own_kind_also_in_an_override() {
    let dynamic = |kind: &str, content: &str| {
        format!("  dynamic \"{kind}\" {{\n    for_each = [1]\n    content {{\n{content}    }}\n  }}\n")
    };
    let open = format!("{}      cidr_blocks = [\"0.0.0.0/0\"]\n", ssh("      ", "protocol"));
    let group = format!("{GROUP}{}}}\n", dynamic("ingress", &open));
    let options = dynamic("metadata_options", "      http_tokens = \"required\"\n");
    let code = format!("{group}{INSTANCE}  vpc_security_group_ids = [aws_security_group.web.id]\n{options}}}\n");
    expect(&code, &[("sg-no-ingress", "web", "fail"), ("ec2-imdsv2-required", "node", "pass")]);
    let egress = dynamic("egress", &open.replace("22", "443"));
    let change = format!(
        "resource \"aws_security_group\" \"web\" {{\n{egress}}}\nresource \"aws_instance\" \"node\" {{\n  \
         metadata_options {{\n    http_endpoint = \"enabled\"\n  }}\n}}\n"
    );
    let scan = Audit::new(&["scan", "code", "--format", "json"]).args(PLACE);
    let outcome = scan.file("code/main.tf", &code).file("code/main_override.tf", &change).run();
    let verdict = |rule: &str| {
        let all = findings(&outcome);
        let found = all.iter().find(|finding| finding["rule"] == rule).expect("a finding");
        found["verdict"].as_str().expect("a verdict").to_owned()
    };
    assert_eq!([verdict("sg-no-ingress"), verdict("ec2-imdsv2-required")], ["fail", "fail"]);
}

#[test]
fn what_terraform_takes_away_again_is_not_known_to_be_there() {
    let role = "resource \"aws_iam_role\" \"r\" {\n  assume_role_policy = jsonencode({ Version = \"2012-10-17\", Statement = \
                [{ Effect = \"Allow\", Action = \"sts:AssumeRole\", Principal = { Service = \"ec2.amazonaws.com\" } }] \
                })\n}\nresource \"aws_iam_instance_profile\" \"p\" {\n  role = aws_iam_role.r.name\n}\n";
    let core = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore";
    let attachment = format!(
        "resource \"aws_iam_role_policy_attachment\" \"a\" {{\n  role = aws_iam_role.r.name\n  policy_arn = \
         \"{core}\"\n}}\n"
    );
    let attached = format!("{role}{attachment}");
    let exclusive = |arns: &str| {
        format!(
            "resource \"aws_iam_role_policy_attachments_exclusive\" \"x\" {{\n  role_name = aws_iam_role.r.name\n  \
             policy_arns = [{arns}]\n}}\n"
        )
    };
    for (more, verdict) in
        [(String::new(), "pass"), (exclusive(&format!("\"{core}\"")), "pass"), (exclusive(""), "unknown")]
    {
        expect(&format!("{attached}{more}"), &[("iam-role-ssm-core", "r", verdict)]);
    }
    let listed = attached.replace("  assume_role", "  managed_policy_arns = []\n  assume_role");
    expect(&listed, &[("iam-role-ssm-core", "r", "unknown")]);

    let inline = |label: &str, name: &str, resource: &str| {
        format!(
            "resource \"aws_iam_role_policy\" \"{label}\" {{\n  name = \"{name}\"\n  role = aws_iam_role.r.name\n  policy = \
             jsonencode({{ Version = \"2012-10-17\", Statement = [{{ Effect = \"Allow\", Action = \"s3:GetObject\", \
             Resource = \"{resource}\" }}] }})\n}}\n"
        )
    };
    let only = |names: &str| {
        format!(
            "resource \"aws_iam_role_policies_exclusive\" \"x\" {{\n  role_name = aws_iam_role.r.name\n  policy_names = \
             [{names}]\n}}\n"
        )
    };
    let named = inline("one", "one", "arn:aws:s3:::logs/*");
    for (more, verdict) in [
        (String::new(), "pass"),
        (only("\"one\""), "pass"),
        (only("\"one\", \"hidden\""), "unknown"),
        (only(""), "unknown"),
        (inline("two", "two", "arn:aws:s3:::more/*"), "pass"),
        (inline("two", "one", "arn:aws:s3:::more/*"), "unknown"),
    ] {
        expect(&format!("{role}{named}{more}"), &[("iam-role-s3-scoped", "r", verdict)]);
    }

    let rule = "resource \"aws_vpc_security_group_egress_rule\" \"https\" {\n  security_group_id = \
                aws_security_group.web.id\n  ip_protocol = \"tcp\"\n  from_port = 443\n  to_port = 443\n  cidr_ipv4 = \
                \"0.0.0.0/0\"\n}\n";
    let node = format!("{INSTANCE}  vpc_security_group_ids = [aws_security_group.web.id]\n}}\n{rule}");
    expect(&format!("{node}{GROUP}}}\n"), &[("sg-egress-https-only", "web", "pass")]);
    expect(&format!("{node}{GROUP}  egress = []\n}}\n"), &[("sg-egress-https-only", "web", "unknown")]);
}

#[test]
fn the_primary_interface_counts_wherever_it_is_written_and_the_others_are_judged() {
    let group =
        |name: &str, rules: &str| GROUP.replace("web", name) + &format!("  name = \"{name}\"\n") + rules + "}\n";
    let open = format!("  ingress {{\n{}    cidr_blocks = [\"0.0.0.0/0\"]\n  }}\n", ssh("    ", "protocol"));
    let out = open.replace("ingress", "egress").replace("22", "443");
    let groups = group("good", &out) + &group("bad", &open);
    let interface = |name: &str| {
        format!(
            "resource \"aws_network_interface\" \"{name}\" {{\n  subnet_id = \"subnet-1\"\n  security_groups = \
             [aws_security_group.{name}.id]\n}}\n"
        )
    };
    let with = |name: &str, index: usize| {
        format!(
            "  network_interface {{\n    device_index = {index}\n    network_interface_id = \
             aws_network_interface.{name}.id\n  }}\n"
        )
    };
    let interfaces = format!("{groups}{}{}", interface("good"), interface("bad"));
    for (first, verdict) in [("good", "pass"), ("bad", "fail")] {
        let second = if first == "good" { "bad" } else { "good" };
        // The primary one stands last.
        let code = format!("{interfaces}{INSTANCE}{}{}}}\n", with(second, 1), with(first, 0));
        expect(&code, &[("ec2-https-egress-allowed", "node", verdict), ("sg-no-ingress", "bad", "fail")]);
    }
    let attached = "resource \"aws_network_interface_attachment\" \"a\" {\n  instance_id = aws_instance.node.id\n  \
                    network_interface_id = aws_network_interface.bad.id\n  device_index = 1\n}\n";
    let own = format!("{INSTANCE}  vpc_security_group_ids = [aws_security_group.good.id]\n}}\n");
    expect(&format!("{interfaces}{own}"), &[("sg-no-ingress", "bad", "none")]);
    let code = format!("{interfaces}{own}{attached}");
    expect(&code, &[("ec2-https-egress-allowed", "node", "pass"), ("sg-no-ingress", "bad", "fail")]);
    // So is the default group of a further interface, and what is not known of one is not passed over.
    let is_default = |code: &str, verdict: &str| expect(code, &[("ec2-no-default-security-group", "node", verdict)]);
    is_default(&format!("{interfaces}{own}"), "pass");
    is_default(&code, "pass");
    is_default(&code.replace("  security_groups = [aws_security_group.bad.id]\n", ""), "unknown");
    let variable = "variable \"id\" {\n  type = string\n}\n";
    for (known, unknown) in [
        ("network_interface_id = aws_network_interface.bad.id", "network_interface_id = var.id"),
        ("= aws_instance.node.id", "= var.id == \"a\" ? aws_instance.node.id : \"i-1\""),
        ("security_groups = [aws_security_group.bad.id]", "security_groups = [var.id]"),
    ] {
        let code = code.replace(known, unknown) + variable;
        assert!(code.contains(unknown));
        is_default(&code, "unknown");
    }
    let blocks = format!("{}{}", with("good", 0), with("bad", 1));
    let code = format!("{interfaces}{INSTANCE}{blocks}}}\n{variable}");
    is_default(&code, "pass");
    is_default(&code.replacen("aws_network_interface.bad.id", "var.id", 1), "unknown");
    // A group of an interface is none of all instances.
    let more = "resource \"aws_network_interface_sg_attachment\" \"m\" {\n  security_group_id = \
                aws_security_group.bad.id\n  network_interface_id = aws_network_interface.good.id\n}\n";
    expect(&format!("{interfaces}{own}{more}"), &[("ec2-https-egress-allowed", "node", "pass")]);
}

#[test]
fn what_a_launcher_says_itself_is_not_lost() {
    let fleet = "resource \"aws_spot_fleet_request\" \"f\" {\n  iam_fleet_role = \"r\"\n  target_capacity = 1\n  \
                 launch_specification {\n    ami = \"ami-1\"\n    instance_type = \"t3.micro\"\n  }\n}\n";
    expect(fleet, &[("ec2-imdsv2-required", "f", "unknown"), ("ec2-root-volume-encrypted", "f", "unknown")]);
    let tags = "  tags = { AppID = \"x\", DataType = \"y\" }\n}\n";
    expect(&format!("{INSTANCE}{tags}"), &[("ec2-required-tags", "node", "pass")]);
    let spot = INSTANCE.replace("aws_instance", "aws_spot_instance_request");
    expect(&format!("{spot}{tags}"), &[("ec2-required-tags", "node", "fail")]);

    let device = |name: &str, encrypted: bool| {
        format!(
            "  block_device_mappings {{\n    device_name = \"{name}\"\n    ebs {{\n      encrypted = {encrypted}\n    }}\n  }}\n"
        )
    };
    let template =
        |devices: &str| format!("resource \"aws_launch_template\" \"t\" {{\n  image_id = \"ami-1\"\n{devices}}}\n");
    let (one, other) = (device("/dev/xvda", true), device("/dev/sda1", false));
    expect(&template(&one), &[("ec2-root-volume-encrypted", "t", "pass")]);
    expect(&template(&format!("{one}{other}")), &[("ec2-root-volume-encrypted", "t", "unknown")]);

    let group = |launched: &str| {
        format!(
            "{}resource \"aws_autoscaling_group\" \"g\" {{\n  max_size = 1\n  min_size = 0\n  mixed_instances_policy {{\n    \
             launch_template {{\n      launch_template_specification {{\n        launch_template_id = \
             aws_launch_template.t.id\n        version = \"$Latest\"\n      }}\n      override {{\n        \
             launch_template_specification {{\n          launch_template_id = {launched}\n          version = \
             \"$Latest\"\n        }}\n      }}\n    }}\n  }}\n}}\n",
            template(&one)
        )
    };
    expect(&group("aws_launch_template.t.id"), &[("ec2-imdsv2-required", "g", "none")]);
    expect(&group("\"lt-0123456789abcdef0\""), &[("ec2-imdsv2-required", "g", "unknown")]);
}

#[test]
fn the_name_of_a_service_is_that_of_its_partition() {
    let role = |principal: &str| {
        format!(
            "resource \"aws_iam_role\" \"node\" {{\n  name = \"node\"\n  assume_role_policy = jsonencode({{\n    \
             Version = \"2012-10-17\"\n    Statement = [{{ Effect = \"Allow\", Action = \"sts:AssumeRole\", Principal = \
             {{ Service = {principal} }} }}]\n  }})\n}}\nresource \"aws_iam_instance_profile\" \"node\" {{\n  role = \
             aws_iam_role.node.name\n}}\ndata \"aws_service_principal\" \"it\" {{\n  service_name = \"ec2\"\n}}\n"
        )
    };
    let known = role("data.aws_service_principal.it.name");
    expect(&known, &[("iam-role-trusts-ec2-only", "node", "pass")]);
    let lambda = known.replace("\"ec2\"", "\"lambda\"");
    expect(&lambda, &[("iam-role-trusts-ec2-only", "node", "fail")]);
    // The message names the expression of the code, and not that of the rule.
    let outcome = scan(&role("aws_ssm_parameter.service.value"), PLACE);
    let finding = findings(&outcome).into_iter().find(|finding| finding["rule"] == "iam-role-trusts-ec2-only");
    let message = finding.expect("a finding")["message"].clone();
    let message = message.as_str().unwrap_or_default();
    assert!(message.contains("aws_ssm_parameter.service"), "{message}");
    assert!(!message.contains("used_by_systems_manager"), "{message}");
}
