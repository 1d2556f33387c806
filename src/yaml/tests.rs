use serde::Deserialize;

use super::*;
use crate::terminal::Paint;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    #[serde(default)]
    title: Option<Spanned<String>>,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    numbers: Vec<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    High,
    Low,
}

fn complain(text: &str) -> String {
    let errors = parse::<Example>(&SourceFile::new("f.yaml", text)).expect_err("an error");
    errors.iter().map(|error| error.render(Paint::Plain)).collect::<Vec<_>>().join("\n")
}

#[test]
fn mistakes_show_their_place() {
    let mistakes = [
        "title: x\nlevl: high\n",
        "level: hihg\n",
        "level: x\n",
        "title: a\ntitle: b\n",
        "numbers: [1, two]\n",
        "title: a: b\n",
        "title: \"open\n",
        "title: [a]\n",
        "numbers: 3\n",
        "a: &a [*a]\n",
        "title: *nope\n",
        "- 1\n",
        "title: a\n---\ntitle: b\n",
    ];
    let all: Vec<String> = mistakes.iter().map(|text| complain(text)).collect();
    insta::assert_snapshot!(all.join("\n\n"));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Item {
        name: String,
        account: Option<crate::model::AccountId>,
        on: bool,
    }
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Many {
        items: Vec<Item>,
        level: Level,
    }
    let text = "items:\n  - {nam: a, on: yes}\n  - {name: [b], account: 12345, on: true}\n  - {name: c}\n  - {name: d, account: 012345678901, on: false}\nlevel: 3\nextra: 1\n";
    let errors = parse::<Many>(&SourceFile::new("f.yaml", text)).expect_err("errors");
    let mut lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.sort();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn numbers_with_a_leading_zero_stay_text() {
    let value: serde_json::Value =
        parse(&SourceFile::new("f", "{a: 012345678901, b: 30, c: 1_000, d: yes}")).expect("a value");
    assert_eq!(value, serde_json::json!({"a": "012345678901", "b": 30, "c": "1_000", "d": "yes"}));
}

#[test]
fn spans_are_bytes_of_the_file() {
    let text = "title: 'é x'\nnumbers: [1, 22]\n";
    let example: Example = parse(&SourceFile::new("f.yaml", text)).expect("an example");
    assert_eq!(&text[example.title.expect("a title").span], "'é x'");
    assert_eq!(&text[example.numbers[1].span.clone()], "22");
    assert!(example.level.is_none());
    let _ = (Level::High, Level::Low);
}

#[test]
fn a_part_of_an_expression_is_found_in_every_style() {
    let styles = [
        "title: aa && bb\n",
        "title: 'aa && bb'\n",
        "title: \"aa && bb\"\n",
        "title: |\n    aa &&\n      bb\n",
        "title: |-\n  aa && bb",
    ];
    for text in styles {
        let file = SourceFile::new("f.yaml", text);
        let title = parse::<Example>(&file).expect("an example").title.expect("a title");
        let start = title.value.find("bb").expect("the part");
        assert_eq!(&text[title.part(&file, start..start + 2)], "bb", "{text}");
    }
}

#[test]
fn names_are_suggested_only_when_near() {
    let names = ["policy", "rules", "waivers"];
    assert_eq!(nearest("waiver", names), Some("waivers"));
    assert_eq!(nearest("Polcy", names), Some("policy"));
    assert_eq!(nearest("fleet", names), None);
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let line = |level: usize| {
        let before = if level == 0 { "x".to_owned() } else { format!("*a{}", level - 1) };
        format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(", "))
    };
    let text: String = (0..12).map(line).collect();
    let result = parse::<serde_json::Value>(&SourceFile::new("f.yaml", text));
    assert!(result.is_err());
}
