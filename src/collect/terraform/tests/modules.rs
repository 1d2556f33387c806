//! Modules, variables and what is wrong with them.

use super::super::engine::Engine;
use super::super::read::{Code, read_each};
use super::{Options, code, folder, outputs};

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
fn json_writes_types_as_expressions_in_texts_and_defaults_as_they_are() {
    let declared = r#"{"variable": {
        "list": {"type": "list(string)", "default": [1]},
        "object": {"type": "object({a = optional(string, \"b\")})", "default": {}},
        "plain": {"type": "string", "default": "${1}%{"},
        "any": {"default": {"${1}": ["%{ if true }"]}}
    }}"#;
    let shown = "output \"o\" { value = [var.list, var.object, var.plain, var.any] }\n";
    let files = [("main.tf.json", declared), ("outputs.tf", shown)];
    let expected = r#"[["1"], {a = "b"}, "${1}%{", {${1} = ["%{ if true }"]}]"#;
    assert_eq!(value_of("o", &files, &Options::default()), expected);
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

#[test]
fn the_workspace_is_the_one_that_is_named() {
    let files = [("main.tf", "output \"o\" { value = \"${terraform.workspace}-x\" }\n")];
    let options = Options { workspace: Some("prod".to_owned()), ..Options::default() };
    assert_eq!(value_of("o", &files, &options), "\"prod-x\"");
}

/// The tokens of the instances, as the engines that may run the code have them.
fn tokens(files: &[(&str, &str)], engine: Option<Engine>) -> Vec<(Engine, Vec<String>)> {
    let folder = folder(files);
    let options = Options { engine, ..Options::default() };
    let of = |code: &Code| {
        let instances = code.inventories.iter().flat_map(|inventory| inventory.instances.values());
        let options = instances.map(|entry| entry.attributes.metadata_options.known().cloned().expect("options"));
        options.map(|options| options.http_tokens.known().cloned().unwrap_or_else(|| "unknown".to_owned())).collect()
    };
    let all = read_each(folder.path(), &options).expect("code");
    all.iter().map(|code| (code.engine, of(code))).collect()
}

const REQUIRED: &str = "resource \"aws_instance\" \"a\" {\n  metadata_options { http_tokens = \"required\" }\n}\n";
const OPTIONAL: &str = "resource \"aws_instance\" \"a\" {\n  metadata_options { http_tokens = \"optional\" }\n}\n";

#[test]
fn a_file_of_opentofu_takes_the_place_of_that_of_terraform() {
    let (required, optional) = (vec!["required".to_owned()], vec!["optional".to_owned()]);
    let both = [("main.tf", REQUIRED), ("main.tofu", OPTIONAL)];
    assert_eq!(tokens(&both, None), [(Engine::Terraform, required.clone()), (Engine::Tofu, optional.clone())]);
    assert_eq!(tokens(&both, Some(Engine::Terraform)), [(Engine::Terraform, required.clone())]);
    assert_eq!(tokens(&both, Some(Engine::Tofu)), [(Engine::Tofu, optional.clone())]);
    assert_eq!(tokens(&both[..1], None), [(Engine::Terraform, required)]);
    // What Terraform cannot run is OpenTofu's.
    assert_eq!(tokens(&both[1..], None), [(Engine::Tofu, optional.clone())]);
    let json = (
        "main.tofu.json",
        "{\"resource\": {\"aws_instance\": {\"a\": {\"metadata_options\": {\"http_tokens\": \"optional\"}}}}}",
    );
    assert_eq!(tokens(&[json], None), [(Engine::Tofu, optional.clone())]);
    let module = ("main.tf", "module \"m\" { source = \"./m\" }\n");
    assert_eq!(tokens(&[module, ("m/x.tofu", OPTIONAL)], None), [(Engine::Tofu, optional.clone())]);
    let changed = ("main_override.tofu", OPTIONAL);
    assert_eq!(tokens(&[both[0], changed], Some(Engine::Tofu)), [(Engine::Tofu, optional)]);
}

#[test]
fn sources_of_modules_are_evaluated_as_opentofu_does() {
    let files = [
        (
            "main.tofu",
            "variable \"env\" { default = \"prod\" }\nlocals { folder = \"./modules/${var.env}\" }\nmodule \"m\" { source = local.folder }\n",
        ),
        ("modules/prod/main.tf", "module \"n\" { source = \"../${\"node\"}\" }\n"),
        ("modules/node/main.tf", REQUIRED),
        ("modules/node/more.tofu", "resource \"aws_instance\" \"b\" {\n  lifecycle { enabled = false }\n}\n"),
    ];
    assert_eq!(tokens(&files, None), [(Engine::Tofu, vec!["required".to_owned()])]);
}

#[test]
fn what_hcl_edit_refuses_and_terraform_accepts_is_read() {
    let text = "locals {\n  a = { for k, v in { x = 1 } : k => v == 1\n    ? \"required\" # why\n    : \"optional\"\n  }\n  b = (!\n    false\n    && true)\n  c = { k = 1, k = local.a[\"x\"] }\n}\noutput \"o\" { value = [local.c.k, local.b] }\n";
    assert_eq!(value_of("o", &[("main.tf", text)], &Options::default()), "[\"required\", true]");
}
