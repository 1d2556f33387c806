//! Work is bounded: what takes too much is not known, with its place, and the rest is.

use std::fmt::Write as _;

use super::{Options, code, folder, open, read, with_room};

/// Code with a bit of everything.
const COMPLIANT: &str = include_str!("../../../../tests/fixtures/terraform/compliant.tf");

#[test]
fn code_that_people_write_takes_a_small_part_of_the_budget() {
    let folder = folder(&[("main.tf", COMPLIANT)]);
    with_room(|| {
        let module = open(folder.path(), &Options::default()).expect("code");
        super::super::mapping::map(&module, "2026-01-01T00:00:00Z");
        let (steps, bytes) = module.world.budget.spent();
        assert!(steps > 100 && steps < 100_000, "{steps}");
        assert!(bytes > 1_000 && bytes < 4 << 20, "{bytes}");
    })
    .expect("a thread");
}

/// Code in which an instance has what is given, beside one that is compliant in this.
fn monitored(locals: &str, monitoring: &str) -> super::Code {
    code(&[(
        "main.tf",
        &format!(
            "locals {{\n{locals}\n}}\nresource \"aws_instance\" \"hostile\" {{ monitoring = {monitoring} }}\nresource \"aws_instance\" \"plain\" {{ monitoring = true }}\n"
        ),
    )])
}

#[test]
fn functions_that_compare_and_copy_are_bounded() {
    let lists = "a = [for i in range(1024) : 1]\n  b = flatten([for i in range(1024) : local.a])\n  c = [for i in local.b : 2]\n";
    for expression in [
        "length(matchkeys(local.b, local.b, local.c)) == 0",
        "length(setsubtract(local.b, local.c)) == 0",
        "length(distinct([for i, x in local.b : i])) == 0",
        "length([for x in local.b : contains(local.c, x)]) == 0",
        "length([for x in local.b : index(local.c, x)]) == 0",
        "length([for x in local.b : local.b == local.c]) == 0",
        "length([for x in local.a : concat(local.b, local.c)]) == 0",
        "length(setproduct(local.b, local.b)) == 0",
        "length([for x in local.a : jsonencode(local.b)]) == 0",
        "length([for x in local.a : sort([for y in local.a : tostring(y)])]) == length(setunion(local.b, local.c))",
    ] {
        let code = monitored(lists, expression);
        let facts: Vec<_> = code.inventories[0].instances.values().map(|entry| &entry.attributes.monitoring).collect();
        assert!(facts.iter().any(|fact| fact.gap().is_some_and(|gap| gap.message.is_some())), "{expression}");
        // What stands beside it is evaluated all the same.
        assert!(facts.iter().any(|fact| fact.known() == Some(&true)), "{expression}");
    }
}

#[test]
fn modules_that_call_themselves_are_bounded_and_what_is_left_out_is_said() {
    let text =
        "module \"a\" { source = \"./\" }\nmodule \"b\" { source = \"./\" }\nresource \"aws_instance\" \"i\" {}\n";
    let code = code(&[("main.tf", text)]);
    assert!(!code.inventories[0].instances.is_empty());
    assert!(code.inventories[0].scopes.iter().all(|scope| !scope.complete));
    assert!(code.problems.iter().any(|problem| problem.message.contains("takes too much")));
}

#[test]
fn many_instances_are_bounded_and_said() {
    let text = "resource \"aws_instance\" \"i\" { count = 20000 }\nresource \"aws_instance\" \"j\" {\n  for_each = toset([for i in range(1000) : tostring(i)])\n}\n";
    let code = code(&[("main.tf", text)]);
    let instances = &code.inventories[0].instances;
    assert!(instances.len() < 20_000, "{}", instances.len());
    assert!(instances.keys().any(|key| key.id.contains("[*]")));
}

#[test]
fn templates_are_read_once_and_paid_for_each_time() {
    let big = format!("%{{ if false }}{}%{{ endif }}", "x".repeat(200_000));
    let long = "x".repeat(200_000);
    let main = "resource \"aws_instance\" \"i\" { monitoring = length([for i in range(1024) : [for j in range(10) : templatefile(\"big.tpl\", {})]]) == 1024 }\n\
                resource \"aws_instance\" \"j\" { monitoring = length([for i in range(1024) : [for j in range(1024) : templatefile(\"long.tpl\", { a = i })]]) == 0 }\n";
    let folder = folder(&[("main.tf", main), ("big.tpl", &big), ("long.tpl", &format!("{long}${{a}}"))]);
    let code = read(folder.path(), &Options::default()).expect("code");
    let known = |name: &str| {
        let found = code.inventories[0].instances.iter().find(|(key, _)| key.id.contains(name));
        found.expect("an instance").1.attributes.monitoring.known().copied()
    };
    assert_eq!(known("aws_instance.i"), Some(true));
    assert_eq!(known("aws_instance.j"), None);
}

#[test]
fn deep_values_are_refused_and_none_overflows() {
    let mut locals = "  a0 = [1]\n".to_owned();
    for index in 1..20_000 {
        writeln!(locals, "  a{index} = [local.a{}]", index - 1).expect("written");
    }
    let mut text = format!("locals {{\n{locals}}}\n");
    // Each goes on from what the one before has evaluated.
    for index in (500..20_000).step_by(500) {
        writeln!(text, "resource \"aws_instance\" \"i{index}\" {{ monitoring = local.a{index} == [1] }}")
            .expect("written");
    }
    text.push_str("resource \"aws_instance\" \"last\" { monitoring = jsonencode(local.a19999) == \"\" }\n");
    assert!(!code(&[("main.tf", &text)]).inventories[0].instances.is_empty());
}

#[test]
fn overrides_and_long_lines_take_no_time() {
    let attributes: String = (0..20_000).fold(String::new(), |text, index| format!("{text}a{index} = 1\n"));
    let overrides = "resource \"aws_instance\" \"i\" { monitoring = true }\n".repeat(20_000);
    let line = format!("locals {{ l = [{}] }}", "local.none, ".repeat(50_000));
    let main = format!(
        "resource \"aws_instance\" \"i\" {{\n{attributes}}}\n{line}\nresource \"aws_instance\" \"j\" {{ tags = {{ a = join(\"\", local.l) }} }}\n"
    );
    let code = code(&[("main.tf", &main), ("override.tf", &overrides)]);
    assert_eq!(code.inventories[0].instances.len(), 2);
    assert!(code.inventories[0].scopes.iter().all(|scope| !scope.complete));
}

#[test]
fn code_is_read_up_to_a_size_and_what_is_left_out_is_said() {
    let text = format!("# {}\n", "x".repeat(3 << 20));
    let files: Vec<(String, String)> = (0..4).map(|index| (format!("f{index}.tf"), text.clone())).collect();
    let mut files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("a.tf", "resource \"aws_instance\" \"i\" {}\n"));
    let code = code(&files);
    assert_eq!(code.inventories[0].instances.len(), 1);
    assert_eq!(code.problems.len(), 2);
    assert!(code.inventories[0].scopes.iter().all(|scope| !scope.complete));
}
