//! Loads rules from files: parses them, checks them against the schema and against each other, and compiles them. Every
//! error is reported, each with its position.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use super::check::{Checker, Scope};
use super::eval::Outcome;
use super::example::{Bases, Example};
use super::expression::{Expression, Written};
use super::file::RuleFile;
use super::message::Message;
use super::params::Param;
use super::types::Type;
use super::{Expressions, Rule};
use crate::boundary::{Boundary, Refusal, check_named};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::model::ResourceType;
use crate::yaml::{self, Spanned, nearest};

include!(concat!(env!("OUT_DIR"), "/embedded_rules.rs"));

/// The compliant example of each resource type.
mod bases {
    include!(concat!(env!("OUT_DIR"), "/embedded_bases.rs"));
}

/// Subfolder with the bases of examples, within a user's folder of rules.
const BASES: &str = "bases/";

/// Rules, by id, with the bases of their examples.
#[derive(Debug, Default)]
pub struct Library {
    rules: BTreeMap<String, Rule>,
    bases: Bases,
}

impl Library {
    /// Returns the rules, by id.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values()
    }

    /// Returns the rule of that id, or one that formerly had it.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.get(id).or_else(|| self.rules.values().find(|rule| rule.aliases.iter().any(|alias| alias == id)))
    }

    /// Returns the bases of the examples.
    pub fn bases(&self) -> &Bases {
        &self.bases
    }

    /// Adds the rules of these files.
    ///
    /// # Errors
    /// All errors in the files.
    pub fn add(&mut self, files: impl IntoIterator<Item = SourceFile>) -> Result<(), Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        let (bases, rules): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| file.name().starts_with(BASES) || file.name().contains(&format!("/{BASES}")));
        for file in bases {
            if let Err(errors) = self.bases.add(&file) {
                diagnostics.extend(errors);
            }
        }
        for file in rules {
            match load(&file) {
                Ok(rule) => self.insert(rule, &mut diagnostics),
                Err(errors) => diagnostics.extend(errors),
            }
        }
        if diagnostics.is_empty() { Ok(()) } else { Err(diagnostics) }
    }

    fn insert(&mut self, rule: Rule, diagnostics: &mut Vec<Diagnostic>) {
        let mut ids = std::iter::once(&rule.id).chain(&rule.aliases);
        let taken = ids.find_map(|id| self.rule(id).map(|other| (id, other)));
        if let Some((id, other)) = taken {
            diagnostics.push(
                Diagnostic::error(format!("the id `{id}` is taken by {}", other.file.name()))
                    .of(&rule.file)
                    .help("ids are never used twice: choose another, or `--exclude-rule` does not need a copy"),
            );
            return;
        }
        self.rules.insert(rule.id.clone(), rule);
    }
}

/// Returns the built-in rules.
///
/// # Errors
/// All errors in the files; the tests ensure that there are none.
pub fn embedded() -> Result<Library, Vec<Diagnostic>> {
    let mut library = Library::default();
    let mut diagnostics = Vec::new();
    for (name, text) in bases::EMBEDDED {
        diagnostics.extend(library.bases.add(&SourceFile::new(*name, *text)).err().into_iter().flatten());
    }
    diagnostics.extend(
        library.add(EMBEDDED.iter().map(|(name, text)| SourceFile::new(*name, *text))).err().into_iter().flatten(),
    );
    if diagnostics.is_empty() { Ok(library) } else { Err(diagnostics) }
}

/// Returns the ids of the built-in rules: the stems of their files.
pub fn embedded_ids() -> impl Iterator<Item = &'static str> {
    let rules = EMBEDDED.iter().filter(|(name, _)| !name.starts_with("rules/bases/"));
    rules.filter_map(|(name, _)| FilePath::new(name).file_stem()?.to_str())
}

/// Returns the files of a folder of rules that the user names, with their paths as names, sorted.
///
/// # Errors
/// If the folder or a file in it cannot be read.
pub fn from_folder(folder: &FilePath) -> Result<Vec<SourceFile>, Vec<Diagnostic>> {
    match check_named(folder) {
        Ok(_) => from_folder_within(folder, folder),
        Err(refusal) => Err(unreadable(folder, &refusal)),
    }
}

/// Returns the files of a folder of rules, which must lie in the repository of another folder, or in that folder.
///
/// # Errors
/// If the folder or a file in it cannot be read.
pub(crate) fn from_folder_within(folder: &FilePath, within: &FilePath) -> Result<Vec<SourceFile>, Vec<Diagnostic>> {
    let boundary = Boundary::of(within, None).map_err(|error| unreadable(within, &Refusal::Failed(error)))?;
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        for name in boundary.names(&folder).map_err(|refusal| unreadable(&folder, &refusal))? {
            let path = folder.join(name);
            let is_folder = match boundary.resolve(&path) {
                Ok(real) => real.is_dir(),
                Err(Refusal::Missing) => false,
                // It may be a folder with rules.
                Err(refusal) => return Err(unreadable(&path, &refusal)),
            };
            if is_folder && depth < DEEPEST {
                folders.push((path, depth + 1));
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                let text =
                    boundary.text_of_at_most(&path, yaml::LARGEST).map_err(|refusal| unreadable(&path, &refusal))?;
                files.push(SourceFile::new(path.display().to_string(), text));
            }
        }
    }
    files.sort_by(|left, right| left.name().cmp(right.name()));
    if files.is_empty() {
        return Err(vec![Diagnostic::error(format!("there is no rule file in {}", folder.display()))]);
    }
    Ok(files)
}

/// Maximum depth of nested folders of rules: links may form a cycle.
const DEEPEST: usize = 16;

fn unreadable(path: &FilePath, refusal: &Refusal) -> Vec<Diagnostic> {
    vec![
        Diagnostic::error(format!("cannot read {}: {refusal}", path.display()))
            .help("`--rules` takes a folder of rule files"),
    ]
}

/// Reads, checks and compiles one rule.
fn load(file: &SourceFile) -> Result<Rule, Vec<Diagnostic>> {
    let mut written: RuleFile = yaml::parse(file)?;
    let mut diagnostics = check_frame(file, &written);
    let mut params = BTreeMap::new();
    for (name, param) in &written.params {
        match Param::from_file(param) {
            Ok(param) => {
                params.insert(name.clone(), param);
            }
            Err(message) => diagnostics.push(Diagnostic::error(message).at(file, param.span.clone())),
        }
    }
    let Some(resource_type) = ResourceType::from_label(&written.resource) else {
        let labels = ResourceType::ALL.iter().map(|resource_type| resource_type.as_str());
        let diagnostic = Diagnostic::error(format!("there is no resource type `{}`", *written.resource))
            .at(file, written.resource.span.clone());
        diagnostics.push(match nearest(&written.resource, labels) {
            Some(near) => diagnostic.help(format!("there is `{near}`")),
            None => diagnostic.help("`ssm-audit rules schema` lists the types"),
        });
        return Err(diagnostics);
    };
    let expressions = Expressions::from_file(file, &written, resource_type, &params, &mut diagnostics);
    let Some(expressions) = expressions.filter(|_| diagnostics.is_empty()) else { return Err(diagnostics) };
    let examples = [
        (Outcome::Pass, &written.tests.pass),
        (Outcome::Fail, &written.tests.fail),
        (Outcome::Unknown, &written.tests.unknown),
        (Outcome::NotApplicable, &written.tests.not_applicable),
    ];
    let examples = examples
        .into_iter()
        .flat_map(|(expected, written)| written.iter().map(move |one| Example::new(expected.clone(), one)));
    Ok(Rule {
        examples: examples.collect(),
        id: written.id.value,
        aliases: written.aliases.into_iter().map(|alias| alias.value).collect(),
        deprecated: written.deprecated,
        title: written.title,
        severity: written.severity,
        policy: written.policy,
        resource_type,
        sources: std::mem::take(&mut written.sources.value),
        description: written.description.trim().to_owned(),
        rationale: written.rationale.trim().to_owned(),
        params,
        remediation: written.remediation,
        manual_fix: written.manual_fix,
        references: written.references.value.into_iter().map(|reference| reference.value).collect(),
        file: file.clone(),
        expressions,
    })
}

/// Checks everything but the expressions.
fn check_frame(file: &SourceFile, written: &RuleFile) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let stem = FilePath::new(file.name()).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if written.id.value != stem {
        diagnostics.push(
            Diagnostic::error(format!("the id is `{}`, and the file is named `{stem}`", *written.id))
                .at(file, written.id.span.clone())
                .help("a rule's id is the stem of its file"),
        );
    }
    let plain = |id: &str| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    for id in std::iter::once(&written.id).chain(&written.aliases) {
        if !plain(id) {
            diagnostics.push(
                Diagnostic::error(format!("`{}` is not a rule id", **id))
                    .at(file, id.span.clone())
                    .help("an id is lower-case words with hyphens"),
            );
        }
    }
    if written.sources.is_empty() {
        diagnostics.push(Diagnostic::error("a rule names at least one source").at(file, written.sources.span.clone()));
    }
    if written.references.is_empty() {
        diagnostics.push(
            Diagnostic::error("a rule names at least one reference")
                .at(file, written.references.span.clone())
                .help("the address of the AWS document that it rests on"),
        );
    }
    for reference in written.references.iter().filter(|reference| !reference.starts_with("https://")) {
        diagnostics.push(Diagnostic::error("a reference is an https:// address").at(file, reference.span.clone()));
    }
    for (examples, word) in [(&written.tests.pass, "pass"), (&written.tests.fail, "fail")] {
        if examples.is_empty() {
            diagnostics.push(
                Diagnostic::error(format!("the rule has no example that must {word}"))
                    .at(file, written.tests.span.clone())
                    .help(format!("add `{word}: [{{…}}]`: attributes that differ from a compliant resource")),
            );
        }
    }
    diagnostics
}

impl Expressions {
    fn from_file(
        file: &SourceFile,
        written: &RuleFile,
        resource_type: ResourceType,
        params: &BTreeMap<String, Param>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let types: BTreeMap<String, Type> =
            params.iter().map(|(name, param)| (name.clone(), param.checked_type())).collect();
        let mut checker = Checker::new(resource_type, &types);
        let mut scope = Scope::default();
        let when = written.when.as_ref().and_then(|text| condition(file, text, &mut checker, &scope, diagnostics));
        if let Some((_, present)) = &when {
            scope = scope.with(present.clone());
        }
        let assert = condition(file, &written.assert, &mut checker, &scope, diagnostics);
        let reads = std::mem::take(&mut checker.reads);
        let evidence = written.evidence.as_ref().and_then(|text| {
            let expression = Written::parse(file, text).map_err(|errors| diagnostics.extend(errors)).ok()?;
            let checked = expression.check(&mut checker, &scope, diagnostics);
            if !matches!(checked.kind, Type::List(_) | Type::Error) {
                diagnostics.push(
                    Diagnostic::error(format!("evidence is a list of the offending elements, not {}", checked.kind))
                        .at(file, text.span.clone()),
                );
            }
            let path = checked
                .path
                .filter(|path| !path.is_empty())
                .map_or_else(|| "offending".to_owned(), |path| path.to_string());
            compiled(&expression, diagnostics).map(|expression| (expression, path))
        });
        let message = written.message.as_ref().map(|text| Message::parse(file, text, &mut checker, diagnostics));
        for name in params.keys().filter(|name| !checker.params_read.contains(*name)) {
            let span = written.params.get(name).map(|param| param.span.clone()).unwrap_or_default();
            diagnostics.push(Diagnostic::error(format!("nothing reads the parameter `{name}`")).at(file, span));
        }
        let shows = checker.reads;
        Some(Self { when: when.map(|(when, _)| when), assert: assert?.0, message, evidence, reads, shows })
    }
}

/// Checks and compiles a Boolean expression; also returns the attributes that are present if it is true.
fn condition(
    file: &SourceFile,
    text: &Spanned<String>,
    checker: &mut Checker<'_>,
    scope: &Scope,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<(Expression, BTreeSet<String>)> {
    let expression = Written::parse(file, text).map_err(|errors| diagnostics.extend(errors)).ok()?;
    let checked = expression.check(checker, scope, diagnostics);
    checker.expect(expression.program.expression(), &checked.kind, &Type::Bool);
    diagnostics.extend(std::mem::take(&mut checker.mistakes).iter().map(|mistake| expression.diagnose(mistake)));
    let present = Checker::present_if_true(expression.program.expression());
    compiled(&expression, diagnostics).map(|compiled| (compiled, present))
}

fn compiled(expression: &Written<'_>, diagnostics: &mut Vec<Diagnostic>) -> Option<Expression> {
    expression.compile().map_err(|error| diagnostics.push(*error)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::rule::example;
    use crate::terminal::Paint;

    fn render(diagnostics: &[Diagnostic]) -> String {
        let mut out = Vec::new();
        crate::diagnostic::write_all(diagnostics, Paint::Plain, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_rules_that_come_with_the_tool_are_sound_and_their_examples_come_out() {
        let library = embedded().unwrap_or_else(|errors| panic!("{}", render(&errors)));
        let failures = example::failures(&library);
        assert!(failures.is_empty(), "{}", render(&failures));
    }

    /// Loads a rule on log groups with this assertion, and returns its errors.
    fn with_assert(assert: &str) -> String {
        loaded(assert, "")
    }

    /// Loads a rule on log groups with this assertion and these other lines, and returns its errors.
    fn loaded(assert: &str, more: &str) -> String {
        let text = format!(
            "id: x\ntitle: t\nseverity: low\npolicy: guide\nresource: AWS::Logs::LogGroup\nsources: [aws]\n\
             description: d\nrationale: r\nassert: |\n  {assert}\nreferences: [https://example.com]\n\
             tests: {{pass: [{{}}], fail: [{{}}]}}\n{more}"
        );
        let mut library = Library::default();
        match library.add([SourceFile::new("rules/x.yaml", text)]) {
            Ok(()) => String::new(),
            Err(errors) => render(&errors),
        }
    }

    #[test]
    fn a_reason_for_no_remediation_is_not_cut_by_a_comma() {
        let assert = "resource.log_group_class == \"STANDARD\"";
        assert_eq!(loaded(assert, "remediation: {none: \"it is slow, and it costs\"}\n"), "");
        let cut = loaded(assert, "remediation: {none: it is slow, and it costs}\n");
        assert!(cut.contains("rules/x.yaml:13:"), "{cut}");
        assert!(cut.contains("expected the id of a remediation, or `{none: why there is none}`"), "{cut}");
    }

    #[test]
    fn an_expression_that_could_pass_by_accident_is_refused() {
        let refused = [
            "resource.?retention_in_days.orValue(30) >= 30",
            "!has(optional.of(resource).retention_in_days)",
            "optional.of(resource) == optional.of(resource)",
            "resource == resource",
            "[resource] == [resource]",
            "resource.kms_key == resource.kms_key",
            "resource[?\"retention_in_days\"] == optional.none()",
            "resource[\"retention_in_days\"] >= 30",
            "resource.retention_in_days >= 30",
            "!has(resource.retention_in_days) && resource.retention_in_days >= 30",
            "has(resource.retention_in_days) || resource.retention_in_days >= 30",
            "has(resource.kms_key) && resource.kms_key.log_groups.all(g, g.kms_key.key_id == \"x\")",
            "type(resource) == type(resource)",
            "dyn(resource.arn) == 1",
            "resource.arn == null",
            "resource.arn.matches(\".*\")",
            "resource.retention_in_day == 1",
            "resource.arn == 1",
            "resource.arn",
            "resource.arn in resource",
            "region == 3",
            "[1, 2].all(resource, true)",
            "resource.log_group_class.all(x, true)",
            "{\"a\": resource} == {\"a\": resource}",
            "resource.arn.unknownFunction()",
            "minutes_between(now)",
            "paramz.x == 1 && params.y == 2",
            "1 / 0 == 1",
            "(",
        ];
        let shown: Vec<String> = refused
            .into_iter()
            .map(|assert| {
                let message = with_assert(assert);
                assert!(!message.is_empty(), "accepted: {assert}");
                message
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn an_expression_that_goes_through_too_much_is_refused() {
        let list = format!("[{}]", vec!["1"; 300].join(", "));
        let nested = format!("{list}.all(a, ({list} + {list}.map(x, x)).all(b, a + b > 0))");
        assert!(with_assert(&nested).contains("goes through more than 20000 elements"), "{}", with_assert(&nested));
        assert!(!with_assert(&format!("{list}.all(a, a > 0)")).contains("goes through"));
    }

    #[test]
    fn what_asks_first_is_accepted() {
        for assert in [
            "has(resource.retention_in_days) && resource.retention_in_days >= 30",
            "!has(resource.retention_in_days) || resource.retention_in_days >= 30",
            "has(resource.retention_in_days) ? resource.retention_in_days >= 30 : false",
            "!(has(resource.kms_key) && has(resource.retention_in_days)) || resource.retention_in_days > 1",
            "has(resource.kms_key) && resource.kms_key.log_groups.exists(g, has(g.retention_in_days) && g.retention_in_days > 1)",
            "resource.log_group_class in [\"STANDARD\"] && size(resource.arn) > 0 && minutes_between(now, now) == 0",
        ] {
            assert_eq!(with_assert(assert), "", "{assert}");
        }
    }
}
