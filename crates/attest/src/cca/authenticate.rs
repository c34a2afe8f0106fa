//! Are the tokens genuine: the platform's configured key, the realm's key, and what binds one to the other.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::keys::{self, PlatformKey};
use super::platform::{Lifecycle, Platform};
use super::{Claims, Evidence, Hash};
use crate::claims::{self, Detail, Root};
use crate::endorsements::{DocumentKind, Endorsements};
use crate::evidence::Tee;
use crate::reason::{Checks, Reason};
use crate::time::Time;
use crate::value::Value;

/// Runs every check of authentication. The tokens carry no time, and the configured keys end by being taken away.
pub(crate) fn authenticate(
    evidence: &Evidence,
    endorsements: &Endorsements,
    _: Time,
    checks: &mut Checks,
) -> Option<claims::Claims> {
    let Evidence { platform, realm, signed_platform, signed_realm } = evidence;
    let key = platform_key(platform, endorsements, checks);
    if let Some(key) = &key {
        let holds = signed_platform.is_signed_by(&key.key);
        checks.require(Reason::CcaPlatformSignature, Value::None, holds, "signed by the CPAK", holds);
    }
    let holds = signed_realm.is_signed_by(&realm.key);
    checks.require(Reason::CcaRealmSignature, Value::None, holds, "signed by the RAK", holds);
    match Hash::named(&realm.key_hash) {
        Some(hash) => {
            let digest = hash.digest(&realm.key_bytes);
            checks.equal(Reason::CcaBinding, "challenge", digest.as_slice(), platform.challenge.as_slice());
        }
        None => {
            let found = realm.key_hash.clone();
            checks.require(Reason::CcaBinding, "hash", false, "sha-256, sha-384 or sha-512", found);
        }
    }
    Some(claims::Claims {
        tee: Tee::Cca,
        root: key.as_ref().map(|key| Root {
            grade: key.grade(),
            name: String::from("CPAK"),
            digest: key.digest(),
        }),
        measurement: realm.initial.clone(),
        report_data: realm.challenge.to_vec(),
        host_data: realm.personalization.to_vec(),
        debug: platform.lifecycle() != Lifecycle::Secured,
        validity: None,
        revocation: Vec::new(),
        detail: Detail::Cca(Box::new(Claims { platform: platform.clone(), realm: realm.clone() })),
    })
}

/// The configured key of this instance of this implementation.
fn platform_key(
    platform: &Platform,
    endorsements: &Endorsements,
    checks: &mut Checks,
) -> Option<PlatformKey> {
    let mut found = None;
    for (_, document) in endorsements.documents(DocumentKind::CcaKeys) {
        match keys::decode(&document.bytes) {
            Ok(keys) => {
                found = found.or_else(|| {
                    keys.into_iter().find(|key| {
                        key.instance_id == platform.instance_id
                            && key.implementation_id == platform.implementation_id
                    })
                });
            }
            Err(error) => checks.malformed(Reason::EndorsementMalformed, error),
        }
    }
    let known = found.is_some();
    checks.require(Reason::CcaKeyMissing, Value::None, known, "a configured instance", &platform.instance_id);
    found
}
