//! The evaluator against what Terraform gives, and the reader against hostile input.

mod bounded;
mod expressions;
mod files;
mod hostile;
mod marks;
mod modules;
mod providers;
mod sensitive;

use std::path::Path;

use tempfile::TempDir;

use super::read::{Code, Options, open, read, with_room};
use super::value::Value;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        write(folder.path(), name, text.as_bytes());
    }
    folder
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, bytes).expect("written");
}

/// The outputs of the root module, each in words.
fn outputs(files: &[(&str, &str)], options: &Options) -> Vec<(String, String)> {
    let folder = folder(files);
    with_room(|| {
        let module = open(folder.path(), options).expect("code");
        let names: Vec<_> = module.folder.outputs.iter().map(|(name, block)| (name.to_string(), block.span)).collect();
        names.into_iter().map(|(name, span)| (name.clone(), shown(&module.output(&name, span)))).collect()
    })
    .expect("a thread")
}

/// A value in words: unknown ones by what is unknown of them.
fn shown(value: &Value) -> String {
    match value {
        Value::Unknown(hole) => match hole.nature {
            super::value::Nature::Wrong => "error".to_owned(),
            _ => "unknown".to_owned(),
        },
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Set(items) => format!("set[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(members) => {
            let members = members.iter().map(|(name, value)| format!("{name} = {}", shown(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// What a folder with these files is read as.
fn code(files: &[(&str, &str)]) -> Code {
    read(folder(files).path(), &Options::default()).expect("code")
}
