//! Echoes what the peers of the listener `echo` send, one peer after the other, until a peer sends nothing at all.

use std::io::{Read, Write};

fn main() -> std::io::Result<()> {
    let listener = sockets::listener("echo");
    loop {
        let (mut stream, _) = listener.accept()?;
        let (mut buffer, mut total) = (vec![0; 64 << 10], 0);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(size) if stream.write_all(&buffer[..size]).is_ok() => total += size,
                // Whoever breaks off has been here all the same.
                _ => {
                    total += 1;
                    break;
                }
            }
        }
        println!("{total} bytes");
        if total == 0 {
            return Ok(());
        }
    }
}
