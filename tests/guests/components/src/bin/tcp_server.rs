//! Binds the address of its first argument and echoes each peer's bytes, until a peer sends nothing at all.

use std::io::{Read, Write};
use std::net::TcpListener;

fn main() {
    let address = std::env::args().nth(1).expect("an address");
    if let Err(error) = serve(&address) {
        eprintln!("{address}: {:?}", error.kind());
        std::process::exit(3);
    }
}

fn serve(address: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
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
        if total == 0 {
            return Ok(());
        }
    }
}
