//! What others say of our certificates: openssl, rustls in a real handshake, and a linter.

use std::sync::Arc;

use attest::der::tag;
use attest::roots::Grade as Root;
use attest::time::Window;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use steward::ca::directory::to_pem;
use steward::ca::{Authority, Curve};
use steward::issue::{Grade, Issued};

use crate::keep::{Keep, profile_of};
use crate::tools::{Desk, authority, authority_of, pems, time};

/// A template that uses everything.
const FULL: &str = r#"
drawbridge = "store.example"
dns = ["keep.example", "*.keeps.example"]
crl = ["http://steward.example/v1/crl"]
ocsp = ["http://steward.example/v1/ocsp"]
issuer = ["http://steward.example/v1/issuer"]
"#;

fn issued(curve: Curve, template: &str) -> (Keep, Authority, Issued) {
    let authority = authority(Grade::Production, curve);
    let (keep, court) = Keep::snp(Root::Vendor, |_, claims| claims.slug = Some("user/app:1.0.0".into()));
    let profile = profile_of(Grade::Production, template);
    let issued = keep.ask(&court, &profile, &authority).expect("issued");
    (keep, authority, issued)
}

#[test]
fn openssl_verifies_them_strictly() {
    let Some(openssl) = Desk::new("openssl") else { return };
    for (curve, template) in
        [(Curve::P256, FULL), (Curve::P384, FULL), (Curve::P384, "drawbridge = \"s.example\"")]
    {
        let (_, authority, issued) = issued(curve, template);
        let (intermediates, root) = pems(&authority);
        openssl.write("leaf.pem", to_pem(&[&issued.certificate])).write("chain.pem", intermediates);
        openssl.write("root.pem", root);
        let at = time(crate::snp::NOW).0.to_string();
        let verify = ["verify", "-x509_strict", "-policy_check", "-attime", &at, "-CAfile", "root.pem"];
        openssl.run(&[&verify[..], &["-untrusted", "chain.pem", "leaf.pem"]].concat());
        for purpose in ["sslserver", "sslclient"] {
            openssl
                .run(&[&verify[..], &["-purpose", purpose, "-untrusted", "chain.pem", "leaf.pem"]].concat());
        }
        // Production is a policy that holds along the chain.
        for (policy, holds) in [("1.3.6.1.4.1.58270.3.1", true), ("1.3.6.1.4.1.58270.3.2", false)] {
            let wanted = ["-explicit_policy", "-policy", policy, "-untrusted", "chain.pem", "leaf.pem"];
            assert_eq!(openssl.try_run(&[&verify[..], &wanted].concat()).0, holds, "{policy}");
        }
        let text = openssl.run(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
        for expected in [
            "X509v3 Subject Alternative Name: critical",
            "URI:spiffe://example.org/workload/b7b7",
            "othername: 1.3.6.1.4.1.58270.2.5::https://s",
            "X509v3 Key Usage: critical\n                Digital Signature\n",
            "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
            "TLS Web Server Authentication, TLS Web Client Authentication",
            "X509v3 Authority Key Identifier",
            "X509v3 Subject Key Identifier",
            "1.3.6.1.4.1.58270.3.1",
            "1.3.6.1.4.1.58270.2.4",
        ] {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
        assert_eq!(text.contains("URI:http://steward.example/v1/crl"), template == FULL, "{text}");
    }
}

/// Serial numbers, versions and times as X.690 and RFC 5280 want them.
#[test]
fn fields_are_encoded_as_the_standard_wants() {
    let (_, authority, issued) = issued(Curve::P256, FULL);
    let mut tbs = fields(&issued.certificate);
    assert_eq!(tbs.expect("version", tag::context(0)).expect("there").contents, [2, 1, 2]);
    let serial = tbs.integer("serial").expect("there");
    assert_eq!((serial.len(), serial), (16, issued.serial.as_bytes()));
    tbs.any("algorithm").expect("there");
    assert_eq!(tbs.any("issuer").expect("there").whole, authority.issuing().subject());
    // The root of this authority lives into 2060, the certificate does not.
    let dates = |der: &[u8]| {
        let mut tbs = fields(der);
        for field in ["version", "serial", "algorithm", "issuer"] {
            tbs.any(field).expect("there");
        }
        let mut dates = tbs.sequence("validity").expect("there");
        [dates.any("from").expect("there").tag, dates.any("to").expect("there").tag]
    };
    assert_eq!(dates(&issued.certificate), [tag::UTC_TIME; 2]);
    assert_eq!(dates(authority.issuing().der()), [tag::UTC_TIME, tag::GENERALIZED_TIME]);
    let validity = Window { from: time("2049-12-31T23:59:59Z"), to: time("2050-01-01T00:00:00Z") };
    let turn = authority_of("Turn", Grade::Lab, Curve::P256, validity);
    assert_eq!(dates(turn.issuing().der()), [tag::UTC_TIME, tag::GENERALIZED_TIME]);
}

fn fields(der: &[u8]) -> attest::der::Reader<'_> {
    let mut outer = attest::der::Reader::new(der).sequence("certificate").expect("a sequence");
    outer.sequence("tbs").expect("a sequence")
}

/// Mutual TLS in memory: a keep's certificate on both sides, verified by rustls-webpki as it is.
#[test]
fn rustls_shakes_hands_with_them() {
    for curve in [Curve::P256, Curve::P384] {
        let (keep, authority, issued) = issued(curve, FULL);
        assert!(shake(&keep, &authority, &issued, &authority).is_ok());
        let other = self::authority(Grade::Lab, curve);
        assert!(shake(&keep, &authority, &issued, &other).is_err(), "another root");
    }
}

#[derive(Debug)]
struct Clock;

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(time(crate::snp::NOW).0)))
    }
}

fn shake(
    keep: &Keep,
    authority: &Authority,
    issued: &Issued,
    trusted: &Authority,
) -> Result<(), rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(trusted.root().expect("there").der().to_vec())).expect("a root");
    let roots = Arc::new(roots);
    let above = authority.intermediates().iter().map(|certificate| certificate.der().to_vec());
    let chain: Vec<CertificateDer<'static>> =
        [issued.certificate.clone()].into_iter().chain(above).map(CertificateDer::from).collect();
    let pem = keep.key.to_pem().expect("encodes");
    let key = attest::pem::decode(pem.as_bytes()).expect("decodes").remove(0).bytes;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
    let server = ServerConfig::builder_with_details(provider.clone(), Arc::new(Clock))
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier.build().expect("a verifier"))
        .with_single_cert(chain.clone(), key.clone_key())?;
    let client = ClientConfig::builder_with_details(provider, Arc::new(Clock))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    let mut server = ServerConnection::new(Arc::new(server))?;
    let name = "a.keeps.example".try_into().expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name)?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).expect("written");
        server.read_tls(&mut wire.as_slice()).expect("read");
        server.process_new_packets()?;
        wire.clear();
        server.write_tls(&mut wire).expect("written");
        client.read_tls(&mut wire.as_slice()).expect("read");
        client.process_new_packets()?;
    }
    Ok(())
}

/// The profile of RFC 5280, by pkilint (`pip install pkilint`), which does not know the scheme `spiffe`, nor wildcards, which
/// RFC 5280 leaves to RFC 6125.
#[test]
fn a_linter_finds_nothing() {
    let Some(lint) = Desk::new("lint_pkix_cert") else { return };
    let plain = FULL.replace(", \"*.keeps.example\"", "");
    for (curve, template) in [(Curve::P256, plain.as_str()), (Curve::P384, "drawbridge = \"s.example\"")] {
        let (_, authority, issued) = issued(curve, template);
        lint.write("leaf.pem", to_pem(&[&issued.certificate]));
        lint.write("issuing.pem", to_pem(&[authority.issuing().der()]));
        lint.write("root.pem", to_pem(&[authority.root().expect("there").der()]));
        for file in ["leaf.pem", "issuing.pem", "root.pem"] {
            let (_, printed) = lint.try_run(&["lint", "-s", "NOTICE", file]);
            let findings = printed.lines().filter(|line| line.starts_with(' '));
            let found: Vec<&str> = findings.filter(|line| !line.contains("\"spiffe://")).collect();
            assert!(found.is_empty(), "{file}: {found:#?}");
            assert_eq!(printed.contains("\"spiffe://"), file == "leaf.pem", "{printed}");
        }
    }
}
