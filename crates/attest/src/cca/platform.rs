//! The platform token's claims (draft-ffm-rats-cca-token section 4.4; DEN0137 section A7.2.3.3).

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{digest, fixed, text};
use crate::cbor::{Key, Reader};
use crate::cursor::{Malformed, Problem};

/// The claims of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The profile that defines the other claims.
    pub profile: String,
    /// The hash of the key that signs the realm token.
    pub challenge: Vec<u8>,
    /// The kind of platform.
    pub implementation_id: [u8; 32],
    /// The platform, as the id of its attestation key.
    pub instance_id: [u8; 33],
    /// How the platform is configured; defined by its maker.
    pub config: Vec<u8>,
    /// The raw state.
    pub lifecycle: u16,
    /// The hash of measurements that name no other one.
    pub hash: String,
    /// What runs below the realm.
    pub components: Vec<Component>,
    /// Where the platform's maker suggests to ask.
    pub verification_service: Option<String>,
}

/// A software component of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// Its role.
    pub kind: Option<String>,
    /// Its measurement.
    pub measurement: Vec<u8>,
    /// Its version.
    pub version: Option<String>,
    /// The hash of its signer's key.
    pub signer: Vec<u8>,
    /// The hash of its measurement.
    pub hash: Option<String>,
}

/// The state of a platform (DEN0137 section A7.2.3.3.7): the upper byte of the claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lifecycle {
    /// 0x00.
    Unknown,
    /// 0x10.
    AssemblyAndTest,
    /// 0x20.
    RotProvisioning,
    /// 0x30.
    Secured,
    /// 0x40: the realm management security domain is debugged.
    NonRotDebug,
    /// 0x50: the root world is debugged.
    RecoverableRotDebug,
    /// 0x60.
    Decommissioned,
}

impl Lifecycle {
    /// The state that a raw value names.
    pub fn of(raw: u16) -> Option<Self> {
        match raw >> 8 {
            0x00 => Some(Self::Unknown),
            0x10 => Some(Self::AssemblyAndTest),
            0x20 => Some(Self::RotProvisioning),
            0x30 => Some(Self::Secured),
            0x40 => Some(Self::NonRotDebug),
            0x50 => Some(Self::RecoverableRotDebug),
            0x60 => Some(Self::Decommissioned),
            _ => None,
        }
    }
}

impl Platform {
    /// The state that the token names.
    pub fn lifecycle(&self) -> Lifecycle {
        // Decoding refuses every other value.
        Lifecycle::of(self.lifecycle).unwrap_or(Lifecycle::Unknown)
    }

    /// Decodes the claims of a known profile. The set of claims is closed: an unknown one is refused.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let start = reader;
        let (mut profile, mut challenge, mut lifecycle, mut hash) = (None, None, None, None);
        let (mut implementation_id, mut instance_id, mut config) = (None, None, None);
        let (mut components, mut verification_service, mut client) = (Vec::new(), None, None);
        let mut extended = false;
        reader.map("cca.platform", MAX_CLAIMS, |key, reader| {
            match key {
                Key::Number(265) => profile = Some(text(reader, "cca.platform.profile")?),
                Key::Number(10) => challenge = Some(digest(reader, "cca.platform.challenge")?),
                Key::Number(2396) => implementation_id = Some(fixed(reader, "cca.platform.implementation")?),
                Key::Number(256) => instance_id = Some(instance(reader, "cca.platform.instance")?),
                Key::Number(2401) => config = Some(reader.bytes("cca.platform.config")?.to_vec()),
                Key::Number(2395) => lifecycle = Some(state(reader)?),
                Key::Number(2402) => hash = Some(text(reader, "cca.platform.hash")?),
                Key::Number(2399) => {
                    reader.array("cca.platform.components", MAX_COMPONENTS, |reader| {
                        components.push(Component::decode(reader)?);
                        Ok(())
                    })?;
                }
                Key::Number(2400) => verification_service = Some(text(reader, "cca.platform.service")?),
                Key::Number(2394) => client = Some(reader.integer("cca.platform.client")?),
                // Manufacturing configuration, extensions, TBB keys, peer signers: signed, and not judged.
                Key::Number(2403..=2406) => {
                    extended = true;
                    reader.skip("cca.platform.extension")?;
                }
                _ => {
                    return Err(
                        reader.fail("cca.platform", Problem::NotCanonical("a claim that is not defined"))
                    );
                }
            }
            Ok(())
        })?;
        reader.finish("cca.platform")?;
        let missing = |field| start.fail(field, Problem::Missing);
        let profile = profile.ok_or_else(|| missing("cca.platform.profile"))?;
        check_profile(&profile, client, extended)
            .map_err(|problem| start.fail("cca.platform.profile", problem))?;
        if components.is_empty() {
            return Err(missing("cca.platform.components"));
        }
        Ok(Self {
            profile,
            challenge: challenge.ok_or_else(|| missing("cca.platform.challenge"))?,
            implementation_id: implementation_id.ok_or_else(|| missing("cca.platform.implementation"))?,
            instance_id: instance_id.ok_or_else(|| missing("cca.platform.instance"))?,
            config: config.ok_or_else(|| missing("cca.platform.config"))?,
            lifecycle: lifecycle.ok_or_else(|| missing("cca.platform.lifecycle"))?,
            hash: hash.ok_or_else(|| missing("cca.platform.hash"))?,
            components,
            verification_service,
        })
    }
}

impl Component {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let start = *reader;
        let (mut kind, mut measurement, mut version, mut signer, mut hash) = (None, None, None, None, None);
        reader.map("cca.component", MAX_CLAIMS, |key, reader| {
            match key {
                Key::Number(1) => kind = Some(text(reader, "cca.component.type")?),
                Key::Number(2) => measurement = Some(digest(reader, "cca.component.measurement")?),
                Key::Number(4) => version = Some(text(reader, "cca.component.version")?),
                Key::Number(5) => signer = Some(digest(reader, "cca.component.signer")?),
                Key::Number(6) => hash = Some(text(reader, "cca.component.hash")?),
                // Live activation and countersigners: signed, and not judged.
                Key::Number(7) => drop(reader.boolean("cca.component.activation")?),
                Key::Number(8) => {
                    reader.array("cca.component.countersigners", MAX_COMPONENTS, |reader| {
                        digest(reader, "cca.component.countersigner").map(drop)
                    })?;
                }
                _ => {
                    return Err(
                        reader.fail("cca.component", Problem::NotCanonical("a field that is not defined"))
                    );
                }
            }
            Ok(())
        })?;
        let missing = |field| start.fail(field, Problem::Missing);
        Ok(Self {
            kind,
            measurement: measurement.ok_or_else(|| missing("cca.component.measurement"))?,
            version,
            signer: signer.ok_or_else(|| missing("cca.component.signer"))?,
            hash,
        })
    }
}

/// An instance id is a UEID of type RAND: its first byte is 1 (DEN0137, rule RHVTNC; RFC 9711 section 4.2.1.1).
pub(super) fn instance(reader: &mut Reader<'_>, field: &'static str) -> Result<[u8; 33], Malformed> {
    let at = *reader;
    let instance: [u8; 33] = fixed(reader, field)?;
    match instance[0] {
        1 => Ok(instance),
        found => Err(at.fail(field, Problem::Unexpected { expected: "type 1, RAND", found: found.into() })),
    }
}

fn state(reader: &mut Reader<'_>) -> Result<u16, Malformed> {
    let at = *reader;
    let raw = reader.unsigned("cca.platform.lifecycle")?;
    let known = u16::try_from(raw).ok().filter(|&raw| Lifecycle::of(raw).is_some());
    known.ok_or_else(|| {
        let problem = Problem::Unexpected { expected: "a state of 0x0000 to 0x60ff", found: raw };
        at.fail("cca.platform.lifecycle", problem)
    })
}

/// The profile of 2024 demands a client id of 1 and allows extensions; the others know neither.
fn check_profile(profile: &str, client: Option<i64>, extended: bool) -> Result<(), Problem> {
    match profile {
        PROFILE_LEGACY | PROFILE_2023 if client.is_none() && !extended => Ok(()),
        PROFILE_2024 if client == Some(1) => Ok(()),
        PROFILE_LEGACY | PROFILE_2023 | PROFILE_2024 => {
            Err(Problem::NotCanonical("claims that the profile does not define, or lacks"))
        }
        _ => Err(Problem::NotCanonical("a profile that is not known")),
    }
}

/// Profiles of platform tokens: before the drafts, of RMM 1.0, of RMM 1.1 and draft -03.
const PROFILE_LEGACY: &str = "http://arm.com/CCA-SSD/1.0.0";
const PROFILE_2023: &str = "tag:arm.com,2023:cca_platform#1.0.0";
const PROFILE_2024: &str = "tag:arm.com,2024:cca_platform#2.0.0";
/// The claims that are defined.
const MAX_CLAIMS: usize = 16;
/// The most components and countersigners: genuine tokens have sixteen components.
const MAX_COMPONENTS: usize = 64;
