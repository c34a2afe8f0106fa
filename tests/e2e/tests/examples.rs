//! The examples print what their README says.

use e2e::peers::connect;
use e2e::programs::{c, python, rust_example};
use e2e::run::Run;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

fn manifest(example: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(example);
    std::fs::read_to_string(folder.join("Enarx.toml")).expect("a manifest")
}

fn fibonacci(language: &str, example: &str, program: PathBuf) {
    let expected = format!(
        "Hello from {language}\nFibonacci sequence number at index 7 is 13\n\
         Fibonacci sequence number at index 21 is 10946\n"
    );
    Run::new(program).manifest(&manifest(example)).end().check(0, &expected, "");
}

#[test]
fn fibonacci_in_rust() {
    fibonacci("Rust", "rust", rust_example("fibonacci"));
    let asked =
        "Hello from Rust\nEnter a non-negative number:\nFibonacci sequence number at index 25 is 75025\n";
    Run::new(rust_example("fibonacci")).stdin("25\n").end().check(0, asked, "");
}

#[test]
fn fibonacci_in_c() {
    let Some(program) = c("fibonacci") else { return };
    fibonacci("C", "c", program);
}

#[test]
fn fibonacci_in_python() {
    let Some(program) = python() else { return };
    fibonacci("Python", "python", program);
}

#[test]
fn a_tls_service() {
    let manifest = manifest("tls").replace("8443", "0");
    let keep = Run::new(rust_example("guestbook")).manifest(&manifest).start();
    for guest in ["first", "second"] {
        let mut stream = BufReader::new(connect(keep.address("guests")));
        let mut line = String::new();
        while line != "Your line, please:\n" {
            line.clear();
            stream.read_line(&mut line).expect("a line");
            assert!(line == "first\n" || line == "Your line, please:\n", "{line}");
        }
        writeln!(stream.get_mut(), "{guest}").expect("a peer that reads");
        keep.printed(&format!("{guest}\n"));
    }
}
