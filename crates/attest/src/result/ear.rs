//! EAT attestation results (draft-ietf-rats-ear-04): the claims sets of a JWT and of a CWT, with the trustworthiness vector of
//! draft-ietf-rats-ar4si-10. Signing is the caller's.
//!
//! A result is one appraisal, under the name of its environment. Beside the registered claims it has `ear_enarx_claims`, what
//! was proven in the words of this crate.

mod cwt;
mod jwt;

use alloc::string::String;
use alloc::vec::Vec;

use super::{AttestationResult, TrustLevel};
use crate::base64;
use crate::cursor::Malformed;
use crate::reason::{Class, Outcome, Reason};
use crate::time::Time;

/// The profile that these claims follow.
pub const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";

/// The largest claims set.
pub const MAX_SIZE: usize = 16 * 1024;

/// A claims set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ear {
    /// When the evidence was judged.
    pub issued_at: Time,
    /// Until when the result may be relied on.
    pub expires: Option<Time>,
    /// Who judged it.
    pub verifier: Verifier,
    /// The nonce of whoever asked.
    pub nonce: Option<Vec<u8>>,
    /// The environment, as `snp`.
    pub name: String,
    /// The judgement.
    pub appraisal: Appraisal,
}

/// Who judged (AR4SI section 3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// Who made the verifier.
    pub developer: String,
    /// Its version.
    pub build: String,
}

/// The judgement of one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appraisal {
    /// The worst tier of the vector.
    pub status: Tier,
    /// What is claimed about each aspect.
    pub vector: Vector,
    /// The policy, as a name made of its digest (RFC 6920).
    pub policies: Vec<String>,
    /// What was proven.
    pub claims: EnarxClaims,
}

/// What was proven, in the words of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnarxClaims {
    /// The trust level.
    pub trust: String,
    /// The launch measurement.
    pub measurement: Vec<u8>,
    /// The TCB level; empty where there is none.
    pub tcb: String,
}

/// The tiers of trust (AR4SI section 2.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Nothing is claimed.
    None,
    /// Good.
    Affirming,
    /// Good enough for those who know what is wrong with it.
    Warning,
    /// Not good.
    Contraindicated,
}

/// The trustworthiness vector (AR4SI section 2.3.5); zero claims nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vector(pub [i8; 8]);

/// The aspects of the vector, by their place in it.
pub const ASPECTS: [&str; 8] = [
    "instance-identity",
    "configuration",
    "executables",
    "file-system",
    "hardware",
    "runtime-opaque",
    "storage-opaque",
    "sourced-data",
];

impl Ear {
    /// The claims set of a result.
    pub fn new(result: &AttestationResult, verifier: Verifier, nonce: Option<Vec<u8>>) -> Self {
        let vector = Vector::of(result);
        let policy = alloc::format!("ni:///sha-384;{}", base64::encode_url(result.policy_digest()));
        let claims = EnarxClaims {
            trust: result.trust().as_str().into(),
            measurement: result.claims().measurement.clone(),
            tcb: result.tcb_level().unwrap_or_default(),
        };
        Self {
            issued_at: result.judged_at(),
            expires: result.validity().map(|window| window.to),
            verifier,
            nonce,
            name: result.tee().id().into(),
            appraisal: Appraisal { status: vector.tier(), vector, policies: alloc::vec![policy], claims },
        }
    }

    /// Writes the claims set of a JWT.
    pub fn to_json(&self) -> String {
        jwt::write(self)
    }

    /// Reads the claims set of a JWT whose signature was verified.
    pub fn from_json(text: &str) -> Result<Self, Malformed> {
        jwt::read(text)
    }

    /// Writes the claims set of a CWT, in the deterministic encoding of RFC 8949 section 4.2.1.
    pub fn to_cbor(&self) -> Vec<u8> {
        cwt::write(self)
    }

    /// Reads the claims set of a CWT whose signature was verified.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Malformed> {
        cwt::read(bytes)
    }
}

impl Vector {
    /// What a result says of each aspect. File system, storage and sourced data are nothing that evidence speaks of.
    pub fn of(result: &AttestationResult) -> Self {
        let noted = |classes: &[Class]| {
            let mut notes = result.checks().iter().filter(|check| check.outcome == Outcome::Note);
            notes.any(|check| classes.contains(&check.reason.class()))
        };
        let bound = result
            .checks()
            .iter()
            .any(|check| check.reason == Reason::BindingMismatch && check.outcome == Outcome::Pass);
        let measured = if result.is_measured() { APPROVED_AT_BOOT } else { 0 };
        let warn_if = |excused: bool| if excused { WARNING } else { AFFIRMING };
        let (hardware, opaque) = match result.trust() {
            TrustLevel::Unattested => return Self::default(),
            TrustLevel::Simulated => (UNRECOGNIZED, 0),
            TrustLevel::Debug => (AFFIRMING, CONTRAINDICATED),
            TrustLevel::Tolerated | TrustLevel::Affirming => {
                (warn_if(noted(&[Class::Tcb, Class::Stale, Class::Revoked, Class::Signature])), AFFIRMING)
            }
        };
        let configuration = warn_if(noted(&[Class::Policy, Class::Debug, Class::Malformed]));
        let executables = if noted(&[Class::Measurement]) { WARNING } else { measured };
        let identity = if bound { AFFIRMING } else { 0 };
        Self([identity, configuration, executables, 0, hardware, opaque, 0, 0])
    }

    /// The worst tier.
    pub fn tier(self) -> Tier {
        self.0.into_iter().map(Tier::of).max().unwrap_or(Tier::None)
    }

    fn claims(self) -> impl Iterator<Item = (usize, i8)> {
        self.0.into_iter().enumerate().filter(|&(_, value)| value != 0)
    }
}

impl Tier {
    /// The tier of a claim. The verifier's own malfunction (-1, 1) claims nothing.
    pub fn of(claim: i8) -> Self {
        match claim {
            -1..=1 => Self::None,
            -32..=-2 | 2..=31 => Self::Affirming,
            -96..=-33 | 32..=95 => Self::Warning,
            i8::MIN..=-97 | 96..=i8::MAX => Self::Contraindicated,
        }
    }

    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Affirming => "affirming",
            Self::Warning => "warning",
            Self::Contraindicated => "contraindicated",
        }
    }

    /// The number in CBOR.
    pub fn number(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Affirming => 2,
            Self::Warning => 32,
            Self::Contraindicated => 96,
        }
    }

    const ALL: [Self; 4] = [Self::None, Self::Affirming, Self::Warning, Self::Contraindicated];
}

/// AR4SI section 2.3.4: the first value of each tier, and those of one aspect.
const AFFIRMING: i8 = 2;
/// executables: only what was approved was loaded at boot.
const APPROVED_AT_BOOT: i8 = 3;
const WARNING: i8 = 32;
const CONTRAINDICATED: i8 = 96;
/// hardware: not recognized.
const UNRECOGNIZED: i8 = 97;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Ear {
        Ear {
            issued_at: Time(1_795_227_603),
            expires: Some(Time(1_795_313_000)),
            verifier: Verifier { developer: "https://enarx.dev".into(), build: "attest 0.8.0".into() },
            nonce: Some(std::vec![7; 32]),
            name: "snp".into(),
            appraisal: Appraisal {
                status: Tier::Warning,
                vector: Vector([2, 2, 3, 0, 32, 2, 0, 0]),
                policies: std::vec!["ni:///sha-384;AAAA".into()],
                claims: EnarxClaims {
                    trust: "tolerated".into(),
                    measurement: std::vec![1; 48],
                    tcb: "x".into(),
                },
            },
        }
    }

    #[test]
    fn both_forms_are_read_back() {
        fn check(ear: Ear) {
            assert_eq!(Ear::from_json(&ear.to_json()), Ok(ear.clone()));
            let encoded = ear.to_cbor();
            assert_eq!(Ear::from_cbor(&encoded), Ok(ear.clone()));
            for length in 0..encoded.len() {
                assert!(Ear::from_cbor(&encoded[..length]).is_err(), "cut at {length}");
            }
            let text = ear.to_json();
            for length in 0..text.len() {
                assert!(Ear::from_json(&text[..length]).is_err(), "cut at {length}");
            }
        }
        check(sample());
        check(Ear { nonce: None, expires: None, ..sample() });
    }

    #[test]
    fn json_has_the_names_of_the_draft() {
        let value: serde_json::Value = serde_json::from_str(&sample().to_json()).expect("JSON");
        assert_eq!(value["eat_profile"], PROFILE);
        assert_eq!(value["iat"], 1_795_227_603);
        assert_eq!(value["ear_verifier_id"]["build"], "attest 0.8.0");
        let appraisal = &value["submods"]["snp"];
        assert_eq!(appraisal["ear_status"], "warning");
        assert_eq!(appraisal["ear_trustworthiness_vector"]["hardware"], 32);
        assert_eq!(appraisal["ear_trustworthiness_vector"].get("file-system"), None);
        assert_eq!(appraisal["ear_appraisal_policy_ids"][0], "ni:///sha-384;AAAA");
    }

    #[test]
    fn the_worst_claim_decides_the_tier() {
        fn check(claims: [i8; 8], tier: Tier) {
            assert_eq!(Vector(claims).tier(), tier);
        }
        check([0; 8], Tier::None);
        check([2, 3, 0, 0, 2, 2, 0, 0], Tier::Affirming);
        check([2, 32, 0, 0, 2, 2, 0, 0], Tier::Warning);
        check([2, 32, 0, 0, 97, 2, 0, 0], Tier::Contraindicated);
        check([-2, -33, 0, 0, 0, 0, 0, -128], Tier::Contraindicated);
    }

    #[test]
    fn a_status_that_the_vector_contradicts_is_refused() {
        let mut ear = sample();
        ear.appraisal.status = Tier::Affirming;
        assert!(Ear::from_json(&ear.to_json()).is_err());
        assert!(Ear::from_cbor(&ear.to_cbor()).is_err());
    }
}
