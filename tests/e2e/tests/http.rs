//! Components of `wasi:http` serve the listener that the manifest declares.

use e2e::peers::{connect_plain, connect_with};
use e2e::programs::wasip2;
use e2e::run::{Keep, Run};
use e2e::tools::find;
use std::io::{Read, Write};
use std::process::Command;

fn serve(component: &str, prot: &str, settings: &str) -> Keep {
    let stdio = "[[files]]\nkind = 'stdin'\n[[files]]\nkind = 'stdout'\n[[files]]\nkind = 'stderr'\n";
    let web =
        format!("[[files]]\nkind = 'listen'\nname = 'web'\nprot = '{prot}'\naddr = '127.0.0.1'\nport = 0\n");
    Run::new(wasip2(component)).manifest(&format!("{stdio}{web}[http]\n{settings}\n")).start()
}

/// Status and body of one request on a connection of its own.
fn get(keep: &Keep, path: &str) -> (u16, String) {
    post(keep, path, "")
}

fn post(keep: &Keep, path: &str, body: &str) -> (u16, String) {
    let mut stream = connect_plain(keep.address("web"));
    let (method, length) = (if body.is_empty() { "GET" } else { "POST" }, body.len());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).expect("a peer that reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response and its end");
    let status = response.split(' ').nth(1).expect("a status line").parse().expect("a status");
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    (status, if chunked { joined(body) } else { body.to_owned() })
}

/// The content of a chunked body.
fn joined(mut body: &str) -> String {
    let mut content = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).expect("a size of a chunk");
        content.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    content
}

#[test]
fn requests_are_answered() {
    let keep = serve("http", "tcp", "");
    assert_eq!(get(&keep, "/"), (200, "Hello, world!\n".to_owned()));
    assert_eq!(get(&keep, "/nowhere"), (404, "no such page\n".to_owned()));
    let long = "0123456789".repeat(20_000);
    assert_eq!(post(&keep, "/echo", &long), (200, long));
}

#[test]
fn wasi_0_3_requests_are_answered() {
    let keep = serve("http3", "tcp", "");
    assert_eq!(get(&keep, "/"), (200, "Hello, world!\n".to_owned()));
}

#[test]
fn every_request_has_its_own_instance() {
    let keep = serve("http", "tcp", "");
    assert_eq!(get(&keep, "/count").1, "1\n");
    assert_eq!(get(&keep, "/count").1, "1\n");
}

#[test]
fn instances_are_reused_when_asked() {
    let keep = serve("http", "tcp", "reuse = 2");
    let counts: Vec<String> = (0..4).map(|_| get(&keep, "/count").1).collect();
    assert_eq!(counts, ["1\n", "2\n", "1\n", "2\n"]);
}

#[test]
fn a_trap_ends_its_request_only() {
    let keep = serve("http", "tcp", "");
    assert_eq!(get(&keep, "/trap").0, 500);
    assert_eq!(get(&keep, "/").0, 200);
}

#[test]
fn a_request_without_end_ends_at_its_timeout() {
    let keep = serve("http", "tcp", "timeout = '300ms'");
    let (status, _) = get(&keep, "/loop");
    assert!([500, 503, 504].contains(&status), "{status}");
    assert_eq!(get(&keep, "/").0, 200);
}

#[test]
fn curl_speaks_http_2_by_tls() {
    let Some(curl) = find("curl") else { return };
    let keep = serve("http", "tls", "");
    let url = format!("https://localhost:{}/", keep.address("web").port());
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let mut client = Command::new(&curl);
        client.args([
            "--silent",
            "--insecure",
            "--max-time",
            "60",
            "--write-out",
            "%{http_version}",
            flag,
            &url,
        ]);
        let done = client.output().expect("curl runs");
        let answer = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(answer, format!("Hello, world!\n{version}"), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

#[test]
fn application_protocols_are_negotiated() {
    let keep = serve("http", "tls", "");
    for (offered, chosen) in
        [(vec!["h2", "http/1.1"], Some("h2")), (vec!["http/1.1"], Some("http/1.1")), (vec![], None)]
    {
        let offered: Vec<&[u8]> = offered.iter().map(|name| name.as_bytes()).collect();
        let mut stream = connect_with(keep.address("web"), &[&rustls::version::TLS13], &offered);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).expect("a handshake");
        }
        assert_eq!(stream.conn.alpn_protocol(), chosen.map(str::as_bytes));
    }
}

#[test]
fn a_service_without_listener_is_refused() {
    Run::new(wasip2("http")).end().check(1, "", "error: [..]listen[..]\n");
}
