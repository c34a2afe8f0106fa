//! The endorsements fetcher against services that are busy, broken, slow, lying, or gone.
#![expect(clippy::unwrap_used, reason = "what helpers of tests cannot do fails the test")]

use attest::der::{self, tag};
use attest::time::Time;
use endorsement::cache::{CacheError, INDEX, State, Store};
use endorsement::fetch::{Client, FetchError, Patience};
use endorsement::file::{self, Endorsement};
use endorsement::{Kind, Wanted};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const NOW: Time = Time(1_750_000_000);
const DAY: u64 = 86_400;

#[test]
fn a_busy_service_is_asked_again() {
    let service = Service::start(vec![
        answer(429, "Retry-After: 0\r\n", b"slow down"),
        answer(503, "", b""),
        ok(&crl("30")),
        ok(b"must not be asked for"),
    ]);
    let (_directory, store) = store();
    let obtained = store.obtain(&service.crl(), &client(), NOW).unwrap();
    assert!(matches!(obtained.state, State::Fetched), "{:?}", obtained.state);
    assert_eq!(service.asked(), 3);
    let again = store.obtain(&service.crl(), &client(), Time(NOW.0 + DAY - 1)).unwrap();
    assert!(matches!(again.state, State::Fresh), "{:?}", again.state);
    assert_eq!(service.asked(), 3, "what is fresh is not asked for");
}

#[test]
fn retry_after_is_waited_for() {
    let service = Service::start(vec![answer(429, "Retry-After: 1\r\n", b""), ok(&crl("30"))]);
    let (_directory, store) = store();
    let started = Instant::now();
    let patience = Patience { pause_most: Duration::from_secs(2), ..patience() };
    store.obtain(&service.crl(), &Client::new(patience), NOW).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn retry_after_may_be_a_date() {
    let dates = "Date: Sat, 14 Jun 2025 15:06:40 GMT\r\nRetry-After: Sat, 14 Jun 2025 15:06:41 GMT\r\n";
    let service = Service::start(vec![answer(503, dates, b""), ok(&crl("30"))]);
    let (_directory, store) = store();
    let started = Instant::now();
    let patience = Patience { pause_most: Duration::from_secs(2), ..patience() };
    store.obtain(&service.crl(), &Client::new(patience), NOW).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_service_with_a_certificate_of_its_own_is_trusted_by_name() {
    let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let authority = own.cert.der().to_vec();
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/crl", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = rustls::ServerConnection::new(Arc::new(config.clone())).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
            let mut request = [0; 2048];
            // A client that does not trust the certificate hangs up here.
            if stream.read(&mut request).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(&ok(&crl("30")));
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    let patience = Patience { attempts: 1, ..patience() };
    let wanted = |client: Client| client.get(&url, None);
    assert_eq!(wanted(Client::trusting_only(patience, &[authority])).unwrap().body, crl("30"));
    let stranger = Client::new(patience).get(&url, None).unwrap_err();
    assert!(matches!(stranger, FetchError::Unavailable { .. }), "{stranger}");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    assert!(wanted(Client::trusting_only(patience, &[other.cert.der().to_vec()])).is_err());
}

#[test]
fn a_directory_without_index_tells_lists_by_their_names() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("vlek-genoa-crl.der"), crl("30")).unwrap();
    std::fs::write(directory.path().join("other.crl"), crl("30")).unwrap();
    let items = file::read(directory.path()).unwrap();
    let sources: Vec<_> = items
        .iter()
        .map(|item| match item {
            Endorsement::Crl(_, source) => source.as_deref(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sources, [None, Some("https://kdsintf.amd.com/vlek/v1/Genoa/crl")]);
}

#[test]
fn what_is_here_serves_on_while_the_service_fails() {
    let garbage = [b"<html>maintenance</html>".to_vec(), Vec::new(), root(), vec![0x30; 500]];
    let truncated = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf".to_vec();
    let endless = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec();
    let mut failures: Vec<Vec<u8>> = garbage.iter().map(|body| ok(body)).collect();
    failures.extend([answer(404, "", b""), answer(500, "", b""), truncated, endless, b"no HTTP".to_vec()]);
    // A list that is older than the one that is here.
    failures.push(ok(&crl("28")));
    for failure in failures {
        let shown = String::from_utf8_lossy(&failure[..failure.len().min(60)]).into_owned();
        let service = Service::start(vec![ok(&crl("30")), failure.clone(), failure.clone(), failure]);
        let (_directory, store) = store();
        store.obtain(&service.crl(), &client(), NOW).unwrap();
        let later = Time(NOW.0 + 2 * DAY);
        let obtained = store.obtain(&service.crl(), &client(), later).unwrap();
        assert!(
            matches!(obtained.state, State::Stale { age, .. } if age == 2 * DAY),
            "{shown}: {obtained:?}"
        );
        assert_eq!(file::read(store_path(&_directory).as_path()).unwrap().len(), 1, "{shown}");
    }
}

#[test]
fn without_anything_here_failures_are_told_apart() {
    let check = |failure: Vec<u8>, expected: fn(&CacheError) -> bool| {
        let service = Service::start(vec![failure.clone(), failure.clone(), failure]);
        let (_directory, store) = store();
        let error = store.obtain(&service.crl(), &client(), NOW).unwrap_err();
        assert!(expected(&error), "{error:?}");
        assert!(store.entries().unwrap().is_empty());
    };
    check(answer(404, "", b""), |e| matches!(e, CacheError::Fetch(FetchError::Status { status: 404, .. })));
    check(answer(503, "", b""), |e| matches!(e, CacheError::Fetch(FetchError::Status { status: 503, .. })));
    check(ok(b"words"), |e| matches!(e, CacheError::Garbage { .. }));
    check(ok(&root()), |e| matches!(e, CacheError::Garbage { source: None, .. }));
    check(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec(), |e| {
        matches!(e, CacheError::Fetch(FetchError::Unavailable { attempts: 3, .. }))
    });
}

#[test]
fn a_service_that_hangs_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/crl", listener.local_addr().unwrap());
    let (_directory, store) = store();
    let started = Instant::now();
    let wanted = Wanted {
        name: "a.crl".into(),
        origin: "https://vendor/crl".into(),
        url,
        kind: Kind::Crl,
        chain_header: None,
    };
    let error = store.obtain(&wanted, &client(), NOW).unwrap_err();
    assert!(matches!(error, CacheError::Fetch(FetchError::Unavailable { .. })), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_signer_s_chain_comes_with_the_answer() {
    let pem = attest::pem::encode("CERTIFICATE", &root()).replace('\n', "%0A").replace(' ', "%20");
    let with_chain = answer(200, &format!("SGX-PCK-CRL-Issuer-Chain: {pem}\r\n"), &crl("30"));
    let service = Service::start(vec![with_chain, ok(&crl("30"))]);
    let (directory, store) = store();
    let wanted = Wanted { chain_header: Some("SGX-PCK-CRL-Issuer-Chain"), ..service.crl() };
    store.obtain(&wanted, &client(), NOW).unwrap();
    let items = file::read(store_path(&directory).as_path()).unwrap();
    assert_eq!(items.len(), 2);
    let origin =
        |item: &Endorsement| matches!(item, Endorsement::Crl(_, Some(from)) if from == "https://vendor/crl");
    assert!(items.iter().any(origin), "{items:?}");
    let other = Wanted { name: "b.crl".into(), ..wanted };
    let error = store.obtain(&other, &client(), NOW).unwrap_err();
    assert!(matches!(error, CacheError::Fetch(FetchError::Header { .. })), "{error:?}");
}

#[test]
fn many_ask_once() {
    let service = Arc::new(Service::start(vec![ok(&crl("30")); 8]));
    let (_directory, store) = store();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| store.obtain(&service.crl(), &client(), NOW).unwrap());
        }
    });
    assert_eq!(service.asked(), 1);
}

#[test]
fn a_cache_travels_and_is_checked_where_it_arrives() {
    let service = Service::start(vec![ok(&crl("30")), ok(&root())]);
    let (directory, store) = store();
    store.obtain(&service.crl(), &client(), NOW).unwrap();
    let chain = Wanted { name: "root.pem".into(), kind: Kind::Chain, ..service.crl() };
    store.obtain(&chain, &client(), NOW).unwrap();
    let out = directory.path().join("out");
    assert_eq!(store.export(&out).unwrap(), 2);
    assert!(matches!(store.export(&out), Err(CacheError::Index { .. })), "not empty");
    let fresh = Store::open(&directory.path().join("fresh")).unwrap();
    assert_eq!(fresh.import(&out).unwrap(), 2);
    assert_eq!(fresh.import(&out).unwrap(), 0, "nothing newer");
    assert_eq!(fresh.entries().unwrap(), store.entries().unwrap());

    let index = std::fs::read_to_string(out.join(INDEX)).unwrap();
    let refuse = |what: &str| {
        let other = Store::open(&directory.path().join("other")).unwrap();
        assert!(other.import(&out).is_err(), "{what}");
        assert!(other.entries().unwrap().is_empty(), "{what}");
    };
    std::fs::write(out.join(INDEX), index.replace("\"a.crl\"", "\"../a.crl\"")).unwrap();
    refuse("a name outside");
    std::fs::write(out.join(INDEX), index.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
    refuse("another schema");
    std::fs::write(out.join(INDEX), &index[..index.len() / 2]).unwrap();
    refuse("half an index");
    std::fs::write(out.join(INDEX), &index).unwrap();
    std::fs::write(out.join("a.crl"), crl("31")).unwrap();
    refuse("another file");
}

/// Answers each connection with the next of its answers.
struct Service {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Service {
    fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let answers = Mutex::new(answers.into_iter());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Some(answer) = answers.lock().unwrap().next() else { return };
                count.fetch_add(1, Ordering::SeqCst);
                let _ = serve(stream.unwrap(), &answer);
            }
        });
        Self { address, asked }
    }

    fn crl(&self) -> Wanted {
        let url = format!("http://{}/crl", self.address);
        Wanted {
            name: "a.crl".into(),
            origin: "https://vendor/crl".into(),
            url,
            kind: Kind::Crl,
            chain_header: None,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 512];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece)? {
            0 => break,
            read => request.extend_from_slice(&piece[..read]),
        }
    }
    stream.write_all(answer)
}

fn answer(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn ok(body: &[u8]) -> Vec<u8> {
    answer(200, "", body)
}

/// A list that decodes, up to a day of June 2025; nobody signed it.
fn crl(day: &str) -> Vec<u8> {
    let algorithm = der::sequence(&[&der::element(tag::OID, &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2])]);
    let date = |text: String| der::element(tag::UTC_TIME, text.as_bytes());
    let next = match day {
        "31" => "250701000000Z".to_owned(),
        day => format!("2506{day}000000Z"),
    };
    let tbs = der::sequence(&[
        &der::unsigned(1),
        &algorithm,
        &der::sequence(&[]),
        &date("250601000000Z".to_owned()),
        &date(next),
    ]);
    let signature = der::sequence(&[&der::unsigned(1), &der::unsigned(1)]);
    let bits = der::element(tag::BIT_STRING, &[&[0], signature.as_slice()].concat());
    der::sequence(&[&tbs, &algorithm, &bits])
}

fn root() -> Vec<u8> {
    include_bytes!("../../attest/src/roots/intel-sgx-root.der").to_vec()
}

fn patience() -> Patience {
    let millis = Duration::from_millis;
    Patience { attempts: 3, timeout: millis(700), pause: millis(5), pause_most: millis(50) }
}

fn client() -> Client {
    Client::new(patience())
}

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&store_path(&directory)).unwrap();
    (directory, store)
}

fn store_path(directory: &tempfile::TempDir) -> std::path::PathBuf {
    directory.path().join("cache")
}
