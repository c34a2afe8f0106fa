//! Measures one host call, `clock` or `write`, and prints its nanoseconds on standard error: many calls, the time of
//! the best of several rounds.

use std::io::Write;
use std::time::Instant;

const ROUNDS: u32 = 15;
const CALLS: u32 = 4000;

fn main() {
    let block = vec![b'x'; 64 << 10];
    let mut output = unbuffered();
    let mut call: Box<dyn FnMut()> = match std::env::args().nth(1).as_deref() {
        Some("clock") => Box::new(|| {
            std::hint::black_box(Instant::now());
        }),
        Some("write") => Box::new(|| output.write_all(&block).expect("an open standard output")),
        other => panic!("no such call: {other:?}"),
    };
    let best = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        start.elapsed()
    });
    eprintln!("{}", (best.min().expect("a round") / CALLS).as_nanos());
}

/// Standard output without the standard library's line buffer.
fn unbuffered() -> impl Write {
    use std::os::fd::FromRawFd;
    // SAFETY: descriptor 1 is open, and nothing else in this program writes to it or closes it.
    unsafe { std::fs::File::from_raw_fd(1) }
}
