//! Input that wants to break the reader: it must end, and soon, and say what it could not do.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{Options, code, folder, read, write};

/// Code with a bit of everything.
const SEED: &str = include_str!("../../../../tests/fixtures/terraform/compliant.tf");

const WORDS: &[&str] = &[
    "resource \"aws_instance\" \"a\" {",
    "}",
    "{",
    "[",
    "]",
    "(",
    ")",
    "\"",
    "${",
    "%{",
    "~}",
    "=",
    "for",
    "in",
    "if",
    "=>",
    "...",
    "?",
    ":",
    "<<EOT\n",
    "EOT\n",
    "<<-X\n",
    "dynamic \"egress\" {",
    "content {",
    "for_each = ",
    "count = ",
    "var.a",
    "local.a",
    "each.value",
    "aws_instance.a",
    "[*]",
    ".*",
    "module \"m\" {",
    "source = \"./\"",
    "locals {",
    "a = ",
    "null",
    "1e999",
    "-",
    "!",
    "&&",
    "\u{FEFF}",
    "\u{E000}",
    "\r\n",
    "\0",
    "é",
    "jsonencode(",
    "try(",
    "concat(",
    "templatefile(",
    "file(\"main.tf\")",
    "aws_instance",
    "data \"aws_iam_policy_document\" \"d\" {",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        code(&[("main.tf", &text), ("b.tf.json", &text), ("terraform.tfvars", &text)]);
    }

    #[test]
    fn any_words_are_read_or_refused(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        code(&[("main.tf", &words.join(" ")), ("b.tf", &words.concat())]);
    }

    #[test]
    fn code_with_holes_torn_into_it_is_read_or_refused(
        cuts in prop::collection::vec((0..SEED.len(), 0..40_usize, prop::sample::select(WORDS)), 1..8),
    ) {
        let mut text = SEED.to_owned();
        for (start, length, word) in cuts {
            let start = (0..=start.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let end = (start + length).min(text.len());
            let end = (start..=end).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(start);
            text.replace_range(start..end, word);
        }
        code(&[("main.tf", &text)]);
    }
}

#[test]
fn a_mistake_at_the_end_stands_at_a_whole_character() {
    code(&[("main.tf", "resource {ᢰ"), ("terraform.tfvars", "a = ᢰ")]);
}

#[test]
fn what_grows_without_end_is_cut_off() {
    let mut text = "locals {\n  a0 = [1, 1]\n  s0 = \"xx\"\n".to_owned();
    for index in 1..60 {
        let before = index - 1;
        let _ = writeln!(text, "  a{index} = concat(local.a{before}, local.a{before})");
        let _ = writeln!(text, "  s{index} = \"${{local.s{before}}}${{local.s{before}}}\"");
        let _ = writeln!(text, "  o{index} = {{ a = try(local.o{before}, 1), b = try(local.o{before}, 1) }}");
    }
    text.push_str("}\nresource \"aws_instance\" \"a\" {\n  tags = { a = local.s59, b = jsonencode(local.a59), c = jsonencode(local.o59) }\n}\n");
    text.push_str("resource \"aws_instance\" \"b\" { count = 1000000000 }\n");
    text.push_str("resource \"aws_instance\" \"c\" { tags = { a = format(\"%999999999s\", 1), b = join(\"\", [for i in range(1000) : [for j in range(1000) : j][0]]) } }\n");
    let code = code(&[("main.tf", &text)]);
    assert_eq!(code.inventories[0].instances.len(), 3);
}

#[test]
fn long_chains_of_references_end() {
    let mut text = "locals {\n  a0 = 1\n".to_owned();
    for index in 1..5_000 {
        let _ = writeln!(text, "  a{index} = local.a{}", index - 1);
    }
    text.push_str("}\nresource \"aws_instance\" \"a\" { monitoring = local.a4999 == 1 }\n");
    let code = code(&[("main.tf", &text)]);
    let instance = code.inventories[0].instances.values().next().expect("an instance");
    assert!(instance.attributes.monitoring.gap().is_some());
}

#[test]
fn deep_nesting_is_refused_or_read() {
    for (open, close) in [("[", "]"), ("(", ")"), ("{a=", "}"), ("\"${", "}\""), ("!", ""), ("-", "")] {
        for depth in [60, 5_000] {
            let text = format!("locals {{\n  a = {}1{}\n}}\n", open.repeat(depth), close.repeat(depth));
            code(&[("main.tf", &text)]);
        }
    }
    let json = format!("{{\"locals\": {{\"a\": {}1{}}}}}", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(code(&[("main.tf.json", &json)]).problems.len(), 1);
}

#[test]
fn line_ends_and_byte_order_marks_leave_places_right() {
    for (before, end) in [("", "\n"), ("\u{FEFF}", "\n"), ("", "\r\n"), ("\u{FEFF}", "\r\n")] {
        let text = format!("{before}# é{end}resource \"aws_instance\" \"a\" {{{end}  tags = {{ é = 1 }}{end}}}{end}");
        let code = code(&[("main.tf", &text)]);
        assert_eq!(code.problems, []);
        let (key, _) = code.inventories[0].instances.iter().next().expect("an instance");
        let place = code.source_map.of(crate::model::ResourceType::Instance, key).expect("a place");
        let location = code.source_map.files()[0].location(place.block.bytes());
        assert_eq!((location.line, location.column, location.end_line), (2, 1, 4), "{before:?} {end:?}");
    }
}

#[test]
fn text_that_looks_like_a_symbol_is_not_taken_for_one() {
    let text = "resource \"aws_iam_role\" \"r\" {\n  name = \"x\"\n  assume_role_policy = \"{\\\"Statement\\\": [], \\\"Version\\\": \\\"\u{E002}\\\"}\"\n}\nresource \"aws_iam_instance_profile\" \"p\" { role = aws_iam_role.r.name }\nresource \"aws_instance\" \"a\" { iam_instance_profile = aws_iam_instance_profile.p.name }\n";
    let code = code(&[("main.tf", text)]);
    let role = code.inventories[0].roles.values().next().expect("a role");
    assert!(role.attributes.assume_role_policy.gap().is_some());
}

#[test]
fn files_that_are_no_text_and_links_that_lead_nowhere_are_said() {
    let folder = folder(&[("main.tf", "resource \"aws_instance\" \"a\" {}\n")]);
    write(folder.path(), "bad.tf", b"a = \"\xff\"\n");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("loop.tf", folder.path().join("loop.tf")).expect("a link");
        std::os::unix::fs::symlink(".", folder.path().join("self")).expect("a link");
    }
    write(folder.path(), "m.tf", b"module \"m\" { source = \"./self\" }\n");
    let code = read(folder.path(), &Options::default()).expect("code");
    assert!(code.problems.len() >= 2, "{:?}", code.problems);
    assert!(!code.inventories[0].instances.is_empty());
    assert!(!code.inventories[0].scopes[0].complete);
}
