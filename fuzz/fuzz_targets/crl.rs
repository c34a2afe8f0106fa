//! A revocation list of any bytes is read or refused.
#![no_main]

use attest::x509::crl::Crl;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(crl) = Crl::decode(bytes) else { return };
    assert_eq!(crl.der(), bytes);
    let _ = (crl.revokes(&[1]), crl.issuer(), crl.window());
});
