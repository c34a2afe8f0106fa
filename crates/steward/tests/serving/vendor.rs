//! A vendor's service on loopback, in plain HTTP: what it gives is signed.

use crate::keep::Court;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// AMD's, with what a court has of it.
pub struct Vendor {
    pub address: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    asked: Mutex<BTreeMap<String, u32>>,
    failing: AtomicBool,
}

impl Vendor {
    pub fn start(court: &Court) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("bound"));
        let state = Arc::<State>::default();
        let (shared, shelf) = (state.clone(), Shelf::of(court));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(&stream, &shared, &shelf);
            }
        });
        Self { address, state }
    }

    /// How often each address was asked for.
    pub fn asked(&self) -> BTreeMap<String, u32> {
        self.state.asked.lock().expect("not poisoned").clone()
    }

    /// Answers nothing good from now on.
    pub fn fail(&self) {
        self.state.failing.store(true, Relaxed);
    }
}

/// What it has.
struct Shelf {
    chain: Vec<u8>,
    leaf: Vec<u8>,
    lists: Vec<(String, Vec<u8>)>,
}

impl Shelf {
    fn of(court: &Court) -> Self {
        let certificates = || court.endorsements.certificates();
        let is_leaf = |name: &str| name == "SEV-VCEK";
        let pem = |der: &[u8]| attest::pem::encode("CERTIFICATE", der);
        let chain = certificates().filter(|one| !is_leaf(one.common_name())).map(|one| pem(one.der()));
        let leaf = certificates().find(|one| is_leaf(one.common_name())).expect("a leaf");
        let lists = court.endorsements.crls();
        Self {
            chain: chain.collect::<String>().into_bytes(),
            leaf: leaf.der().to_vec(),
            lists: lists
                .map(|list| (list.source().unwrap_or_default().to_owned(), list.der().to_vec()))
                .collect(),
        }
    }

    fn find(&self, path: &str) -> Option<&[u8]> {
        match path {
            _ if path.ends_with("/cert_chain") => Some(&self.chain),
            _ if path.ends_with("/crl") => {
                self.lists.iter().find(|(source, _)| source.ends_with(path)).map(|(_, der)| der.as_slice())
            }
            _ => Some(&self.leaf),
        }
    }
}

fn answer(mut stream: &TcpStream, state: &State, shelf: &Shelf) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    *state.asked.lock().expect("not poisoned").entry(path.clone()).or_default() += 1;
    let found = shelf.find(&path).filter(|_| !state.failing.load(Relaxed));
    let (status, body) = found.map_or(("404 Not Found", &[][..]), |body| ("200 OK", body));
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len())?;
    stream.write_all(body)
}
