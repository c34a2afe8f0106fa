//! The realm token's claims (draft-ffm-rats-cca-token section 4.8; DEN0137 section A7.2.3.1).

use alloc::string::String;
use alloc::vec::Vec;

use super::platform::instance;
use super::{digest, fixed, text};
use crate::cbor::{Key, Kind, Reader};
use crate::cose;
use crate::crypto::{Algorithm, PublicKey};
use crate::cursor::{Malformed, Problem};

/// The name that policies use for tokens without a profile.
pub const LEGACY: &str = "legacy";

/// The claims of a realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realm {
    /// The profile; tokens of RMM 1.0 before its final version have none.
    pub profile: Option<String>,
    /// The bytes that the realm chose.
    pub challenge: [u8; 64],
    /// The bytes that the host chose when it made the realm.
    pub personalization: [u8; 64],
    /// RIM: the realm at its start.
    pub initial: Vec<u8>,
    /// REM: what the realm measured since.
    pub extensible: [Vec<u8>; 4],
    /// The hash of the measurements.
    pub hash: String,
    /// The realm's random name; from profile 2.0 on.
    pub instance_id: Option<[u8; 33]>,
    /// The key that signs the token (RAK).
    pub key: PublicKey,
    /// The exact bytes of the key that the platform's challenge is the hash of.
    pub key_bytes: Vec<u8>,
    /// The name of that hash.
    pub key_hash: String,
}

impl Realm {
    /// The profile's name, for policies.
    pub fn profile_name(&self) -> &str {
        self.profile.as_deref().unwrap_or(LEGACY)
    }

    /// Decodes the claims of a known profile. The set of claims is closed: an unknown one is refused.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let start = reader;
        let (mut profile, mut challenge, mut personalization, mut initial) = (None, None, None, None);
        let (mut extensible, mut hash, mut instance_id, mut encryption) = (None, None, None, false);
        let (mut key_bytes, mut key_hash) = (None, None);
        reader.map("cca.realm", MAX_CLAIMS, |label, reader| {
            match label {
                Key::Number(265) => profile = Some(text(reader, "cca.realm.profile")?),
                Key::Number(10) => challenge = Some(fixed(reader, "cca.realm.challenge")?),
                Key::Number(44235) => personalization = Some(fixed(reader, "cca.realm.personalization")?),
                Key::Number(44238) => initial = Some(digest(reader, "cca.realm.rim")?),
                Key::Number(44239) => extensible = Some(registers(reader)?),
                Key::Number(44236) => hash = Some(text(reader, "cca.realm.hash")?),
                Key::Number(256) => instance_id = Some(instance(reader, "cca.realm.instance")?),
                Key::Number(44237) => key_bytes = Some(reader.bytes("cca.realm.key")?.to_vec()),
                Key::Number(44240) => key_hash = Some(text(reader, "cca.realm.key_hash")?),
                Key::Number(44243) => {
                    memory_encryption(reader)?;
                    encryption = true;
                }
                _ => return Err(reader.fail("cca.realm", Problem::NotCanonical("a claim that is not defined"))),
            }
            Ok(())
        })?;
        reader.finish("cca.realm")?;
        let modern = match profile.as_deref() {
            None | Some(PROFILE_2023) => instance_id.is_none() && !encryption,
            Some(PROFILE_2024) => encryption,
            Some(_) => {
                let problem = Problem::NotCanonical("a profile that is not known");
                return Err(start.fail("cca.realm.profile", problem));
            }
        };
        if !modern {
            let problem = Problem::NotCanonical("claims that the profile does not define, or lacks");
            return Err(start.fail("cca.realm.profile", problem));
        }
        let missing = |field| start.fail(field, Problem::Missing);
        let key_bytes = key_bytes.ok_or_else(|| missing("cca.realm.key"))?;
        Ok(Self {
            key: key(&key_bytes, profile.is_none())?,
            profile,
            challenge: challenge.ok_or_else(|| missing("cca.realm.challenge"))?,
            personalization: personalization.ok_or_else(|| missing("cca.realm.personalization"))?,
            initial: initial.ok_or_else(|| missing("cca.realm.rim"))?,
            extensible: extensible.ok_or_else(|| missing("cca.realm.rems"))?,
            hash: hash.ok_or_else(|| missing("cca.realm.hash"))?,
            instance_id,
            key_bytes,
            key_hash: key_hash.ok_or_else(|| missing("cca.realm.key_hash"))?,
        })
    }
}

/// REM 0 to 3.
fn registers(reader: &mut Reader<'_>) -> Result<[Vec<u8>; 4], Malformed> {
    reader.tuple("cca.realm.rems", 4, |reader| {
        let mut registers: [Vec<u8>; 4] = Default::default();
        for register in &mut registers {
            *register = digest(reader, "cca.realm.rem")?;
        }
        Ok(registers)
    })
}

/// How the realm's memory is encrypted; a number in the tools of TF-M, a word in draft -03. Signed, and not judged.
fn memory_encryption(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    match reader.peek() {
        Some(Kind::Text) => reader.text("cca.realm.encryption").map(drop),
        _ => reader.unsigned("cca.realm.encryption").map(drop),
    }
}

/// The RAK is on P-384 (DEN0137 section A7.2.1): a raw uncompressed point in tokens without profile, else a COSE_Key.
fn key(bytes: &[u8], raw: bool) -> Result<PublicKey, Malformed> {
    let key = match raw {
        true => PublicKey::new(Algorithm::P384, bytes),
        false => Some(cose::key(bytes)?).filter(|key| key.algorithm() == Algorithm::P384),
    };
    let problem = Problem::NotCanonical("not a point on P-384");
    key.ok_or(Malformed { field: "cca.realm.key", offset: 0, problem })
}

/// Profiles of realm tokens: RMM 1.0, and RMM 1.1 with draft -03.
const PROFILE_2023: &str = "tag:arm.com,2023:realm#1.0.0";
const PROFILE_2024: &str = "tag:arm.com,2024:realm#2.0.0";
/// The claims that are defined.
const MAX_CLAIMS: usize = 10;
