//! A quote from bytes to result, beside the operations that nothing can save and beside `dcap-qvl`; one thread, best and
//! median of many calls, all in one run since machines differ from hour to hour.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use attest::appraise::appraise;
use attest::crypto::{PublicKey, Scheme};
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reference::ReferenceValues;
use attest::time::Time;
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;
use oracles::memory::Everything;

const POLICY: &str =
    "[freshness]\nbinding_required = false\n[sgx]\ntcb.any_status = true\n[tdx]\ntcb.any_status = true\n";

fn main() {
    let Some((quotes, collaterals)) = oracles::dcap::read_all() else { return };
    let policy = Policy::from_toml(POLICY).expect("valid");
    for (case, name) in [
        ("v4-near-mpc-2026-08", "TDX_b0c06f000000_20260813"),
        ("v5-td15ex", "TDX_b0c06f000000_20260813"),
        ("v3-automata-a", "SGX_00606a000000_20250815"),
    ] {
        let quote = &quotes.iter().find(|quote| quote.name.ends_with(case)).expect("a quote").bytes;
        let collateral = collaterals.iter().find(|known| known.name.contains(name)).expect("collateral");
        let now = Time(collateral.time);
        let judge = |endorsements: &Endorsements| {
            let evidence = Evidence::decode(black_box(quote)).expect("decodes");
            let reference = ReferenceValues::default();
            black_box(appraise(&evidence, endorsements, &reference, &policy, now).expect("accepted"));
        };
        let warm = collateral.endorsements.clone().remembering(Arc::new(Everything::default()));
        let cold = &collateral.endorsements;
        let theirs: QuoteCollateralV3 = serde_json::from_value(collateral.file.clone()).expect("their form");
        let verifier = QuoteVerifier::new_prod();
        let evidence = Evidence::decode(quote).expect("decodes");
        println!("{case}");
        let bare = measure("2 P-256 verifications, bare", &mut || two_signatures(&evidence));
        let ours = measure("warm", &mut || judge(&warm));
        measure("cold, collateral decoded", &mut || judge(cold));
        measure("decoding alone", &mut || drop(black_box(Evidence::decode(black_box(quote)))));
        let other = measure("dcap-qvl", &mut || {
            black_box(verifier.verify(black_box(quote), &theirs, now.0).expect("accepted"));
        });
        println!("  warm / bare {:.3}, dcap-qvl / warm {:.1}", ours / bare, other / ours);
    }
}

/// What every verification must do: the quote's signature and that of the quoting enclave's report.
fn two_signatures(evidence: &Evidence) {
    let (signed, signature, key, report, report_signature, chain) = match evidence {
        Evidence::Sgx(sgx) => {
            let quote = &sgx.quote;
            (
                quote.signed(),
                &quote.signature,
                &quote.attestation_key,
                &quote.enclave_bytes,
                &quote.enclave_signature,
                quote.certificates(),
            )
        }
        Evidence::Tdx(tdx) => {
            let quote = &tdx.quote;
            (
                quote.signed(),
                &quote.signature,
                &quote.attestation_key,
                &quote.enclave_bytes,
                &quote.enclave_signature,
                quote.certificates(),
            )
        }
        _ => return,
    };
    let scheme = Scheme::EcdsaP256Sha256;
    PublicKey::p256_from_xy(key).verify(scheme, signed, signature).expect("signed");
    chain[0].key().verify(scheme, report, report_signature).expect("signed");
}

/// The best time of one call in microseconds.
fn measure(name: &str, call: &mut dyn FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..3000)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("  {name:<32} {:8.1} us best, {:8.1} us median", times[0], times[times.len() / 2]);
    times[0]
}
