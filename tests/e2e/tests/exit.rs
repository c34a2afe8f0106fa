//! Exit codes: the program's own, and one for each way not to have one.

use e2e::modules::start;
use e2e::programs::{c, wasip1, wasip2};
use e2e::run::Run;

#[test]
fn proc_exit_is_passed_on() {
    for code in [0, 1, 7, 31, 125, 126, 134, 255] {
        Run::new(wasip1("exit")).args(&[&code.to_string()]).end().check(code, "", "");
    }
}

#[test]
fn a_return_value_of_main_is_passed_on() {
    let Some(exit) = c("exit") else { return };
    for code in [0, 5, 200] {
        Run::new(&exit).args(&[&code.to_string()]).end().check(code, "", "");
    }
}

/// WASI 0.2 programs of today's Rust can say success or failure, nothing else.
#[test]
fn components_succeed_or_fail() {
    Run::new(wasip2("exit")).args(&["0"]).end().check(0, "", "");
    Run::new(wasip2("exit")).args(&["7"]).end().check(1, "", "");
}

#[test]
fn a_trap_has_its_own_code() {
    for (what, instructions) in [
        ("unreachable", "unreachable"),
        ("out of bounds memory access", "(drop (i32.load (i32.const 0x7fffffff)))"),
        ("integer divide by zero", "(drop (i32.div_s (i32.const 1) (i32.const 0)))"),
        ("integer overflow", "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))"),
        ("invalid conversion to integer", "(drop (i32.trunc_f32_s (f32.const nan)))"),
    ] {
        let error = format!("error: the workload trapped: wasm trap: [..]{what}[..]\n");
        Run::wat(&start(instructions)).end().check(134, "", &error);
    }
}

#[test]
fn an_indirect_call_of_the_wrong_type_traps() {
    let module = r#"(module
        (table 1 funcref) (elem (i32.const 0) $number) (type $nothing (func))
        (func $number (result i32) i32.const 1)
        (func (export "_start") (call_indirect (type $nothing) (i32.const 0))))"#;
    Run::wat(module).end().check(
        134,
        "",
        "error: the workload trapped: wasm trap: indirect call type mismatch[..]\n",
    );
}

#[test]
fn a_panic_traps_and_says_where() {
    for program in [wasip1("crash"), wasip2("crash")] {
        let error = "[..]on purpose\n[..]error: the workload trapped: wasm trap: [..]unreachable[..]\n[..]";
        Run::new(program).args(&["panic"]).end().check(134, "", error);
    }
}

#[test]
fn a_trap_names_the_functions_it_happened_in() {
    let module = r#"(module (func $inner unreachable) (func $outer (export "_start") call $inner))"#;
    Run::wat(module).end().check(134, "", "[..]at inner[..]at outer[..]\n");
}
