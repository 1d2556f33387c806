//! Marks of sensitive values: each function keeps them, and nothing that leaves evaluation shows what they are on.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::super::functions;
use super::{Code, Options, folder, outputs, read};
use crate::model::ResourceType;

/// A call of each function that has a value. What stands in `S()` is a part of an argument.
const CALLS: &[(&str, &[&str])] = &[
    ("abs", &["-1"]),
    ("abspath", &["\"a\""]),
    ("alltrue", &["[S(true), true]"]),
    ("anytrue", &["[S(true), false]"]),
    ("base64decode", &["\"YQ==\""]),
    ("base64encode", &["\"a\""]),
    ("base64gzip", &["\"a\""]),
    ("base64sha256", &["\"a\""]),
    ("base64sha512", &["\"a\""]),
    ("basename", &["\"a/b\""]),
    ("bcrypt", &["\"a\""]),
    ("ceil", &["1.5"]),
    ("chomp", &["\"a\""]),
    ("chunklist", &["[S(1), 2]", "1"]),
    ("cidrcontains", &["\"10.0.0.0/8\"", "\"10.0.0.1\""]),
    ("cidrhost", &["\"10.0.0.0/8\"", "1"]),
    ("cidrnetmask", &["\"10.0.0.0/8\""]),
    ("cidrsubnet", &["\"10.0.0.0/8\"", "8", "1"]),
    ("cidrsubnets", &["\"10.0.0.0/8\"", "8", "8"]),
    ("coalesce", &["\"a\"", "\"b\""]),
    ("coalescelist", &["[S(1)]", "[2]"]),
    ("compact", &["[S(\"a\"), \"b\"]"]),
    ("concat", &["[S(1)]", "[S(2)]"]),
    ("contains", &["[S(1)]", "1"]),
    ("csvdecode", &["\"a\\n1\""]),
    ("dirname", &["\"a/b\""]),
    ("distinct", &["[S(1), 2]"]),
    ("element", &["[S(1), 2]", "0"]),
    ("endswith", &["\"ab\"", "\"b\""]),
    ("file", &["\"f.txt\""]),
    ("filebase64", &["\"f.txt\""]),
    ("filebase64sha256", &["\"f.txt\""]),
    ("filebase64sha512", &["\"f.txt\""]),
    ("fileexists", &["\"f.txt\""]),
    ("filemd5", &["\"f.txt\""]),
    ("fileset", &["\".\"", "\"*.txt\""]),
    ("filesha1", &["\"f.txt\""]),
    ("filesha256", &["\"f.txt\""]),
    ("filesha512", &["\"f.txt\""]),
    ("flatten", &["[[S(1)], [2]]"]),
    ("floor", &["1.5"]),
    ("format", &["\"%s %d\"", "\"a\"", "1"]),
    ("formatdate", &["\"YYYY\"", "\"2026-01-01T00:00:00Z\""]),
    ("formatlist", &["\"%s\"", "[S(\"a\"), \"b\"]"]),
    ("indent", &["2", "\"a\\nb\""]),
    ("index", &["[S(1), 2]", "2"]),
    ("join", &["\"-\"", "[S(\"a\"), \"b\"]"]),
    ("jsondecode", &["\"{\\\"a\\\": 1}\""]),
    ("jsonencode", &["{ a = [S(1)] }"]),
    ("keys", &["{ a = 1 }"]),
    ("length", &["[1]"]),
    ("list", &["S(1)", "2"]),
    ("log", &["8", "2"]),
    ("lookup", &["{ a = S(1) }", "\"a\"", "2"]),
    ("lower", &["\"A\""]),
    ("map", &["\"a\"", "S(1)"]),
    ("matchkeys", &["[S(1), 2]", "[S(\"a\"), \"b\"]", "[S(\"a\")]"]),
    ("max", &["1", "2"]),
    ("md5", &["\"a\""]),
    ("merge", &["{ a = S(1) }", "{ b = S(2) }"]),
    ("min", &["1", "2"]),
    ("one", &["[S(1)]"]),
    ("parseint", &["\"ff\"", "16"]),
    ("pathexpand", &["\"a\""]),
    ("pow", &["2", "3"]),
    ("range", &["1", "4", "2"]),
    ("regex", &["\"a+\"", "\"aa\""]),
    ("regexall", &["\"a\"", "\"aa\""]),
    ("replace", &["\"a\"", "\"/a/\"", "\"b\""]),
    ("reverse", &["[S(1), 2]"]),
    ("rsadecrypt", &["\"a\"", "\"b\""]),
    ("setintersection", &["[S(1)]", "[S(1), 2]"]),
    ("setproduct", &["[S(1)]", "[2]"]),
    ("setsubtract", &["[S(1), 3]", "[S(2)]"]),
    ("setunion", &["[S(1)]", "[S(2)]"]),
    ("sha1", &["\"a\""]),
    ("sha256", &["\"a\""]),
    ("sha512", &["\"a\""]),
    ("signum", &["1"]),
    ("slice", &["[S(1), 2]", "0", "1"]),
    ("sort", &["[S(\"b\"), \"a\"]"]),
    ("split", &["\",\"", "\"a,b\""]),
    ("startswith", &["\"ab\"", "\"a\""]),
    ("strcontains", &["\"ab\"", "\"a\""]),
    ("strrev", &["\"ab\""]),
    ("substr", &["\"abc\"", "1", "1"]),
    ("sum", &["[S(1), 2]"]),
    ("templatefile", &["\"f.tpl\"", "{ a = S(\"x\") }"]),
    ("templatestring", &["\"<$${a}>\"", "{ a = S(\"x\") }"]),
    ("textdecodebase64", &["\"YQ==\"", "\"UTF-8\""]),
    ("textencodebase64", &["\"a\"", "\"UTF-8\""]),
    ("timeadd", &["\"2026-01-01T00:00:00Z\"", "\"1h\""]),
    ("timecmp", &["\"2026-01-01T00:00:00Z\"", "\"2026-01-01T00:00:00Z\""]),
    ("title", &["\"a\""]),
    ("tobool", &["\"true\""]),
    ("tolist", &["[S(1), 2]"]),
    ("tomap", &["{ a = S(1) }"]),
    ("tonumber", &["\"1\""]),
    ("toset", &["[S(\"a\"), \"b\"]"]),
    ("tostring", &["1"]),
    ("transpose", &["{ a = [S(\"b\")] }"]),
    ("trim", &["\"?a?\"", "\"?\""]),
    ("trimprefix", &["\"ab\"", "\"a\""]),
    ("trimspace", &["\" a \""]),
    ("trimsuffix", &["\"ab\"", "\"b\""]),
    ("upper", &["\"a\""]),
    ("urldecode", &["\"a%20b\""]),
    ("urlencode", &["\"a b\""]),
    ("uuidv5", &["\"dns\"", "\"a\""]),
    ("values", &["{ a = S(1) }"]),
    ("yamldecode", &["\"a: 1\""]),
    ("yamlencode", &["{ a = [S(1)] }"]),
    ("zipmap", &["[\"a\"]", "[S(1)]"]),
];

/// Functions that are about marks, and those that are given nothing.
const OTHERS: &[&str] =
    &["ephemeralasnull", "issensitive", "nonsensitive", "plantimestamp", "sensitive", "timestamp", "uuid"];

/// The values of these expressions, in words.
fn values(expressions: &[String]) -> Vec<String> {
    let mut text = String::new();
    for (index, expression) in expressions.iter().enumerate() {
        writeln!(text, "output \"v{index:04}\" {{ value = {expression} }}").expect("written");
    }
    let files = [("main.tf", text.as_str()), ("f.txt", "x"), ("f.tpl", "<${a}>")];
    let mut outputs = outputs(&files, &Options::default());
    outputs.sort();
    outputs.into_iter().map(|(_, value)| value).collect()
}

#[test]
fn each_function_has_a_call() {
    let called: BTreeSet<&str> = CALLS.iter().map(|(name, _)| *name).chain(OTHERS.iter().copied()).collect();
    let known: BTreeSet<&str> = functions::names().collect();
    assert_eq!(called, known);
}

#[test]
fn each_function_keeps_the_marks_of_its_arguments_and_of_their_parts() {
    let plain = |argument: &str| argument.replace("S(", "(");
    let (mut expressions, mut wanted) = (Vec::new(), Vec::new());
    for (name, arguments) in CALLS {
        let call = |argument: &dyn Fn(usize) -> String| {
            let written: Vec<String> = (0..arguments.len()).map(argument).collect();
            format!("{name}({})", written.join(", "))
        };
        expressions.push(call(&|index| plain(arguments[index])));
        wanted.push(None);
        for marked in 0..arguments.len() {
            expressions.push(call(&|index| {
                let argument = plain(arguments[index]);
                if index == marked { format!("sensitive({argument})") } else { argument }
            }));
            wanted.push(Some(true));
            if arguments[marked].contains("S(") {
                expressions.push(call(&|index| {
                    if index == marked { arguments[index].replace("S(", "sensitive(") } else { plain(arguments[index]) }
                }));
                wanted.push(Some(false));
            }
        }
    }
    for ((expression, value), wanted) in expressions.iter().zip(values(&expressions)).zip(wanted) {
        match wanted {
            None => assert!(value != "error" && !value.contains("sensitive"), "{expression} is {value}"),
            // A map has no mark of its own where only a value of it is sensitive.
            Some(false) => {
                assert!(value == "unknown" || value.contains("(sensitive value)"), "{expression} is {value}");
            }
            Some(true) => {
                let is_hidden = value == "unknown" || value == "(sensitive value)";
                // Arguments and elements that are not looked into stay as they are.
                let moves = ["coalescelist", "concat", "list", "lookup", "map", "merge", "zipmap"];
                let is_moved = moves.iter().any(|name| expression.starts_with(&format!("{name}(")));
                assert!(is_hidden || is_moved && value.contains("(sensitive value)"), "{expression} is {value}");
            }
        }
    }
}

#[test]
fn no_mistake_says_what_a_sensitive_argument_is() {
    const SECRET: &str = "hunter2";
    let mut text = format!("variable \"s\" {{\n  sensitive = true\n  default = \"{SECRET}\"\n}}\n");
    for (name, arguments) in CALLS {
        for marked in 0..arguments.len() {
            let argument = |index: usize| {
                if index == marked { "var.s".to_owned() } else { arguments[index].replace("S(", "(") }
            };
            let written: Vec<String> = (0..arguments.len()).map(argument).collect();
            let call = format!("{name}({})", written.join(", "));
            writeln!(text, "resource \"aws_instance\" \"{name}-{marked}\" {{\n  monitoring = {call}\n  tags = {{ a = jsonencode({call}) }}\n}}").expect("written");
        }
    }
    let folder = folder(&[("main.tf", &text), ("f.txt", "x"), ("f.tpl", "<${a}>")]);
    let code = read(folder.path(), &Options::default()).expect("code");
    let shown = code.inventories[0].shown.as_ref().expect("something is sensitive");
    assert!(!format!("{shown:?} {:?}", code.problems).contains(SECRET));
}

/// The code with each text of a value in a sensitive variable, and what the variables are given.
fn all_sensitive(text: &str) -> (String, Vec<(String, String)>) {
    let (mut code, mut given) = (String::new(), Vec::new());
    let mut heredoc = false;
    for line in text.lines() {
        let literal = line.split_once("= \"").and_then(|(before, rest)| Some((before, rest.strip_suffix('"')?)));
        heredoc = (heredoc || line.contains("<<")) && line.trim() != "EOT";
        match literal {
            // No expressions, and no names that Terraform itself takes for such.
            Some((before, value))
                if !heredoc
                    && !value.contains(['$', '"', '\\', '%'])
                    && !["source", "version", "alias", "type"].contains(&before.trim()) =>
            {
                let name = format!("s{}", given.len());
                writeln!(code, "{before}= var.{name}").expect("written");
                given.push((name, value.to_owned()));
            }
            _ => writeln!(code, "{line}").expect("written"),
        }
    }
    for (name, _) in &given {
        writeln!(code, "variable \"{name}\" {{\n  type = string\n  sensitive = true\n}}").expect("written");
    }
    (code, given)
}

#[test]
fn nothing_shows_a_text_that_is_sensitive_wherever_it_stands() {
    for text in [
        include_str!("../../../../tests/fixtures/terraform/compliant.tf"),
        include_str!("../../../../tests/fixtures/terraform/twin.tf"),
    ] {
        let plain = read(folder(&[("main.tf", text)]).path(), &Options::default()).expect("code");
        let (hidden, given) = all_sensitive(text);
        assert!(given.len() > 20, "{}", given.len());
        let variables = given.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let options = Options { variables, ..Options::default() };
        let code = read(folder(&[("main.tf", &hidden)]).path(), &options).expect("code");
        let shown = code.inventories.iter().map(|inventory| inventory.shown.as_ref().expect("something is hidden"));
        let shown = format!("{:?} {:?}", shown.collect::<Vec<_>>(), code.problems);
        for (name, value) in &given {
            // Short ones, and plain words, are parts of other words.
            let is_word = value.chars().all(char::is_alphanumeric);
            let is_distinct = value.len() > 8 && !is_word && !hidden.contains(value.as_str());
            assert!(!is_distinct || !shown.contains(value.as_str()), "{name} = {value}: {shown}");
        }
        // And what the rules are given is what they are given without marks, but for regions.
        let resources = |code: &Code| {
            let ids = |inventory: &crate::model::Inventory| {
                let all = [ResourceType::Instance, ResourceType::Role, ResourceType::Bucket, ResourceType::KmsKey];
                all.iter().map(|of| inventory.entries(*of).len()).collect::<Vec<_>>()
            };
            code.inventories.iter().map(ids).collect::<Vec<_>>()
        };
        assert_eq!(resources(&plain), resources(&code));
    }
}

#[test]
fn the_account_and_the_region_are_not_shown_where_they_are_sensitive() {
    let text = |provider: &str| {
        format!(
            "variable \"region\" {{ sensitive = true }}\nvariable \"account\" {{ sensitive = true }}\n{provider}\n\
             resource \"aws_instance\" \"i\" {{ monitoring = true }}\n\
             resource \"aws_cloudwatch_log_group\" \"g\" {{ name = \"/ssm\" }}\n\
             resource \"aws_ssm_document\" \"p\" {{\n  name = \"SSM-SessionManagerRunShell\"\n  \
             content = jsonencode({{ schemaVersion = \"1.0\", inputs = {{ cloudWatchLogGroupName = aws_cloudwatch_log_group.g.name }} }})\n}}\n"
        )
    };
    let role = "role_arn = \"arn:aws:iam::${var.account}:role/tf\"";
    for provider in [
        "provider \"aws\" {\n  region = var.region\n  allowed_account_ids = [var.account]\n}".to_owned(),
        format!("provider \"aws\" {{\n  region = \"${{var.region}}\"\n  assume_role {{ {role} }}\n}}"),
        format!(
            "provider \"aws\" {{\n  region = var.region\n  dynamic \"assume_role\" {{\n    for_each = toset([var.account])\n    content {{ {} }}\n  }}\n}}",
            role.replace("var.account", "assume_role.value")
        ),
        "provider \"aws\" {\n  region = var.region\n  dynamic \"default_tags\" {\n    for_each = [var.account]\n    content { tags = { Account = default_tags.value } }\n  }\n}".to_owned(),
    ] {
        let folder = folder(&[("main.tf", &text(&provider))]);
        let variables = vec!["region=ap-southeast-4".to_owned(), "account=123412341234".to_owned()];
        let code = read(folder.path(), &Options { variables, ..Options::default() }).expect("code");
        let inventory = &code.inventories[0];
        let shown = inventory.shown.as_deref().unwrap_or(inventory);
        let keys: Vec<_> = inventory.instances.keys().collect();
        let all = format!("{shown:?} {keys:?} {:?} {:?}", inventory.scopes, code.problems);
        assert!(!all.contains("ap-southeast-4") && !all.contains("123412341234"), "{provider}: {all}");
        // The same secret is the same place: what stands beside it is found.
        let preferences = inventory.session_preferences.values().next().expect("preferences");
        let group = preferences.attributes.log_group.known().and_then(Option::as_ref);
        assert!(group.is_some_and(|link| &*link.key.id == "aws_cloudwatch_log_group.g"), "{provider}: {group:?}");
    }
}
