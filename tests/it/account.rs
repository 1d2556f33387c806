//! An account to fix on an emulator, with a journal of its own: the commands that change it, and what stands in the
//! journal, read from its tables rather than from what the program says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tempfile::TempDir;

use crate::audit::{Audit, Outcome};
use crate::emulator::Emulator;
use crate::proxy::{Fault, Kind, Proxy};

/// Names and values that the fixes of the accounts need.
pub(crate) const CONFIGURATION: &str = r#"
fix:
  role: ssm-node-role
  logging_bucket: "ssm-access-logs-${account}-${region}"
  tags: {AppID: session-manager, DataType: Sensitive}
"#;

/// How long the program may take to its next call.
const PATIENCE: Duration = Duration::from_secs(100);

/// An account to fix.
pub(crate) struct Account<'a> {
    pub(crate) id: String,
    pub(crate) emulator: &'a Emulator,
    regions: Vec<String>,
    /// The resources that a fix may change only by name.
    names: BTreeSet<String>,
    configuration: String,
    state: TempDir,
}

/// A run, as the journal has it.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) plan: Value,
    /// Status and problem of each step that was begun or stopped.
    pub(crate) steps: BTreeMap<i64, (String, Option<String>)>,
    pub(crate) calls: Vec<JournalCall>,
}

/// A call, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalCall {
    pub(crate) step: i64,
    /// `service:Operation`
    pub(crate) call: String,
    /// None where the process ended before there was one.
    pub(crate) outcome: Option<String>,
}

impl<'a> Account<'a> {
    /// What `accounts.py` made, and described so.
    pub(crate) fn new(emulator: &'a Emulator, seeded: &Value) -> Self {
        let resources = seeded["broken"].as_object().into_iter().flatten().filter_map(|(_, broken)| broken.as_array());
        let named = resources.flatten().map(|resource| resource["id"].as_str());
        let hazards = seeded["hazards"].as_object().into_iter().flatten().map(|(_, made)| made["resource"].as_str());
        Self {
            id: seeded["account"].as_str().unwrap().to_owned(),
            emulator,
            regions: seeded["regions"].as_object().unwrap().keys().cloned().collect(),
            names: named.chain(hazards).flatten().map(str::to_owned).collect(),
            configuration: CONFIGURATION.to_owned(),
            state: TempDir::new().unwrap(),
        }
    }

    /// So many accounts alike, as `accounts.py` makes them with these arguments.
    pub(crate) fn copies(emulator: &'a Emulator, count: usize, arguments: &[&str]) -> Vec<Self> {
        let accounts = crate::emulator::fresh_accounts(count as u64);
        let count = count.to_string();
        let arguments = [&["--account", &accounts[0], "--copies", &count], arguments].concat();
        let made = emulator.seed_with(&arguments);
        made.as_array().unwrap().iter().map(|seeded| Self::new(emulator, seeded)).collect()
    }

    /// One account.
    pub(crate) fn one(emulator: &'a Emulator, arguments: &[&str]) -> Self {
        Self::copies(emulator, 1, arguments).remove(0)
    }

    /// The dumps of copies.
    pub(crate) fn dumps(copies: &[Self]) -> Vec<Value> {
        copies[0].emulator.dumps(&copies[0].id, copies.len(), &copies[0].regions)
    }

    /// Without a bucket for server access logs: an account that nobody touched has none.
    pub(crate) fn without_logging_bucket(mut self) -> Self {
        self.configuration = CONFIGURATION.replace("logging_bucket", "# logging_bucket");
        self
    }

    /// With this key for sessions.
    pub(crate) fn with_key(mut self, alias: &str) -> Self {
        self.configuration = format!("{}  key_alias: {alias}\n", self.configuration);
        self
    }

    /// Without the names: what is changed only by name is not.
    pub(crate) fn unnamed(mut self) -> Self {
        self.names.clear();
        self
    }

    /// One step at a time, so that the calls come in the order of the plan.
    fn command(&self, arguments: &[&str]) -> Audit {
        Audit::on(self.emulator, &self.id, &self.regions[0], arguments)
            .file("ssm-audit.yaml", &self.configuration)
            .env("SSM_AUDIT_STEPS", "1")
            .env("SSM_AUDIT_STATE", self.state())
    }

    /// `fix` of everything, with all that it may be told.
    pub(crate) fn fix(&self) -> Audit {
        self.plan().args(&["--yes"])
    }

    /// `fix` of everything, and of these by name.
    pub(crate) fn fix_named(&self, names: &[&str]) -> Audit {
        self.fix().args(&names.iter().flat_map(|name| ["--resource", name]).collect::<Vec<_>>())
    }

    /// `fix` that only plans.
    pub(crate) fn plan(&self) -> Audit {
        let named = self.names.iter().flat_map(|name| ["--resource", name]);
        self.plan_of_all().args(&named.collect::<Vec<_>>())
    }

    /// The same, of all that is changed without being named.
    pub(crate) fn plan_of_all(&self) -> Audit {
        let regions = self.regions.join(",");
        let all = ["fix", "--regions", &regions, "--allow", "restart,replace,irreversible,shared", "--resource", "*"];
        self.command(&all).env("SSM_AUDIT_MAX_CHANGES", "100%")
    }

    /// `fix` with a plan that was saved.
    pub(crate) fn apply(&self, plan: &str) -> Audit {
        let all = ["fix", "--plan", plan, "--yes", "--allow", "restart,replace,irreversible,shared"];
        let saved: Value = serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
        let steps = saved["steps"].as_array().unwrap();
        let named = self.names.iter().filter(|name| steps.iter().any(|step| step["resource"]["id"] == ***name));
        let named: Vec<&str> = named.flat_map(|name| ["--resource", name]).collect();
        self.command(&all).args(&named).env("SSM_AUDIT_MAX_CHANGES", "100%")
    }

    /// The folder of the journal.
    pub(crate) fn state(&self) -> &str {
        self.state.path().to_str().unwrap()
    }

    /// `resume`.
    pub(crate) fn resume(&self, run: &str) -> Audit {
        self.command(&["resume", run])
    }

    /// `undo`.
    pub(crate) fn undo(&self, run: &str) -> Audit {
        self.command(&["undo", run, "--yes"])
    }

    /// The report of a scan, with more arguments.
    pub(crate) fn scan_with(&self, arguments: &[&str]) -> Value {
        let regions = self.regions.join(",");
        let scanned = self.command(&["scan", "--format", "json", "--regions", &regions]).args(arguments).run();
        assert!(matches!(scanned.code, Some(0 | 1 | 3)), "{}", scanned.stderr);
        scanned.json()
    }

    /// All of the account that a fix may change.
    pub(crate) fn dump(&self) -> Value {
        let regions: Vec<&str> = self.regions.iter().map(String::as_str).collect();
        self.emulator.dump(&self.id, &regions)
    }

    /// The runs of the journal, the latest last.
    pub(crate) fn runs(&self) -> Vec<Run> {
        let path = self.state.path().join("journal.db");
        if !path.exists() {
            return Vec::new();
        }
        let journal = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let mut statement = journal.prepare("SELECT id, state, plan FROM runs ORDER BY started_at, id").unwrap();
        let runs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let runs: Vec<(String, String, String)> = runs.map(Result::unwrap).collect();
        let read = |(id, state, plan): (String, String, String)| Run {
            steps: steps(&journal, &id),
            calls: calls(&journal, &id),
            plan: serde_json::from_str(&plan).unwrap(),
            id,
            state,
        };
        runs.into_iter().map(read).collect()
    }

    /// The latest run.
    pub(crate) fn latest(&self) -> Run {
        self.runs().pop().expect("a run in the journal")
    }
}

fn steps(journal: &Connection, run: &str) -> BTreeMap<i64, (String, Option<String>)> {
    let mut statement = journal.prepare("SELECT number, status, problem FROM steps WHERE run = ?1").unwrap();
    let rows = statement.query_map([run], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn calls(journal: &Connection, run: &str) -> Vec<JournalCall> {
    let mut statement =
        journal.prepare("SELECT step, call, outcome FROM calls WHERE run = ?1 ORDER BY sequence").unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok(JournalCall { step: row.get(0)?, call: row.get(1)?, outcome: row.get(2)? });
    statement.query_map([run], row).unwrap().map(Result::unwrap).collect()
}

impl Run {
    /// The steps of the plan.
    pub(crate) fn planned(&self) -> &[Value] {
        self.plan["steps"].as_array().unwrap()
    }

    /// The numbers of the steps with this status.
    pub(crate) fn with(&self, status: &str) -> BTreeSet<i64> {
        self.steps.iter().filter(|(_, (found, _))| found == status).map(|(number, _)| *number).collect()
    }

    /// The numbers of the steps that are done, by this run or before it.
    pub(crate) fn holding(&self) -> BTreeSet<i64> {
        self.with("done").union(&self.with("found")).copied().collect()
    }

    /// How many steps are done that cannot be taken back.
    pub(crate) fn for_good(&self) -> usize {
        let done = self.with("done");
        let steps = self.planned().iter().filter(|step| step["undo"].get("not").is_some());
        steps.filter(|step| done.contains(&step["number"].as_i64().unwrap())).count()
    }

    /// The numbers of all steps.
    pub(crate) fn all(&self) -> BTreeSet<i64> {
        self.planned().iter().map(|step| step["number"].as_i64().unwrap()).collect()
    }

    /// Everything that needs this step, however far.
    pub(crate) fn dependents(&self, step: i64) -> BTreeSet<i64> {
        let mut found = BTreeSet::from([step]);
        loop {
            let more: BTreeSet<i64> = self
                .planned()
                .iter()
                .filter(|other| {
                    other["needs"].as_array().unwrap().iter().any(|need| found.contains(&need.as_i64().unwrap()))
                })
                .map(|other| other["number"].as_i64().unwrap())
                .filter(|number| !found.contains(number))
                .collect();
            if more.is_empty() {
                found.remove(&step);
                return found;
            }
            found.extend(more);
        }
    }
}

/// The program with one of its calls held: to be killed, or to go on.
pub(crate) struct Held<'p> {
    audit: Audit,
    child: Child,
    proxy: &'p Proxy,
    call: crate::proxy::Held,
}

impl Held<'_> {
    /// Ends the program as `kill -9` does. A call that was held before the server saw it is never seen.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        drop(self.call);
        self.proxy.settle();
    }

    /// Lets the program come to its end.
    pub(crate) fn go_on(mut self) -> Outcome {
        self.call.go_on();
        let status = self.child.wait().unwrap();
        outcome(&self.audit, status.code())
    }
}

/// Runs the program until its nth call that changes something is held, or until it ends without one.
pub(crate) fn hold(audit: Audit, proxy: &Proxy, kind: Kind, nth: usize) -> Result<Held<'_>, Outcome> {
    let mut audit = audit.env("AWS_ENDPOINT_URL", &proxy.url());
    proxy.clear();
    proxy.inject(Fault::on_mutating(kind).nth(nth));
    let output = |name: &str| std::fs::File::create(audit.folder().join(name)).unwrap();
    let (stdout, stderr) = (output("stdout"), output("stderr"));
    let mut child = audit.command().stdout(stdout).stderr(stderr).spawn().unwrap();
    for _ in 0..PATIENCE.as_millis() / 10 {
        if let Some(call) = proxy.held(Duration::from_millis(10)) {
            return Ok(Held { audit, child, proxy, call });
        }
        if let Some(status) = child.try_wait().unwrap() {
            return Err(outcome(&audit, status.code()));
        }
    }
    child.kill().unwrap();
    panic!("the program neither made its call {nth} nor ended");
}

fn outcome(audit: &Audit, code: Option<i32>) -> Outcome {
    let read = |name: &str| std::fs::read_to_string(audit.folder().join(name)).unwrap();
    Outcome { code, stdout: read("stdout"), stderr: read("stderr") }
}

/// Runs the program through a proxy.
pub(crate) fn through(audit: Audit, proxy: &Proxy) -> Outcome {
    audit.env("AWS_ENDPOINT_URL", &proxy.url()).run()
}

/// The calls that changed something: the server saw them and said so.
pub(crate) fn effective(proxy: &Proxy) -> Vec<String> {
    proxy.mutating_calls().into_iter().filter(|call| call.reached).map(|call| call.action).collect()
}
