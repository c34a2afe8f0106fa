//! An endorsement hierarchy of AMD's shape with keys of our own, of development grade: every certificate, list and report
//! can be made wrong in one place, and signed nevertheless.

use std::sync::{Arc, LazyLock};

use attest::appraise::appraise;
use attest::crypto::sha256;
use attest::der::{element, sequence, tag, unsigned};
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::memory::Memory;
use attest::policy::Policy;
use attest::reason::Rejection;
use attest::reference::ReferenceValues;
use attest::result::AttestationResult;
use attest::roots::{Anchor, Grade, Vendor};
use attest::snp::report::{SIGNED, SIZE};
use attest::time::Time;
use attest::x509::certificate::Certificate;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA384};

/// When everything is valid.
pub const NOW: &str = "2026-06-01T00:00:00Z";

/// The chip that VCEKs and reports name.
pub const CHIP: [u8; 64] = [0xC5; 64];

/// Where the two lists of a line are published.
pub const VCEK_LIST: &str = "https://kds.example/vcek/v1/Genoa/crl";
pub const VLEK_LIST: &str = "https://kds.example/vlek/v1/Genoa/crl";

/// Keys are made once: only the bytes that they sign differ.
pub struct Keys {
    pub ark: RsaKey,
    pub ask: RsaKey,
    pub stranger: RsaKey,
    pub vek: EcdsaKeyPair,
}

/// The keys of every scene. A root is of AMD's size where its cost is measured, and smaller where only its shape matters.
pub static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::of(KeySize::Rsa2048));

impl Keys {
    pub fn of(size: KeySize) -> Self {
        let rsa = || RsaKey::generate(size).expect("RSA key");
        let vek = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("P-384 key");
        Self { ark: rsa(), ask: rsa(), stranger: rsa(), vek }
    }
}

/// A certificate of an ARK, ASK or ASVK.
#[derive(Clone)]
pub struct Ca {
    pub subject: String,
    pub issuer: String,
    pub serial: u64,
    pub dates: [&'static str; 2],
    pub ca: bool,
    pub usage: u8,
    pub path_length: Option<u64>,
    pub list: Option<&'static str>,
}

/// A certificate of a VCEK or VLEK.
#[derive(Clone)]
pub struct Leaf {
    pub subject: &'static str,
    pub issuer: String,
    pub dates: [&'static str; 2],
    /// Whether the default trailerField of the PSS parameters is written out.
    pub trailer: bool,
    /// Extensions under AMD's arc.
    pub extensions: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether another key than the ASK's signs.
    pub forged: bool,
}

/// A revocation list of the ARK.
#[derive(Clone)]
pub struct List {
    pub dates: [&'static str; 2],
    pub number: u64,
    pub serials: Vec<u64>,
    pub source: Option<&'static str>,
    /// Whether another key than the ARK's signs.
    pub forged: bool,
}

/// Everything that a judgement depends on.
#[derive(Clone)]
pub struct Scene {
    pub line: &'static str,
    pub ark: Ca,
    pub ask: Ca,
    pub vek: Option<Leaf>,
    pub lists: Vec<List>,
    pub report: Vec<u8>,
    /// Bits that change after the report was signed.
    pub flips: Vec<(usize, u8)>,
    /// Half of the signature, replaced.
    pub half: Option<(usize, [u8; 48])>,
    pub policy: String,
    pub reference: ReferenceValues,
    pub now: &'static str,
    /// Whether the root is pinned, and named by the policy.
    pub anchored: bool,
    pub named: bool,
}

impl Ca {
    pub fn der(&self, key: &RsaKey, signer: &RsaKey) -> Vec<u8> {
        let usage = element(tag::BIT_STRING, &[self.usage.trailing_zeros().min(7) as u8, self.usage]);
        let flag = if self.ca { element(tag::BOOLEAN, &[0xFF]) } else { Vec::new() };
        let length = self.path_length.map(unsigned).unwrap_or_default();
        let mut extensions = vec![
            extension(&[0x55, 0x1D, 15], &usage),
            extension(&[0x55, 0x1D, 19], &sequence(&[&flag, &length])),
        ];
        if let Some(uri) = self.list {
            let name = element(tag::context(0), &element(0x86, uri.as_bytes()));
            let point = sequence(&[&element(tag::context(0), &name)]);
            extensions.push(extension(&[0x55, 0x1D, 31], &sequence(&[&point])));
        }
        let algorithm = sequence(&[&element(tag::OID, OID_RSA), &element(tag::NULL, &[])]);
        let spki = sequence(&[&algorithm, &bits(key.public_key().as_ref())]);
        certificate(true, self.serial, [&self.issuer, &self.subject], self.dates, &spki, &extensions, signer)
    }
}

impl Leaf {
    pub fn der(&self, keys: &Keys) -> Vec<u8> {
        let curve = sequence(&[&element(tag::OID, OID_EC), &element(tag::OID, OID_P384)]);
        let spki = sequence(&[&curve, &bits(keys.vek.public_key().as_ref())]);
        let extensions: Vec<_> = self.extensions.iter().map(|(oid, value)| extension(oid, value)).collect();
        let signer = if self.forged { &keys.stranger } else { &keys.ask };
        let names = [self.issuer.as_str(), self.subject];
        certificate(self.trailer, 0, names, self.dates, &spki, &extensions, signer)
    }

    /// Replaces an extension under AMD's arc, or adds it.
    pub fn set(&mut self, arcs: &[u8], value: Vec<u8>) {
        self.remove(arcs);
        self.extensions.push(([OID_AMD, arcs].concat(), value));
    }

    /// Takes an extension away.
    pub fn remove(&mut self, arcs: &[u8]) {
        self.extensions.retain(|(oid, _)| *oid != [OID_AMD, arcs].concat());
    }
}

impl List {
    pub fn new(source: Option<&'static str>) -> Self {
        Self {
            dates: ["260501000000Z", "260701000000Z"],
            number: 7,
            serials: vec![99],
            source,
            forged: false,
        }
    }

    pub fn der(&self, issuer: &str, keys: &Keys) -> Vec<u8> {
        let [this, next] = self.dates.map(|date| element(tag::UTC_TIME, date.as_bytes()));
        let entry = |serial: &u64| sequence(&[&unsigned(*serial), &this]);
        let entries = self.serials.iter().flat_map(entry).collect::<Vec<u8>>();
        let number = sequence(&[&extension(&[0x55, 0x1D, 20], &unsigned(self.number))]);
        let signed = sequence(&[
            &unsigned(1),
            &pss(false),
            &name(issuer),
            &this,
            &next,
            &if entries.is_empty() { Vec::new() } else { element(tag::SEQUENCE, &entries) },
            &element(tag::context(0), &number),
        ]);
        let signer = if self.forged { &keys.stranger } else { &keys.ark };
        sequence(&[&signed, &pss(false), &bits(&sign(signer, &signed))])
    }
}

impl Scene {
    /// A Genoa host in good order: version 5, VCEK, both lists fresh. Accepted as it stands.
    pub fn good() -> Self {
        Self::of("Genoa")
    }

    pub fn of(line: &'static str) -> Self {
        let turin = line == "Turin";
        let dates = ["220101000000Z", "470101000000Z"];
        let ca = |subject: String, serial, path_length| Ca {
            subject,
            issuer: format!("ARK-{line}"),
            serial,
            dates,
            ca: true,
            usage: 0x04,
            path_length,
            list: Some(VCEK_LIST),
        };
        let mut vek = Leaf {
            subject: "SEV-VCEK",
            issuer: format!("SEV-{line}"),
            dates,
            trailer: false,
            extensions: Vec::new(),
            forged: false,
        };
        vek.set(&[1], unsigned(turin.into()));
        vek.set(&[2], element(tag::IA5_STRING, line.as_bytes()));
        for (arc, value) in [(1, 10), (2, 0), (3, 27), (5, 0), (6, 0), (7, 0), (8, 84)] {
            vek.set(&[3, arc], unsigned(value));
        }
        vek.set(&[3, if turin { 9 } else { 4 }], unsigned(0));
        vek.set(&[4], CHIP[..if turin { 8 } else { 64 }].to_vec());
        Self {
            line,
            ark: ca(format!("ARK-{line}"), 1, None),
            ask: ca(format!("SEV-{line}"), 2, Some(0)),
            vek: Some(vek),
            lists: vec![List::new(Some(VCEK_LIST)), List::new(Some(VLEK_LIST))],
            report: report(line),
            flips: Vec::new(),
            half: None,
            policy: String::new(),
            reference: ReferenceValues::default(),
            now: NOW,
            anchored: true,
            named: true,
        }
    }

    /// The same host, whose cloud has loaded a VLEK.
    pub fn vlek() -> Self {
        let mut scene = Self::good();
        scene.ask.subject = format!("SEV-VLEK-{}", scene.line);
        scene.ask.list = Some(VLEK_LIST);
        let vek = scene.vek.as_mut().expect("there is one");
        vek.subject = "SEV-VLEK";
        vek.issuer = scene.ask.subject.clone();
        vek.remove(&[4]);
        vek.set(&[5], element(tag::IA5_STRING, b"CN=cloud.example"));
        scene.report[0x48] = 1 << 2;
        scene
    }

    pub fn leaf(&mut self) -> &mut Leaf {
        self.vek.as_mut().expect("there is one")
    }

    /// Writes into the report before it is signed.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        self.report[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// The signed report.
    pub fn evidence(&self, keys: &Keys) -> Vec<u8> {
        let mut report = self.report.clone();
        let signature = keys.vek.sign(&SystemRandom::new(), &report[..SIGNED]).expect("signs");
        for (half, at) in signature.as_ref().chunks_exact(48).zip([0x2A0, 0x2E8]) {
            let little: Vec<u8> = half.iter().rev().copied().collect();
            report[at..at + 48].copy_from_slice(&little);
        }
        if let Some((at, half)) = self.half {
            report[at..at + 48].copy_from_slice(&half);
        }
        for &(at, mask) in &self.flips {
            report[at] ^= mask;
        }
        report
    }

    /// The root's certificate; its signature, and so its digest, is another one each time.
    pub fn root(&self, keys: &Keys) -> Vec<u8> {
        self.ark.der(&keys.ark, &keys.ark)
    }

    /// Anchor, certificates and lists.
    pub fn endorsements(&self, keys: &Keys, root: &[u8], memory: Option<Arc<dyn Memory>>) -> Endorsements {
        let mut endorsements = Endorsements::new(Vec::new());
        if self.anchored {
            endorsements.add_anchor(anchor(root));
        }
        endorsements.add_certificate(&self.ask.der(&keys.ask, &keys.ark)).expect("ASK decodes");
        if let Some(vek) = &self.vek {
            endorsements.add_certificate(&vek.der(keys)).expect("VEK decodes");
        }
        for list in &self.lists {
            let der = list.der(&self.ark.subject, keys);
            let added = match list.source {
                Some(source) => endorsements.add_crl_from(source, &der),
                None => endorsements.add_crl(&der),
            };
            added.expect("list decodes");
        }
        match memory {
            Some(memory) => endorsements.remembering(memory),
            None => endorsements,
        }
    }

    /// The scene's rules, and what every scene needs: the root named, nothing expected of the report data.
    pub fn policy(&self, root: &[u8]) -> Policy {
        let root: String = sha256(root).iter().map(|byte| format!("{byte:02x}")).collect();
        let named = if self.named { root } else { "00".repeat(32) };
        let shared =
            format!("accept.development_roots = [\"{named}\"]\nfreshness.binding_required = false\n");
        Policy::from_toml(&format!("{shared}{}", self.policy)).expect("policy is valid")
    }

    pub fn judge(&self) -> Result<AttestationResult, Rejection> {
        let keys = &*KEYS;
        let evidence = Evidence::decode(&self.evidence(keys))?;
        let now = Time::from_rfc3339(self.now).expect("valid");
        let root = self.root(keys);
        let endorsements = self.endorsements(keys, &root, None);
        appraise(&evidence, &endorsements, &self.reference, &self.policy(&root), now)
    }
}

/// A root as trust anchor.
pub fn anchor(root: &[u8]) -> Anchor {
    let certificate = Certificate::decode(root).expect("root decodes");
    Anchor { vendor: Vendor::Amd, grade: Grade::Development, certificate }
}

/// A report of version 5, unsigned.
fn report(line: &str) -> Vec<u8> {
    let turin = line == "Turin";
    let mut report = vec![0; SIZE];
    let mut write = |at: usize, bytes: &[u8]| report[at..at + bytes.len()].copy_from_slice(bytes);
    write(0x00, &[5]);
    write(0x08, &0x3_0000_u64.to_le_bytes());
    write(0x34, &[1]);
    write(0x40, &[0x25]);
    write(0x90, &[0xAA; 48]);
    write(0x160, &[0xFF; 32]);
    for at in [0x38, 0x180, 0x1E0, 0x1F0] {
        write(at, &if turin { [0, 10, 0, 27, 0, 0, 0, 84] } else { [10, 0, 0, 0, 0, 0, 27, 84] });
    }
    write(
        0x188,
        match line {
            "Milan" => &[0x19, 0x01, 1],
            "Genoa" => &[0x19, 0x11, 1],
            _ => &[0x1A, 0x02, 1],
        },
    );
    write(0x1A0, &CHIP[..if turin { 8 } else { 64 }]);
    write(0x1E8, &[49, 55, 1, 0, 49, 55, 1, 0]);
    write(0x1F8, &[3]);
    write(0x200, &[3]);
    report
}

fn certificate(
    trailer: bool,
    serial: u64,
    [issuer, subject]: [&str; 2],
    dates: [&str; 2],
    spki: &[u8],
    extensions: &[Vec<u8>],
    signer: &RsaKey,
) -> Vec<u8> {
    let [from, to] = dates.map(|date| element(tag::UTC_TIME, date.as_bytes()));
    let algorithm = pss(trailer);
    let signed = sequence(&[
        &element(tag::context(0), &unsigned(2)),
        &unsigned(serial),
        &algorithm,
        &name(issuer),
        &sequence(&[&from, &to]),
        &name(subject),
        spki,
        &element(tag::context(3), &element(tag::SEQUENCE, &extensions.concat())),
    ]);
    sequence(&[&signed, &algorithm, &bits(&sign(signer, &signed))])
}

fn sign(key: &RsaKey, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PSS_SHA384, &SystemRandom::new(), message, &mut signature).expect("signs");
    signature
}

fn name(common_name: &str) -> Vec<u8> {
    let value = element(tag::UTF8_STRING, common_name.as_bytes());
    let attribute = sequence(&[&element(tag::OID, &[0x55, 4, 3]), &value]);
    sequence(&[&element(tag::SET, &attribute)])
}

fn bits(octets: &[u8]) -> Vec<u8> {
    element(tag::BIT_STRING, &[&[0], octets].concat())
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&element(tag::OID, oid), &element(tag::OCTET_STRING, value)])
}

/// RSASSA-PSS with SHA-384 and a salt of 48 bytes, in either of its two encodings.
fn pss(trailer: bool) -> Vec<u8> {
    let sha384 = sequence(&[&element(tag::OID, &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2])]);
    let mgf1 = sequence(&[&element(tag::OID, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 8]), &sha384]);
    let trailer = if trailer { element(tag::context(3), &unsigned(1)) } else { Vec::new() };
    let parameters = sequence(&[
        &element(tag::context(0), &sha384),
        &element(tag::context(1), &mgf1),
        &element(tag::context(2), &unsigned(48)),
        &trailer,
    ]);
    sequence(&[&element(tag::OID, &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 10]), &parameters])
}

const OID_AMD: &[u8] = &[0x2B, 6, 1, 4, 1, 0x9C, 0x78, 1];
const OID_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, 1];
const OID_EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1];
const OID_P384: &[u8] = &[0x2B, 0x81, 4, 0, 34];
