//! Who gets which certificate: every way to a production certificate that is none.

use attest::carrier::bundle::{Bundle, Kind, Statement};
use attest::carrier::csr;
use attest::endorsements::Endorsements;
use attest::policy::Policy;
use attest::reason::Reason;
use attest::result::TrustLevel;
use attest::result::extension::{OID, ResultExtension};
use attest::roots::Grade as Root;
use attest::time::Time;
use attest::x509::certificate::Certificate;
use steward::ca::{Curve, Signer};
use steward::issue::Grade;
use steward::refusal::Refusal;
use steward::request::Request;
use steward::revocation::{Cause, Revocation, Subject};

use crate::dcap;
use crate::keep::{Court, Keep, WORKLOAD, profile, profile_of, sign_request};
use crate::tools::{authority, time};

const LAX: &str = "accept.unattested = true\naccept.debug = true\n";

#[test]
fn genuine_keeps_get_production_certificates_that_name_their_workload() {
    let authority = authority(Grade::Production, Curve::P384);
    let (snp, snp_court) = Keep::snp(Root::Vendor, |_, _| {});
    let (tdx, tdx_court) = Keep::tdx(Root::Vendor, |_| {});
    for (keep, court, tee) in [(snp, snp_court, "snp"), (tdx, tdx_court, "tdx")] {
        let issued = keep.ask(&court, &profile(Grade::Production), &authority).expect("issued");
        assert_eq!(issued.names, [format!("spiffe://example.org/workload/{}", "b7".repeat(48))]);
        assert_eq!(issued.workload.as_deref(), Some(&WORKLOAD[..]));
        let certificate = Certificate::decode(&issued.certificate).expect("decodes");
        assert_eq!(certificate.spki(), keep.key.spki());
        assert_eq!(certificate.subject(), [0x30, 0]);
        assert!(certificate.is_signed_by(authority.issuing().key()));
        let said = ResultExtension::decode(certificate.extension(OID).expect("there")).expect("decodes");
        assert_eq!((said.tee.as_str(), said.trust.as_str()), (tee, "affirming"));
        assert_eq!(said.result_digest, attest::crypto::sha384(&issued.ear));
        assert_eq!(said.policy_digest, court.policy.digest());
    }
}

#[test]
fn what_is_not_genuine_gets_lab_certificates_only() {
    let production = authority(Grade::Production, Curve::P384);
    let lab = authority(Grade::Lab, Curve::P256);
    let check = |keep: &Keep, court: &Court, trust: TrustLevel| {
        let refused = keep.ask(court, &profile(Grade::Production), &production).expect_err("refused");
        assert_eq!(refused, Refusal::LabOnly { trust, profile: "production".into() });
        let issued = keep.ask(court, &profile(Grade::Lab), &lab).expect("issued by the lab");
        let certificate = Certificate::decode(&issued.certificate).expect("decodes");
        let said = ResultExtension::decode(certificate.extension(OID).expect("there")).expect("decodes");
        assert_eq!(said.trust, trust.as_str());
        assert!(!certificate.is_signed_by(production.issuing().key()));
    };
    let (keep, court) = Keep::snp(Root::Development, |_, _| {});
    check(&keep, &court, TrustLevel::Simulated);
    let (keep, court) = Keep::tdx(Root::Development, |_| {});
    check(&keep, &court, TrustLevel::Simulated);
    // DEBUG is bit 19 of the guest policy, and bit 0 of the TD's attributes.
    let (keep, mut court) = Keep::snp(Root::Vendor, |scene, _| {
        scene.write(0x0A, &[0x0B]);
    });
    court.policy = Policy::from_toml(LAX).expect("valid");
    check(&keep, &court, TrustLevel::Debug);
    let (keep, mut court) = Keep::tdx(Root::Vendor, |world| world.td[120] |= 1);
    court.policy = Policy::from_toml(LAX).expect("valid");
    check(&keep, &court, TrustLevel::Debug);
    let mut court = Court::new(Endorsements::shipped().expect("decodes"), dcap::NOW);
    court.policy = Policy::from_toml(LAX).expect("valid");
    check(&Keep::unattested(), &court, TrustLevel::Unattested);
}

/// Genuine evidence beside a statement that nobody vouches: the weakest counts.
#[test]
fn good_evidence_does_not_carry_bad_evidence_along() {
    let (keep, mut court) = Keep::tdx(Root::Vendor, |_| {});
    court.policy = Policy::from_toml(LAX).expect("valid");
    let claims = keep.claims.encode();
    let statements = vec![
        Statement { kind: Kind::Tdx, contents: &keep.evidence },
        Statement { kind: Kind::Unattested, contents: &[] },
        Statement { kind: Kind::KeepClaims, contents: &claims },
    ];
    let bundle = Bundle { statements, certificates: Vec::new() }.encode();
    let request = sign_request(&keep.key, &csr::encode_info(keep.key.spki(), &bundle));
    let authority = authority(Grade::Production, Curve::P256);
    let refused = court.ask(&request, &profile(Grade::Production), &authority).expect_err("refused");
    assert!(matches!(refused, Refusal::LabOnly { trust: TrustLevel::Unattested, .. }), "{refused}");
}

#[test]
fn claims_that_the_evidence_does_not_bind_are_refused() {
    let authority = authority(Grade::Production, Curve::P384);
    let (keep, court) = Keep::snp(Root::Vendor, |_, _| {});
    let check = |change: &dyn Fn(&mut attest::binding::KeepClaims), reason: Reason| {
        let mut claims = keep.claims.clone();
        change(&mut claims);
        let request = keep.request_for(&claims);
        match court.ask(&request, &profile(Grade::Production), &authority) {
            Err(Refusal::Evidence(rejection)) => assert!(rejection.has(reason), "{rejection}"),
            other => panic!("expected {reason}, found {other:?}"),
        }
    };
    check(&|claims| claims.spki_digest = [1; 48], Reason::CarrierKey);
    check(&|claims| claims.workload = vec![1; 48], Reason::BindingMismatch);
    check(&|claims| claims.slug = Some("a/b:1".into()), Reason::BindingMismatch);
    check(&|claims| claims.nonce = Some(vec![1; 32]), Reason::BindingMismatch);
    check(&|claims| claims.lifetime = 1 << 40, Reason::BindingMismatch);
    // A stranger's key with the keep's evidence: the claims name another key.
    let stranger = Keep::snp(Root::Vendor, |_, _| {}).0;
    let stolen = Keep {
        key: stranger.key,
        claims: keep.claims.clone(),
        kind: Kind::Snp,
        evidence: keep.evidence.clone(),
    };
    let refused = stolen.ask(&court, &profile(Grade::Production), &authority).expect_err("refused");
    assert!(
        matches!(&refused, Refusal::Evidence(rejection) if rejection.has(Reason::CarrierKey)),
        "{refused}"
    );
}

#[test]
fn the_launcher_must_not_contradict_the_keep() {
    let authority = authority(Grade::Production, Curve::P256);
    let ask = |field: [u8; 48]| {
        let (keep, court) = Keep::tdx(Root::Vendor, |_| {});
        let mut world = dcap::World::new(dcap::Kind::Tdx5);
        world.td[520..584].copy_from_slice(&keep.claims.report_data());
        world.td[184..232].copy_from_slice(&field);
        let keep = Keep { evidence: world.quote(), ..keep };
        keep.ask(&court, &profile(Grade::Production), &authority)
    };
    assert!(ask(WORKLOAD).is_ok());
    assert!(ask([0; 48]).is_ok(), "a field that nobody set");
    let refused = ask([1; 48]).expect_err("another workload");
    assert!(matches!(&refused, Refusal::Evidence(rejection) if rejection.has(Reason::WorkloadMismatch)));
}

#[test]
fn a_nonce_counts_only_when_it_is_ours() {
    let authority = authority(Grade::Production, Curve::P384);
    let (keep, mut court) = Keep::snp(Root::Vendor, |scene, claims| {
        claims.nonce = Some(vec![9; 32]);
        scene.policy.push_str("freshness.nonce_required = true\n");
    });
    assert_eq!(Request::decode(&keep.request()).expect("decodes").nonce(), Some(&[9; 32][..]));
    let refused = keep.ask(&court, &profile(Grade::Production), &authority).expect_err("stale");
    assert!(matches!(&refused, Refusal::Evidence(rejection) if rejection.has(Reason::NonceMissing)));
    court.nonce_fresh = true;
    keep.ask(&court, &profile(Grade::Production), &authority).expect("fresh");
}

#[test]
fn lifetimes_are_clamped() {
    let authority = authority(Grade::Production, Curve::P384);
    let now = time(crate::snp::NOW);
    let check = |asked: u64, profile_seconds: u64, expected: u64| {
        let (keep, court) = Keep::snp(Root::Vendor, |_, claims| claims.lifetime = asked);
        let mut profile = profile(Grade::Production);
        profile.lifetime = profile_seconds;
        let issued = keep.ask(&court, &profile, &authority).expect("issued");
        assert_eq!(issued.validity.to, Time(now.0 + expected), "{asked} of {profile_seconds}");
        assert_eq!(issued.validity.from, Time(now.0 - 60));
    };
    check(0, 86_400, 86_400);
    check(3600, 86_400, 3600);
    check(u64::MAX / 4, 86_400, 86_400);
    // The revocation lists end on 1 July.
    check(0, 365 * 86_400, 30 * 86_400);
}

#[test]
fn a_slug_becomes_the_pinned_address_of_its_package() {
    let authority = authority(Grade::Production, Curve::P384);
    let ask = |slug: &str, template: &str| {
        let (keep, court) = Keep::snp(Root::Vendor, |_, claims| claims.slug = Some(slug.into()));
        keep.ask(&court, &profile_of(Grade::Production, template), &authority).map(|issued| issued.names)
    };
    let address = format!("https://store.example/user/app:1.0.0@sha384:{}", "b7".repeat(48));
    let own = "drawbridge = \"store.example\"\n";
    for template in [own.to_string(), format!("{own}package = \"uri\"")] {
        assert_eq!(ask("user/app:1.0.0", &template).expect("issued")[1], address);
    }
    assert_eq!(ask("store.example/user/app:1.0.0", "").expect("issued")[1], address);
    assert_eq!(ask("user/app:1.0.0", &format!("{own}package = \"none\"")).expect("issued").len(), 1);
    for wrong in ["user/app:1.0.0", "../app:1", "evil.example/../x/y:1"] {
        assert!(matches!(ask(wrong, ""), Err(Refusal::Slug { .. })), "{wrong}");
    }
}

#[test]
fn what_is_revoked_gets_nothing() {
    let authority = authority(Grade::Production, Curve::P384);
    let revocation = Revocation { at: time("2026-05-05T00:00:00Z"), cause: Cause::PrivilegeWithdrawn };
    for subject in [Subject::Workload(WORKLOAD.to_vec()), Subject::Chip(crate::snp::CHIP.to_vec())] {
        let (keep, mut court) = Keep::snp(Root::Vendor, |_, _| {});
        court.revocations.add(subject.clone(), revocation);
        let refused = keep.ask(&court, &profile(Grade::Production), &authority).expect_err("revoked");
        assert_eq!(refused, Refusal::Revoked { subject, at: revocation.at });
    }
    let (keep, mut court) = Keep::tdx(Root::Vendor, |_| {});
    court.revocations.add(Subject::Chip(vec![0xAA; 16]), revocation);
    assert!(keep.ask(&court, &profile(Grade::Production), &authority).is_err());
}

#[test]
fn a_wrong_clock_issues_nothing() {
    let authority = authority(Grade::Production, Curve::P384);
    let ask = |now: &str| {
        let (keep, mut court) = Keep::snp(Root::Vendor, |_, _| {});
        court.now = time(now);
        keep.ask(&court, &profile(Grade::Production), &authority).expect_err("refused").code()
    };
    assert_eq!(ask("2019-12-31T23:59:59Z"), "clock.early");
    assert_eq!(ask("1970-01-01T00:00:00Z"), "clock.early");
    assert_eq!(ask("2060-01-01T00:00:01Z"), "clock.late");
    assert_eq!(ask("2106-02-07T06:28:16Z"), "clock.absurd");
    assert_eq!(ask("9999-12-31T23:59:59Z"), "clock.absurd");
}

#[test]
fn what_is_no_request_is_named() {
    let check = |body: &[u8], code: &str| {
        let refused = Request::decode(body).expect_err("refused");
        assert_eq!(refused.code(), code, "{refused}");
    };
    let (keep, _) = Keep::snp(Root::Vendor, |_, _| {});
    check(&keep.evidence, "request.kind");
    check(b"", "evidence.refused");
    let empty = sign_request(&keep.key, &csr::encode_info(keep.key.spki(), &[]));
    assert!(Request::decode(&empty).is_err());
    let mut forged = keep.request();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let refused = Request::decode(&forged).expect_err("refused");
    assert!(matches!(&refused, Refusal::Evidence(rejection) if rejection.has(Reason::CarrierSignature)));
    let pem = attest::pem::encode("CERTIFICATE REQUEST", &keep.request());
    assert_eq!(Request::decode(pem.as_bytes()).expect("PEM decodes").spki(), keep.key.spki());
}
