//! Modules, variables and what is wrong with them.

use super::{Options, code, outputs};

fn value_of(name: &str, files: &[(&str, &str)], options: &Options) -> String {
    let found = outputs(files, options);
    found.into_iter().find(|(output, _)| output == name).map(|(_, value)| value).unwrap_or_default()
}

#[test]
fn a_child_module_has_its_inputs_and_gives_its_outputs() {
    let files = [
        (
            "main.tf",
            "module \"a\" {\n  source = \"./child\"\n  for_each = toset([\"x\", \"y\"])\n  name = \"${each.key}!\"\n}\noutput \"o\" { value = module.a[\"y\"].name }\noutput \"all\" { value = [for m in module.a : m.size] }\n",
        ),
        (
            "child/main.tf",
            "variable \"name\" { type = string }\nvariable \"size\" {\n  type = number\n  default = \"3\"\n}\noutput \"name\" { value = upper(var.name) }\noutput \"size\" { value = var.size + 1 }\n",
        ),
    ];
    assert_eq!(value_of("o", &files, &Options::default()), "\"Y!\"");
    assert_eq!(value_of("all", &files, &Options::default()), "[4, 4]");
}

#[test]
fn values_of_variables_come_from_where_terraform_takes_them() {
    let files = [
        (
            "main.tf",
            "variable \"a\" { default = \"default\" }\nvariable \"b\" { type = list(string) }\noutput \"a\" { value = var.a }\noutput \"b\" { value = var.b }\n",
        ),
        ("terraform.tfvars", "a = \"tfvars\"\nb = [\"tfvars\"]\n"),
    ];
    let environment = vec![("a".to_owned(), "environment".to_owned())];
    let options = Options { environment: environment.clone(), ..Options::default() };
    assert_eq!(value_of("a", &files[..1], &options), "\"environment\"");
    assert_eq!(value_of("a", &files, &options), "\"tfvars\"");
    let auto = ("x.auto.tfvars.json", "{\"a\": \"auto ${x}\"}");
    assert_eq!(value_of("a", &[files[0], files[1], auto], &options), "\"auto ${x}\"");
    let variables = vec!["a=line".to_owned(), "b=[\"x\", \"y\"]".to_owned()];
    let options = Options { variables, environment, ..Options::default() };
    assert_eq!(value_of("a", &files, &options), "\"line\"");
    assert_eq!(value_of("b", &files, &options), "[\"x\", \"y\"]");
}

#[test]
fn objects_have_the_defaults_of_their_type() {
    let files = [(
        "main.tf",
        "variable \"o\" {\n  type = object({ a = string, b = optional(number, 7), c = optional(bool) })\n  default = { a = 1, z = 2 }\n}\noutput \"o\" { value = var.o }\n",
    )];
    assert_eq!(value_of("o", &files, &Options::default()), "{a = \"1\", b = 7, c = null}");
}

#[test]
fn json_says_the_same_as_native_syntax() {
    let files = [(
        "main.tf.json",
        r#"{"//": "x", "variable": {"v": {"default": "d"}}, "locals": {"l": "${var.v}-${upper(var.v)}"},
        "output": {"o": {"value": "${local.l}"}, "p": {"value": {"a": [1, "%{ if true }x%{ endif }"]}}}}"#,
    )];
    assert_eq!(value_of("o", &files, &Options::default()), "\"d-D\"");
    assert_eq!(value_of("p", &files, &Options::default()), "{a = [1, \"x\"]}");
}

#[test]
fn override_files_change_what_they_name() {
    let files = [
        ("main.tf", "variable \"v\" { default = 1 }\noutput \"o\" { value = var.v }\n"),
        ("override.tf", "variable \"v\" { default = 2 }\n"),
    ];
    assert_eq!(value_of("o", &files, &Options::default()), "2");
}

#[test]
fn files_and_templates_lie_beside_the_code() {
    let files = [
        (
            "main.tf",
            "output \"f\" { value = file(\"${path.module}/a.txt\") }\noutput \"t\" { value = templatefile(\"${path.module}/a.tftpl\", { name = \"x\", list = [1, 2] }) }\noutput \"e\" { value = file(\"/etc/hostname\") }\n",
        ),
        ("a.txt", "text"),
        ("a.tftpl", "hello ${name}%{ for i in list } ${i}%{ endfor }\n"),
    ];
    assert_eq!(value_of("f", &files, &Options::default()), "\"text\"");
    assert_eq!(value_of("t", &files, &Options::default()), "\"hello x 1 2\\n\"");
    assert!(["unknown", "error"].contains(&value_of("e", &files, &Options::default()).as_str()));
}

/// The problems of this code, as `file:line: message`.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let code = code(files);
    let mut problems: Vec<String> = code
        .problems
        .iter()
        .map(|problem| {
            let (file, bytes) = problem.place.as_ref().expect("a place");
            let line = file.line_column(bytes.as_ref().map_or(0, |bytes| bytes.start)).0;
            let name = file.name().rsplit('/').next().unwrap_or_default();
            format!("{name}:{line}: {}", problem.message)
        })
        .collect();
    problems.sort();
    problems
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_the_rest_is_read() {
    let files = [
        ("a.tf", "resource \"aws_instance\" \"a\" {\n  monitoring = \n}\n"),
        ("b.tf", "resource \"aws_instance\" \"b\" {\n  monitoring = true\n}\n"),
        (
            "c.tf",
            "module \"gone\" { source = \"./gone\" }\nmodule \"far\" {\n  source = \"terraform-aws-modules/vpc/aws\"\n}\n",
        ),
    ];
    let found = problems(&files);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("a.tf:2: not Terraform:"), "{found:?}");
    assert_eq!(found[1], "c.tf:1: module gone: there is no Terraform in ./gone");
    assert_eq!(found[2], "c.tf:2: module far is not here: terraform-aws-modules/vpc/aws");
    let code = code(&files);
    assert_eq!(code.inventories[0].instances.len(), 1);
    assert!(!code.inventories[0].scopes[0].complete);
    assert!(!code.inventories[0].unlisted.is_empty());
}

#[test]
fn a_module_that_was_fetched_is_read() {
    let files = [
        ("main.tf", "module \"vpc\" {\n  source = \"somewhere/vpc/aws\"\n}\noutput \"o\" { value = module.vpc.id }\n"),
        (
            ".terraform/modules/modules.json",
            r#"{"Modules": [{"Key": "", "Source": "", "Dir": "."}, {"Key": "vpc", "Source": "registry.terraform.io/somewhere/vpc/aws", "Dir": ".terraform/modules/vpc"}]}"#,
        ),
        (".terraform/modules/vpc/main.tf", "output \"id\" { value = \"vpc-1\" }\n"),
    ];
    assert_eq!(value_of("o", &files, &Options::default()), "\"vpc-1\"");
}

#[test]
fn what_depends_on_itself_is_said_and_ends() {
    let files = [(
        "main.tf",
        "locals {\n  a = local.b\n  b = local.a\n}\nresource \"aws_instance\" \"a\" {\n  monitoring = local.a\n  count = length(aws_instance.a)\n}\nvariable \"v\" { default = 1 }\n",
    )];
    let found = problems(&files);
    assert!(found.iter().any(|problem| problem.contains("depends on itself")), "{found:?}");
    let recursive = [("main.tf", "module \"me\" { source = \"./\" }\n")];
    assert!(problems(&recursive).iter().any(|problem| problem.contains("nested more than")));
}
