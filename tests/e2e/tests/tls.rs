//! Sockets declared with `prot = "tls"`: the program sees plain bytes, its peers TLS.

use e2e::peers::{Authority, accept, connect, connect_plain, connect_with, leave, listen};
use e2e::programs::{c, wasip1};
use e2e::run::{Keep, Run};
use e2e::tools::find;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const STDIO: &str = "[[files]]\nkind = 'stdin'\n[[files]]\nkind = 'stdout'\n[[files]]\nkind = 'stderr'\n";

fn listener(name: &str) -> String {
    format!(
        "{STDIO}[[files]]\nkind = 'listen'\nname = '{name}'\nprot = 'tls'\naddr = '127.0.0.1'\nport = 0\n"
    )
}

fn connection(name: &str, prot: &str, host: &str, port: u16) -> String {
    format!("[[files]]\nkind = 'connect'\nname = '{name}'\nprot = '{prot}'\nhost = '{host}'\nport = {port}\n")
}

fn serve(program: PathBuf) -> Keep {
    Run::new(program).manifest(&listener("echo")).start()
}

fn ask(mut stream: impl Read + Write, question: &[u8]) {
    stream.write_all(question).expect("a peer that reads");
    stream.flush().expect("a peer that reads");
    let mut answer = vec![0; question.len()];
    stream.read_exact(&mut answer).expect("a peer that answers");
    assert!(answer == question, "another answer");
}

#[test]
fn a_listener_serves_blocking_and_non_blocking() {
    let (own, port) = listen();
    let manifest = format!("{}{}", listener("ingest"), connection("ping", "tcp", "127.0.0.1", port));
    let keep = Run::new(wasip1("ingest")).manifest(&manifest).start();
    let mut ping = accept(&own);
    ping.read_exact(&mut [0; 5]).expect("a ping");
    for _ in 0..3 {
        let mut stream = connect(keep.address("ingest"));
        for _ in 0..3 {
            ask(&mut stream, b"test\n");
        }
    }
    keep.end().check(0, "FD_COUNT=5\nFD_NAMES=stdin:stdout:stderr:ingest:ping\nend\n", "[..]");
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

fn many_at_once(program: PathBuf) {
    let keep = serve(program);
    let address = keep.address("echo");
    let mut streams: Vec<_> = (0..20).map(|_| connect(address)).collect();
    for (index, stream) in streams.iter_mut().enumerate() {
        ask(stream, format!("line {index}\n").as_bytes());
    }
    for stream in streams.iter_mut().rev() {
        ask(stream, &vec![9; 100_000]);
    }
    streams.into_iter().for_each(leave);
    goodbye(keep);
}

/// A peer that connects and leaves at once ends the echo programs.
fn goodbye(keep: Keep) {
    leave(connect(keep.address("echo")));
    keep.end().check(0, "[..]", "[..]");
}

/// The old runtime shook hands inside `accept`: one silent client stopped the service.
#[test]
fn a_silent_client_stops_nobody() {
    let Some(program) = c("poll_echo") else { return };
    let keep = serve(program);
    let silent = connect_plain(keep.address("echo"));
    let mut partial = connect_plain(keep.address("echo"));
    partial.write_all(&[22, 3, 1]).expect("a peer that reads");
    ask(connect(keep.address("echo")), b"anyone?");
    goodbye(keep);
    drop((silent, partial));
}

#[test]
fn garbage_instead_of_a_handshake_stops_nobody() {
    let Some(program) = c("poll_echo") else { return };
    let keep = serve(program);
    let mut rude = connect_plain(keep.address("echo"));
    rude.write_all(b"GET / HTTP/1.0\r\n\r\n").expect("a peer that reads");
    let mut answer = Vec::new();
    // An alert, or just the end.
    let _ = rude.read_to_end(&mut answer);
    assert!(answer.len() < 100, "{answer:?}");
    ask(connect(keep.address("echo")), b"still there?");
    goodbye(keep);
}

#[test]
fn a_half_closed_connection_still_takes_bytes() {
    let Some(program) = c("half_close") else { return };
    let keep = serve(program);
    let mut stream = connect(keep.address("echo"));
    stream.write_all(&[1; 50_000]).expect("a peer that reads");
    stream.conn.send_close_notify();
    stream.flush().expect("a peer that reads");
    let mut answer = String::new();
    // To the end without error: the keep says goodbye as TLS wants it.
    stream.read_to_string(&mut answer).expect("an answer and a close_notify");
    assert_eq!(answer, "got 50000 bytes\n");
    drop(stream);
    keep.end().check(0, "end\n", "[..]");
}

#[test]
fn peeking_takes_nothing() {
    let Some(program) = c("peek") else { return };
    let keep = serve(program);
    ask(connect(keep.address("echo")), b"look here");
    keep.end().check(0, "peeked look\navailable 9\nreceived look here\n", "[..]");
}

#[test]
fn non_blocking_sockets_say_so() {
    let Some(program) = c("nonblocking") else { return };
    let keep = serve(program);
    keep.printed("accept would block\n");
    // The handshake begins with the first byte written.
    let mut stream = connect(keep.address("echo"));
    keep.printed("recv would block\n");
    stream.write_all(b"now").expect("a peer that reads");
    keep.end().check(0, "accept would block\nrecv would block\n[..]received now\n", "[..]");
}

#[test]
fn tls_1_3_comes_first() {
    let keep = serve(wasip1("serve"));
    let versions = [&rustls::version::TLS12, &rustls::version::TLS13];
    let mut stream = connect_with(keep.address("echo"), &versions, &[]);
    ask(&mut stream, b"which?");
    assert_eq!(stream.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    leave(stream);
    goodbye(keep);
}

/// A connection to a server whose certificate the user vouches for.
#[test]
fn a_connection_trusts_the_given_roots() {
    let (status, greeting) = connect_out(true);
    status.check(0, "FD_COUNT=4\nFD_NAMES=stdin:stdout:stderr:stream\nend\n", "");
    assert!(greeting);
}

#[test]
fn a_connection_to_a_stranger_is_refused() {
    let (status, greeting) = connect_out(false);
    assert_ne!(status.code, Some(0), "{status:?}");
    assert!(!greeting);
}

fn connect_out(trusted: bool) -> (e2e::run::Ended, bool) {
    let authority = Authority::new();
    let (listener, port) = listen();
    let manifest = format!("{STDIO}{}", connection("stream", "tls", "localhost", port));
    let mut run = Run::new(wasip1("connect")).manifest(&manifest);
    if trusted {
        let roots = run.home().join("roots.pem");
        std::fs::write(&roots, &authority.pem).expect("written roots");
        run = run.options(["--trust".into(), roots.into_os_string()]);
    }
    let keep = run.start();
    let stream = accept(&listener);
    let mut stream = authority.serve(stream);
    let mut line = [0; 5];
    let echoed = stream.write_all(b"test\n").and_then(|()| stream.read_exact(&mut line)).is_ok();
    stream.conn.send_close_notify();
    let _ = stream.flush();
    drop(stream);
    (keep.end(), echoed && &line == b"test\n")
}

#[test]
fn openssl_speaks_to_a_keep() {
    let Some(openssl) = find("openssl") else { return };
    let keep = serve(wasip1("serve"));
    let address = keep.address("echo").to_string();
    let mut client = Command::new(openssl);
    client.args(["s_client", "-quiet", "-tls1_3", "-connect", &address]);
    let mut child =
        client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("openssl");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(b"hello\n").expect("a client that reads");
    let mut line = [0; 6];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut line).expect("an answer");
    assert_eq!(&line, b"hello\n");
    child.kill().expect("a running client");
    child.wait().expect("an ended client");
    goodbye(keep);
}
