//! The command lines in the files of `deploy/`: each must be one that the binary takes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::audit::Audit;
use crate::deploy::{file, folder};

/// Where the units expect the program.
pub(crate) const INSTALLED: &str = "/usr/local/bin/ssm-audit";

/// A command line without the program, and where it stands.
struct CommandLine {
    place: &'static str,
    words: Vec<String>,
}

/// All of them.
fn command_lines() -> Vec<CommandLine> {
    let mut found = Vec::new();
    let place = "systemd/ssm-audit-sweep.service";
    let text = file(place);
    let settings = text.lines().filter_map(|line| line.strip_prefix("Exec")?.split_once('='));
    let commands = settings.map(|(_, command)| words(command.trim_start_matches('-')));
    found.extend(commands.map(|words| CommandLine { place, words: after_program(&words).expect("our program") }));
    for (place, names) in [
        ("kubernetes/sweep.yaml", ["args"]),
        ("kubernetes/sharded.yaml", ["args"]),
        ("aws-batch/sweep.yaml", ["Command"]),
        ("github/ssm-audit.yml", ["run"]),
    ] {
        for document in documents(&file(place)) {
            let mut values = Vec::new();
            values_of(&document, names[0], &mut values);
            for value in values {
                let commands = match value {
                    Value::Array(_) => vec![serde_json::from_value::<Vec<String>>(value.clone()).unwrap()],
                    script => script.as_str().unwrap().lines().filter_map(|line| after_program(&words(line))).collect(),
                };
                found.extend(commands.into_iter().map(|words| CommandLine { place, words }));
            }
        }
    }
    let shown = file("README.md");
    let shown = shown.lines().filter_map(|line| after_program(&words(line.strip_prefix("$ ")?)));
    found.extend(shown.map(|words| CommandLine { place: "README.md", words }));
    found
}

/// The documents of a YAML file. What CloudFormation computes stands there as it is written.
fn documents(text: &str) -> Vec<Value> {
    let functions = ["!Ref ", "!Sub ", "!GetAtt "];
    let text = functions.iter().fold(text.to_owned(), |text, function| text.replace(function, ""));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// The values that have this name, however deep.
fn values_of<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if key == name { found.push(value) } else { values_of(value, name, found) }
            }
        }
        Value::Array(entries) => entries.iter().for_each(|value| values_of(value, name, found)),
        _ => {}
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(|word| word.trim_matches('"').to_owned()).collect()
}

/// What follows the name of the program, up to what the shell does with its output.
fn after_program(words: &[String]) -> Option<Vec<String>> {
    let program = words.iter().position(|word| word == "ssm-audit" || word.ends_with("/ssm-audit"))?;
    // Where it is copied, it is not run.
    if program > 0 {
        return None;
    }
    let ours = words[1..].iter().take_while(|word| !matches!(word.as_str(), ">" | "|" | "||" | "&&" | "#"));
    Some(ours.cloned().collect())
}

/// The flags of a command, as its help lists them.
fn flags(command: &str) -> BTreeSet<String> {
    let help = Audit::new(&[command, "--help"]).run();
    assert_eq!(help.code, Some(0), "{command}: {}", help.stderr);
    let indented = help.stdout.lines().filter(|line| line.trim_start().starts_with('-'));
    let words = indented.flat_map(|line| line.split([' ', ',', '=', '[', '.']));
    words.filter(|word| word.starts_with('-')).map(ToOwned::to_owned).collect()
}

#[test]
fn every_command_line_is_one_that_the_binary_takes() {
    let lines = command_lines();
    let places: BTreeSet<&str> = lines.iter().map(|line| line.place).collect();
    assert_eq!(places.len(), 6, "a file has lost its commands: {places:?}");
    let mut known: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for CommandLine { place, words } in &lines {
        let command = words.first().expect("a command");
        let flags = known.entry(command).or_insert_with(|| flags(command));
        for word in words.iter().filter(|word| word.starts_with('-')) {
            let flag = word.split('=').next().unwrap_or_default();
            assert!(flags.contains(flag), "{place}: {command} has no {flag}");
        }
    }
    // What all of this is for: sweeps, parts of sweeps, and what merges them.
    let has = |command: &str, flag: &str| {
        let of_command = |line: &&CommandLine| line.words[0] == command;
        lines.iter().filter(of_command).any(|line| line.words.iter().any(|word| word.starts_with(flag)))
    };
    for (command, flag) in [("sweep", "--state"), ("sweep", "--shard"), ("sweep", "--resume"), ("merge", "s3://")] {
        assert!(has(command, flag), "{command} {flag}");
    }
}

/// Flags that need each other, their values and the configuration are right, too: what is left to go wrong are the
/// credentials, which this run has none of.
#[test]
fn every_sweep_gets_as_far_as_the_credentials() {
    let mut sweeps = 0;
    for CommandLine { place, words } in command_lines() {
        // What stands for something else cannot be tried.
        if words[0] != "sweep" || words.iter().any(|word| word == "…") {
            continue;
        }
        sweeps += 1;
        let here = |word: &String| {
            let word = word.replace("${STATE_DIRECTORY}", "state").replace("Ref::parts", "s3://bucket/run");
            word.replace("/etc/ssm-audit/", "").replace("/state", "state").replace("/tmp/", "")
        };
        let words: Vec<String> = words.iter().map(here).collect();
        let words: Vec<&str> =
            words.iter().map(|word| if *word == "MemberRole" { "SsmAuditScan" } else { word }).collect();
        let run = Audit::new(&words)
            .file("ssm-audit.yaml", &file("ssm-audit.yaml"))
            .file("state/none", "")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_BATCH_JOB_ARRAY_INDEX", "1")
            .env("AWS_BATCH_JOB_ARRAY_SIZE", "4")
            .env("JOB_COMPLETION_INDEX", "1")
            .run();
        assert_eq!(run.code, Some(2), "{place}: {words:?}\n{}", run.stderr);
        assert!(run.stderr.contains("credentials"), "{place}: {words:?}\n{}", run.stderr);
    }
    assert!(sweeps >= 5, "{sweeps}");
}

/// The accounts that the pods look at are those that everything else looks at.
#[test]
fn the_configuration_of_the_pods_is_the_same() {
    let maps: Vec<Value> =
        documents(&file("kubernetes/sweep.yaml")).into_iter().filter(|object| object["kind"] == "ConfigMap").collect();
    let [map] = maps.as_slice() else { panic!("one ConfigMap, not {}", maps.len()) };
    let inside = map["data"]["ssm-audit.yaml"].as_str().unwrap();
    assert_eq!(documents(inside), documents(&file("ssm-audit.yaml")));
}

/// Of everything that is in the folder, it is said what it is for.
#[test]
fn the_readme_names_every_file() {
    let readme = file("README.md");
    let mut pending = vec![folder()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let name = path.strip_prefix(folder()).unwrap().display().to_string();
        assert!(name == "README.md" || readme.contains(&name), "deploy/README.md does not name {name}");
    }
}
