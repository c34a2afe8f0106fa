//! Every way that a pair of tokens can be wrong, with keys made in code.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use super::Hash;
use crate::appraise::appraise;
use crate::base64;
use crate::binding::Binding;
use crate::cbor::Writer;
use crate::cose::signing::Signer;
use crate::crypto::Algorithm;
use crate::endorsements::{DocumentKind, Endorsements};
use crate::evidence::Evidence;
use crate::policy::Policy;
use crate::reason::{Reason, Rejection};
use crate::reference::ReferenceValues;
use crate::result::AttestationResult;
use crate::time::Time;

type Claims = BTreeMap<i64, Vec<u8>>;

/// Two tokens and the world that judges them; tests change one thing of it.
struct Scene {
    cpak: Signer,
    rak: Signer,
    platform: Claims,
    realm: Claims,
    /// Computed from the realm's key unless a test sets it.
    challenge: Option<Vec<u8>>,
    hash: &'static str,
    configured: Option<String>,
    tag: u64,
    format: u64,
    policy: String,
    binding: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let (cpak, rak) = (Signer::new(Algorithm::P384), Signer::new(Algorithm::P384));
        let text = |text: &str| Writer::new().text(text).finish();
        let bytes = |bytes: &[u8]| Writer::new().bytes(bytes).finish();
        let component = Writer::new().map(3).unsigned(1).text("RMM").unsigned(2).bytes(&[3; 32]);
        let component = component.unsigned(5).bytes(&[4; 32]).finish();
        let platform = Claims::from([
            (265, text("tag:arm.com,2023:cca_platform#1.0.0")),
            (2396, bytes(&[2; 32])),
            (256, bytes(&[1; 33])),
            (2401, bytes(&[0xCF])),
            (2395, Writer::new().unsigned(0x3003).finish()),
            (2402, text("sha-256")),
            (2399, Writer::new().array(1).raw(&component).finish()),
        ]);
        let rems = (0..4).fold(Writer::new().array(4), |list, rem| list.bytes(&[rem; 32])).finish();
        let realm = Claims::from([
            (265, text("tag:arm.com,2023:realm#1.0.0")),
            (10, bytes(&[5; 64])),
            (44235, bytes(&[6; 64])),
            (44236, text("sha-256")),
            (44237, bytes(&rak.key())),
            (44238, bytes(&[7; 32])),
            (44239, rems),
        ]);
        let policy = String::new();
        let (configured, binding) = (None, std::vec![5; 64]);
        let (challenge, hash) = (None, "sha-256");
        Self {
            cpak,
            rak,
            platform,
            realm,
            challenge,
            hash,
            configured,
            tag: 907,
            format: 263,
            policy,
            binding,
        }
    }

    fn set(claims: &mut Claims, label: i64, value: Writer) {
        claims.insert(label, value.finish());
    }

    fn encode(claims: &Claims) -> Vec<u8> {
        let map = Writer::new().map(claims.len());
        claims.iter().fold(map, |map, (label, value)| map.integer(*label).raw(value)).finish()
    }

    fn evidence(&self) -> Vec<u8> {
        let mut realm = self.realm.clone();
        realm.entry(44240).or_insert_with(|| Writer::new().text(self.hash).finish());
        let mut platform = self.platform.clone();
        let key = &self.realm.get(&44237).map(|key| key[2..].to_vec()).unwrap_or_default();
        let digest = Hash::named(self.hash).unwrap_or(Hash::Sha256).digest(key);
        let challenge = self.challenge.clone().unwrap_or(digest);
        platform.entry(10).or_insert_with(|| Writer::new().bytes(&challenge).finish());
        let token = |item: Writer, token: &[u8]| match self.tag {
            399 => item.bytes(token),
            _ => item.array(2).unsigned(self.format).bytes(token),
        };
        let collection = Writer::new().tag(self.tag).map(2).unsigned(44234);
        let collection = token(collection, &self.cpak.sign1(&Self::encode(&platform)));
        token(collection.unsigned(44241), &self.rak.sign1(&Self::encode(&realm))).finish()
    }

    fn judge(&self) -> Result<AttestationResult, Rejection> {
        let mut endorsements = Endorsements::new(Vec::new());
        let document = self.configured.clone().unwrap_or_else(|| keys(&self.cpak, [1; 33], [2; 32]));
        endorsements.add_document(DocumentKind::CcaKeys, document.as_bytes()).expect("fits");
        let binding = Some(Binding::Exact(self.binding.clone()));
        let reference = ReferenceValues { binding, ..ReferenceValues::default() };
        let policy = Policy::from_toml(&self.policy).expect("valid");
        appraise(&Evidence::decode(&self.evidence())?, &endorsements, &reference, &policy, Time(0))
    }
}

/// A document of one key.
fn keys(signer: &Signer, instance: [u8; 33], implementation: [u8; 32]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| std::format!("{byte:02x}")).collect::<String>();
    let half = signer.point().len() / 2;
    let curve = if signer.algorithm == Algorithm::P256 { "P-256" } else { "P-384" };
    let (x, y) = (&signer.point()[1..=half], &signer.point()[half + 1..]);
    std::format!(
        r#"[{{"instance-id":"{}","implementation-id":"{}","pkey":{{"kty":"EC","crv":"{curve}","x":"{}","y":"{}"}}}}]"#,
        hex(&instance),
        hex(&implementation),
        base64::encode_url(x),
        base64::encode_url(y)
    )
}

fn check(name: &str, expected: Option<Reason>, change: impl FnOnce(&mut Scene)) {
    let mut scene = Scene::new();
    change(&mut scene);
    match (scene.judge(), expected) {
        (Ok(_), None) => {}
        (Err(rejection), Some(reason)) => assert!(rejection.has(reason), "{name}: {rejection}"),
        (Ok(_), Some(reason)) => panic!("{name}: accepted, expected {reason}"),
        (Err(rejection), None) => panic!("{name}: {rejection}"),
    }
}

#[test]
fn tokens_are_held_to_their_profile() {
    use Reason::EvidenceMalformed as Bad;
    check("as it is", None, |_| {});
    check("tag 399", None, |scene| scene.tag = 399);
    check("another format", Some(Bad), |scene| scene.format = 262);
    for label in [265, 2396, 256, 2401, 2395, 2402, 2399] {
        check("platform claim left out", Some(Bad), |scene| drop(scene.platform.remove(&label)));
    }
    for label in [10, 44235, 44236, 44237, 44238, 44239] {
        check("realm claim left out", Some(Bad), |scene| drop(scene.realm.remove(&label)));
    }
    let platform = |label, value: Writer, expected| {
        check("platform claim", expected, |scene| Scene::set(&mut scene.platform, label, value));
    };
    platform(9, Writer::new().null(), Some(Bad));
    platform(265, Writer::new().text("tag:arm.com,2030:cca_platform#9"), Some(Bad));
    platform(265, Writer::new().text("tag:arm.com,2024:cca_platform#2.0.0"), Some(Bad));
    platform(2394, Writer::new().unsigned(1), Some(Bad));
    platform(10, Writer::new().bytes(&[0; 33]), Some(Bad));
    platform(2396, Writer::new().bytes(&[2; 31]), Some(Bad));
    platform(256, Writer::new().bytes(&[2; 33]), Some(Bad));
    platform(2395, Writer::new().unsigned(0x7000), Some(Bad));
    platform(2395, Writer::new().unsigned(0x1_3003), Some(Bad));
    platform(2399, Writer::new().array(0), Some(Bad));
    platform(2399, Writer::new().array(1).map(0), Some(Bad));
    platform(2400, Writer::new().text("https://example.org"), None);
    check("profile of 2024", None, |scene| {
        Scene::set(&mut scene.platform, 265, Writer::new().text("tag:arm.com,2024:cca_platform#2.0.0"));
        Scene::set(&mut scene.platform, 2394, Writer::new().unsigned(1));
        Scene::set(&mut scene.platform, 2403, Writer::new().bytes(&[1]));
        Scene::set(&mut scene.realm, 265, Writer::new().text("tag:arm.com,2024:realm#2.0.0"));
        Scene::set(&mut scene.realm, 44243, Writer::new().text("private"));
    });
    let realm = |label, value: Writer, expected| {
        check("realm claim", expected, |scene| Scene::set(&mut scene.realm, label, value));
    };
    realm(9, Writer::new().null(), Some(Bad));
    realm(265, Writer::new().text("tag:arm.com,2024:realm#2.0.0"), Some(Bad));
    realm(44243, Writer::new().unsigned(1), Some(Bad));
    realm(10, Writer::new().bytes(&[5; 63]), Some(Bad));
    realm(44238, Writer::new().bytes(&[7; 20]), Some(Bad));
    realm(44239, Writer::new().array(3).bytes(&[0; 32]).bytes(&[0; 32]).bytes(&[0; 32]), Some(Bad));
    realm(44237, Writer::new().bytes(Signer::new(Algorithm::P256).key().as_slice()), Some(Bad));
    check("raw key under a profile", Some(Bad), |scene| {
        let point = scene.rak.point().to_vec();
        Scene::set(&mut scene.realm, 44237, Writer::new().bytes(&point));
    });
    check("raw key without profile", None, |scene| {
        let point = scene.rak.point().to_vec();
        scene.realm.remove(&265);
        Scene::set(&mut scene.realm, 44237, Writer::new().bytes(&point));
    });
}

#[test]
fn both_signatures_and_the_binding_are_proven() {
    let (stranger, small) = (Signer::new(Algorithm::P384), Signer::new(Algorithm::P256));
    let document = keys(&stranger, [1; 33], [2; 32]);
    check("another CPAK", Some(Reason::CcaPlatformSignature), |scene| scene.configured = Some(document));
    let document = keys(&small, [1; 33], [2; 32]);
    check("another curve", Some(Reason::CcaPlatformSignature), |scene| scene.configured = Some(document));
    check("a CPAK on P-256", None, |scene| scene.cpak = Signer::new(Algorithm::P256));
    let configured = |instance, implementation, expected| {
        check("whose key", Some(expected), |scene| {
            scene.configured = Some(keys(&scene.cpak, instance, implementation));
        });
    };
    configured([9; 33], [2; 32], Reason::CcaKeyMissing);
    configured([1; 33], [9; 32], Reason::CcaKeyMissing);
    check("no keys", Some(Reason::CcaKeyMissing), |scene| scene.configured = Some("[]".into()));
    check("bad keys", Some(Reason::EndorsementMalformed), |scene| scene.configured = Some("{}".into()));
    check("another RAK", Some(Reason::CcaRealmSignature), |scene| scene.rak = Signer::new(Algorithm::P384));
    check("binding", Some(Reason::CcaBinding), |scene| scene.challenge = Some(std::vec![8; 32]));
    check("short binding", Some(Reason::EvidenceMalformed), |scene| scene.challenge = Some(std::vec![8; 31]));
    for hash in ["sha-384", "sha-512"] {
        check(hash, None, |scene| scene.hash = hash);
    }
    check("unknown hash", Some(Reason::CcaBinding), |scene| scene.hash = "sha-1");
    check("challenge", Some(Reason::BindingMismatch), |scene| scene.binding[63] = 0);
}

#[test]
fn the_policy_is_applied() {
    for (state, expected) in [
        (0x30FF, None),
        (0x0000, Some(Reason::CcaLifecycle)),
        (0x1000, Some(Reason::CcaLifecycle)),
        (0x2000, Some(Reason::CcaLifecycle)),
        (0x4000, Some(Reason::DebugEnabled)),
        (0x5000, Some(Reason::DebugEnabled)),
        (0x6000, Some(Reason::CcaLifecycle)),
    ] {
        check("state", expected, |scene| {
            Scene::set(&mut scene.platform, 2395, Writer::new().unsigned(state))
        });
    }
    let section = |text: String, expected| check(&text, expected, |scene| scene.policy.push_str(&text));
    let list = |key: &str, byte: u8, size: usize| {
        std::format!("[cca]\n{key} = [\"{}\"]\n", std::format!("{byte:02x}").repeat(size))
    };
    section(list("hash", 7, 32), None);
    section(list("hash", 8, 32), Some(Reason::MeasurementUnknown));
    section(list("hash_blacklist", 7, 32), Some(Reason::MeasurementDenied));
    section(list("personalization", 6, 64), None);
    section(list("personalization", 7, 64), Some(Reason::CcaRegisters));
    section(list("implementation_ids", 2, 32), None);
    section(list("implementation_ids", 3, 32), Some(Reason::CcaPlatform));
    section(list("instance_ids", 1, 33), None);
    section(list("instance_ids", 3, 33), Some(Reason::CcaPlatform));
    section(list("signer", 4, 32), None);
    section(list("signer", 3, 32), Some(Reason::CcaComponents));
    section(list("components", 3, 32), None);
    section(list("components", 4, 32), Some(Reason::CcaComponents));
    section("[cca]\nprofiles = [\"legacy\"]\n".into(), Some(Reason::CcaProfile));
    section("[cca]\nlifecycle = []\n".into(), Some(Reason::CcaLifecycle));
    section(std::format!("[cca.rems]\n2 = [\"{}\"]\n", "02".repeat(32)), None);
    section(std::format!("[cca.rems]\n2 = [\"{}\"]\n", "03".repeat(32)), Some(Reason::CcaRegisters));
    section(std::format!("[cca.rems]\n4 = [\"{}\"]\n", "03".repeat(32)), Some(Reason::CcaRegisters));
}
