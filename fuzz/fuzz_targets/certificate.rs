//! A certificate of any bytes is read or refused; what is read can be asked everything.
#![no_main]

use attest::snp::vek::Vek;
use attest::x509::certificate::Certificate;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(certificate) = Certificate::decode(bytes) else { return };
    assert_eq!(certificate.der(), bytes);
    let _ = (certificate.constraints(), certificate.distribution_point(), Vek::decode(&certificate));
    let _ = (certificate.common_name(), certificate.is_signed_by(certificate.key()));
});
