//! Binds the address of its first argument by UDP and returns one datagram to its sender.

use std::net::UdpSocket;

fn main() {
    let address = std::env::args().nth(1).expect("an address");
    if let Err(error) = serve(&address) {
        eprintln!("{address}: {:?}", error.kind());
        std::process::exit(3);
    }
}

fn serve(address: &str) -> std::io::Result<()> {
    let socket = UdpSocket::bind(address)?;
    println!("listening on {}", socket.local_addr()?);
    let mut datagram = [0; 1500];
    let (size, sender) = socket.recv_from(&mut datagram)?;
    socket.send_to(&datagram[..size], sender)?;
    Ok(())
}
