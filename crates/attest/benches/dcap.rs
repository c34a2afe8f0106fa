//! What a verification of SGX and TDX quotes costs beyond the signatures that nobody can save, in one run on one core.
//!
//! `cargo bench -p attest --bench dcap` prints, for each case, its time, that of its bare signature verifications by the same
//! provider, and the ratio.

#[expect(dead_code, reason = "other users need the rest")]
#[path = "../tests/dcap/hierarchy.rs"]
mod hierarchy;
#[path = "../tests/support/memory.rs"]
mod memory;
#[path = "shared/turns.rs"]
mod turns;

use std::hint::black_box;
use std::sync::Arc;

use attest::appraise::appraise;
use attest::crypto::{PublicKey, Scheme};
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reference::ReferenceValues;
use attest::time::Time;
use hierarchy::{Kind, List, NOW, ROOT, SIGNER, World};
use memory::Everything;
use turns::{case, measure};

fn main() {
    let world = World::new(Kind::Tdx5);
    let policy =
        format!("accept.development_roots = [\"{}\"]\nfreshness.binding_required = false\n", world.root());
    let policy = Policy::from_toml(&policy).expect("valid");
    let now = Time::from_rfc3339(NOW).expect("valid");
    let quote = world.quote();
    let judge = |endorsements: &Endorsements| {
        let evidence = Evidence::decode(black_box(&quote)).expect("decodes");
        let result = appraise(&evidence, endorsements, &ReferenceValues::default(), &policy, now);
        black_box(result.expect("accepted"));
    };
    let warm = world.endorsements().remembering(Arc::new(Everything::default()));
    judge(&warm);
    let Ok(Evidence::Tdx(decoded)) = Evidence::decode(&quote) else { panic!("a quote") };
    let decoded = decoded.quote;
    let key = PublicKey::p256_from_xy(&decoded.attestation_key);
    let evidence = Evidence::decode(&quote).expect("decodes");
    let (root, signer) = (world.certificate(ROOT), world.certificate(SIGNER));
    let lists: Vec<_> = world.lists.iter().map(List::encode).collect();
    let documents = world.documents();
    let cold = || {
        let mut cold = Endorsements::new(vec![hierarchy::anchor(&root)]);
        cold.add_certificate(&signer).expect("decodes");
        lists.iter().for_each(|list| cold.add_crl(list).expect("decodes"));
        documents.iter().for_each(|(kind, bytes)| cold.add_document(*kind, bytes).expect("decodes"));
        judge(&cold.remembering(Arc::new(Everything::default())));
    };
    measure(&mut [
        case("P-256 verification", &[], || {
            let message = black_box(decoded.signed());
            assert!(key.verify(Scheme::EcdsaP256Sha256, message, &decoded.signature).is_ok());
        }),
        // Quote and QE report.
        case("warm", &[(0, 2.0)], || judge(&warm)),
        // And two links of the PCK's chain, the signer's certificate, two lists, two documents.
        case("all cold, decoding included", &[(0, 9.0)], cold),
        case("decoding the quote", &[], || drop(black_box(Evidence::decode(black_box(&quote))))),
        case("judging it, warm", &[(0, 2.0)], || {
            let result = appraise(&evidence, &warm, &ReferenceValues::default(), &policy, now);
            black_box(result.expect("accepted"));
        }),
    ]);
}
