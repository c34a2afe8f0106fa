//! Keys of platforms (CPAK). There is no public service that endorses them, so they are configured: a document of
//! [`DocumentKind::CcaKeys`](crate::endorsements::DocumentKind) is a JSON list of
//! `{"instance-id": hex, "implementation-id": hex, "pkey": {"kty": "EC", "crv": …, "x": …, "y": …}}`.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use crate::base64;
use crate::cose;
use crate::crypto::{Algorithm, PublicKey, sha256};
use crate::cursor::{Malformed, Problem};
use crate::policy::hex::Hex;
use crate::roots::Grade;

/// The key of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformKey {
    /// The platform.
    pub instance_id: [u8; 33],
    /// Its kind.
    pub implementation_id: [u8; 32],
    /// The key.
    pub key: PublicKey,
}

impl PlatformKey {
    /// SHA-256 of the uncompressed point: what results call the root, and what a policy names to accept a test key.
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.key.bits())
    }

    /// Keys whose private halves are published stand for emulators only, whatever the configuration says.
    pub fn grade(&self) -> Grade {
        match PUBLISHED.contains(&Hex(self.digest())) {
            true => Grade::Development,
            false => Grade::Vendor,
        }
    }
}

/// Reads a document.
pub fn decode(bytes: &[u8]) -> Result<Vec<PlatformKey>, Malformed> {
    let fail = |rule| Malformed { field: "cca.keys", offset: 0, problem: Problem::NotCanonical(rule) };
    let entries: Vec<Entry> =
        serde_json::from_slice(bytes).map_err(|_| fail("not a list of instances and their keys"))?;
    if entries.len() > MAX_KEYS {
        let problem = Problem::TooLong { limit: MAX_KEYS, found: entries.len() };
        return Err(Malformed { field: "cca.keys", offset: 0, problem });
    }
    entries
        .into_iter()
        .map(|entry| {
            let algorithm = match (entry.pkey.kty.as_str(), entry.pkey.crv.as_str()) {
                ("EC", "P-256") => Algorithm::P256,
                ("EC", "P-384") => Algorithm::P384,
                _ => return Err(fail("not a key on P-256 or P-384")),
            };
            let x = base64::decode("cca.keys.x", entry.pkey.x.as_bytes())?;
            let y = base64::decode("cca.keys.y", entry.pkey.y.as_bytes())?;
            let key = cose::point(algorithm, &x, &y).ok_or_else(|| fail("coordinates of another curve"))?;
            Ok(PlatformKey {
                instance_id: entry.instance_id.0,
                implementation_id: entry.implementation_id.0,
                key,
            })
        })
        .collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    instance_id: Hex<33>,
    implementation_id: Hex<32>,
    pkey: Jwk,
}

/// An EC key (RFC 7518 section 6.2.1).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

/// The most keys of one document.
const MAX_KEYS: usize = 1024;

/// Keys whose private halves anybody can download, by [`PlatformKey::digest`]: that of TF-A and TF-M's models (P-384), and
/// that of Veraison's samples (P-256).
const PUBLISHED: &[Hex<32>] = &[
    Hex([
        0x9B, 0xDB, 0x47, 0x04, 0x56, 0xC7, 0xC1, 0x34, 0x83, 0x49, 0xE8, 0x8F, 0x38, 0x54, 0x0F, 0x43, 0xE7,
        0xA7, 0x99, 0x3A, 0xC3, 0x2E, 0x9C, 0x9A, 0x0B, 0x3C, 0x8D, 0x87, 0x33, 0xCC, 0x63, 0xF0,
    ]),
    Hex([
        0x90, 0xC7, 0x1E, 0x80, 0x30, 0x4F, 0x98, 0xD6, 0x55, 0x6A, 0x40, 0x2C, 0x05, 0x93, 0xB3, 0x3A, 0x80,
        0xAC, 0xBD, 0x08, 0xE4, 0xAF, 0xF9, 0xC4, 0x02, 0x9F, 0x6E, 0x17, 0xE1, 0x03, 0x99, 0x51,
    ]),
];
