//! A Steward behind ACME: judges evidence of a made-up vendor with the real pipeline. And the keeps that ask it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use attest::binding::KeepClaims;
use attest::carrier::Submission;
use attest::carrier::cmw::{Cmw, Collection, Label, MEDIA_TYPE_KEEP_CLAIMS, Record, Type};
use attest::carrier::csr;
use attest::crypto::{Scheme, sha384};
use attest::endorsements::Endorsements;
use attest::policy::Policy;
use attest::time::Time;
use attest::x509::certificate::Certificate;
use axum::Router;
use axum::http::StatusCode;
use service::problem::Problem;
use steward::acme::{self, Certifier, Origin, Promise, Settings};
use steward::ca::ceremony::throwaway;
use steward::ca::key::MemoryKey;
use steward::ca::{Authority, Curve, Signer};
use steward::certify::{Circumstances, Rules, certify, judge};
use steward::issue::serial::Serial;
use steward::issue::template::{Template, TemplateFile};
use steward::issue::{Grade, Profile};
use steward::refusal::Refusal;
use steward::request::Request;
use steward::revocation::{Cause, Revocations};

use crate::snp::{KEYS, NOW, Scene};

pub const URL: &str = "https://steward.example";

/// The workload of every keep.
pub const WORKLOAD: [u8; 48] = [0xB7; 48];

/// Who judges and issues.
pub struct Desk {
    authority: Authority,
    profile: Profile,
    policy: Policy,
    endorsements: Endorsements,
    scene: Scene,
    pub revoked: Mutex<Vec<(Vec<u8>, Cause)>>,
}

/// A keep's key, before it has evidence.
pub struct Keep {
    key: MemoryKey,
}

pub fn now() -> Time {
    Time::from_rfc3339(NOW).expect("a time")
}

impl Desk {
    pub fn open() -> Arc<Self> {
        let scene = Scene::good();
        let root = scene.root(&KEYS);
        let template: TemplateFile = toml::from_str("trust_domain = \"enarx.test\"").expect("a template");
        let profile = Profile {
            name: "lab".into(),
            grade: Grade::Lab,
            lifetime: 3600,
            backdate: 60,
            template: Template::try_from(template).expect("a template"),
        };
        Arc::new(Self {
            authority: throwaway("a test", now(), &Serial::random([1; 16])).expect("an authority"),
            profile,
            policy: scene.policy(&root),
            endorsements: scene.endorsements(&KEYS, &root, None),
            scene,
            revoked: Mutex::default(),
        })
    }

    pub fn settings() -> Settings {
        toml::from_str(&format!("url = \"{URL}\"")).expect("settings")
    }

    pub fn router(self: &Arc<Self>, settings: Settings) -> Router {
        acme::routes(settings, self.clone(), Arc::new(now))
    }

    fn rules<'a>(&'a self, none: &'a (BTreeSet<Vec<u8>>, Revocations)) -> Rules<'a> {
        let (measurements, revocations) = none;
        Rules { policy: &self.policy, measurements, endorsements: &self.endorsements, revocations }
    }
}

impl Certifier for Desk {
    fn profiles(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("lab".into(), "for tests".into())])
    }

    fn judge<'a>(&'a self, _: Option<&'a str>, submission: Submission) -> Promise<'a, ()> {
        Box::pin(async move {
            let judged = judge(&submission, &self.rules(&Default::default()), true, now());
            judged.map(|_| ()).map_err(|refusal| problem(&refusal))
        })
    }

    fn certify<'a>(
        &'a self,
        _: Option<&'a str>,
        request: Request,
        _: Vec<u8>,
        _: Origin,
    ) -> Promise<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let serial = Serial::random([7; 16]);
            let circumstances = Circumstances { nonce_fresh: true, now: now(), serial: &serial };
            let none = Default::default();
            let issued = certify(&request, &self.profile, &self.authority, &self.rules(&none), circumstances);
            let (_, issued) = issued.map_err(|refusal| problem(&refusal))?;
            Ok(vec![issued.certificate, self.authority.issuing().der().to_vec()])
        })
    }

    fn revoke<'a>(&'a self, certificate: &'a Certificate, cause: Cause) -> Promise<'a, ()> {
        Box::pin(async move {
            let mut revoked = self.revoked.lock().expect("a list");
            if revoked.iter().any(|(serial, _)| serial == certificate.serial()) {
                return Err(Problem::new(StatusCode::BAD_REQUEST, "acme.alreadyRevoked"));
            }
            revoked.push((certificate.serial().to_vec(), cause));
            Ok(())
        })
    }
}

fn problem(refusal: &Refusal) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, refusal.code()).detail(refusal.to_string())
}

impl Keep {
    pub fn new() -> Self {
        Self { key: MemoryKey::generate(Curve::P384).expect("a key") }
    }

    /// The answer to a challenge: claims with its nonce, and a report that is bound to them.
    pub fn answer(&self, desk: &Desk, nonce: &[u8]) -> Vec<u8> {
        let (claims, evidence) = self.attest(desk, nonce);
        let mut items = vec![(Label::Text("evidence".into()), Cmw::Record(Record::evidence(evidence)))];
        let kind = Type::Media(MEDIA_TYPE_KEEP_CLAIMS.into());
        let record = Record { kind, value: claims.encode(), indicator: None };
        items.push((Label::Text("claims".into()), Cmw::Record(record)));
        Cmw::Collection(Collection { kind: None, items }).to_json().into_bytes()
    }

    /// A CSR of its key, with nothing in it.
    pub fn csr(&self) -> Vec<u8> {
        let info = attest::der::sequence(&[
            &attest::der::unsigned(0),
            &attest::der::sequence(&[]),
            self.key.spki(),
            &attest::der::element(attest::der::tag::context(0), &[]),
        ]);
        let signature = self.key.sign(&info).expect("a signature");
        csr::encode(&info, Scheme::EcdsaP384Sha384, &signature).expect("a request")
    }

    fn attest(&self, desk: &Desk, nonce: &[u8]) -> (KeepClaims, Vec<u8>) {
        let claims = KeepClaims {
            spki_digest: sha384(self.key.spki()),
            workload: WORKLOAD.to_vec(),
            slug: None,
            nonce: Some(nonce.to_vec()),
            lifetime: 600,
        };
        let mut scene = desk.scene.clone();
        scene.write(0x50, &claims.report_data());
        (claims, scene.evidence(&KEYS))
    }
}
