//! Echoes the lines of the declared connection `stream` until its peer closes.

use std::io::{BufRead, BufReader, Write};

fn main() -> std::io::Result<()> {
    println!("FD_COUNT={}", std::env::var("FD_COUNT").expect("FD_COUNT"));
    println!("FD_NAMES={}", std::env::var("FD_NAMES").expect("FD_NAMES"));
    let stream = sockets::stream("stream");
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        (&stream).write_all(line.as_bytes())?;
        line.clear();
    }
    println!("end");
    Ok(())
}
