//! Ends badly, in the way its first argument names.

use std::hint::black_box;
use std::io::Write;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("panic") => panic!("on purpose"),
        Some("abort") => std::process::abort(),
        Some("recursion") => println!("{}", descend(1)),
        Some("loop") => loop {
            black_box(());
        },
        Some("sleep") => std::thread::sleep(std::time::Duration::from_secs(1 << 20)),
        Some("output") => flood(),
        Some("memory") => hoard(),
        other => panic!("no such end: {other:?}"),
    }
}

#[expect(unconditional_recursion, reason = "the stack's end is what this is for")]
fn descend(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    descend(depth + 1) + frame[depth as usize % 64]
}

/// Writes until writing fails, which is then reported.
fn flood() {
    let page = [b'x'; 4096];
    loop {
        if let Err(error) = std::io::stdout().write_all(&page) {
            eprintln!("write: {error}");
            std::process::exit(3);
        }
    }
}

/// Takes memory until there is no more, which is then reported.
fn hoard() {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(16 << 20).is_err() {
            blocks.clear();
            println!("no more memory");
            return;
        }
        block.resize(16 << 20, 1);
        blocks.push(block);
    }
}
