//! The JSON claims set. Unknown claims are refused: the reader is for results of this crate.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{ASPECTS, Appraisal, Ear, EnarxClaims, MAX_SIZE, PROFILE, Tier, Vector, Verifier};
use crate::base64;
use crate::cursor::{self, Malformed, Problem};
use crate::time::Time;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    eat_profile: String,
    iat: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    eat_nonce: Option<String>,
    ear_verifier_id: VerifierId,
    submods: BTreeMap<String, Submodule>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifierId {
    developer: String,
    build: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Submodule {
    ear_status: String,
    ear_trustworthiness_vector: BTreeMap<String, i8>,
    ear_appraisal_policy_ids: Vec<String>,
    ear_enarx_claims: Claims,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    trust: String,
    measurement: String,
    tcb: String,
}

pub(super) fn write(ear: &Ear) -> String {
    let appraisal = &ear.appraisal;
    let vector = appraisal.vector.claims().map(|(place, value)| (ASPECTS[place].into(), value));
    let submodule = Submodule {
        ear_status: appraisal.status.as_str().into(),
        ear_trustworthiness_vector: vector.collect(),
        ear_appraisal_policy_ids: appraisal.policies.clone(),
        ear_enarx_claims: Claims {
            trust: appraisal.claims.trust.clone(),
            measurement: base64::encode_url(&appraisal.claims.measurement),
            tcb: appraisal.claims.tcb.clone(),
        },
    };
    let Verifier { developer, build } = ear.verifier.clone();
    let set = Set {
        eat_profile: PROFILE.into(),
        iat: ear.issued_at.0,
        exp: ear.expires.map(|time| time.0),
        eat_nonce: ear.nonce.as_deref().map(base64::encode_url),
        ear_verifier_id: VerifierId { developer, build },
        submods: BTreeMap::from([(ear.name.clone(), submodule)]),
    };
    // Plain data with string keys: serialization cannot fail.
    serde_json::to_string(&set).unwrap_or_default()
}

pub(super) fn read(text: &str) -> Result<Ear, Malformed> {
    cursor::limit("ear", text.as_bytes(), MAX_SIZE)?;
    let fail = |offset, rule| Malformed { field: "ear", offset, problem: Problem::NotCanonical(rule) };
    let set: Set = serde_json::from_str(text)
        .map_err(|error| fail(error.column(), "not the JSON claims of an attestation result"))?;
    let mut submods = set.submods.into_iter();
    let (Some((name, submodule)), None) = (submods.next(), submods.next()) else {
        return Err(fail(0, "not the appraisal of one environment"));
    };
    let mut vector = Vector::default();
    for (aspect, value) in submodule.ear_trustworthiness_vector {
        let place = ASPECTS.iter().position(|name| *name == aspect);
        vector.0[place.ok_or_else(|| fail(0, "an aspect that is not known"))?] = value;
    }
    let status = Tier::ALL.into_iter().find(|tier| tier.as_str() == submodule.ear_status);
    if set.eat_profile != PROFILE || status != Some(vector.tier()) {
        return Err(fail(0, "another profile, or a status that is not the vector's"));
    }
    let Claims { trust, measurement, tcb } = submodule.ear_enarx_claims;
    let bytes = |text: String| base64::decode("ear.bytes", text.as_bytes());
    Ok(Ear {
        issued_at: Time(set.iat),
        expires: set.exp.map(Time),
        verifier: Verifier { developer: set.ear_verifier_id.developer, build: set.ear_verifier_id.build },
        nonce: set.eat_nonce.map(bytes).transpose()?,
        name,
        appraisal: Appraisal {
            status: vector.tier(),
            vector,
            policies: submodule.ear_appraisal_policy_ids,
            claims: EnarxClaims { trust, measurement: bytes(measurement)?, tcb },
        },
    })
}
