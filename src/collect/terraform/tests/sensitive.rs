//! Sensitive values: what follows from them is sensitive, and the rest is not.

use std::fmt::Write as _;

use super::{Options, folder, outputs, read};

/// The outputs of these expressions, in which `var.s` is sensitive.
fn values(expressions: &[&str]) -> Vec<String> {
    let mut text = "variable \"s\" {\n  sensitive = true\n  default = \"hunter2\"\n}\n\
                    variable \"o\" {\n  type = object({ a = string, b = string })\n  sensitive = true\n  \
                    default = { a = \"hunter2\", b = \"x\" }\n}\n\
                    locals {\n  l = [var.s, \"plain\"]\n  m = { s = var.s, p = \"plain\" }\n  os = [var.o]\n}\n"
        .to_owned();
    for (index, expression) in expressions.iter().enumerate() {
        writeln!(text, "output \"v{index:03}\" {{ value = {expression} }}").expect("written");
    }
    let child = "variable \"s\" {}\noutput \"marked\" {\n  sensitive = true\n  value = \"x\"\n}\noutput \"given\" { value = \"<${var.s}>\" }\n";
    text.push_str("module \"m\" {\n  source = \"./m\"\n  s = var.s\n}\n");
    let mut outputs = outputs(&[("main.tf", &text), ("m/main.tf", child)], &Options::default());
    outputs.sort();
    outputs.into_iter().map(|(_, value)| value).collect()
}

const HIDDEN: &str = "(sensitive value)";

#[test]
fn what_follows_from_a_sensitive_value_is_sensitive() {
    let expressions = [
        "var.s",
        "\"before ${var.s} after\"",
        "\"%{ if var.s == \"x\" }a%{ else }b%{ endif }\"",
        "upper(var.s)",
        "format(\"%s-%d\", var.s, 1)",
        "join(\",\", local.l)",
        "jsonencode(local.m)",
        "base64encode(jsonencode({ deep = [{ er = var.s }] }))",
        "var.s == \"hunter2\"",
        "local.l == [\"a\", \"b\"]",
        "var.s == \"hunter2\" ? 1 : 2",
        "!(var.s == \"x\")",
        "local.l[0]",
        "local.m.s",
        "local.m[\"s\"]",
        "lookup(local.m, \"s\", \"\")",
        "element(local.l, 0)",
        "local.m[var.s == \"hunter2\" ? \"p\" : \"s\"]",
        "try(var.s, \"\")",
        "coalesce(var.s, \"x\")",
        "contains(local.l, \"plain\")",
        "element([for x in local.l : x], 0)",
        "[for x in local.l : x if x != \"y\"]",
        "{ for x in local.l : x => 1 }",
        "var.o.b",
        "local.os[*].a",
        "var.o",
        "sensitive(\"x\")",
        "module.m.marked",
        "module.m.given",
        "element([\"a\"], length(var.s) - 7)",
        "length(var.s)",
        "sensitive(local.m)",
        "replace(\"a\", \"a\", var.s)",
        "toset([var.s])",
        "flatten([local.l])",
    ];
    for (expression, value) in expressions.iter().zip(values(&expressions)) {
        let listed = value.trim_matches(['[', ']']);
        assert_eq!(listed, HIDDEN, "{expression}");
    }
}

#[test]
fn what_does_not_follow_from_it_is_not_sensitive() {
    let expressions = [
        ("local.l[1]", "\"plain\""),
        ("local.m.p", "\"plain\""),
        ("local.l", "[(sensitive value), \"plain\"]"),
        ("merge(local.m, { q = 1 })", "{p = \"plain\", q = 1, s = (sensitive value)}"),
        ("[for x in local.l : upper(x)]", "[(sensitive value), \"PLAIN\"]"),
        ("[for k, v in local.m : k]", "[\"p\", \"s\"]"),
        ("keys(local.m)", "[\"p\", \"s\"]"),
        ("values(local.m)", "[\"plain\", (sensitive value)]"),
        ("concat([\"a\"], local.l)", "[\"a\", (sensitive value), \"plain\"]"),
        ("length(local.l)", "2"),
        ("nonsensitive(var.s)", "\"hunter2\""),
        ("nonsensitive(upper(var.s))", "\"HUNTER2\""),
        ("\"<${nonsensitive(var.s)}>\"", "\"<hunter2>\""),
        ("nonsensitive(sensitive(\"x\"))", "\"x\""),
        ("issensitive(var.s)", "true"),
        ("issensitive(\"x\")", "false"),
        ("issensitive(nonsensitive(var.s))", "false"),
        ("can(var.s.x)", "false"),
        ("true || var.s == \"x\"", "true"),
        ("tonumber(var.s)", "error"),
        ("try(tonumber(var.s), \"none\")", "\"none\""),
    ];
    let written: Vec<&str> = expressions.iter().map(|(expression, _)| *expression).collect();
    for ((expression, expected), value) in expressions.iter().zip(values(&written)) {
        assert_eq!(value, *expected, "{expression}");
    }
}

#[test]
fn rules_are_given_the_value_and_people_are_not() {
    let text = "variable \"name\" {\n  sensitive = true\n  default = \"hunter2\"\n}\n\
                variable \"on\" {\n  sensitive = true\n  default = true\n}\n\
                resource \"aws_s3_bucket\" \"b\" { bucket = \"logs-${var.name}\" }\n\
                resource \"aws_instance\" \"i\" {\n  monitoring = var.on\n  tags = { Name = var.name, Team = \"web\" }\n}\n";
    let folder = folder(&[("main.tf", text)]);
    let code = read(folder.path(), &Options::default()).expect("code");
    let inventory = &code.inventories[0];
    let shown = inventory.shown.as_ref().expect("an inventory to be shown");
    let instance = |inventory: &crate::model::Inventory| {
        inventory.instances.values().next().expect("an instance").attributes.clone()
    };
    assert_eq!(instance(inventory).monitoring, crate::model::Fact::Known(true));
    assert!(instance(shown).monitoring.gap().is_some_and(|gap| gap.is_sensitive));
    let tags = instance(inventory).tags.known().cloned().expect("tags");
    assert_eq!(tags.get("Name").map(String::as_str), Some("hunter2"));
    let all = format!("{shown:?}");
    assert!(!all.contains("hunter2"), "{all}");
    assert!(all.contains("web"));
}

#[test]
fn code_without_sensitive_values_has_one_inventory() {
    let text = "variable \"name\" {\n  sensitive = true\n  default = \"x\"\n}\nresource \"aws_instance\" \"i\" { monitoring = true }\n";
    let folder = folder(&[("main.tf", text)]);
    let code = read(folder.path(), &Options::default()).expect("code");
    assert!(code.inventories[0].shown.is_none());
}
