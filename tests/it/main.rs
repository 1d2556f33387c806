//! The binary as users run it, against AWS-compatible servers that others wrote. One test binary, a
//! module a capability.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod action;
mod adopt;
mod alike;
mod audit;
mod browser;
mod cells;
mod command_line;
mod commands;
mod deploy;
mod deploy_commands;
mod docs;
mod emulator;
mod faults;
mod fix;
mod fix_crash;
mod fix_cycle;
mod fix_ec2;
mod fix_faults;
mod fix_hazards;
mod fix_interrupted;
mod fix_members;
mod fix_pages;
mod fixing;
mod fleet;
mod formats;
mod ground;
#[cfg(unix)]
mod hostile;
mod hosts;
mod judge;
mod log_archive;
mod members;
mod notify;
mod orders;
mod output;
mod permissions;
#[expect(dead_code, reason = "the benches use the rest")]
mod proxy;
mod report_formats;
mod rooms;
mod sample;
mod sarif;
mod saved_reports;
mod scan;
mod shells;
mod simulator;
mod sweep;
mod sweep_organization;
mod terraform;
