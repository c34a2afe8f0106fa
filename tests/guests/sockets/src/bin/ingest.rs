//! Says "ping" on the connection `ping`, then serves three peers of the listener `ingest` one after the other: two
//! blocking, the third with listener and stream non-blocking. Each sends three lines and gets them back.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    println!("FD_COUNT={}", std::env::var("FD_COUNT").expect("FD_COUNT"));
    println!("FD_NAMES={}", std::env::var("FD_NAMES").expect("FD_NAMES"));
    let listener = sockets::listener("ingest");
    sockets::stream("ping").write_all(b"ping\n")?;
    for _ in 0..2 {
        echo(accept(&listener)?)?;
    }
    listener.set_nonblocking(true)?;
    let stream = accept(&listener)?;
    stream.set_nonblocking(true)?;
    echo(stream)?;
    println!("end");
    Ok(())
}

fn accept(listener: &TcpListener) -> std::io::Result<TcpStream> {
    retry(|| listener.accept().map(|(stream, _)| stream))
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    for _ in 0..3 {
        let mut line = [0; 5];
        let mut filled = 0;
        while filled < line.len() {
            match retry(|| stream.read(&mut line[filled..]))? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                size => filled += size,
            }
        }
        retry(|| stream.write_all(&line))?;
    }
    Ok(())
}

/// Tries until it does not block; a blocking socket never says it would.
fn retry<T>(mut attempt: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            done => return done,
        }
    }
}
