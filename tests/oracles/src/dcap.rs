//! Genuine quotes and collateral, as both verifiers take them.

use std::path::{Path, PathBuf};

use attest::endorsements::{DocumentKind, Endorsements};
use serde_json::Value;

/// A genuine quote.
pub struct Quote {
    /// Where it stands.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A set of Intel's documents.
pub struct Collateral {
    /// Where it stands.
    pub name: String,
    /// What `dcap-qvl` takes.
    pub file: Value,
    /// What this verifier takes.
    pub endorsements: Endorsements,
    /// A time at which all of it is valid.
    pub time: u64,
    window: (u64, u64),
}

impl Collateral {
    /// Times inside, at both ends and outside of its window.
    pub fn times(&self) -> [u64; 5] {
        let (from, to) = self.window;
        [self.time, from, to, from - 1, to + 1]
    }
}

/// Every quote and every collateral, or nothing without vectors.
pub fn read_all() -> Option<(Vec<Quote>, Vec<Collateral>)> {
    let collaterals = entries(&crate::vectors("intel-collateral")?);
    let mut quotes = Vec::new();
    for tee in ["sgx", "tdx"] {
        for case in entries(&crate::vectors(tee)?) {
            if let Ok(bytes) = std::fs::read(case.join("quote.bin")) {
                quotes.push(Quote { name: case.display().to_string(), bytes });
            }
        }
    }
    let collaterals = collaterals.iter().filter(|path| path.extension().is_some_and(|end| end == "json"));
    Some((quotes, collaterals.map(|path| collateral(path)).collect()))
}

fn collateral(path: &Path) -> Collateral {
    let text = std::fs::read(path).expect("can be read");
    let mut file: Value = serde_json::from_slice(&text).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a number");
    let window = (number(&file["_window"][0]), number(&file["_window"][1]));
    let time = number(&file["_judge_time"]);
    let members = file.as_object_mut().expect("an object");
    members.retain(|key, _| !key.starts_with('_'));
    Collateral { name: path.display().to_string(), endorsements: endorsements(&file), file, time, window }
}

fn endorsements(file: &Value) -> Endorsements {
    let text = |member: &str| file[member].as_str().expect("text");
    let mut endorsements = Endorsements::shipped().expect("roots decode");
    for chain in ["pck_crl_issuer_chain", "tcb_info_issuer_chain", "qe_identity_issuer_chain"] {
        for certificate in attest::dcap::pem::chain(text(chain).as_bytes(), 4).expect("PEM") {
            endorsements.add_certificate(certificate.der()).expect("decodes");
        }
    }
    for list in ["root_ca_crl", "pck_crl"] {
        let digits = text(list);
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
        let der: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
        endorsements.add_crl(&der).expect("decodes");
    }
    for (kind, member, key) in [
        (DocumentKind::TcbInfo, "tcb_info", "tcbInfo"),
        (DocumentKind::QeIdentity, "qe_identity", "enclaveIdentity"),
    ] {
        let signature = text(&format!("{member}_signature")).to_owned();
        let document = format!("{{\"{key}\":{},\"signature\":\"{signature}\"}}", text(member));
        endorsements.add_document(kind, document.as_bytes()).expect("decodes");
    }
    endorsements
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut entries: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    entries
}
