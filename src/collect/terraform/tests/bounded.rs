//! Work is bounded: what takes too much is not known, with its place, and the rest is.

use std::fmt::Write as _;
use std::rc::Rc;

use super::{Options, code, folder, open, read, with_room};

/// Code with a bit of everything.
const COMPLIANT: &str = include_str!("../../../../tests/fixtures/terraform/compliant.tf");

#[test]
fn code_that_people_write_takes_a_small_part_of_the_budget() {
    let folder = folder(&[("main.tf", COMPLIANT)]);
    with_room(|| {
        let module = open(folder.path(), &Options::default()).expect("code");
        super::super::mapping::map(&module, "2026-01-01T00:00:00Z");
        let (steps, bytes) = module.context.budget.spent();
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

/// Code whose first instance has this tag, with these files beside it.
fn tagged(locals: &str, tag: &str, files: &[(&str, &str)]) -> super::Code {
    let text = format!(
        "locals {{\n{locals}\n}}\nresource \"aws_instance\" \"hostile\" {{\n  tags = {{ a = {tag} }}\n}}\n\
         resource \"aws_instance\" \"plain\" {{ monitoring = true }}\n"
    );
    let mut all = vec![("main.tf", text.as_str())];
    all.extend(files);
    code(&all)
}

#[test]
fn long_texts_are_paid_for_each_time_that_they_are_read() {
    let many = |value: &str| format!("length([for i in range(1024) : [for j in range(1024) : {value}]])");
    let text = |of: &str, length: usize| format!("  t = \"{}\"", of.repeat(length));
    let long = "b".repeat(1 << 20);
    let letters = ('a'..='z').map(String::from).collect::<Vec<_>>().join(",");
    let aliases = (0..4_000).fold(String::new(), |text, index| format!("{text}  c{index}: {{<<: *a}}\n"));
    let members: Vec<String> = (0..3_000).map(|index| format!("k{index}: 1")).collect();
    let merged = format!("a: &a {{{}}}\nb:\n{aliases}", members.join(", "));
    let table = format!("{}\n{}", "n".repeat(300_000), "1\n".repeat(20_000));
    for (locals, tag, files) in [
        (text("c", 1 << 20), "trim(local.t, \"${local.t}c\")".to_owned(), vec![]),
        (text("1", 1 << 20), many("try(local.t + 1, 0)"), vec![]),
        (text("b", 1 << 20), many("try({ a = 1 }[local.t], 0)"), vec![]),
        (text("b", 1 << 20), many("merge({ (local.t) = 1 }, { (local.t) = 1 })"), vec![]),
        (
            text("b", 4_000),
            "jsonencode([for i in range(1024) : [for j in range(200) : { (local.t) = 1 }]])".to_owned(),
            vec![],
        ),
        (text("a", 30_000), "length(regexall(\"a.*z|a\", local.t))".to_owned(), vec![]),
        (text("a", 30_000), "replace(local.t, \"/a.*z|a/\", \"b\")".to_owned(), vec![]),
        (
            text("b", 1 << 20),
            "length(toset(flatten([for i in range(1024) : [for j in range(60) : local.t]])))".to_owned(),
            vec![],
        ),
        (text("x", 1 << 20), format!("length(fileset(\".\", \"${{local.t}}{{{letters}}}{{a,b,c}}\"))"), vec![]),
        (String::new(), many("try(length(file(\"f.txt\")), 0)"), vec![("f.txt", long.as_str())]),
        (String::new(), many("fileexists(\"f.txt\")"), vec![("f.txt", "x")]),
        (String::new(), "length(csvdecode(file(\"f.csv\")))".to_owned(), vec![("f.csv", table.as_str())]),
        (String::new(), "length(yamldecode(file(\"f.yaml\")))".to_owned(), vec![("f.yaml", merged.as_str())]),
    ] {
        let code = tagged(&locals, &tag, &files);
        let plain =
            code.inventories[0].instances.values().filter(|entry| entry.attributes.monitoring.known() == Some(&true));
        assert_eq!(plain.count(), 1, "{tag}");
    }
}

#[test]
fn what_is_named_at_length_is_paid_for_with_each_instance() {
    let long = "r".repeat(200_000);
    let name = format!("resource \"aws_iam_role\" \"{long}\" {{ count = 20000 }}\n");
    let call = format!("module \"{long}\" {{\n  source = \"./m\"\n  count = 5000\n}}\n");
    let keys = (0..400).fold(
        "locals { k = toset([for i in range(100) : \"${i}-KEY\"]) }\n".replace("KEY", &"k".repeat(4_000)),
        |text, index| format!("{text}resource \"aws_iam_role\" \"r{index}\" {{ for_each = local.k }}\n"),
    );
    for text in [name, call, keys] {
        let text = format!("resource \"aws_instance\" \"plain\" {{ monitoring = true }}\n{text}");
        let code = code(&[("main.tf", &text), ("m/main.tf", "resource \"aws_iam_role\" \"r\" {}\n")]);
        assert!(!code.inventories[0].instances.is_empty());
    }
}

#[test]
fn ranges_of_addresses_have_no_parts_beyond_all_bounds() {
    for size in ["4294967295", "4294967296", "-1", "129"] {
        let text = format!("cidrsubnets(\"10.0.0.0/8\", {size})[0]");
        assert_eq!(tagged("", &text, &[]).inventories[0].instances.len(), 2);
    }
}

#[test]
fn code_in_which_too_much_is_written_is_not_read_and_said() {
    let dense = " a=[[],[],[],[],[],[],[],[]]\n".repeat(60_000);
    let code = code(&[
        ("a.tf", "resource \"aws_instance\" \"plain\" { monitoring = true }\n"),
        ("b.tf", &format!("locals {{\n{dense}}}\n")),
        ("terraform.tfvars", &format!("x=[{}]\n", "[],".repeat(500_000))),
    ]);
    assert_eq!(code.inventories[0].instances.len(), 1);
    assert!(!code.inventories[0].scopes[0].complete);
    let said = code.problems.iter().filter(|problem| problem.message.contains("there are more than"));
    assert_eq!(said.count(), 2);
}

#[test]
fn a_pattern_in_a_loop_takes_a_small_part_of_the_budget() {
    let folder = folder(&[(
        "main.tf",
        "resource \"aws_instance\" \"i\" { monitoring = length([for i in range(100) : regex(\"^([a-z]+)-([0-9]+)$\", \"web-${i}\")]) == 100 }\n",
    )]);
    let code = read(folder.path(), &Options::default()).expect("code");
    let instance = code.inventories[0].instances.values().next().expect("an instance");
    assert_eq!(instance.attributes.monitoring.known(), Some(&true));
}

#[test]
fn what_was_evaluated_does_not_stay_in_memory() {
    let text = format!(
        "{COMPLIANT}\nmodule \"m\" {{\n  source = \"./m\"\n  given = aws_instance.self\n}}\n\
         resource \"aws_instance\" \"self\" {{ tags = {{ a = module.m.id, b = aws_iam_role.other.arn }} }}\n\
         resource \"aws_iam_role\" \"other\" {{ name = \"other\" }}\n"
    );
    let folder = folder(&[
        ("main.tf", &text),
        (
            "m/main.tf",
            "variable \"given\" {}\nresource \"aws_instance\" \"i\" { tags = { a = var.given.id } }\noutput \"id\" { value = aws_instance.i.id }\n",
        ),
    ]);
    with_room(|| {
        let module = open(folder.path(), &Options::default()).expect("code");
        super::super::mapping::map(&module, "2026-01-01T00:00:00Z");
        let (context, of_module) = (Rc::downgrade(&module.context), Rc::downgrade(&module));
        module.release();
        drop(module);
        assert!(of_module.upgrade().is_none() && context.upgrade().is_none());
    })
    .expect("a thread");
}

#[test]
fn what_panicked_or_grew_without_end_ends() {
    // Values of several types have one order.
    let mixed: Vec<String> = (0..40)
        .map(|index| match index % 4 {
            0 => format!("\"{}\"", 40 - index),
            1 => index.to_string(),
            2 => "true".to_owned(),
            _ => format!("[{index}]"),
        })
        .collect();
    monitored("a = 1", &format!("length(toset([{}])) > 0", mixed.join(", ")));
    // A label is no address.
    monitored(
        "a = length(aws_instance.a)",
        "true }\nresource \"aws_instance\" \"a[18446744073709551615]\" { monitoring = true",
    );
    // A value that is shared is large when it is written out.
    let mut shared = "a0 = [\"x\"]\n".to_owned();
    for level in 1..60 {
        writeln!(shared, "  a{level} = [local.a{before}, local.a{before}]", before = level - 1).expect("written");
    }
    for place in ["region = sensitive(local.a59)", "allowed_account_ids = sensitive(local.a59)"] {
        monitored(&shared, &format!("true }}\nprovider \"aws\" {{ {place}"));
    }
    // A sensitive value is as deep as its content.
    let (open, close) = ("sensitive([".repeat(1_000), "])".repeat(1_000));
    monitored(&format!("a = {open}1{close}"), "length(nonsensitive(local.a)) == 1");
}

#[test]
fn waivers_of_a_block_share_its_instances() {
    let comments = "  # ssm-audit:ignore ec2-* reason=x\n".repeat(2_000);
    let blocks = "# ssm-audit:ignore ec2-* reason=x\n\n".repeat(5_000);
    let text = format!("{blocks}resource \"aws_instance\" \"i\" {{\n  count = 1000\n{comments}}}\n");
    let code = code(&[("main.tf", &text)]);
    let (waivers, problems) = super::super::waivers(&code.source_map);
    assert_eq!((waivers.len(), problems.len()), (7_000, 0));
    assert!(waivers.iter().all(|waiver| waiver.resource.to_string() == "aws_instance.i[0] and 999 more"));
}
