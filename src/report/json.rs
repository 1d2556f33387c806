//! JSON: the report itself, the contract for other programs (`schemas/report.schema.json`).

use std::io::{self, Write};

use super::{Format, Options, RuleInfo, Writer};
use crate::model::Report;
use crate::terminal::Encoding;

pub(super) static FORMAT: Format =
    Format { name: "json", endings: &[".json"], encoding: Encoding::Json, writer: Writer::Whole(write) };

fn write(report: &Report, _: &[RuleInfo], _: &Options, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::example;

    fn json(report: &Report) -> String {
        let mut out = Vec::new();
        write(report, &[], &Options::default(), &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_report_is_what_the_contract_says() {
        let mut report = example::report();
        report.findings.drain(1..13);
        report.findings.truncate(5);
        insta::assert_snapshot!(json(&report));
    }

    #[test]
    fn reports_hold_to_the_published_schema_and_read_back() {
        let schema = serde_json::to_value(crate::schemas::report()).expect("a schema");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        for report in [example::report(), example::calm(), example::empty()] {
            let value: Value = serde_json::from_str(&json(&report)).expect("JSON");
            let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new());
            assert_eq!(serde_json::from_value::<Report>(value).expect("a report"), report);
        }
    }
}
