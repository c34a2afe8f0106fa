//! Echoes what the peers of the listener `echo` send, one peer after the other, until a peer sends nothing at all.

use std::io::{Read, Write};

fn main() -> std::io::Result<()> {
    let listener = sockets::listener("echo");
    loop {
        let (mut stream, _) = listener.accept()?;
        let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
        loop {
            let size = stream.read(&mut buffer)?;
            if size == 0 {
                break;
            }
            stream.write_all(&buffer[..size])?;
            total += size;
        }
        println!("{total} bytes");
        if total == 0 {
            return Ok(());
        }
    }
}
