//! Sockets declared in the manifest, over plain TCP, in WASI 0.1 programs.

use e2e::peers::{accept, connect_plain, listen};
use e2e::programs::{c, wasip1};
use e2e::run::{Keep, Run};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::thread;

const STDIO: &str = "[[files]]\nkind = 'stdin'\n[[files]]\nkind = 'stdout'\n[[files]]\nkind = 'stderr'\n";

/// Standard streams, then a listener on any free port.
fn listener(name: &str) -> String {
    format!(
        "{STDIO}[[files]]\nkind = 'listen'\nname = '{name}'\nprot = 'tcp'\naddr = '127.0.0.1'\nport = 0\n"
    )
}

fn connection(name: &str, port: u16) -> String {
    format!("[[files]]\nkind = 'connect'\nname = '{name}'\nprot = 'tcp'\nhost = '127.0.0.1'\nport = {port}\n")
}

fn serve(program: PathBuf) -> Keep {
    Run::new(program).manifest(&listener("echo")).start()
}

fn connect(keep: &Keep) -> TcpStream {
    connect_plain(keep.address("echo"))
}

fn ask(mut stream: impl Read + Write, question: &[u8]) {
    stream.write_all(question).expect("a peer that reads");
    let mut answer = vec![0; question.len()];
    stream.read_exact(&mut answer).expect("a peer that answers");
    assert!(answer == question, "another answer");
}

#[test]
fn a_connection_is_there_at_the_start() {
    let (listener, port) = listen();
    let manifest = format!("{STDIO}{}", connection("stream", port));
    let keep = Run::new(wasip1("connect")).manifest(&manifest).start();
    let mut stream = accept(&listener);
    for _ in 0..3 {
        ask(&mut stream, b"test\n");
    }
    drop(stream);
    keep.end().check(0, "FD_COUNT=4\nFD_NAMES=stdin:stdout:stderr:stream\nend\n", "");
}

#[test]
fn a_listener_serves_blocking_and_non_blocking() {
    let (own, port) = listen();
    let manifest = format!("{}{}", listener("ingest"), connection("ping", port));
    let keep = Run::new(wasip1("ingest")).manifest(&manifest).start();
    let mut ping = accept(&own);
    let mut line = [0; 5];
    ping.read_exact(&mut line).expect("a ping");
    assert_eq!(&line, b"ping\n");
    for _ in 0..3 {
        let mut stream = connect_plain(keep.address("ingest"));
        for _ in 0..3 {
            ask(&mut stream, b"test\n");
        }
    }
    keep.end().check(0, "FD_COUNT=5\nFD_NAMES=stdin:stdout:stderr:ingest:ping\nend\n", "[..]");
}

#[test]
fn one_peer_after_the_other() {
    let keep = serve(wasip1("serve"));
    for _ in 0..2 {
        ask(connect(&keep), &vec![7; 10_000]);
    }
    drop(connect(&keep));
    keep.end().check(0, "10000 bytes\n10000 bytes\n0 bytes\n", "[..]");
}

/// Every peer is served while all the others stay connected and silent.
fn many_at_once(program: PathBuf) {
    let keep = serve(program);
    let mut streams: Vec<TcpStream> = (0..40).map(|_| connect(&keep)).collect();
    for (index, stream) in streams.iter_mut().enumerate() {
        ask(stream, format!("line {index}\n").as_bytes());
    }
    for stream in streams.iter_mut().rev() {
        ask(stream, b"again");
    }
    drop(streams);
    drop(connect(&keep));
    keep.end().check(0, "", "[..]");
}

#[test]
fn a_poll_loop_serves_many_at_once() {
    let Some(program) = c("poll_echo") else { return };
    many_at_once(program);
}

#[test]
fn tokio_serves_many_at_once() {
    many_at_once(wasip1("tokio_serve"));
}

/// More than socket buffers hold, in both directions at once: whoever only writes would wait for ever.
fn flood(program: PathBuf) {
    const SIZE: usize = 16 << 20;
    let keep = serve(program);
    let stream = connect(&keep);
    let mut sender = stream.try_clone().expect("a second handle");
    let writer = thread::spawn(move || {
        let block: Vec<u8> = (0..1 << 16).map(|index| (index % 251) as u8).collect();
        for _ in 0..SIZE / block.len() {
            sender.write_all(&block).expect("a peer that reads");
        }
        sender.shutdown(Shutdown::Write).expect("an open socket");
    });
    let mut received = Vec::new();
    (&stream).read_to_end(&mut received).expect("a peer that answers");
    writer.join().expect("a writer that ends");
    assert_eq!(received.len(), SIZE);
    assert!(received.iter().enumerate().all(|(index, byte)| *byte == (index % (1 << 16) % 251) as u8));
    drop(connect(&keep));
    keep.end().check(0, "[..]", "[..]");
}

#[test]
fn a_flood_passes_a_poll_loop() {
    let Some(program) = c("poll_echo") else { return };
    flood(program);
}

#[test]
fn a_flood_passes_tokio() {
    flood(wasip1("tokio_serve"));
}

#[test]
fn a_half_closed_connection_still_takes_bytes() {
    let Some(program) = c("half_close") else { return };
    let keep = serve(program);
    let mut stream = connect(&keep);
    stream.write_all(&[1; 5000]).expect("a peer that reads");
    stream.shutdown(Shutdown::Write).expect("an open socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "got 5000 bytes\n");
    drop(stream);
    keep.end().check(0, "end\n", "[..]");
}

#[test]
fn peeking_takes_nothing() {
    let Some(program) = c("peek") else { return };
    let keep = serve(program);
    ask(connect(&keep), b"look here");
    keep.end().check(0, "peeked look\navailable 9\nreceived look here\n", "[..]");
}

#[test]
fn non_blocking_sockets_say_so() {
    let Some(program) = c("nonblocking") else { return };
    let keep = serve(program);
    keep.printed("accept would block\n");
    let mut stream = connect(&keep);
    keep.printed("recv would block\n");
    stream.write_all(b"now").expect("a peer that reads");
    keep.end().check(0, "accept would block\nrecv would block\nreceived now\n", "[..]");
}

#[test]
fn a_peer_that_resets_does_not_end_the_service() {
    let Some(program) = c("poll_echo") else { return };
    let keep = serve(program);
    let mut rude = connect(&keep);
    // Closing a socket with unread bytes resets the connection.
    rude.write_all(&[0; 100_000]).expect("a peer that reads");
    drop(rude);
    ask(connect(&keep), b"still there?");
    drop(connect(&keep));
    keep.end().check(0, "", "[..]");
}
