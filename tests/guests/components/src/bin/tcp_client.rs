//! Connects to the host and port of its arguments, sends a line and prints the answer up to its end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let peer = format!("{}:{}", arguments[1], arguments[2]);
    match talk(&peer) {
        Ok(answer) => print!("{answer}"),
        Err(error) => {
            eprintln!("{peer}: {:?}", error.kind());
            std::process::exit(3);
        }
    }
}

fn talk(peer: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(peer)?;
    stream.write_all(b"hello\n")?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
