//! Keys in a token: SoftHSM's, which signs, is lost under load, and brought back.
//!
//! SoftHSM finds its configuration through the environment, which a test must not change for the others: the test runs
//! itself again as a process of its own.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use attest::roots::Grade as Root;
use attest::x509::certificate::Certificate;
use steward::ca::directory::Directory;
use steward::ca::pkcs11::{Address, Libraries, Token};
use steward::ca::rollover::{Charter, Circumstances, init, intermediate};
use steward::ca::source::{KeySource, SourceError, Surroundings};
use steward::ca::{Curve, Signer, SigningError};
use steward::issue::Grade;
use zeroize::Zeroizing;

use crate::keep::{Keep, profile};
use crate::tools::{Desk, available, serial, time};

const LIBRARIES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

const PIN: &str = "1234";

#[test]
#[expect(clippy::disallowed_methods, reason = "a test that runs itself again tells itself so")]
fn a_token_signs_is_lost_and_comes_back() {
    let library = LIBRARIES.into_iter().find(|path| Path::new(path).exists());
    if !available("softhsm2", library.is_some()) {
        return;
    }
    let (Some(library), Some(tool)) = (library, Desk::new("softhsm2-util")) else { return };
    if let Ok(folder) = std::env::var("STEWARD_TEST_TOKENS") {
        return inside(library, Path::new(&folder));
    }
    std::fs::create_dir(tool.path().join("tokens")).expect("made");
    let configuration = format!("directories.tokendir = {}/tokens\n", tool.path().display());
    tool.write("softhsm2.conf", configuration).write("pin", PIN);
    let configuration = tool.path().join("softhsm2.conf");
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "My CA", "--pin", PIN, "--so-pin", "12345678"])
        .env("SOFTHSM2_CONF", &configuration)
        .status();
    assert!(made.expect("starts").success());
    let again = Command::new(std::env::current_exe().expect("known"))
        .args(["--exact", "token::a_token_signs_is_lost_and_comes_back", "--nocapture"])
        .env("SOFTHSM2_CONF", &configuration)
        .env("STEWARD_TEST_TOKENS", tool.path())
        .status();
    assert!(again.expect("starts").success());
}

fn inside(library: &str, folder: &Path) {
    let token =
        |object: &str| format!("pkcs11:token=My%20CA{object}?module-path={library}&pin-source=env:PIN");
    let libraries = Libraries::default();
    let environment = |name: &str| (name == "PIN").then(|| PIN.to_owned());
    let surroundings = Surroundings { environment: &environment, libraries: &libraries };
    a_wrong_pin_is_refused(&libraries, &token);
    keys_are_made_once(&surroundings, &token);
    an_authority_lives_in_the_token(&surroundings, &token(""), folder);
    loss_is_an_error_and_return_is_noticed(&surroundings, &token, folder);
}

fn keys_are_made_once(surroundings: &Surroundings<'_>, token: &dyn Fn(&str) -> String) {
    for (curve, name) in [(Curve::P256, ";object=a"), (Curve::P384, ";object=b")] {
        let address: Address = token(name).parse().expect("an address");
        let pin = || Zeroizing::new(PIN.to_owned());
        let key =
            Token::generate(surroundings.libraries, address.clone(), pin(), curve).expect("makes a key");
        let again = Token::generate(surroundings.libraries, address, pin(), curve);
        assert!(matches!(again, Err(SigningError::Token(_))), "a key is not overwritten");
        let opened = token(name).parse::<KeySource>().expect("a source").open(surroundings).expect("opens");
        assert_eq!((opened.spki(), opened.curve()), (key.spki(), curve));
        signs(opened.as_ref());
    }
    let missing = token(";object=none").parse::<KeySource>().expect("a source").open(surroundings);
    assert!(matches!(missing, Err(SourceError::Token(_))));
}

/// What the token signs is a certificate that verifies.
fn signs(key: &dyn Signer) {
    let number = serial(3);
    let validity =
        attest::time::Window { from: time("2026-01-01T00:00:00Z"), to: time("2027-01-01T00:00:00Z") };
    let ceremony = steward::ca::ceremony::Ceremony {
        name: "Token",
        grade: Grade::Lab,
        generation: 1,
        validity,
        serial: &number,
    };
    let certificate = Certificate::decode(&ceremony.root(key).expect("signs")).expect("decodes");
    assert!(certificate.is_signed_by(certificate.key()));
}

/// First of all: once anybody of a process has logged in, everybody has.
fn a_wrong_pin_is_refused(libraries: &Libraries, token: &dyn Fn(&str) -> String) {
    let address: Address = token(";object=a").parse().expect("an address");
    let refused = Token::open(libraries, address, Zeroizing::new("4321".into())).map(|_| ());
    assert!(matches!(&refused, Err(SigningError::Token(text)) if text.contains("PIN")), "{refused:?}");
}

fn an_authority_lives_in_the_token(surroundings: &Surroundings<'_>, token: &str, folder: &Path) {
    let directory = Directory::new(folder.join("ca"));
    let now = time(crate::snp::NOW);
    let random = || Some([7; 16]);
    let circumstances =
        Circumstances { surroundings, random: &random, now, token: Some(token), root_key: None };
    let charter = Charter { name: "Token".into(), grade: Grade::Production, curve: Curve::P384 };
    init(&directory, &charter, &circumstances).expect("begins");
    intermediate(&directory, &circumstances).expect("renews");
    let text = std::fs::read_to_string(folder.join("ca/issuing-2.key")).expect("reads");
    assert!(text.starts_with("pkcs11:") && !text.contains(PIN), "{text}");
    let authorities = directory.open(surroundings, now).expect("opens").authorities;
    let (keep, court) = Keep::snp(Root::Vendor, |_, _| {});
    let issued = keep.ask(&court, &profile(Grade::Production), &authorities[0]).expect("issued");
    let certificate = Certificate::decode(&issued.certificate).expect("decodes");
    assert!(certificate.is_signed_by(authorities[0].issuing().key()));
}

/// How a signature ended, and how long it took.
type Ended = (Result<Vec<u8>, SigningError>, Duration);

fn loss_is_an_error_and_return_is_noticed(
    surroundings: &Surroundings<'_>,
    token: &dyn Fn(&str) -> String,
    folder: &Path,
) {
    let key = token(";object=b").parse::<KeySource>().expect("a source").open(surroundings).expect("opens");
    let stop = Arc::new(AtomicBool::new(false));
    let (report, ended) = channel::<Ended>();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (key, stop, report) = (key.clone(), stop.clone(), report.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let signed = key.sign(b"a certificate");
                    report.send((signed, started.elapsed())).expect("somebody listens");
                }
            })
        })
        .collect();
    wait(&ended, 50, |signed| signed.is_ok());
    let (here, away) = (folder.join("tokens"), folder.join("away"));
    std::fs::rename(&here, &away).expect("taken away");
    std::fs::create_dir(&here).expect("an empty place");
    wait(&ended, 50, |signed| signed.is_err());
    std::fs::remove_dir(&here).expect("empty");
    std::fs::rename(&away, &here).expect("brought back");
    wait(&ended, 50, |signed| signed.is_ok());
    stop.store(true, Ordering::Relaxed);
    drop(report);
    // Who waits to report what nobody hears any more must not wait for ever.
    for thread in threads {
        thread.join().expect("did not panic");
    }
}

/// Waits until signatures have ended so, one after the other; none may take longer than a Steward's client waits.
fn wait(ended: &Receiver<Ended>, mut count: usize, so: impl Fn(&Result<Vec<u8>, SigningError>) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while count > 0 {
        let (signed, took) = ended.recv_timeout(Duration::from_secs(30)).expect("a signature ends");
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(Instant::now() < deadline, "the last signature: {signed:?}");
        count -= usize::from(so(&signed));
    }
}
