//! A whole hierarchy like Intel's, made here: root, PCK CA, PCK, signer of documents, lists, documents and a quote.
//!
//! A [`World`] is a description that tests change before it is signed; [`World::tamper`] changes the quote afterwards.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use attest::crypto::sha256;
use attest::der::{element, sequence, tag, unsigned};
use attest::endorsements::{DocumentKind, Endorsements};
use attest::pem;
use attest::roots::{Anchor, Grade, Vendor};
use attest::time::Time;
use attest::x509::certificate::Certificate;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

/// When everything is valid.
pub const NOW: &str = "2026-06-15T00:00:00Z";

pub const ROOT: usize = 0;
pub const CA: usize = 1;
pub const PCK: usize = 2;
pub const SIGNER: usize = 3;
pub const ATTESTATION: usize = 4;
pub const STRANGER: usize = 5;

static KEYS: LazyLock<Vec<EcdsaKeyPair>> = LazyLock::new(|| {
    let make = |_| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    (0..6).map(make).collect()
});

/// The envelope and body of the quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sgx3,
    Sgx4,
    Sgx5,
    Tdx4,
    Tdx5,
    Tdx5Extended,
}

/// One certificate.
#[derive(Clone)]
pub struct Entity {
    pub name: &'static str,
    pub issuer: &'static str,
    pub signed_by: usize,
    pub ca: bool,
    pub from: &'static str,
    pub to: &'static str,
}

/// One revocation list.
#[derive(Clone)]
pub struct List {
    pub issuer: &'static str,
    pub signed_by: usize,
    pub revoked: Vec<u64>,
    pub from: &'static str,
    pub to: &'static str,
}

/// What is about to be signed.
#[derive(Clone)]
pub struct World {
    pub kind: Kind,
    /// By number of the key; its serial number is the same plus one.
    pub entities: Vec<Entity>,
    pub lists: Vec<List>,
    pub pck_extension: Pck,
    pub tcb_info: String,
    pub identity: String,
    pub documents_signed_by: usize,
    pub enclave: Vec<u8>,
    pub quoting: Vec<u8>,
    pub td: Vec<u8>,
    pub auth: Vec<u8>,
    pub quoting_signed_by: usize,
    pub quote_signed_by: usize,
    /// Bytes 32 to 63 of the quoting enclave's report data.
    pub binding_tail: u8,
    /// The certificates of the quote, by number.
    pub carried: Vec<usize>,
    /// The certificates among the endorsements.
    pub endorsed: Vec<usize>,
}

#[derive(Clone)]
pub struct Pck {
    pub components: [u8; 16],
    pub pce_svn: u64,
    pub pce_id: [u8; 2],
    pub fmspc: [u8; 6],
    pub ppid: [u8; 16],
    pub instance: Option<[u8; 16]>,
    pub flags: Vec<bool>,
}

impl World {
    pub fn new(kind: Kind) -> Self {
        let entity = |name, issuer, signed_by, ca| Entity {
            name,
            issuer,
            signed_by,
            ca,
            from: "2020-01-01T00:00:00Z",
            to: "2040-01-01T00:00:00Z",
        };
        let (root, ca) = ("Intel SGX Root CA", "Intel SGX PCK Platform CA");
        let list = |issuer, signed_by| List {
            issuer,
            signed_by,
            revoked: vec![77],
            from: "2026-06-01T00:00:00Z",
            to: "2026-07-01T00:00:00Z",
        };
        let tdx = matches!(kind, Kind::Tdx4 | Kind::Tdx5 | Kind::Tdx5Extended);
        Self {
            kind,
            entities: vec![
                entity(root, root, ROOT, true),
                entity(ca, root, ROOT, true),
                entity("Intel SGX PCK Certificate", ca, CA, false),
                entity("Intel SGX TCB Signing", root, ROOT, false),
            ],
            lists: vec![list(root, ROOT), list(ca, CA)],
            pck_extension: Pck {
                components: [5; 16],
                pce_svn: 13,
                pce_id: [0, 0],
                fmspc: [0, 0x90, 0x6E, 0xA1, 0, 0],
                ppid: [0xAA; 16],
                instance: Some([0xBB; 16]),
                flags: vec![false, false, false],
            },
            tcb_info: tcb_info(tdx),
            identity: identity(tdx),
            documents_signed_by: SIGNER,
            enclave: enclave([0x11; 32], [0x22; 32], 3, 7),
            quoting: enclave([0x33; 32], [0x44; 32], if tdx { 2 } else { 1 }, 8),
            td: match kind {
                Kind::Tdx5Extended => td(885),
                Kind::Tdx5 => td(648),
                _ => td(584),
            },
            auth: (0..32).collect(),
            quoting_signed_by: PCK,
            quote_signed_by: ATTESTATION,
            binding_tail: 0,
            carried: vec![PCK, CA, ROOT],
            endorsed: vec![SIGNER],
        }
    }

    /// The root's digest, by which a policy names it.
    pub fn root(&self) -> String {
        let root = Certificate::decode(&self.certificate(ROOT)).expect("decodes");
        root.digest().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn endorsements(&self) -> Endorsements {
        let mut endorsements = Endorsements::new(vec![anchor(&self.certificate(ROOT))]);
        for &number in &self.endorsed {
            endorsements.add_certificate(&self.certificate(number)).expect("decodes");
        }
        for list in &self.lists {
            endorsements.add_crl(&list.encode()).expect("decodes");
        }
        for (kind, bytes) in self.documents() {
            endorsements.add_document(kind, &bytes).expect("decodes");
        }
        endorsements
    }

    /// The signed documents; an empty one is left out.
    pub fn documents(&self) -> Vec<(DocumentKind, Vec<u8>)> {
        let bodies = [
            (DocumentKind::TcbInfo, "tcbInfo", &self.tcb_info),
            (DocumentKind::QeIdentity, "enclaveIdentity", &self.identity),
        ];
        let given = bodies.into_iter().filter(|(_, _, body)| !body.is_empty());
        given.map(|(kind, member, body)| (kind, self.document(member, body))).collect()
    }

    pub fn document(&self, member: &str, body: &str) -> Vec<u8> {
        let signature = sign(self.documents_signed_by, body.as_bytes());
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{{\"{member}\":{body},\"signature\":\"{signature}\"}}").into_bytes()
    }

    pub fn quote(&self) -> Vec<u8> {
        let (version, tee, form, body) = match self.kind {
            Kind::Sgx3 => (3_u16, 0_u32, None, &self.enclave),
            Kind::Sgx4 => (4, 0, None, &self.enclave),
            Kind::Sgx5 => (5, 0, Some(1_u16), &self.enclave),
            Kind::Tdx4 => (4, 0x81, None, &self.td),
            Kind::Tdx5 => (5, 0x81, Some(3), &self.td),
            Kind::Tdx5Extended => (5, 0x81, Some(4), &self.td),
        };
        let mut quote = Vec::new();
        quote.extend(version.to_le_bytes());
        quote.extend(2_u16.to_le_bytes());
        quote.extend(tee.to_le_bytes());
        quote.extend([0; 4]);
        quote.extend(0x939A_7233_F79C_4CA9_940A_0DB3_957F_0607_u128.to_be_bytes());
        quote.extend([0x55; 20]);
        if let Some(form) = form {
            quote.extend(form.to_le_bytes());
            quote.extend((body.len() as u32).to_le_bytes());
        }
        quote.extend(body);

        let key = &public(ATTESTATION)[1..];
        let mut quoting = self.quoting.clone();
        quoting[320..352].copy_from_slice(&sha256(&[key, &self.auth].concat()));
        quoting[352..384].fill(self.binding_tail);
        let mut inner = [quoting.as_slice(), &sign(self.quoting_signed_by, &quoting)].concat();
        inner.extend((self.auth.len() as u16).to_le_bytes());
        inner.extend(&self.auth);
        let chain: String = self
            .carried
            .iter()
            .map(|&number| pem::encode("CERTIFICATE", &self.certificate(number)))
            .collect();
        inner.extend(5_u16.to_le_bytes());
        inner.extend((chain.len() as u32).to_le_bytes());
        inner.extend(chain.as_bytes());

        let mut data = [sign(self.quote_signed_by, &quote).as_slice(), key].concat();
        if version > 3 {
            data.extend(6_u16.to_le_bytes());
            data.extend((inner.len() as u32).to_le_bytes());
        }
        data.extend(inner);
        quote.extend((data.len() as u32).to_le_bytes());
        quote.extend(data);
        quote
    }

    pub fn certificate(&self, number: usize) -> Vec<u8> {
        let entity = &self.entities[number];
        let mut extensions = Vec::new();
        if entity.ca {
            let flag = sequence(&[&element(tag::BOOLEAN, &[0xFF])]);
            extensions.push(extension(&[0x55, 0x1D, 19], &flag));
            extensions.push(extension(&[0x55, 0x1D, 15], &element(tag::BIT_STRING, &[1, 6])));
        }
        if number == PCK {
            extensions.push(extension(&arcs(&[]), &self.pck_extension.encode()));
        }
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        let tbs = sequence(&[
            &element(tag::context(0), &unsigned(2)),
            &unsigned(number as u64 + 1),
            &algorithm(),
            &name(entity.issuer),
            &sequence(&[&time(entity.from), &time(entity.to)]),
            &name(entity.name),
            &spki(number),
            &element(tag::context(3), &sequence(&extensions)),
        ]);
        envelope(&tbs, entity.signed_by)
    }
}

impl List {
    pub fn encode(&self) -> Vec<u8> {
        let entry = |serial: &u64| sequence(&[&unsigned(*serial), &time("2025-01-01T00:00:00Z")]);
        let entries: Vec<_> = self.revoked.iter().map(entry).collect();
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let number = extension(&[0x55, 0x1D, 20], &unsigned(9));
        let tbs = sequence(&[
            &unsigned(1),
            &algorithm(),
            &name(self.issuer),
            &time(self.from),
            &time(self.to),
            &sequence(&entries),
            &element(tag::context(0), &sequence(&[&number])),
        ]);
        envelope(&tbs, self.signed_by)
    }
}

impl Pck {
    fn encode(&self) -> Vec<u8> {
        let octets = |value: &[u8]| element(tag::OCTET_STRING, value);
        let entry = |at: &[u8], value: &[u8]| sequence(&[&element(tag::OID, &arcs(at)), value]);
        let mut tcb: Vec<u8> = Vec::new();
        for (arc, &svn) in (1..).zip(&self.components) {
            tcb.extend(entry(&[2, arc], &unsigned(svn.into())));
        }
        tcb.extend(entry(&[2, 17], &unsigned(self.pce_svn)));
        tcb.extend(entry(&[2, 18], &octets(&self.components)));
        let mut fields = [
            entry(&[1], &octets(&self.ppid)),
            entry(&[2], &element(tag::SEQUENCE, &tcb)),
            entry(&[3], &octets(&self.pce_id)),
            entry(&[4], &octets(&self.fmspc)),
            entry(&[5], &element(tag::ENUMERATED, &[1])),
        ]
        .concat();
        if let Some(instance) = &self.instance {
            fields.extend(entry(&[6], &octets(instance)));
            let flags: Vec<u8> = (1..)
                .zip(&self.flags)
                .flat_map(|(arc, &flag)| {
                    entry(&[7, arc], &element(tag::BOOLEAN, &[if flag { 0xFF } else { 0 }]))
                })
                .collect();
            fields.extend(entry(&[7], &element(tag::SEQUENCE, &flags)));
        }
        element(tag::SEQUENCE, &fields)
    }
}

/// The root as an anchor of development grade.
pub fn anchor(root: &[u8]) -> Anchor {
    let certificate = Certificate::decode(root).expect("decodes");
    Anchor { vendor: Vendor::Intel, grade: Grade::Development, certificate }
}

/// Signs as `r ‖ s`; the same key signs the same bytes once, so that a certificate stays what it is.
fn sign(number: usize, message: &[u8]) -> Vec<u8> {
    type Signed = (usize, Vec<u8>);
    static SIGNATURES: LazyLock<Mutex<HashMap<Signed, Vec<u8>>>> = LazyLock::new(Mutex::default);
    let make = || KEYS[number].sign(&SystemRandom::new(), message).expect("signs").as_ref().to_vec();
    let mut signatures = SIGNATURES.lock().expect("not poisoned");
    signatures.entry((number, message.to_vec())).or_insert_with(make).clone()
}

fn public(number: usize) -> &'static [u8] {
    KEYS[number].public_key().as_ref()
}

fn enclave(measurement: [u8; 32], signer: [u8; 32], product: u16, svn: u16) -> Vec<u8> {
    let mut report = vec![0; 384];
    report[48] = 0x05;
    report[56] = 0xE7;
    report[64..96].copy_from_slice(&measurement);
    report[128..160].copy_from_slice(&signer);
    report[256..258].copy_from_slice(&product.to_le_bytes());
    report[258..260].copy_from_slice(&svn.to_le_bytes());
    report
}

fn td(size: usize) -> Vec<u8> {
    let mut report = vec![0; size];
    report[..3].copy_from_slice(&[5, 1, 4]);
    report[123] = 0x10;
    report[128] = 0xE7;
    report[136..184].fill(0x61);
    report[184..232].fill(0x62);
    report[328..376].fill(0x63);
    if size > 584 {
        report[584..587].copy_from_slice(&[5, 1, 4]);
    }
    report
}

fn tcb_info(tdx: bool) -> String {
    let list = |svn: u8| vec![format!("{{\"svn\":{svn}}}"); 16].join(",");
    let level = |sgx: u8, td: &str, date: &str, status: &str| {
        let tdx = if tdx { format!(",\"tdxtcbcomponents\":[{td}]") } else { String::new() };
        format!(
            "{{\"tcb\":{{\"sgxtcbcomponents\":[{}],\"pcesvn\":11{tdx}}},\"tcbDate\":\"{date}T00:00:00Z\",{status}}}",
            list(sgx)
        )
    };
    let td = |module: u8, late: u8| {
        let mut list =
            vec![format!("{{\"svn\":{module}}}"), "{\"svn\":0}".into(), format!("{{\"svn\":{late}}}")];
        list.extend(vec!["{\"svn\":0}".to_owned(); 13]);
        list.join(",")
    };
    let module = "\"mrsigner\":\"".to_owned()
        + &"00".repeat(48)
        + "\",\"attributes\":\"0000000000000000\",\"attributesMask\":\"FFFFFFFFFFFFFFFF\"";
    let modules = format!(
        "\"tdxModule\":{{{module}}},\"tdxModuleIdentities\":[{{\"id\":\"TDX_01\",{module},\"tcbLevels\":[\
         {{\"tcb\":{{\"isvsvn\":5}},\"tcbDate\":\"2026-01-01T00:00:00Z\",\"tcbStatus\":\"UpToDate\"}},\
         {{\"tcb\":{{\"isvsvn\":3}},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"OutOfDate\",\
         \"advisoryIDs\":[\"INTEL-SA-00003\"]}}]}}],"
    );
    format!(
        "{{\"id\":\"{}\",\"version\":3,\"issueDate\":\"2026-06-01T00:00:00Z\",\
         \"nextUpdate\":\"2026-07-01T00:00:00Z\",\"fmspc\":\"00906EA10000\",\"pceId\":\"0000\",\"tcbType\":0,\
         \"tcbEvaluationDataNumber\":19,{}\"tcbLevels\":[{},{},{}]}}",
        if tdx { "TDX" } else { "SGX" },
        if tdx { modules } else { String::new() },
        level(5, &td(5, 4), "2026-01-01", "\"tcbStatus\":\"UpToDate\""),
        level(4, &td(3, 2), "2025-01-01", "\"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00001\"]"),
        level(2, &td(2, 1), "2024-01-01", "\"tcbStatus\":\"Revoked\""),
    )
}

fn identity(tdx: bool) -> String {
    format!(
        "{{\"id\":\"{}\",\"version\":2,\"issueDate\":\"2026-06-01T00:00:00Z\",\
         \"nextUpdate\":\"2026-07-01T00:00:00Z\",\"tcbEvaluationDataNumber\":19,\"miscselect\":\"00000000\",\
         \"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"01000000000000000000000000000000\",\
         \"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":\"{}\",\"isvprodid\":{},\
         \"tcbLevels\":[{{\"tcb\":{{\"isvsvn\":8}},\"tcbDate\":\"2026-01-01T00:00:00Z\",\
         \"tcbStatus\":\"UpToDate\"}},{{\"tcb\":{{\"isvsvn\":6}},\"tcbDate\":\"2025-01-01T00:00:00Z\",\
         \"tcbStatus\":\"OutOfDate\",\"advisoryIDs\":[\"INTEL-SA-00002\"]}},{{\"tcb\":{{\"isvsvn\":5}},\
         \"tcbDate\":\"2024-01-01T00:00:00Z\",\"tcbStatus\":\"Revoked\"}}]}}",
        if tdx { "TD_QE" } else { "QE" },
        "44".repeat(32),
        if tdx { 2 } else { 1 }
    )
}

fn envelope(tbs: &[u8], signed_by: usize) -> Vec<u8> {
    let raw = sign(signed_by, tbs);
    let integer = |half: &[u8]| {
        let skip = half.iter().take_while(|&&byte| byte == 0).count();
        let sign: &[u8] = if half[skip] & 0x80 != 0 { &[0] } else { &[] };
        element(tag::INTEGER, &[sign, &half[skip..]].concat())
    };
    let signature = sequence(&[&integer(&raw[..32]), &integer(&raw[32..])]);
    sequence(&[tbs, &algorithm(), &element(tag::BIT_STRING, &[&[0], signature.as_slice()].concat())])
}

fn algorithm() -> Vec<u8> {
    sequence(&[&element(tag::OID, &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 4, 3, 2])])
}

fn spki(number: usize) -> Vec<u8> {
    let curve = element(tag::OID, &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7]);
    let kind = element(tag::OID, &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1]);
    let bits = element(tag::BIT_STRING, &[&[0], public(number)].concat());
    sequence(&[&sequence(&[&kind, &curve]), &bits])
}

fn name(common: &str) -> Vec<u8> {
    let oid = element(tag::OID, &[0x55, 4, 3]);
    let attribute = sequence(&[&oid, &element(tag::UTF8_STRING, common.as_bytes())]);
    sequence(&[&element(tag::SET, &attribute)])
}

fn time(text: &str) -> Vec<u8> {
    assert!(Time::from_rfc3339(text).is_some(), "{text}");
    let digits: String = text.chars().filter(|digit| !"-T:".contains(*digit)).collect();
    element(tag::GENERALIZED_TIME, digits.as_bytes())
}

fn extension(oid: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&element(tag::OID, oid), &element(tag::OCTET_STRING, value)])
}

fn arcs(rest: &[u8]) -> Vec<u8> {
    [&[0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 1, 13, 1], rest].concat()
}
