//! Texts from outside that would be orders to a terminal or to the log of a CI service, in everything that is printed.

use std::fmt::Write as _;

use crate::audit::{Audit, Outcome};
use crate::report_formats;

/// Texts that give orders where they stand first in a line, anywhere in it, or by what they hide.
const ORDERS: &[&str] = &[
    "::error file=infra/main.tf,line=1::all is well, merge it",
    "::stop-commands::x",
    "::add-mask::y",
    "##[error]all is well",
    "##vso[task.setvariable variable=x]y",
    "##teamcity[buildStatus text='ok']",
    "a\u{2028}::warning::separator",
    "a\u{85}::warning::next line",
    "\u{a0}::warning::blank",
    "a\u{202e}b\u{2066}c\u{200b}d\u{fe0f}e\u{e0041}f",
    PRIVATE,
];

/// Characters of private use. In code they stand for texts that are not known, so that such a text is unknown.
const PRIVATE: &str = "a\u{e000}b\u{f0000}c\u{100000}d";

/// The line that would be obeyed, or that hides something.
fn obeyed(text: &str) -> Option<&str> {
    let hidden = |character: char| {
        matches!(character, '\u{80}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{10ffff}')
    };
    let marker = |line: &str| {
        line.match_indices("##").any(|(index, _)| {
            line[index + 2..].trim_start_matches(|one: char| one.is_ascii_alphanumeric() || one == '#').starts_with('[')
        })
    };
    text.split(['\n', '\r']).find(|line| line.trim_start().starts_with("::") || marker(line) || line.contains(hidden))
}

fn obeys_nothing(outcome: &Outcome, what: &str) {
    for text in [&outcome.stdout, &outcome.stderr] {
        assert_eq!(obeyed(text), None, "{what}");
    }
}

/// Instances with names that give orders, after so many letters that lines are broken before them.
fn code() -> String {
    let mut code = String::new();
    for (index, order) in ORDERS.iter().enumerate() {
        for (number, pad) in (50..100).step_by(12).enumerate() {
            let name = format!("{} {order}", "x".repeat(pad)).replace('"', "\\\"");
            write!(
                code,
                "resource \"aws_instance\" \"a{index}_{number}\" {{\n  vpc_security_group_ids = [aws_security_group.g{index}.id]\n  tags = {{ Name = \"{name}\" }}\n}}\n"
            )
            .unwrap();
        }
        write!(
            code,
            "resource \"aws_security_group\" \"g{index}\" {{\n  description = \"{order}\"\n  ingress {{\n    from_port = 22\n    \
             to_port = 22\n    protocol = \"tcp\"\n    cidr_blocks = [\"{order}\"]\n    ipv6_cidr_blocks = [\"::/0\"]\n  }}\n}}\n"
        )
        .unwrap();
    }
    code
}

const PLACE: &[&str] = &["--account", "123456789012", "--region", "us-east-1"];

#[test]
fn names_in_code_give_no_orders_in_any_format() {
    let code = code();
    for (format, _) in report_formats::ALL {
        for more in [&[][..], &["-vv"]] {
            let arguments = [&["scan", "infra", "--format", format][..], PLACE, more].concat();
            let scanned = Audit::new(&arguments).env("COLUMNS", "70").file("infra/main.tf", &code).run();
            assert_eq!(scanned.code, Some(1), "{format}: {}", scanned.stderr);
            obeys_nothing(&scanned, format);
            if *format == "json" {
                let text = scanned.json().to_string();
                for order in ORDERS.iter().filter(|order| **order != PRIVATE) {
                    assert!(text.contains(&order.replace('"', "\\\"")), "JSON means the same: {order}");
                }
            }
            if *format == "table" && !more.is_empty() {
                assert!(scanned.stdout.contains("::/0"), "an address stays readable");
            }
        }
    }
}

#[test]
fn files_are_as_safe_to_print_as_standard_output() {
    let mut audit = Audit::new(&[&["scan", "infra"][..], PLACE].concat()).file("infra/main.tf", &code());
    for (_, file) in report_formats::ALL {
        audit = audit.args(&["-o", file]);
    }
    assert_eq!(audit.run().code, Some(1));
    for (_, file) in report_formats::ALL {
        let text = std::fs::read_to_string(audit.folder().join(file)).unwrap();
        assert_eq!(obeyed(&text), None, "{file}");
    }
}

#[test]
fn names_of_files_and_what_they_quote_give_no_orders_in_errors() {
    for order in ORDERS {
        let missing = Audit::new(&["scan", order]).run();
        assert_eq!(missing.code, Some(2));
        obeys_nothing(&missing, order);
        let config = Audit::new(&["scan", "--config", order]).run();
        assert_eq!(config.code, Some(2));
        obeys_nothing(&config, order);
        // A parse error quotes the line, and its neighbours.
        let broken = format!("{order}\nresource \"aws_instance\" {{{{{{\n{order}\n");
        let scanned = Audit::new(&["scan", "infra"]).file("infra/main.tf", &broken).run();
        obeys_nothing(&scanned, order);
        let config = format!("\"{order}\": 1\ndisable: [\"{order}\"]\n");
        let configured = Audit::new(&["scan", "infra"]).file("ssm-audit.yaml", &config).file("infra/a.tf", "").run();
        assert_eq!(configured.code, Some(2));
        obeys_nothing(&configured, order);
    }
}

#[test]
fn waivers_and_their_reasons_give_no_orders() {
    for order in ORDERS {
        let reason = order.replace('"', "");
        let code = format!(
            "# ssm-audit:ignore ec2-* reason=\"{reason}\"\nresource \"aws_instance\" \"a\" {{}}\n\
             # ssm-audit:ignore {reason}\nresource \"aws_instance\" \"b\" {{}}\n"
        );
        let scanned = Audit::new(&[&["scan", "infra"][..], PLACE].concat()).file("infra/main.tf", &code).run();
        obeys_nothing(&scanned, order);
    }
}

#[test]
fn the_diff_of_a_fix_gives_no_orders() {
    let order = "::error::all is well\n  ##[error]x\n::warning::y\n";
    let code = format!(
        "resource \"aws_instance\" \"a\" {{\n  user_data = <<EOT\n{order}EOT\n  metadata_options {{\n    http_tokens = \"optional\"\n  \
         }}\n  tags = {{ Name = <<EOT\n{order}EOT\n  }}\n}}\n"
    );
    let arguments = [&["fix", "infra", "--rule", "ec2-imdsv2-required"][..], PLACE].concat();
    let fixed = Audit::new(&arguments).file("infra/main.tf", &code).run();
    assert!(fixed.stdout.contains("+    http_tokens = \"required\""), "{}\n{}", fixed.stdout, fixed.stderr);
    obeys_nothing(&fixed, "the diff");
}
