//! Programs of every kind start, see their arguments, and end.

use e2e::programs::{c, wasip1, wasip2};
use e2e::run::Run;

const GREETING: &str = "Hello, world!\n";

#[test]
fn rust_for_wasi_0_1() {
    Run::new(wasip1("hello")).end().check(0, GREETING, "");
}

#[test]
fn rust_for_wasi_0_2() {
    Run::new(wasip2("hello")).end().check(0, GREETING, "");
}

#[test]
fn rust_for_wasi_0_3() {
    Run::new(wasip2("hello3")).end().check(0, GREETING, "");
}

#[test]
fn c_for_wasi_0_1() {
    let Some(hello) = c("hello") else { return };
    Run::new(hello).end().check(0, GREETING, "");
}

/// The old default export; what it returns is no exit code.
#[test]
fn nameless_function_is_the_start() {
    Run::wat(r#"(module (func (export "") (result i32) i32.const 1))"#).end().check(0, "", "");
}

#[test]
fn nameless_function_calls_the_host() {
    let module = r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "") (result i32)
            (drop (call $sizes (i32.const 0) (i32.const 4)))
            (i32.load (i32.const 0))))"#;
    Run::wat(module).end().check(0, "", "");
}

#[test]
fn start_function_writes() {
    let module = r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\0e\00\00\00Hello, world!\0a")
        (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))"#;
    Run::wat(module).end().check(0, GREETING, "");
}

#[test]
fn arguments_follow_those_of_the_manifest() {
    for program in [wasip1("show"), wasip2("show")] {
        let run = Run::new(program).manifest("args = ['--first', 'a b']\n[env]\nLEVEL = 'info'\n");
        run.args(&["last", ""]).end().check(
            0,
            "args[0]=main.wasm\nargs[1]=--first\nargs[2]=a b\nargs[3]=last\nargs[4]=\n\
             FD_COUNT=3\nFD_NAMES=stdin:stdout:stderr\nLEVEL=info\n",
            "",
        );
    }
}

#[test]
fn nothing_of_the_hosts_environment_is_seen() {
    for program in [wasip1("show"), wasip2("show")] {
        let run = Run::new(program).environment("SECRET", "of the host");
        run.end().check(0, "args[0]=main.wasm\nFD_COUNT=3\nFD_NAMES=stdin:stdout:stderr\n", "");
    }
}

#[test]
fn clocks_and_random_bytes() {
    for program in [wasip1("clocks"), wasip2("clocks")] {
        Run::new(program).end().check(0, "[..]\n", "");
    }
}

#[test]
fn timers_wait_together() {
    let Some(timers) = c("timers") else { return };
    Run::new(timers).end().check(0, "1 event, timer 2\n", "");
}

#[test]
fn memory_is_taken_and_given_back() {
    for program in [wasip1("memory"), wasip2("memory")] {
        Run::new(program).end().check(0, "", "");
    }
}

#[test]
fn killing_the_host_ends_the_keep() {
    let keep = Run::new(wasip1("echo")).start();
    let ended = keep.kill();
    assert_eq!(ended.code, None, "{ended:?}");
}
