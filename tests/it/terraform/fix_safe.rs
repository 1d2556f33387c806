//! `fix FOLDER` without `--unsafe-fixes`: what others use too, or what is computed, is left.

use super::PLACE;
use super::fix::said;
use crate::audit::Audit;

/// Fixes this rule of these files; gives what is said, and the files afterwards.
fn fix(rule: &str, files: &[(&str, &str)]) -> (String, Vec<String>) {
    let mut audit = Audit::new(&["fix", "code", "--yes", "--rule", rule]).args(PLACE);
    for (name, text) in files {
        audit = audit.file(&format!("code/{name}"), text);
    }
    let outcome = audit.run();
    let read = |(name, _): &(&str, &str)| std::fs::read_to_string(audit.folder().join("code").join(name)).unwrap();
    (said(&outcome), files.iter().map(read).collect())
}

fn document(label: &str, name: &str, content: &str) -> String {
    format!(
        "resource \"aws_ssm_document\" \"{label}\" {{\n  name          = \"{name}\"\n  document_type = \"Session\"\n  \
         content       = {content}\n}}\n"
    )
}

fn preferences(content: &str) -> String {
    document("p", "SSM-SessionManagerRunShell", content)
}

/// The content of a document with this timeout.
fn encoded(timeout: &str) -> String {
    format!(
        "jsonencode({{\n    schemaVersion = \"1.0\"\n    sessionType = \"Standard_Stream\"\n    inputs = {{\n      \
         idleSessionTimeout = {timeout}\n    }}\n  }})"
    )
}

const PLAIN: &str = "{\"schemaVersion\": \"1.0\", \"sessionType\": \"Standard_Stream\", \"inputs\": {\"idleSessionTimeout\": \"60\"}}\n";

#[test]
fn a_file_that_others_read_too_is_left() {
    let reads = "file(\"${path.module}/d.json\")";
    let calls = "templatefile(\"${path.module}/d.json\", {})";
    let object = "resource \"aws_s3_object\" \"o\" {\n  bucket = \"b\"\n  key = \"k\"\n  source = \"./d.json\"\n}\n";
    let listed = "resource \"aws_s3_object\" \"o\" {\n  for_each = fileset(path.module, \"*.json\")\n  bucket = \"b\"\n  key \
                  = each.key\n  source = each.key\n}\n";
    for reads in [reads, calls] {
        let (told, after) = fix("ssm-idle-timeout", &[("main.tf", &preferences(reads)), ("d.json", PLAIN)]);
        assert_eq!(after[1], PLAIN.replace("60", "20"), "{told}");
        for (other, why) in [
            (document("q", "other", reads), "d.json is named in 2 places"),
            (object.to_owned(), "d.json is named in 2 places"),
            (listed.to_owned(), "what fileset lists"),
        ] {
            let code = format!("{}{other}", preferences(reads));
            let (told, after) = fix("ssm-idle-timeout", &[("main.tf", &code), ("d.json", PLAIN)]);
            assert_eq!(after, [code.as_str(), PLAIN], "{told}");
            assert!(told.contains(why), "{told}");
        }
    }
}

#[test]
fn a_computed_text_is_left_and_one_that_is_a_variable_is_fixed_there() {
    let variable = |default: &str| format!("variable \"v\" {{\n  default = {default}\n}}\n");
    let heredoc = |timeout: &str| {
        let text = PLAIN.replace("60", timeout);
        format!("<<DOC\n{text}DOC")
    };
    for (default, timeout) in [("1", "${var.v * 60}"), ("6", "${var.v}0"), ("60", "${var.v}%{ if true }%{ endif }")] {
        for content in [encoded(&format!("\"{timeout}\"")), heredoc(timeout)] {
            let code = format!("{}{}", variable(default), preferences(&content));
            let (told, after) = fix("ssm-idle-timeout", &[("main.tf", &code)]);
            assert_eq!(after, [code], "{told}");
        }
    }
    for content in [encoded("\"${var.v}\""), heredoc("${var.v}")] {
        for default in ["60", "\"60\""] {
            let code = format!("{}{}", variable(default), preferences(&content));
            let (told, after) = fix("ssm-idle-timeout", &[("main.tf", &code)]);
            assert!(after[0].contains("${var.v}") && after[0].contains("20"), "{told}\n{}", after[0]);
        }
    }
    let node = "resource \"aws_instance\" \"n\" {\n  ami = \"ami-1\"\n\n  metadata_options {\n    http_tokens = \
                \"${var.v}\"\n  }\n}\n";
    let (told, after) = fix("ec2-imdsv2-required", &[("main.tf", &format!("{}{node}", variable("\"optional\"")))]);
    assert_eq!(after, [format!("{}{node}", variable("\"required\""))], "{told}");
}
