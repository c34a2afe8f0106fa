//! Hostile workloads end in a clear error, within their limits.

use e2e::modules::{many_functions, start};
use e2e::programs::{wasip1, wasip2};
use e2e::run::Run;
use std::time::{Duration, Instant};

const LIMIT: i32 = 124;

const TRAP: i32 = 134;

fn limited(run: Run, limits: &str) -> Run {
    run.manifest(&format!("[limits]\n{limits}\n"))
}

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    for program in [wasip1("crash"), wasip2("crash")] {
        let begin = Instant::now();
        let ended = limited(Run::new(program).args(&["loop"]), "deadline = '200ms'").end();
        ended.check(LIMIT, "", "error: the workload reached its limit: [..]deadline of 200ms[..]\n");
        assert!(begin.elapsed() >= Duration::from_millis(200));
    }
}

#[test]
fn a_long_sleep_ends_at_the_deadline() {
    for program in [wasip1("crash"), wasip2("crash")] {
        let ended = limited(Run::new(program).args(&["sleep"]), "deadline = '200ms'").end();
        ended.check(LIMIT, "", "error: the workload reached its limit: [..]deadline of 200ms[..]\n");
    }
}

#[test]
fn an_endless_loop_ends_when_its_fuel_does() {
    for program in [wasip1("crash"), wasip2("crash")] {
        let ended = limited(Run::new(program).args(&["loop"]), "fuel = 10000000").end();
        ended.check(LIMIT, "", "error: the workload reached its limit: [..]fuel[..]\n");
    }
}

#[test]
fn fuel_is_enough_for_a_short_program() {
    limited(Run::new(wasip1("hello")), "fuel = 10000000").end().check(0, "Hello, world!\n", "");
}

#[test]
fn endless_output_ends_at_its_limit() {
    for program in [wasip1("crash"), wasip2("crash")] {
        let ended = limited(Run::new(program).args(&["output"]), "output = '1 MiB'").end();
        assert!(ended.stdout.len() <= 1 << 20, "{} bytes", ended.stdout.len());
        ended.check(LIMIT, "[..]", "error: the workload reached its limit: [..]output[..]\n");
    }
}

#[test]
fn a_reader_that_goes_away_ends_endless_output() {
    let keep = Run::new(wasip1("crash")).args(&["output"]).start();
    keep.printed("xxxx");
    assert_eq!(keep.kill().code, None);
}

#[test]
fn memory_is_refused_beyond_its_limit() {
    for program in [wasip1("crash"), wasip2("crash")] {
        let ended = limited(Run::new(program).args(&["memory"]), "memory = '64 MiB'").end();
        ended.check(0, "no more memory\n", "");
    }
}

#[test]
fn a_module_that_begins_with_too_much_memory() {
    let module = r#"(module (memory 16384) (func (export "_start")))"#;
    let ended = limited(Run::wat(module), "memory = '64 MiB'").end();
    ended.check(LIMIT, "", "error: the workload reached its limit: [..]memory[..]\n");
}

#[test]
fn growing_to_four_gibibytes_fails_by_default() {
    // `memory.grow` answers -1, which is exit code 255.
    let module = start("(call $proc_exit (i32.and (memory.grow (i32.const 65535)) (i32.const 255)))");
    Run::wat(&module).end().check(255, "", "");
}

#[test]
fn tables_are_limited() {
    let module = r#"(module (table 2000000 funcref) (func (export "_start")))"#;
    Run::wat(module).end().check(LIMIT, "", "error: the workload reached its limit: [..]table[..]\n");
}

#[test]
fn deep_recursion_traps() {
    for program in [wasip1("crash"), wasip2("crash")] {
        // Rust's own stack, in memory, ends before or after WebAssembly's.
        let ended = Run::new(program).args(&["recursion"]).end();
        ended.check(TRAP, "", "error: the workload trapped: wasm trap: [..]\n");
    }
    let module = r#"(module (func $down (export "_start") call $down))"#;
    let error = "error: the workload trapped: wasm trap: [..]stack[..]\n";
    limited(Run::wat(module), "stack = '64 KiB'").end().check(TRAP, "", error);
    limited(Run::wat(module), "stack = '8 MiB'").end().check(TRAP, "", error);
}

#[test]
fn a_module_file_beyond_its_limit() {
    let ended = limited(Run::new(wasip1("hello")), "module = '1 KiB'").end();
    ended.check(LIMIT, "", "error: the workload reached its limit: [..]module[..]\n");
}

#[test]
fn a_million_functions() {
    let begin = Instant::now();
    let ended = Run::bytes(&many_functions(1_000_000)).end();
    ended.check(LIMIT, "", "error: the workload reached its limit: 1000000 functions [..]\n");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
