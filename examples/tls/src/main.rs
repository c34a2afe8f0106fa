//! A guestbook: who sends a line is told all the lines before it. The listener `guests` is declared in `Enarx.toml`
//! with `prot = "tls"`: this program reads and writes plain text, and only the keep sees it so.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::FromRawFd;

fn main() -> std::io::Result<()> {
    let names = std::env::var("FD_NAMES").expect("a keep tells the names of its descriptors");
    let position = names.split(':').position(|name| name == "guests").expect("a listener named `guests`");
    // SAFETY: the manifest makes this descriptor a listener, and nothing else in this program uses it.
    let listener = unsafe { TcpListener::from_raw_fd(position as i32) };
    let mut lines = Vec::new();
    for guest in listener.incoming() {
        // Whoever breaks off the connection writes no line.
        if let Ok(Some(line)) = guest.and_then(|guest| welcome(guest, &lines)) {
            println!("{line}");
            lines.push(line);
        }
    }
    Ok(())
}

fn welcome(mut guest: TcpStream, lines: &[String]) -> std::io::Result<Option<String>> {
    for line in lines {
        writeln!(guest, "{line}")?;
    }
    writeln!(guest, "Your line, please:")?;
    let mut reader = BufReader::new(guest).lines();
    reader.next().transpose()
}
