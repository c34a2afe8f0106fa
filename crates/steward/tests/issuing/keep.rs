//! Keeps as far as a Steward sees them: a key, claims, evidence of a made-up vendor, and a request.

use std::collections::BTreeSet;

use attest::binding::KeepClaims;
use attest::carrier::bundle::{Kind, encode_keep};
use attest::carrier::csr;
use attest::crypto::{Scheme, sha384};
use attest::endorsements::Endorsements;
use attest::policy::Policy;
use attest::result::AttestationResult;
use attest::roots::{Anchor, Grade, Vendor};
use attest::time::Time;
use attest::x509::certificate::Certificate;
use steward::ca::key::MemoryKey;
use steward::ca::{Authority, Curve, Signer};
use steward::certify::{Circumstances, Rules, certify};
use steward::issue::template::{Template, TemplateFile};
use steward::issue::{self, Issued, Profile};
use steward::refusal::Refusal;
use steward::request::Request;
use steward::revocation::Revocations;

use crate::snp::{KEYS, NOW, Scene};
use crate::tools::{serial, time};
use crate::{dcap, snp};

/// A keep's side: what its request is made of.
pub struct Keep {
    pub key: MemoryKey,
    pub claims: KeepClaims,
    pub kind: Kind,
    pub evidence: Vec<u8>,
}

/// A Steward's side: what requests are judged by.
pub struct Court {
    pub endorsements: Endorsements,
    pub policy: Policy,
    pub measurements: BTreeSet<Vec<u8>>,
    pub revocations: Revocations,
    pub nonce_fresh: bool,
    pub now: Time,
}

/// The workload of every keep.
pub const WORKLOAD: [u8; 48] = [0xB7; 48];

impl Keep {
    /// A keep that nobody vouches for.
    pub fn unattested() -> Self {
        let key = MemoryKey::generate(Curve::P256).expect("a key");
        Self { claims: claims(&key), key, kind: Kind::Unattested, evidence: Vec::new() }
    }

    /// A keep on SEV-SNP, and who judges it.
    pub fn snp(grade: Grade, change: impl FnOnce(&mut Scene, &mut KeepClaims)) -> (Self, Court) {
        let key = MemoryKey::generate(Curve::P384).expect("a key");
        let (mut scene, mut claims) = (Scene::good(), claims(&key));
        scene.anchored = false;
        change(&mut scene, &mut claims);
        scene.write(0x50, &claims.report_data());
        scene.write(0xC0, &claims.workload[..32]);
        let root = scene.root(&KEYS);
        let mut endorsements = scene.endorsements(&KEYS, &root, None);
        endorsements.add_anchor(Anchor { grade, ..snp::anchor(&root) });
        let court = Court { policy: scene.policy(&root), ..Court::new(endorsements, NOW) };
        (Self { evidence: scene.evidence(&KEYS), key, claims, kind: Kind::Snp }, court)
    }

    /// A keep in a TD, and who judges it.
    pub fn tdx(grade: Grade, change: impl FnOnce(&mut dcap::World)) -> (Self, Court) {
        let key = MemoryKey::generate(Curve::P256).expect("a key");
        let mut world = dcap::World::new(dcap::Kind::Tdx5);
        change(&mut world);
        let claims = claims(&key);
        world.td[520..584].copy_from_slice(&claims.report_data());
        world.td[184..232].copy_from_slice(&claims.workload);
        let certificate = Certificate::decode(&world.certificate(dcap::ROOT)).expect("decodes");
        let mut endorsements = Endorsements::new(vec![Anchor { vendor: Vendor::Intel, grade, certificate }]);
        for der in world.endorsements().certificates() {
            endorsements.add_certificate(der.der()).expect("decodes");
        }
        for list in &world.lists {
            endorsements.add_crl(&list.encode()).expect("decodes");
        }
        use attest::endorsements::DocumentKind::{QeIdentity, TcbInfo};
        for (kind, member, body) in
            [(TcbInfo, "tcbInfo", &world.tcb_info), (QeIdentity, "enclaveIdentity", &world.identity)]
        {
            endorsements.add_document(kind, &world.document(member, body)).expect("decodes");
        }
        let policy = Policy::from_toml(&format!("accept.development_roots = [\"{}\"]", world.root()));
        let court = Court { policy: policy.expect("valid"), ..Court::new(endorsements, dcap::NOW) };
        (Self { evidence: world.quote(), key, claims, kind: Kind::Tdx }, court)
    }

    /// The request, as DER.
    pub fn request(&self) -> Vec<u8> {
        self.request_for(&self.claims)
    }

    /// A request with these claims beside the evidence.
    pub fn request_for(&self, claims: &KeepClaims) -> Vec<u8> {
        let bundle = encode_keep(self.kind, &self.evidence, claims, &[]);
        sign_request(&self.key, &csr::encode_info(self.key.spki(), &bundle))
    }

    /// Asks.
    pub fn ask(&self, court: &Court, profile: &Profile, authority: &Authority) -> Result<Issued, Refusal> {
        court.ask(&self.request(), profile, authority).map(|(_, issued)| issued)
    }
}

impl Court {
    pub fn new(endorsements: Endorsements, now: &str) -> Self {
        Self {
            endorsements,
            policy: Policy::from_toml("").expect("valid"),
            measurements: BTreeSet::new(),
            revocations: Revocations::default(),
            nonce_fresh: false,
            now: time(now),
        }
    }

    /// Judges a request and issues.
    pub fn ask(
        &self,
        request: &[u8],
        profile: &Profile,
        authority: &Authority,
    ) -> Result<(AttestationResult, Issued), Refusal> {
        let rules = Rules {
            policy: &self.policy,
            measurements: &self.measurements,
            endorsements: &self.endorsements,
            revocations: &self.revocations,
        };
        let serial = serial(7);
        let circumstances = Circumstances { nonce_fresh: self.nonce_fresh, now: self.now, serial: &serial };
        certify(&Request::decode(request)?, profile, authority, &rules, circumstances)
    }
}

/// A profile of this grade.
pub fn profile(grade: issue::Grade) -> Profile {
    profile_of(grade, "")
}

pub fn profile_of(grade: issue::Grade, template: &str) -> Profile {
    let file: TemplateFile =
        toml::from_str(&format!("trust_domain = \"example.org\"\n{template}")).expect("a template");
    Profile {
        name: format!("{grade:?}").to_lowercase(),
        grade,
        lifetime: issue::LIFETIME,
        backdate: issue::BACKDATE,
        template: Template::try_from(file).expect("a template"),
    }
}

/// Signs what a request says.
pub fn sign_request(key: &MemoryKey, info: &[u8]) -> Vec<u8> {
    let scheme = match key.curve() {
        Curve::P256 => Scheme::EcdsaP256Sha256,
        Curve::P384 => Scheme::EcdsaP384Sha384,
    };
    csr::encode(info, scheme, &key.sign(info).expect("signs")).expect("encodes")
}

fn claims(key: &MemoryKey) -> KeepClaims {
    KeepClaims {
        spki_digest: sha384(key.spki()),
        workload: WORKLOAD.to_vec(),
        slug: None,
        nonce: None,
        lifetime: 0,
    }
}
