//! The formats of reports, each with a file of its ending.

/// All of them.
pub(crate) const ALL: &[(&str, &str)] = &[
    ("table", "r.txt"),
    ("json", "r.json"),
    ("sarif", "r.sarif"),
    ("csv", "r.csv"),
    ("junit", "r.xml"),
    ("markdown", "r.md"),
    ("ocsf", "r.ndjson"),
    ("asff", "r.asff"),
    ("html", "r.html"),
];
