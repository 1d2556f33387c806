//! Functions that read files, and what they must not read.

use std::fmt::Write as _;

use super::{Options, folder, outputs, read, write};

#[test]
fn files_are_hashed_encoded_and_listed_as_terraform_does() {
    let main = "output \"a\" { value = filemd5(\"a.txt\") }\n\
                output \"b\" { value = filesha1(\"a.txt\") }\n\
                output \"c\" { value = filesha256(\"./sub/../a.txt\") }\n\
                output \"d\" { value = filebase64sha256(\"${path.module}/a.txt\") }\n\
                output \"e\" { value = filebase64(\"a.txt\") }\n\
                output \"f\" { value = fileset(path.module, \"**/*.txt\") }\n\
                output \"g\" { value = fileset(\"sub\", \"*.{txt,json}\") }\n\
                output \"h\" { value = fileset(\"none\", \"*\") }\n\
                output \"i\" { value = fileexists(\"a.txt\") && !fileexists(\"none\") }\n\
                output \"j\" { value = file(\"none\") }\n\
                output \"k\" { value = substr(filesha512(\"a.txt\"), 0, 8) }\n\
                output \"l\" { value = substr(filebase64sha512(\"a.txt\"), 0, 8) }\n\
                output \"m\" { value = pathexpand(\"a/b\") }\n";
    let files =
        [("main.tf", main), ("a.txt", "hello\n"), ("sub/b.txt", ""), ("sub/c.json", ""), ("sub/deep/d.txt", "")];
    let values: Vec<String> = outputs(&files, &Options::default()).into_iter().map(|(_, value)| value).collect();
    assert_eq!(
        values,
        [
            "\"b1946ac92492d2347c6235b4d2611184\"",
            "\"f572d396fae9206628714fb2ce00f72e94f2258f\"",
            "\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"",
            "\"WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=\"",
            "\"aGVsbG8K\"",
            "set[\"a.txt\", \"sub/b.txt\", \"sub/deep/d.txt\"]",
            "set[\"b.txt\", \"c.json\"]",
            "set[]",
            "true",
            "error",
            "\"e7c22b99\"",
            "\"58IrmUxZ\"",
            "\"a/b\"",
        ]
    );
}

#[test]
fn lines_of_templates_end_as_they_are_written_and_strip_markers_reach_to_their_ends() {
    let main = "output \"a\" { value = templatefile(\"a.tpl\", {}) }\n\
                output \"b\" { value = templatefile(\"b.tpl\", {}) }\n\
                output \"c\" {\r\n  value = <<-EOT\r\n    a\r\n  \r\n      b\r\n  EOT\r\n}\n";
    let files = [
        ("main.tf", main),
        ("a.tpl", "a\n  # why\n  %{~ if true ~}\n  b\n  %{~ endif ~}\n\n  c\n"),
        ("b.tpl", "a\r\n%{ if true ~}\r\nb\r\n%{ endif ~}\r\nc\r\n"),
    ];
    let values: Vec<String> = outputs(&files, &Options::default()).into_iter().map(|(_, value)| value).collect();
    let expected = ["a\n  # why\n  b\n\n  c\n", "a\r\nb\r\nc\r\n", "a\r\n  \r\n  b\r\n"];
    assert_eq!(values, expected.map(|text| format!("{text:?}")));
}

#[test]
fn a_template_knows_what_it_is_given_and_nothing_of_the_module() {
    let main = "variable \"v\" { default = \"module\" }\nlocals { l = 1 }\n\
                output \"a\" { value = templatefile(\"a.tpl\", { names = [\"x\", \"y\"], v = { z = 1 } }) }\n\
                output \"b\" { value = templatefile(\"b.tpl\", {}) }\n\
                output \"c\" { value = templatefile(\"c.tpl\", {}) }\n\
                output \"d\" { value = templatefile(\"d.tpl\", {}) }\n\
                output \"e\" { value = templatefile(\"e.tpl\", { a = 1 }) }\n\
                output \"f\" { value = templatefile(\"e.tpl\", { \"1a\" = 1 }) }\n\
                output \"g\" { value = templatefile(\"g.tpl\", { x = \"${upper(\"a\")}\" }) }\n";
    let files = [
        ("main.tf", main),
        ("a.tpl", "%{ for name in names ~}\n${name};\n%{ endfor ~}\n${v.z}\n"),
        ("b.tpl", "${var.v}"),
        ("c.tpl", "${local.l}"),
        ("d.tpl", "${templatefile(\"e.tpl\", { a = 1 })}"),
        ("e.tpl", "${a}"),
        ("g.tpl", "${lower(x)} ${path.module}"),
    ];
    let values: Vec<String> = outputs(&files, &Options::default()).into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, ["\"x;\\ny;\\n1\\n\"", "error", "error", "error", "1", "error", "error"]);
}

#[cfg(unix)]
#[test]
fn nothing_outside_of_the_repository_is_read_by_any_of_them() {
    let outside = folder(&[("secret", "CANARY"), ("m/main.tf", "output \"o\" { value = \"CANARY\" }\n")]);
    let secret = outside.path().join("secret").display().to_string();
    let functions = [
        "file",
        "filebase64",
        "filemd5",
        "filesha1",
        "filesha256",
        "filesha512",
        "filebase64sha256",
        "filebase64sha512",
        "fileexists",
    ];
    let mut main = String::new();
    let paths = [
        secret.as_str(),
        "link",
        "away/secret",
        ".git/config",
        "../../../../../../etc/hostname",
        "/proc/self/environ",
        "pipe",
    ];
    let mut count = 0;
    for function in functions {
        for path in paths {
            writeln!(main, "output \"o{count}\" {{ value = {function}(\"{path}\") }}").expect("written");
            count += 1;
        }
    }
    for call in [
        "templatefile(\"link\", {})",
        "fileset(\"away\", \"*\")",
        "fileset(\"..\", \"*\")",
        "fileset(\".\", \"*k\")",
        "fileset(\"/etc\", \"*\")",
        "fileset(\".git\", \"*\")",
        "module.m.o",
        "module.n.o",
        "var.leak",
    ] {
        writeln!(main, "output \"o{count}\" {{ value = {call} }}").expect("written");
        count += 1;
    }
    main.push_str("variable \"leak\" {}\nmodule \"m\" { source = \"./away/m\" }\n");
    writeln!(main, "module \"n\" {{ source = \"../{}/m\" }}", outside.path().file_name().expect("a name").display())
        .expect("written");
    let code = folder(&[("main.tf", &main), (".git/config", "CANARY")]);
    for (link, target) in [("link", secret.as_str()), ("away", &outside.path().display().to_string())] {
        std::os::unix::fs::symlink(target, code.path().join(link)).expect("a link");
    }
    write(outside.path(), "leak.tfvars", b"leak = \"CANARY\"");
    std::os::unix::fs::symlink(outside.path().join("leak.tfvars"), code.path().join("x.auto.tfvars")).expect("a link");
    let pipe = std::process::Command::new("mkfifo").arg(code.path().join("pipe")).status();
    assert!(pipe.expect("mkfifo").success());
    super::with_room(|| {
        let module = super::open(code.path(), &Options::default()).expect("code");
        for (name, block) in module.folder.outputs.iter() {
            let value = super::shown(&module.output(name, block.span));
            assert!(value == "unknown", "{name}: {value}");
        }
    })
    .expect("a thread");
    let problems = format!("{:?}", read(code.path(), &Options::default()).expect("code").problems);
    assert!(problems.contains("outside") && !problems.contains("CANARY"));
}

#[test]
fn a_mistake_in_values_is_named_by_its_line_which_is_not_shown() {
    for (name, text) in [
        ("terraform.tfvars", "a = 1\npassword = \"CANARY\n"),
        ("x.auto.tfvars.json", "{\"a\": 1,\n\"password\": \"CANARY\" \"x\"}"),
    ] {
        let code = super::code(&[("main.tf", "resource \"aws_instance\" \"a\" {}\n"), (name, text)]);
        let shown: Vec<String> =
            code.problems.iter().map(|problem| problem.render(crate::terminal::Paint::Plain)).collect();
        assert!(shown.iter().any(|text| text.contains(name) && text.contains("line 2")), "{shown:?}");
        assert!(!shown.concat().contains("CANARY"), "{shown:?}");
    }
}
