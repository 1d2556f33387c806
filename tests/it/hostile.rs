//! Code by somebody who wants more than to be scanned: secrets of the machine in a report, files overwritten.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::audit::Audit;

const PLACE: &[&str] = &["--account", "123456789012", "--region", "us-east-1"];

/// Every format, to a file each.
const FORMATS: &[&str] = &["txt", "json", "sarif", "md", "html", "csv", "xml", "ndjson", "asff"];

const CANARY: &str = "CANARY-7f3a";

/// The texts of all files below the folder.
fn texts(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            texts(&path, found);
        } else if path.is_file() {
            found.push((path.display().to_string(), String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()));
        }
    }
}

/// Scans `code` and holds that no output has the canary. Gives the exit code, standard output and standard error.
fn nothing_leaks(audit: Audit, more: &[&str]) -> (Option<i32>, String, String) {
    let mut audit = audit.args(PLACE).args(more).args(&["--format", "json", "-v", "-v"]);
    fs::create_dir_all(audit.folder().join("reports")).unwrap();
    for format in FORMATS {
        let report = format!("reports/report.{format}");
        audit = audit.args(&["-o", &report]);
    }
    let outcome = audit.run();
    let mut found = vec![("stdout".to_owned(), outcome.stdout.clone()), ("stderr".to_owned(), outcome.stderr.clone())];
    texts(&audit.folder().join("reports"), &mut found);
    for (name, text) in found {
        assert!(!text.to_lowercase().contains(&CANARY.to_lowercase()), "{name}: {text}");
    }
    (outcome.code, outcome.stdout, outcome.stderr)
}

fn scan() -> Audit {
    Audit::new(&["scan", "code"])
}

#[test]
fn sensitive_values_stand_in_no_format() {
    let code = format!(
        "variable \"secret\" {{\n  sensitive = true\n  default = \"{CANARY}\"\n}}\n\
         variable \"open\" {{\n  sensitive = true\n  default = \"0.0.0.0/0\"\n}}\n\
         data \"aws_iam_policy_document\" \"d\" {{\n  statement {{\n    sid = \"x\"\n    actions = [\"s3:*\"]\n    resources = [\"arn:aws:s3:::${{var.secret}}/*\"]\n  }}\n}}\n\
         resource \"aws_security_group\" \"g\" {{\n  name = \"g-${{var.secret}}\"\n  ingress {{\n    from_port = 22\n    to_port = 22\n    protocol = \"tcp\"\n    cidr_blocks = [var.open]\n    description = \"for ${{var.secret}}\"\n  }}\n}}\n\
         resource \"aws_iam_role\" \"r\" {{\n  name = \"r-${{var.secret}}\"\n  assume_role_policy = jsonencode({{ Version = \"2012-10-17\", Statement = [{{ Effect = \"Allow\", Action = \"sts:AssumeRole\", Principal = {{ Service = \"ec2.amazonaws.com\" }} }}] }})\n}}\n\
         resource \"aws_iam_role_policy\" \"p\" {{\n  role = aws_iam_role.r.id\n  name = \"p-${{var.secret}}\"\n  policy = data.aws_iam_policy_document.d.json\n}}\n\
         resource \"aws_iam_instance_profile\" \"p\" {{ role = aws_iam_role.r.name }}\n\
         resource \"aws_s3_bucket\" \"b\" {{ bucket = lower(\"logs-${{var.secret}}\") }}\n\
         resource \"aws_ssm_document\" \"s\" {{\n  name = \"SSM-SessionManagerRunShell\"\n  document_type = \"Session\"\n  content = jsonencode({{ schemaVersion = \"1.0\", sessionType = \"Standard_Stream\", inputs = {{ s3BucketName = var.secret, s3KeyPrefix = \"a/${{var.secret}}\", cloudWatchLogGroupName = \"/x/${{var.secret}}\" }} }})\n}}\n\
         resource \"aws_instance\" \"i\" {{\n  monitoring = var.secret == \"x\"\n  iam_instance_profile = aws_iam_instance_profile.p.name\n  vpc_security_group_ids = [aws_security_group.g.id]\n  tags = {{ Name = \"web-${{var.secret}}\", Team = var.secret }}\n}}\n"
    );
    let (_, shown, _) = nothing_leaks(scan().file("code/main.tf", &code), &["--policy", "hardened"]);
    assert!(shown.contains("(sensitive value)"), "{shown}");
    let report: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let verdict =
        |rule: &str| findings.iter().find(|finding| finding["rule"] == rule).map(|finding| finding["verdict"].clone());
    // Rules evaluate what is not shown.
    assert_eq!(verdict("ec2-detailed-monitoring").unwrap(), "fail");
}

#[test]
fn sensitive_values_of_a_plan_are_evaluated_and_not_shown() {
    let plan = serde_json::json!({
        "format_version": "1.2", "terraform_version": "1.9.0",
        "variables": {"secret": {"value": CANARY}},
        "planned_values": {"root_module": {"resources": [{
            "address": "aws_instance.i", "mode": "managed", "type": "aws_instance", "name": "i",
            "values": {"monitoring": false, "tags": {"Name": CANARY, "Team": "web"}},
            "sensitive_values": {"tags": {"Name": true}, "monitoring": true}
        }, {
            "address": "aws_instance.j", "mode": "managed", "type": "aws_instance", "name": "j",
            "values": {"monitoring": false, "tags": {"Name": CANARY}}, "sensitive_values": {}
        }]}},
        "resource_changes": [{"address": "aws_instance.j", "change": {"after_unknown": {}, "after_sensitive": {"tags": true}}}],
        "configuration": {"root_module": {"variables": {"secret": {"sensitive": true}}}}
    });
    let audit = Audit::new(&["scan", "plan.json"]).file("plan.json", &plan.to_string());
    let (_, shown, _) = nothing_leaks(audit, &["--rule", "ec2-detailed-monitoring"]);
    assert!(shown.contains("\"fail\"") && shown.contains("(sensitive value)"), "{shown}");
}

#[test]
fn links_in_the_code_lead_to_no_file_of_the_machine() {
    let audit = scan()
        .file("home/secret", &format!("{CANARY} = \"{CANARY}\"\n  broken \"{CANARY}"))
        .file("home/secret.json", &format!("{{\"auths\": \"{CANARY}\"}}"))
        .file("code/.git/HEAD", "ref: refs/heads/main\n")
        .file(
            "code/main.tf",
            "variable \"auths\" { default = \"\" }\nresource \"aws_instance\" \"i\" {\n  tags = { Name = var.auths, A = file(\"link\"), B = file(\"../home/secret\") }\n}\n",
        );
    for (link, target) in [
        ("terraform.tfvars.json", "../home/secret.json"),
        ("a.auto.tfvars", "../home/secret"),
        ("b.tf", "../home/secret"),
        ("c.tf.json", "../home/secret.json"),
        ("link", "../home/secret"),
        ("ssm-audit.yaml", "../home/secret"),
        ("rules.yaml", "../home/secret"),
    ] {
        symlink(target, audit.folder().join("code").join(link)).unwrap();
    }
    let (code, _, stderr) = nothing_leaks(audit, &[]);
    assert_ne!(code, Some(0));
    assert!(stderr.contains("outside"), "{stderr}");
}

#[test]
fn configuration_rules_and_baselines_in_a_checkout_lead_to_no_file_of_the_machine() {
    let secret = format!("password: {CANARY}\n");
    let prepare = |arguments: &[&str]| {
        let mut audit = Audit::new(arguments)
            .file("home/secret.yaml", &secret)
            .file("work/.git/HEAD", "ref: refs/heads/main\n")
            .file("work/code/main.tf", "resource \"aws_instance\" \"i\" {}\n");
        let work = audit.folder().join("work");
        fs::create_dir(work.join("rules")).unwrap();
        for (link, target) in [
            ("ssm-audit.yaml", "../home/secret.yaml"),
            ("rules/a.yaml", "../../home/secret.yaml"),
            ("away", "../home"),
            ("values.tfvars", "../home/secret.yaml"),
        ] {
            symlink(target, work.join(link)).unwrap();
        }
        audit.command().current_dir(&work);
        audit
    };
    let flags: [&[&str]; 7] = [
        &["scan", "code"],
        &["scan", "code", "--config", "ssm-audit.yaml"],
        &["scan", "code", "--config", "../work/away/secret.yaml"],
        &["scan", "code", "--rules", "rules"],
        &["scan", "code", "--rules", "away"],
        &["scan", "code", "--baseline", "baseline.json"],
        &["scan", "code", "--var-file", "values.tfvars"],
    ];
    for arguments in flags {
        let mut audit = prepare(arguments);
        // The others are not about the configuration that is found.
        if !arguments.contains(&"--config") && arguments.len() > 2 {
            fs::remove_file(audit.folder().join("work/ssm-audit.yaml")).unwrap();
            symlink("../home/secret.yaml", audit.folder().join("work/baseline.json")).unwrap();
        }
        let outcome = audit.run();
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
        assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains(CANARY), "{arguments:?}: {}", outcome.stderr);
    }
}

#[test]
fn a_configuration_that_is_found_names_no_rules_outside_of_its_repository() {
    let mut audit = Audit::new(&["rules", "list"])
        .file("home/a.yaml", &format!("password: {CANARY}\n"))
        .file("work/.git/HEAD", "ref: refs/heads/main\n")
        .file("work/ssm-audit.yaml", "rules: [../home]\n");
    let work = audit.folder().join("work");
    audit.command().current_dir(&work);
    let outcome = audit.run();
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("outside") && !outcome.stderr.contains(CANARY), "{}", outcome.stderr);
}

#[test]
fn another_folder_is_read_when_the_user_names_it() {
    let run = |flags: &[&str]| {
        scan()
            .file("code/.git/HEAD", "ref: refs/heads/main\n")
            .file("code/main.tf", "module \"m\" { source = \"../shared\" }\n")
            .file("shared/main.tf", "resource \"aws_instance\" \"i\" {}\n")
            .args(PLACE)
            .args(flags)
            .args(&["--rule", "ec2-detailed-monitoring", "--format", "json"])
            .run()
    };
    let without = run(&[]);
    assert_eq!(without.code, Some(3), "{}", without.stderr);
    assert!(without.stderr.contains("--root DIR allows more"), "{}", without.stderr);
    assert_eq!(run(&["--root", "."]).code, Some(1));
    assert_eq!(run(&["--root", "shared"]).code, Some(2));
}

#[test]
fn a_fix_writes_through_no_link_and_the_rest_is_fixed() {
    use std::os::unix::fs::PermissionsExt as _;
    let resource = |name: &str| format!("resource \"aws_instance\" \"{name}\" {{\n  monitoring = false\n}}\n");
    let mut audit = Audit::new(&["fix", "code", "--rule", "ec2-detailed-monitoring", "--yes"])
        .file("code/.git/HEAD", "ref: refs/heads/main\n")
        .file("code/main.tf", &resource("plain"))
        .file("code/shared/inner.tf", &resource("linked"))
        .args(PLACE);
    let code = audit.folder().join("code");
    symlink("shared/inner.tf", code.join("linked.tf")).unwrap();
    fs::set_permissions(code.join("main.tf"), fs::Permissions::from_mode(0o640)).unwrap();
    let outcome = audit.run();
    assert_eq!(outcome.code, Some(1), "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stdout.contains("symbolic link"), "{}", outcome.stdout);
    assert_eq!(fs::read_to_string(code.join("shared/inner.tf")).unwrap(), resource("linked"));
    assert!(fs::read_to_string(code.join("main.tf")).unwrap().contains("monitoring = true"));
    assert_eq!(fs::metadata(code.join("main.tf")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(code.join("linked.tf").is_symlink());
}

#[test]
fn a_fix_shows_and_writes_no_sensitive_value() {
    let code = format!(
        "variable \"secret\" {{\n  sensitive = true\n  default = \"{CANARY}\"\n}}\n\n\n\n\n\nresource \"aws_instance\" \"i\" {{\n  monitoring = false\n  tags       = {{ Name = var.secret }}\n}}\n"
    );
    let mut audit = Audit::new(&["fix", "code", "--rule", "ec2-detailed-monitoring", "--yes"])
        .file("code/main.tf", &code)
        .args(PLACE);
    let outcome = audit.run();
    assert!(
        !outcome.stdout.contains(CANARY) && !outcome.stderr.contains(CANARY),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );
    let written = fs::read_to_string(audit.folder().join("code/main.tf")).unwrap();
    assert!(written.contains("monitoring = true") && written.contains("Name = var.secret"), "{written}");
    assert!(!written.contains("sensitive value"), "{written}");
}
