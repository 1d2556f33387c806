//! Writes to the journal. Each is one transaction, with the seal of the run in it, and on the disk when it returns.

use rusqlite::{Transaction, TransactionBehavior, params};

use super::seal::{self, Part};
use super::{CallRecord, Journal, JournalError, Record, Run, RunState, Status};
use crate::remediate::plan::{Plan, Purpose};
use crate::remediate::verify::Verified;

impl Journal {
    /// Writes down that a run begins.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn begin(&self, plan: &Plan, now: &str) -> Result<(), JournalError> {
        self.write(|transaction| begin(transaction, plan, now))
    }

    /// Writes down that a call is about to be sent; gives its number, for its answer.
    ///
    /// # Errors
    /// Where it cannot be written: the call must not be sent then.
    pub(crate) fn intend(&self, run: &str, call: &CallRecord) -> Result<i64, JournalError> {
        self.write(|transaction| {
            record(transaction, run, call.step, &Record { status: Status::Intended, ..Record::default() })?;
            let next = "SELECT coalesce(max(sequence), 0) + 1 FROM calls";
            let sequence: i64 = transaction.query_row(next, [], |row| row.get(0))?;
            seal::change(transaction, run, Part::Call(sequence), || {
                transaction.execute(
                    "INSERT INTO calls (sequence, run, step, account, region, call, parameters, sent_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    params![
                        sequence,
                        run,
                        number(call.step),
                        call.account,
                        call.region,
                        call.call,
                        call.parameters.to_string(),
                        call.sent_at
                    ],
                )
            })?;
            Ok(sequence)
        })
    }

    /// Writes down what came of a call of a run.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn answered(
        &self,
        run: &str,
        sequence: i64,
        now: &str,
        outcome: &str,
        request_id: Option<&str>,
    ) -> Result<(), JournalError> {
        self.write(|transaction| {
            seal::change(transaction, run, Part::Call(sequence), || {
                transaction.execute(
                    "UPDATE calls SET answered_at = ?2, outcome = ?3, request_id = ?4 WHERE sequence = ?1",
                    params![sequence, now, outcome, request_id],
                )
            })?;
            Ok(())
        })
    }

    /// Writes down how far a step is.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn record(&self, run: &str, step: usize, state: &Record) -> Result<(), JournalError> {
        self.write(|transaction| Ok(record(transaction, run, step, state)?))
    }

    /// Writes down that a run came to its end, and, where it undid another one completely, that this one is undone.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn finish(&self, plan: &Plan, complete: bool, now: &str) -> Result<(), JournalError> {
        self.write(|transaction| {
            ends(transaction, &plan.id, RunState::Finished, now)?;
            if let (Purpose::Undo(run), true) = (&plan.purpose, complete) {
                ends(transaction, run, RunState::Undone, now)?;
            }
            Ok(())
        })
    }

    /// Writes down that a run is being undone by this plan. One that was interrupted is not resumed any more, and its
    /// records are as they were found. Where nothing is left to undo, and nothing is left out, it is undone.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn begin_undo(&self, run: &Run, undo: &Plan, now: &str) -> Result<(), JournalError> {
        self.write(|transaction| {
            let id = &run.plan.id;
            if run.state == RunState::Open {
                for (step, state) in &run.records {
                    record(transaction, id, *step, state)?;
                }
                ends(transaction, id, RunState::Finished, now)?;
            }
            if !undo.steps.is_empty() {
                begin(transaction, undo, now)?;
            } else if undo.left_out.is_empty() {
                ends(transaction, id, RunState::Undone, now)?;
            }
            Ok(())
        })
    }

    /// Writes down what the rules say after a run.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(crate) fn verified(&self, run: &str, verified: &[Verified]) -> Result<(), JournalError> {
        let text = serde_json::to_string(verified).map_err(|error| JournalError::Content(error.to_string()))?;
        self.write(|transaction| {
            seal::change(transaction, run, Part::Run, || {
                transaction.execute("UPDATE runs SET verified = ?2 WHERE id = ?1", params![run, text])
            })?;
            Ok(())
        })
    }

    fn write<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let mut database = self.database();
        let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let written = write(&transaction)?;
        transaction.commit()?;
        Ok(written)
    }
}

fn begin(transaction: &Transaction<'_>, plan: &Plan, now: &str) -> Result<(), JournalError> {
    let text = serde_json::to_string(plan).map_err(|error| JournalError::Content(error.to_string()))?;
    seal::change(transaction, &plan.id, Part::Run, || {
        transaction.execute(
            "INSERT INTO runs (id, state, started_at, plan) VALUES (?1, 'open', ?2, ?3)",
            params![plan.id, now, text],
        )
    })?;
    transaction.execute("UPDATE journal SET runs = runs + 1", [])?;
    Ok(())
}

fn record(transaction: &Transaction<'_>, run: &str, step: usize, state: &Record) -> rusqlite::Result<()> {
    seal::change(transaction, run, Part::Step(number(step)), || {
        transaction.execute(
            "INSERT INTO steps (run, number, status, left_behind, problem) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (run, number) DO UPDATE SET status = ?3, left_behind = ?4, problem = ?5",
            params![run, number(step), state.status.as_str(), state.left.to_string(), state.problem],
        )
    })?;
    Ok(())
}

fn ends(transaction: &Transaction<'_>, run: &str, state: RunState, now: &str) -> rusqlite::Result<()> {
    seal::change(transaction, run, Part::Run, || {
        transaction.execute(
            "UPDATE runs SET state = ?2, finished_at = coalesce(finished_at, ?3) WHERE id = ?1",
            params![run, state.as_str(), now],
        )
    })?;
    Ok(())
}

fn number(step: usize) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}
