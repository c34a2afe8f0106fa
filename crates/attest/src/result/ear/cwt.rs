//! The CBOR claims set. Keys are those of the CWT registry and of draft-ietf-rats-ear-04 section 9; unknown claims are refused.

use alloc::string::String;
use alloc::vec::Vec;

use super::{ASPECTS, Appraisal, Ear, EnarxClaims, MAX_SIZE, PROFILE, Tier, Vector, Verifier};
use crate::cbor::{Key, Reader, Writer};
use crate::cursor::{self, Malformed, Problem};
use crate::time::Time;

pub(super) fn write(ear: &Ear) -> Vec<u8> {
    let Ear { issued_at, expires, verifier, nonce, name, appraisal } = ear;
    let mut writer = Writer::new().map(4 + usize::from(expires.is_some()) + usize::from(nonce.is_some()));
    if let Some(expires) = expires {
        writer = writer.integer(EXP).unsigned(expires.0);
    }
    writer = writer.integer(IAT).unsigned(issued_at.0);
    if let Some(nonce) = nonce {
        writer = writer.integer(NONCE).bytes(nonce);
    }
    writer = writer.integer(EAT_PROFILE).text(PROFILE);
    writer = write_appraisal(writer.integer(SUBMODS).map(1).text(name), appraisal);
    writer = writer.integer(VERIFIER_ID).map(2);
    writer.integer(0).text(&verifier.developer).integer(1).text(&verifier.build).finish()
}

pub(super) fn read(bytes: &[u8]) -> Result<Ear, Malformed> {
    cursor::limit("ear", bytes, MAX_SIZE)?;
    let mut reader = Reader::new(bytes);
    let start = reader;
    let (mut issued_at, mut expires, mut nonce) = (None, None, None);
    let (mut verifier, mut submodule) = (None, None);
    reader.map("ear", 6, |key, value| {
        match key {
            Key::Number(EXP) => expires = Some(Time(value.unsigned("ear.exp")?)),
            Key::Number(IAT) => issued_at = Some(Time(value.unsigned("ear.iat")?)),
            Key::Number(NONCE) => nonce = Some(value.bytes("ear.nonce")?.to_vec()),
            Key::Number(EAT_PROFILE) => {
                if value.text("ear.profile")? != PROFILE {
                    return Err(value.fail("ear.profile", Problem::NotCanonical("another profile")));
                }
            }
            Key::Number(SUBMODS) => {
                value.map("ear.submods", 1, |key, value| {
                    let Key::Text(name) = key else { return Err(unknown(value)) };
                    submodule = Some((String::from(name), read_appraisal(value)?));
                    Ok(())
                })?;
            }
            Key::Number(VERIFIER_ID) => verifier = Some(read_verifier(value)?),
            _ => return Err(unknown(value)),
        }
        Ok(())
    })?;
    reader.finish("ear")?;
    let missing = || start.fail("ear", Problem::Missing);
    let (name, appraisal) = submodule.ok_or_else(missing)?;
    let (issued_at, verifier) = (issued_at.ok_or_else(missing)?, verifier.ok_or_else(missing)?);
    Ok(Ear { issued_at, expires, verifier, nonce, name, appraisal })
}

fn write_appraisal(writer: Writer, appraisal: &Appraisal) -> Writer {
    let Appraisal { status, vector, policies, claims } = appraisal;
    let mut writer = writer.map(4).integer(STATUS).unsigned(status.number());
    writer = writer.integer(VECTOR).map(vector.claims().count());
    for (place, value) in vector.claims() {
        writer = writer.unsigned(place as u64).integer(value.into());
    }
    writer = writer.integer(POLICIES).array(policies.len());
    writer = policies.iter().fold(writer, |writer, policy| writer.text(policy));
    writer = writer.text(ENARX_CLAIMS).map(3);
    writer = writer.text("tcb").text(&claims.tcb).text("trust").text(&claims.trust);
    writer.text("measurement").bytes(&claims.measurement)
}

fn read_appraisal(reader: &mut Reader<'_>) -> Result<Appraisal, Malformed> {
    let start = *reader;
    let (mut status, mut vector) = (None, Vector::default());
    let (mut policies, mut claims) = (Vec::new(), None);
    reader.map("ear.appraisal", 4, |key, value| {
        match key {
            Key::Number(STATUS) => status = Some(value.unsigned("ear.status")?),
            Key::Number(VECTOR) => vector = read_vector(value)?,
            Key::Number(POLICIES) => {
                value.array("ear.policies", 8, |policy| {
                    policies.push(String::from(policy.text("ear.policy")?));
                    Ok(())
                })?;
            }
            Key::Text(ENARX_CLAIMS) => claims = Some(read_claims(value)?),
            _ => return Err(unknown(value)),
        }
        Ok(())
    })?;
    let tier = Tier::ALL.into_iter().find(|tier| Some(tier.number()) == status);
    match (tier == Some(vector.tier()), claims) {
        (true, Some(claims)) => Ok(Appraisal { status: vector.tier(), vector, policies, claims }),
        _ => {
            Err(start
                .fail("ear.status", Problem::NotCanonical("claims are missing or contradict each other")))
        }
    }
}

fn read_vector(reader: &mut Reader<'_>) -> Result<Vector, Malformed> {
    let mut vector = Vector::default();
    reader.map("ear.vector", ASPECTS.len(), |key, value| {
        let Key::Number(place) = key else { return Err(unknown(value)) };
        let slot = usize::try_from(place).ok().and_then(|place| vector.0.get_mut(place));
        let claim = i8::try_from(value.integer("ear.claim")?);
        match (slot, claim) {
            (Some(slot), Ok(claim)) => *slot = claim,
            _ => return Err(unknown(value)),
        }
        Ok(())
    })?;
    Ok(vector)
}

fn read_claims(reader: &mut Reader<'_>) -> Result<EnarxClaims, Malformed> {
    let mut claims = EnarxClaims { trust: String::new(), measurement: Vec::new(), tcb: String::new() };
    reader.map("ear.enarx", 3, |key, value| {
        match key {
            Key::Text("tcb") => claims.tcb = value.text("ear.enarx.tcb")?.into(),
            Key::Text("trust") => claims.trust = value.text("ear.enarx.trust")?.into(),
            Key::Text("measurement") => claims.measurement = value.bytes("ear.enarx.measurement")?.to_vec(),
            _ => return Err(unknown(value)),
        }
        Ok(())
    })?;
    Ok(claims)
}

fn read_verifier(reader: &mut Reader<'_>) -> Result<Verifier, Malformed> {
    let mut verifier = Verifier { developer: String::new(), build: String::new() };
    reader.map("ear.verifier", 2, |key, value| {
        match key {
            Key::Number(0) => verifier.developer = value.text("ear.developer")?.into(),
            Key::Number(1) => verifier.build = value.text("ear.build")?.into(),
            _ => return Err(unknown(value)),
        }
        Ok(())
    })?;
    Ok(verifier)
}

fn unknown(at: &Reader<'_>) -> Malformed {
    at.fail("ear", Problem::NotCanonical("a claim that is not known"))
}

/// RFC 8392 section 3.1, RFC 9711 section 10.2, draft-ietf-rats-ear-04 section 9.
const EXP: i64 = 4;
const IAT: i64 = 6;
const NONCE: i64 = 10;
const EAT_PROFILE: i64 = 265;
const SUBMODS: i64 = 266;
const STATUS: i64 = 1000;
const VECTOR: i64 = 1001;
const POLICIES: i64 = 1003;
const VERIFIER_ID: i64 = 1004;
const ENARX_CLAIMS: &str = "ear_enarx_claims";
