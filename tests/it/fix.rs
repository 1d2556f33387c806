//! `fix`, `resume`, `undo` and `runs`: plans that are saved and applied, what is asked before, and what a journal
//! holds that was cut off, damaged or locked.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audit::{Audit, Outcome};
use crate::emulator::{Emulator, fresh_account};
use crate::proxy::{Fault, Kind, Proxy};

/// How long a program under test is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Two calls on one instance.
pub(crate) const BROKEN: &[&str] = &["ec2-imdsv2-required", "ec2-detailed-monitoring"];
pub(crate) const RULES: &str = "ec2-imdsv2-required,ec2-detailed-monitoring";

/// An account that breaks something, and the journal of what is done to it.
pub(crate) struct Ground {
    account: String,
    folder: TempDir,
    pub(crate) proxy: Proxy,
}

impl Ground {
    pub(crate) fn new(breakages: &[&str]) -> Self {
        Self::in_regions(&["us-east-1"], breakages)
    }

    pub(crate) fn in_regions(regions: &[&str], breakages: &[&str]) -> Self {
        let account = fresh_account();
        Emulator::moto().seed(&account, regions, breakages);
        Self { account, folder: TempDir::new().unwrap(), proxy: Proxy::start(Emulator::moto().url()) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn audit(&self, arguments: &[&str]) -> Audit {
        Audit::on(Emulator::moto(), &self.account, "us-east-1", arguments)
            .file("ssm-audit.yaml", "policy: guide\n")
            .env("AWS_ENDPOINT_URL", &self.proxy.url())
            .env("SSM_AUDIT_STATE", self.state().to_str().unwrap())
            .env("COLUMNS", "90")
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.audit(arguments).run()
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[arguments, &["--format", "json"]].concat()).json()
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> (Child, Audit) {
        let mut audit = self.audit(arguments);
        let child = audit.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        (child, audit)
    }

    /// What is done in the first run, and its id.
    pub(crate) fn only_run(&self) -> String {
        let runs = self.json(&["runs", "list"]);
        runs["runs"][0]["id"].as_str().unwrap().to_owned()
    }

    /// The verdicts of the rules, `fail` where one does.
    pub(crate) fn fails(&self) -> Vec<String> {
        let report = self.json(&["scan", "--rule", RULES]);
        let failing = report["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "fail");
        failing.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
    }

    /// What was said, with what differs between runs taken out.
    fn said(&self, outcome: &Outcome) -> String {
        let mut text =
            format!("exit code {:?}\n--- stdout\n{}--- stderr\n{}", outcome.code, outcome.stdout, outcome.stderr);
        text = text.replace(self.folder.path().to_str().unwrap(), "[FOLDER]").replace(&self.account, "[ACCOUNT]");
        for (pattern, name) in [
            (r"\d{8}T\d{6}Z-[0-9a-f]{6}", "[RUN]"),
            (r"\d{4}-\d\d-\d\dT[0-9:.]+Z?", "[TIME]"),
            (r"i-[0-9a-f]{17}", "[INSTANCE]"),
            (r"request\s+\w+\)", "request [ID])"),
        ] {
            text = replaced(&text, pattern, name);
        }
        text
    }
}

/// By Python, which the emulators need anyway.
fn replaced(text: &str, pattern: &str, name: &str) -> String {
    let program = "import re,sys; sys.stdout.write(re.sub(sys.argv[1], sys.argv[2], sys.argv[3]))";
    let output = Command::new("python3").args(["-c", program, pattern, name, text]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn valid(schema: &str, instance: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(schema);
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let errors: Vec<String> = jsonschema::validator_for(&schema)
        .unwrap()
        .iter_errors(instance)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, [""; 0], "{instance:#}");
}

#[test]
fn a_plan_is_saved_and_applied_once_and_taken_back_once() {
    let ground = Ground::new(BROKEN);
    let path = ground.path("plan.json");
    let path = path.to_str().unwrap();
    let planned = ground.run(&["fix", "--rule", RULES, "--out", path]);
    insta::assert_snapshot!("fix_plan", ground.said(&planned));
    assert_eq!(ground.fails().len(), 2, "planning changes nothing");
    let plan: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    valid("plan.schema.json", &plan);
    let applied = ground.run(&["fix", "--plan", path, "--yes", "--format", "json"]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    let run = applied.json();
    valid("run.schema.json", &run);
    assert_eq!(run["id"], plan["id"]);
    let of = |member: &str, of: &str| -> Vec<Value> {
        run[of].as_array().unwrap().iter().map(|one| one[member].clone()).collect()
    };
    assert_eq!(of("status", "steps"), ["done", "done"]);
    assert_eq!(of("result", "findings"), ["fixed", "fixed"]);
    assert_eq!(ground.fails(), [""; 0]);
    insta::assert_snapshot!("fix_applied_already", ground.said(&ground.run(&["fix", "--plan", path, "--yes"])));

    let id = ground.only_run();
    let shown = ground.json(&["runs", "show", &id[..18]]);
    assert_eq!(shown, run);
    valid("runs.schema.json", &ground.json(&["runs", "list"]));
    insta::assert_snapshot!("runs_show", ground.said(&ground.run(&["runs", "show", &id])));
    let undone = ground.run(&["undo", &id, "--yes"]);
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert_eq!(ground.fails().len(), 2);
    insta::assert_snapshot!("runs_list", ground.said(&ground.run(&["runs", "list"])));
    insta::assert_snapshot!("undone_already", ground.said(&ground.run(&["undo", &id, "--yes"])));
    let undo = ground.json(&["runs", "list"])["runs"][1]["id"].as_str().unwrap().to_owned();
    insta::assert_snapshot!("undo_of_undo", ground.said(&ground.run(&["undo", &undo, "--yes"])));
    insta::assert_snapshot!("resume_of_finished", ground.said(&ground.run(&["resume", &id])));
    insta::assert_snapshot!("no_run", ground.said(&ground.run(&["undo", "1999"])));
}

#[test]
fn a_plan_that_is_none_is_refused_with_its_place() {
    let ground = Ground::new(BROKEN);
    let path = ground.path("plan.json");
    ground.run(&["fix", "--rule", RULES, "--out", path.to_str().unwrap()]);
    let mut plan: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    // As long as any other time of which nothing is left out, for the columns behind it.
    plan["created_at"] = json!("2026-11-22T21:28:27.123456789Z");
    let mut said = Vec::new();
    let mut refused = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut changed = plan.clone();
        change(&mut changed);
        std::fs::write(&path, changed.to_string()).unwrap();
        let outcome = ground.run(&["fix", "--plan", path.to_str().unwrap(), "--yes"]);
        assert_eq!(outcome.code, Some(2), "{name}: {}", outcome.stdout);
        said.push(format!("{name}: {}", ground.said(&outcome).split("--- stderr\n").last().unwrap()));
    };
    refused("kind", &|plan| plan["kind"] = json!("ssm-audit/report"));
    refused("version", &|plan| plan["schema_version"] = json!(2));
    refused("unknown member", &|plan| plan["steps"][0]["reson"] = json!("x"));
    refused("unknown parameter", &|plan| plan["steps"][0]["call"]["parameters"]["DryRun"] = json!(true));
    refused("unknown operation", &|plan| plan["steps"][1]["call"]["operation"] = json!("TerminateInstances"));
    refused("needs", &|plan| plan["steps"][0]["needs"] = json!([7]));
    refused("reference", &|plan| plan["steps"][1]["call"]["parameters"]["InstanceIds"] = json!(["@{1.Id}"]));
    refused("account", &|plan| plan["steps"][0]["resource"]["account"] = json!("999999999999"));
    refused("rule", &|plan| plan["rules"] = json!({}));
    refused("another tool's rule", &|plan| {
        plan["rules"]["my-rule"] = json!({});
    });
    refused("by name", &|plan| plan["steps"][0]["by_name"] = json!(true));
    refused("irreversible", &|plan| plan["steps"][0]["disruption"] = json!("irreversible"));
    refused("another value", &|plan| plan["steps"][0]["call"]["parameters"]["HttpTokens"] = json!("optional"));
    refused("one more value", &|plan| plan["steps"][0]["call"]["parameters"]["HttpPutResponseHopLimit"] = json!(64));
    refused("another undo", &|plan| plan["steps"][0]["undo"]["by"]["parameters"]["HttpEndpoint"] = json!("disabled"));
    refused("another resource", &|plan| plan["steps"][0]["call"]["parameters"]["InstanceId"] = json!("i-0"));
    refused("another region", &|plan| plan["steps"][0]["resource"]["region"] = json!("eu-central-1"));
    refused("another remediation", &|plan| plan["findings"][0]["remediation"] = json!("ec2-encrypt-root-volume"));
    refused("another version", &|plan| plan["tool"]["version"] = json!("0.0.1"));
    refused("other rules", &|plan| plan["tool"]["rules_digest"] = json!("sha256:0"));
    refused("another order", &|plan| plan["steps"].as_array_mut().unwrap().reverse());
    refused("no warning", &|plan| plan["steps"][0]["warnings"] = json!([]));
    refused("no digests", &|plan| drop(plan.as_object_mut().unwrap().remove("seal")));
    std::fs::write(&path, "{\"kind\": \"ssm-audit/plan\", ").unwrap();
    let torn = ground.run(&["fix", "--plan", path.to_str().unwrap(), "--yes"]);
    said.push(format!("torn: {}", torn.stderr.replace(ground.folder.path().to_str().unwrap(), "[FOLDER]")));
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(ground.proxy.mutating_calls().len(), 0);
}

#[test]
fn no_more_is_changed_at_once_than_is_allowed() {
    let ground = Ground::new(BROKEN);
    let refused = ground.run(&["fix", "--rule", RULES, "--yes", "--max-changes", "0"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    insta::assert_snapshot!(ground.said(&refused));
    assert_eq!(ground.proxy.mutating_calls().len(), 0);
    let shown = ground.run(&["fix", "--rule", RULES, "--max-changes", "0"]);
    assert_eq!(shown.code, Some(1), "{}", shown.stderr);
    assert!(shown.stdout.contains("Over the limit"), "{}", shown.stdout);
    // What applies the plan is not `--yes` alone.
    assert!(shown.stderr.contains("`--yes --max-changes 1` applies it"), "{}", shown.stderr);
    assert_eq!(ground.run(&["fix", "--rule", RULES, "--yes", "--max-changes", "100%"]).code, Some(0));
    assert_eq!(ground.run(&["fix", "--max-changes", "many"]).code, Some(2));
}

#[test]
fn of_a_report_only_what_fails_still_is_planned() {
    let ground = Ground::new(BROKEN);
    let path = ground.path("report.json");
    let path = path.to_str().unwrap();
    ground.run(&["scan", "--rule", RULES, "-o", path]);
    assert_eq!(ground.run(&["fix", "--rule", "ec2-detailed-monitoring", "--yes"]).code, Some(0));
    let planned = ground.run(&["fix", path, "--format", "json"]);
    let rules: Vec<Value> =
        planned.json()["findings"].as_array().unwrap().iter().map(|aim| aim["rule"].clone()).collect();
    assert_eq!(rules, ["ec2-imdsv2-required"]);
    assert!(planned.stderr.contains("ec2-detailed-monitoring on i-"), "{}", planned.stderr);
    assert!(planned.stderr.contains("holds by now"), "{}", planned.stderr);

    let snapshot = ground.path("account.json");
    ground.run(&["collect", "-o", snapshot.to_str().unwrap()]);
    insta::assert_snapshot!("fix_a_snapshot", ground.said(&ground.run(&["fix", snapshot.to_str().unwrap()])));
    insta::assert_snapshot!("fix_a_folder", ground.said(&ground.run(&["fix", "."])));
    insta::assert_snapshot!("fix_nothing_there", ground.said(&ground.run(&["fix", "nowhere.json"])));
}

/// Runs the program on a terminal of its own and types these lines; what it said, and its exit code.
fn on_a_terminal(ground: &Ground, arguments: &[&str], lines: &[&str]) -> (String, i32) {
    typed(&mut ground.audit(arguments), arguments, lines)
}

/// The same of a run that has been put together with these arguments.
pub(crate) fn typed(audit: &mut Audit, arguments: &[&str], lines: &[&str]) -> (String, i32) {
    let program = "
import os, pty, sys
lines, command = sys.argv[1].split('|'), sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
for line in lines:
    said = b''
    while not said.rstrip().endswith((b'to go on:', b'?]?')):
        said += (part := os.read(terminal, 4096))
        sys.stdout.buffer.write(part)
    os.write(terminal, line.encode() + b'\\n')
try:
    while part := os.read(terminal, 4096):
        sys.stdout.buffer.write(part)
except OSError:
    pass
sys.stdout.buffer.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
";
    let binary = audit.command().get_program().to_owned();
    let mut command = Command::new("python3");
    command.args(["-c", program, &lines.join("|")]).arg(binary).args(arguments).env_clear();
    let variables = audit.command().get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
    command.envs(variables.collect::<Vec<_>>()).current_dir(audit.folder());
    let output = command.output().unwrap();
    assert!(!output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap())
}

#[test]
fn on_a_terminal_it_asks_and_wants_names() {
    let ground = Ground::new(&["ec2-detailed-monitoring", "iam-role-trusts-ec2-only"]);
    let (said, code) = on_a_terminal(&ground, &["fix", "--rule", "ec2-detailed-monitoring"], &["no"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Make 1 change in account"), "{said}");
    assert!(said.contains("Nothing was changed"), "{said}");
    let rules = ["fix", "--rule", "iam-role-trusts-ec2-only", "--color", "never"];
    let (said, code) = on_a_terminal(&ground, &rules, &["ssm-ec2-rol"]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("ssm-ec2-role is changed only by name"), "{said}");
    assert_eq!(ground.proxy.mutating_calls().len(), 0);
    let (said, code) = on_a_terminal(&ground, &rules, &["ssm-ec2-role", "yes"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("fixed"), "{said}");
    // Without a terminal, the name is a flag.
    let unnamed = ground.run(&["fix", "--rule", "iam-role-trusts-ec2-only", "--yes"]);
    assert_eq!(unnamed.code, Some(0), "it holds by now: {}", unnamed.stdout);
}

#[test]
fn on_a_terminal_groups_are_chosen_one_by_one() {
    let ground = Ground::new(BROKEN);
    let fix = ["fix", "--rule", RULES, "--interactive", "--color", "never"];
    // Without a terminal there is nobody to ask.
    let refused = ground.run(&fix);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--interactive asks on a terminal"), "{}", refused.stderr);
    // Nothing is chosen, by quitting and by leaving all out.
    for answers in [&["q"][..], &["n", "no"]] {
        let (said, code) = on_a_terminal(&ground, &fix, answers);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("(1/2) Apply this change [y,n,d,a,q,?]?"), "{said}");
        assert!(said.contains("Nothing was changed."), "{said}");
    }
    assert_eq!(ground.proxy.mutating_calls().len(), 0);
    // The first is looked at and left out, the second is made, without another question.
    let (said, code) = on_a_terminal(&ground, &fix, &["?", "d", "n", "y"]);
    assert_eq!(code, 1, "a finding is left out: {said}");
    assert!(said.contains("y  apply these changes") && said.contains("not chosen"), "{said}");
    assert!(said.contains("1/1 done"), "{said}");
    assert_eq!(ground.fails().len(), 1, "{said}");
    // Who quits after a choice is asked once more.
    let ground = Ground::new(BROKEN);
    let (said, code) = on_a_terminal(&ground, &fix, &["y", "q", "no"]);
    assert!(code == 1 && said.contains("Make 1 change in account"), "{said}");
    assert_eq!(ground.fails().len(), 2, "{said}");
    let (said, code) = on_a_terminal(&ground, &fix, &["a"]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(ground.fails(), [""; 0], "{said}");
}

#[test]
fn by_name_without_a_terminal_wants_the_whole_name() {
    let ground = Ground::new(&["iam-role-trusts-ec2-only"]);
    let fix = |resource: &str| {
        ground.run(&["fix", "--rule", "iam-role-trusts-ec2-only", "--yes", "--format", "json", "--resource", resource])
    };
    let globbed = fix("ssm-ec2-*");
    assert_eq!(globbed.code, Some(1), "{}", globbed.stderr);
    let reason = globbed.json()["left_out"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.ends_with("--resource ssm-ec2-role"), "{reason}");
    assert_eq!(ground.proxy.mutating_calls().len(), 0);
    assert_eq!(fix("ssm-ec2-role").code, Some(0));
}

#[test]
fn what_was_done_of_a_run_that_failed_is_taken_back() {
    let ground = Ground::new(BROKEN);
    ground.proxy.inject(Fault::on("ec2:MonitorInstances", Kind::Denied));
    let failed = ground.run(&["fix", "--rule", RULES, "--yes", "--format", "json"]);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    let run = failed.json();
    let results: Vec<&str> =
        run["findings"].as_array().unwrap().iter().map(|aim| aim["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["still_failing", "fixed"]);
    assert_eq!(ground.fails(), ["ec2-detailed-monitoring"]);
    let undone = ground.run(&["undo", run["id"].as_str().unwrap(), "--yes"]);
    assert_eq!(undone.code, Some(0), "{}", undone.stderr);
    assert_eq!(ground.fails().len(), 2);
}

#[test]
fn a_journal_that_cannot_be_used_is_left_as_it_is() {
    let ground = Ground::new(BROKEN);
    assert_eq!(ground.run(&["fix", "--rule", "ec2-detailed-monitoring", "--yes"]).code, Some(0));
    let journal = ground.state().join("journal.db");
    let sound = std::fs::read(&journal).unwrap();
    let before = ground.proxy.mutating_calls().len();
    let mut said = Vec::new();
    let mut refused = |name: &str, bytes: &[u8]| {
        for rest in ["journal.db-wal", "journal.db-shm"] {
            std::fs::remove_file(ground.state().join(rest)).ok();
        }
        std::fs::write(&journal, bytes).unwrap();
        for arguments in [&["runs", "list"][..], &["fix", "--rule", "ec2-imdsv2-required", "--yes"]] {
            let outcome = ground.run(arguments);
            assert_eq!(outcome.code, Some(2), "{name}: {}", outcome.stdout);
            said.push(format!("{name}: {}", ground.said(&outcome).split("--- stderr\n").last().unwrap()));
        }
        assert_eq!(std::fs::read(&journal).unwrap(), bytes, "{name}: it was written over");
    };
    refused("text", b"this is no journal at all, it is just some text that happens to be here");
    let mut torn = sound.clone();
    torn.truncate(sound.len() / 2);
    refused("torn", &torn);
    let mut newer = sound.clone();
    newer[60..64].copy_from_slice(&9_u32.to_be_bytes());
    refused("newer", &newer);
    said.dedup();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(ground.proxy.mutating_calls().len(), before);

    let nowhere =
        ground.audit(&["fix", "--rule", "ec2-imdsv2-required", "--yes"]).env("SSM_AUDIT_STATE", "/dev/null/x").run();
    assert_eq!(nowhere.code, Some(2));
    assert!(nowhere.stderr.contains("name one that you may write to with --state"), "{}", nowhere.stderr);
    assert_eq!(ground.proxy.mutating_calls().len(), before);
}
