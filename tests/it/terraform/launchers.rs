//! Launchers whose instances the code does not show.

use super::mapped::expect;

const TEMPLATE: &str = r#"resource "aws_launch_template" "t" {
  image_id = "ami-1"
  metadata_options {
    http_tokens = "required"
  }
UPDATE}
"#;

/// Code of each launcher that launches this version of this template.
fn launchers(id: &str, version: &str) -> Vec<(&'static str, String)> {
    let named = |name: &str| format!("launch_template {{\n{name} = {id}\n{version}\n}}\n");
    let specified = |name: &str| {
        format!("launch_template_config {{\nlaunch_template_specification {{\n{name} = {id}\n{version}\n}}\n}}\n")
    };
    let environment =
        format!("compute_resources {{\ntype = \"SPOT\"\ninstance_role = \"x\"\n{}}}\n", named("launch_template_id"));
    let resource = |kind: &str, content: &str| format!("resource \"{kind}\" \"l\" {{\n{content}}}\n");
    [
        ("aws_autoscaling_group", named("id")),
        ("aws_ec2_fleet", specified("launch_template_id")),
        ("aws_spot_fleet_request", specified("id")),
        ("aws_eks_node_group", format!("node_role_arn = \"x\"\n{}", named("id"))),
        ("aws_batch_compute_environment", environment),
    ]
    .map(|(kind, content)| (kind, resource(kind, &content)))
    .into()
}

#[test]
fn what_a_launcher_launches_is_known_where_the_code_shows_the_template_and_its_version() {
    let declared = "aws_launch_template.t.id";
    let of_latest = "aws_launch_template.t.latest_version";
    for (id, version, update, verdict) in [
        (declared, "version = \"$Latest\"", "", "none"),
        (declared, &format!("version = {of_latest}"), "", "none"),
        (declared, "version = \"1\"", "", "unknown"),
        (declared, "version = \"$Default\"", "", "unknown"),
        (declared, "", "", "unknown"),
        (declared, "", "  update_default_version = true\n", "none"),
        ("\"lt-0123456789abcdef0\"", "version = \"$Latest\"", "", "unknown"),
    ] {
        for (kind, code) in launchers(id, version) {
            let code = format!("{}{code}", TEMPLATE.replace("UPDATE", update));
            let id = format!("{kind}.l");
            expect(&code, &[("ec2-imdsv2-required", &id, verdict), ("ec2-imdsv2-required", "template.t", "pass")]);
        }
    }
    // Each template that a fleet launches from is one.
    let (first, second) = (launchers(declared, "version = \"$Latest\""), launchers("\"lt-1\"", ""));
    let blocks = second[1].1.trim_start_matches("resource \"aws_ec2_fleet\" \"l\" {\n");
    let code = format!("{}{}", first[1].1.trim_end_matches("}\n").to_owned() + "}\n}\n", blocks);
    expect(&format!("{}{code}", TEMPLATE.replace("UPDATE", "")), &[("ec2-imdsv2-required", "fleet.l", "unknown")]);
}

#[test]
fn services_that_make_their_own_template_name_the_role_in_code() {
    let role = r#"resource "aws_iam_role" "r" {
  name               = "r"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = "*" } }] })
}
resource "aws_iam_instance_profile" "r" {
  role = aws_iam_role.r.name
}
"#;
    let nodes = "resource \"aws_eks_node_group\" \"l\" {\n  node_role_arn = aws_iam_role.r.arn\n}\n";
    let environment = |kind: &str| {
        format!(
            "resource \"aws_batch_compute_environment\" \"l\" {{\n  compute_resources {{\n    type = \"{kind}\"\n    \
             instance_role = aws_iam_instance_profile.r.arn\n  }}\n}}\n"
        )
    };
    for code in [nodes.to_owned(), environment("EC2")] {
        expect(
            &format!("{role}{code}"),
            &[
                ("ec2-imdsv2-required", "l", "unknown"),
                ("ec2-root-volume-encrypted", "l", "unknown"),
                ("ec2-instance-profile-attached", "l", "pass"),
                ("iam-role-trusts-ec2-only", "role.r", "fail"),
            ],
        );
    }
    // Containers of Fargate, and what others launch, are no instances of it.
    let unmanaged = "resource \"aws_batch_compute_environment\" \"l\" {\n  type = \"UNMANAGED\"\n}\n";
    for code in [environment("FARGATE"), environment("FARGATE_SPOT"), unmanaged.to_owned()] {
        expect(&code, &[("ec2-imdsv2-required", "l", "none")]);
    }
}
