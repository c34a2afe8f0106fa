//! What a verification of SEV-SNP evidence costs beyond the signatures that nobody can save, in one run on one core.
//!
//! `cargo bench -p attest --bench snp` prints, for each case, its time, that of its bare signature verifications by the same
//! provider, and the ratio.

#[expect(dead_code, reason = "other users need the rest")]
#[path = "../tests/snp/hierarchy.rs"]
mod hierarchy;
#[path = "../tests/support/memory.rs"]
mod memory;
#[path = "shared/turns.rs"]
mod turns;

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Arc;

use attest::appraise::appraise;
use attest::crypto::Scheme;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::memory::{Fact, Memory};
use attest::reference::ReferenceValues;
use attest::snp::report::{Report, SIGNED};
use attest::time::Time;
use attest::x509::certificate::Certificate;
use attest::x509::crl::Crl;
use aws_lc_rs::rsa::KeySize;
use hierarchy::{Keys, NOW, Scene};
use memory::Everything;
use turns::{case, measure};

/// A primed memory that takes nothing new: what it lacks is verified each time.
struct Frozen(HashSet<Fact>);

impl Memory for Frozen {
    fn recall(&self, fact: &Fact) -> bool {
        self.0.contains(fact)
    }

    fn remember(&self, _: Fact) {}
}

fn main() {
    let keys = Keys::of(KeySize::Rsa4096);
    let scene = Scene::good();
    let root = scene.root(&keys);
    let policy = scene.policy(&root);
    let now = Time::from_rfc3339(NOW).expect("valid");
    let report = scene.evidence(&keys);
    let vek = scene.vek.as_ref().expect("there is one").der(&keys);
    let ask = scene.ask.der(&keys.ask, &keys.ark);
    let list = scene.lists[0].der(&scene.ark.subject, &keys);
    let judge = |endorsements: &Endorsements, carried: Option<&[u8]>| {
        let mut evidence = Evidence::decode(black_box(&report)).expect("decodes");
        if let (Evidence::Snp(evidence), Some(der)) = (&mut evidence, carried) {
            evidence.certificates.push(Certificate::decode(der).expect("decodes"));
        }
        let result = appraise(&evidence, endorsements, &ReferenceValues::default(), &policy, now);
        black_box(result.expect("accepted"));
    };

    // The list of the other kind is left out: nothing of this chain would be on it.
    let service = |veks: bool, memory: Arc<dyn Memory>| {
        let mut scene = Scene { lists: scene.lists[..1].to_vec(), ..scene.clone() };
        scene.vek = None;
        let mut endorsements = scene.endorsements(&keys, &root, None);
        if veks {
            endorsements.add_certificate(&vek).expect("decodes");
        }
        endorsements.remembering(memory)
    };
    let warm = service(true, Arc::new(Everything::default()));
    judge(&warm, None);
    // Everything but this certificate was seen: another one for the same key was judged once.
    let seen = Arc::new(Everything::default());
    let other = service(false, seen.clone());
    judge(&other, Some(&scene.vek.as_ref().expect("there is one").der(&keys)));
    let known = seen.0.lock().expect("not poisoned").clone();
    let new_vek = other.remembering(Arc::new(Frozen(known)));
    let anchor = hierarchy::anchor(&root);

    let key = Certificate::decode(&vek).expect("decodes").key().clone();
    let signature = Report::decode(&report).expect("decodes").signature;
    let issuer = Certificate::decode(&ask).expect("decodes");
    let leaf = Certificate::decode(&vek).expect("decodes");
    measure(&mut [
        case("P-384 verification", &[], || {
            let message = black_box(&report[..SIGNED]);
            assert!(key.verify(Scheme::EcdsaP384Sha384, message, &signature).is_ok());
        }),
        case("RSA-4096-PSS verification", &[], || assert!(black_box(&leaf).is_signed_by(issuer.key()))),
        case("warm", &[(0, 1.0)], || judge(&warm, None)),
        case("new VCEK", &[(0, 1.0), (1, 1.0)], || judge(&new_vek, Some(&vek))),
        case("all cold", &[(0, 1.0), (1, 3.0)], || {
            let mut cold = Endorsements::new(vec![anchor.clone()]);
            cold.add_certificate(&ask).expect("decodes");
            cold.add_crl(&list).expect("decodes");
            judge(&cold, Some(&vek));
        }),
        case("decoding VCEK, ASK and list", &[], || {
            black_box((
                Certificate::decode(&vek).is_ok(),
                Certificate::decode(&ask).is_ok(),
                Crl::decode(&list).is_ok(),
            ));
        }),
        case("decoding the report", &[], || {
            black_box(Evidence::decode(black_box(&report)).is_ok());
        }),
    ]);
}
