#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ssm_audit::fuzzing::terraform_plan(input));
