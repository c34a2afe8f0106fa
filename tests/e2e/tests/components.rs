//! Components open sockets themselves; the manifest says which.

use e2e::peers::{Authority, accept, connect, connect_plain, leave, listen};
use e2e::programs::wasip2;
use e2e::run::Run;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, UdpSocket};

fn manifest(kind: &str, prot: &str, host: &str, port: u16) -> String {
    let stdio = "[[files]]\nkind = 'stdin'\n[[files]]\nkind = 'stdout'\n[[files]]\nkind = 'stderr'\n";
    let address = if kind == "listen" { "addr" } else { "host" };
    format!(
        "{stdio}[[files]]\nkind = '{kind}'\nname = 'peer'\nprot = '{prot}'\n{address} = '{host}'\nport = {port}\n"
    )
}

/// A port that was free a moment ago: components name the port they bind.
fn free_port() -> u16 {
    let (_listener, port) = listen();
    port
}

fn parsed(address: &str) -> SocketAddr {
    address.parse().expect("an address")
}

#[test]
fn a_declared_peer_is_connected() {
    let (listener, port) = listen();
    let run = Run::new(wasip2("tcp_client")).manifest(&manifest("connect", "tcp", "127.0.0.1", port));
    let keep = run.args(&["127.0.0.1", &port.to_string()]).start();
    let mut stream = accept(&listener);
    let mut question = String::new();
    stream.read_to_string(&mut question).expect("a question and its end");
    assert_eq!(question, "hello\n");
    stream.write_all(b"welcome\n").expect("a peer that reads");
    drop(stream);
    keep.end().check(0, "welcome\n", "");
}

#[test]
fn a_declared_name_is_resolved_and_protected() {
    let authority = Authority::new();
    let (listener, port) = listen();
    let run = Run::new(wasip2("tcp_client")).manifest(&manifest("connect", "tls", "localhost", port));
    let roots = run.home().join("roots.pem");
    std::fs::write(&roots, &authority.pem).expect("written roots");
    let run = run.options(["--trust".into(), roots.into_os_string()]);
    let keep = run.args(&["localhost", &port.to_string()]).start();
    let stream = accept(&listener);
    let mut stream = authority.serve(stream);
    let mut question = String::new();
    stream.read_to_string(&mut question).expect("a question and its close_notify");
    assert_eq!(question, "hello\n");
    stream.write_all(b"welcome\n").expect("a peer that reads");
    stream.conn.send_close_notify();
    stream.flush().expect("a peer that reads");
    drop(stream);
    keep.end().check(0, "welcome\n", "");
}

#[test]
fn what_is_not_declared_is_refused_and_told() {
    let (listener, port) = listen();
    drop(listener);
    let address = format!("127.0.0.1:{port}");
    let port = port.to_string();
    let refused = |run: Run, told: &[&str]| {
        let ended = run.end();
        ended.check(1, "", "[..]");
        // The workload writes in pieces, and the host between them.
        for told in [&[address.as_str(), "PermissionDenied"], told].concat() {
            assert!(ended.stderr.contains(told), "no `{told}` in\n{}", ended.stderr);
        }
    };
    let nothing = |program: &str, args: &[&str]| Run::new(wasip2(program)).args(args);
    refused(nothing("tcp_client", &["127.0.0.1", &port]), &["warning: denied: open a socket (tcp)"]);
    refused(nothing("tcp_server", &[&address]), &["warning: denied: open a socket (tcp)"]);
    refused(nothing("udp", &[&address]), &["warning: denied: open a socket (udp)"]);
    let other = |program: &str, prot: &str, args: &[&str]| {
        nothing(program, args).manifest(&manifest("listen", prot, "127.0.0.1", 1))
    };
    refused(other("udp", "tcp", &[&address]), &["warning: denied: open a socket (udp)"]);
    refused(other("tcp_server", "udp", &[&address]), &["warning: denied: open a socket (tcp)"]);
    let operation = format!("warning: denied: connect to {address} (tcp)");
    refused(other("tcp_client", "tcp", &["127.0.0.1", &port]), &[&operation]);
    let operation = format!("warning: denied: listen on {address}");
    refused(other("tcp_server", "tcp", &[&address]), &[&operation]);
    refused(other("udp", "udp", &[&address]), &[&operation]);
}

#[test]
fn a_declared_listener_serves() {
    let port = free_port();
    let run = Run::new(wasip2("tcp_server")).manifest(&manifest("listen", "tcp", "127.0.0.1", port));
    let address = format!("127.0.0.1:{port}");
    let keep = run.args(&[&address]).start();
    keep.printed(&format!("listening on {address}\n"));
    let mut stream = connect_plain(parsed(&address));
    stream.write_all(b"echo").expect("a peer that reads");
    stream.shutdown(Shutdown::Write).expect("an open socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_eq!(answer, "echo");
    drop(connect_plain(parsed(&address)));
    keep.end().check(0, "[..]", "[..]");
}

#[test]
fn a_declared_listener_is_protected() {
    let port = free_port();
    let run = Run::new(wasip2("tcp_server")).manifest(&manifest("listen", "tls", "127.0.0.1", port));
    let address = format!("127.0.0.1:{port}");
    let keep = run.args(&[&address]).start();
    keep.printed(&format!("listening on {address}\n"));
    let mut stream = connect(parsed(&address));
    stream.write_all(&[5; 200_000]).expect("a peer that reads");
    stream.conn.send_close_notify();
    stream.flush().expect("a peer that reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer and a close_notify");
    assert!(answer == [5; 200_000]);
    drop(stream);
    leave(connect(parsed(&address)));
    keep.end().check(0, "[..]", "[..]");
}

#[test]
fn datagrams() {
    let port = free_port();
    let run = Run::new(wasip2("udp")).manifest(&manifest("listen", "udp", "127.0.0.1", port));
    let address = format!("127.0.0.1:{port}");
    let keep = run.args(&[&address]).start();
    keep.printed(&format!("listening on {address}\n"));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.send_to(b"datagram", &address).expect("a sent datagram");
    let mut answer = [0; 100];
    let (size, _) = socket.recv_from(&mut answer).expect("an answer");
    assert_eq!(&answer[..size], b"datagram");
    keep.end().check(0, "[..]", "[..]");
}
