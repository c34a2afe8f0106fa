//! Standard streams.

use e2e::programs::{wasip1, wasip2};
use e2e::run::Run;

#[test]
fn two_mebibytes_pass_unchanged() {
    let bytes: Vec<u8> = (0..2 << 20).map(|index| index as u8).collect();
    for program in [wasip1("echo"), wasip2("echo")] {
        let ended = Run::new(program).stdin(bytes.clone()).end();
        assert!(ended.stdout == bytes, "{} bytes came back", ended.stdout.len());
        ended.check(0, "[..]", "2097152 bytes\n");
    }
}

const LINES: &str = "Good morning, that's a nice tnetennba.\n0118 999 881 999 119 725 3\n";
const ROTATED: &str = "Tbbq zbeavat, gung'f n avpr gargraaon.\n0118 999 881 999 119 725 3\n";

#[test]
fn lines_are_read_and_written() {
    for program in [wasip1("rot13"), wasip2("rot13")] {
        Run::new(program).stdin(LINES).end().check(0, ROTATED, "");
    }
}

#[test]
fn streams_declared_in_a_manifest() {
    let manifest = "[[files]]\nkind = 'stdin'\n[[files]]\nkind = 'stdout'\n[[files]]\nkind = 'stderr'\n";
    Run::new(wasip1("rot13")).manifest(manifest).stdin(LINES).end().check(0, ROTATED, "");
}

#[test]
fn a_manifest_without_files_keeps_the_streams() {
    Run::new(wasip1("rot13")).manifest("args = []\n").stdin(LINES).end().check(0, ROTATED, "");
}

#[test]
fn null_reads_nothing_and_swallows_everything() {
    let manifest = "[[files]]\nkind = 'null'\n[[files]]\nkind = 'null'\n[[files]]\nkind = 'stderr'\n";
    for program in [wasip1("echo"), wasip2("echo")] {
        Run::new(program).manifest(manifest).stdin(LINES).end().check(0, "", "0 bytes\n");
    }
    Run::new(wasip1("hello")).manifest(manifest).end().check(0, "", "");
}

#[test]
fn descriptors_follow_the_order_of_the_manifest() {
    let manifest = "[[files]]\nkind = 'stdin'\n[[files]]\nkind = 'stderr'\n[[files]]\nkind = 'stdout'\n";
    Run::new(wasip1("echo")).manifest(manifest).stdin("crossed").end().check(0, "7 bytes\n", "crossed");
}

#[test]
fn a_descriptor_that_is_not_declared_is_not_there() {
    let manifest = "[[files]]\nkind = 'stdin'\n";
    let module = e2e::modules::start(
        "(call $proc_exit (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 32)))",
    );
    // 8 is `badf`.
    Run::wat(&module).manifest(manifest).end().check(8, "", "");
}

/// Like a program of the host: what is buffered when it ends is written, and the end is not waited for.
#[test]
fn standard_input_is_not_needed_to_end() {
    for program in [wasip1("hello"), wasip2("hello")] {
        let keep = Run::new(program).start();
        keep.printed("Hello, world!\n");
        keep.end().check(0, "Hello, world!\n", "");
    }
}
