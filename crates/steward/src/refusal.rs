//! Why nothing is issued: every reason, each with a stable code, a text and a way out.

use attest::cursor::Malformed;
use attest::reason::{Checks, Rejection};
use attest::result::TrustLevel;
use attest::time::Time;

use crate::ca::SigningError;
use crate::revocation::Subject;

/// Why nothing is issued.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The body is not what it claims to be.
    #[error("the request does not decode: {0}")]
    Malformed(Malformed),
    /// The body is evidence, a certificate or something else, and nobody asks for anything.
    #[error("{found} is no certification request")]
    NotARequest {
        /// What it is.
        found: String,
    },
    /// More requests in one body than are taken.
    #[error("{limit} requests at most are taken at once")]
    TooMany {
        /// The most.
        limit: usize,
    },
    /// A request that no evidence comes with.
    #[error("the request carries no evidence")]
    NoEvidence,
    /// Evidence that cannot be read, is not genuine, or not acceptable.
    #[error("the evidence is refused: {0}")]
    Evidence(Rejection),
    /// A name that cannot stand in a certificate.
    #[error("the slug `{slug}` cannot stand in a certificate: {problem}")]
    Slug {
        /// The slug of the claims.
        slug: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Evidence that proves no hardware, where a production certificate was asked for.
    #[error("a keep that is {} gets no certificate of the profile `{profile}`", trust.as_str())]
    LabOnly {
        /// What was proven.
        trust: TrustLevel,
        /// The profile that was asked for.
        profile: String,
    },
    /// Something of the request was revoked.
    #[error("{subject} was revoked at {at}")]
    Revoked {
        /// What.
        subject: Subject,
        /// When.
        at: Time,
    },
    /// The clock stands before the authority's time.
    #[error("the clock says {now}, and the authority is valid from {from} only")]
    ClockEarly {
        /// The clock.
        now: Time,
        /// The latest start of its certificates.
        from: Time,
    },
    /// The clock stands after the authority's time.
    #[error("the clock says {now}, and the authority was valid until {to}")]
    ClockLate {
        /// The clock.
        now: Time,
        /// The earliest end of its certificates.
        to: Time,
    },
    /// The clock says what no clock says.
    #[error("the clock says {now}, which is beyond what 32 bits of seconds hold")]
    ClockAbsurd {
        /// The clock.
        now: Time,
    },
    /// The result holds for no time to come.
    #[error("the evidence holds until {to} only, which leaves no time for a certificate")]
    NoTimeLeft {
        /// The end.
        to: Time,
    },
    /// The authority's key could not sign.
    #[error("the authority could not sign: {0}")]
    Signing(SigningError),
}

impl Refusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "request.malformed",
            Self::NotARequest { .. } => "request.kind",
            Self::TooMany { .. } => "request.too-many",
            Self::NoEvidence => "request.no-evidence",
            Self::Evidence(_) => "evidence.refused",
            Self::Slug { .. } => "request.slug",
            Self::LabOnly { .. } => "profile.lab-only",
            Self::Revoked { subject, .. } => subject.code(),
            Self::ClockEarly { .. } => "clock.early",
            Self::ClockLate { .. } => "clock.late",
            Self::ClockAbsurd { .. } => "clock.absurd",
            Self::NoTimeLeft { .. } => "lifetime.none",
            Self::Signing(_) => "authority.signing",
        }
    }

    /// The way out.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "send one PKCS#10 request, as DER or as PEM, and nothing after it",
            Self::NotARequest { .. } => "put the evidence into a PKCS#10 request that its key signs",
            Self::TooMany { .. } => "split the bundle",
            Self::NoEvidence => {
                "carry an attestation bundle (attribute 1.2.840.113549.1.9.16.2.59) in the request"
            }
            Self::Evidence(_) => "look at the failed checks; docs/attestation.md explains each",
            Self::Slug { .. } => "a slug is [host/]user/repository:version",
            Self::LabOnly { .. } => {
                "ask for a profile of the lab, or run on genuine hardware without debugging"
            }
            Self::Revoked { .. } => {
                "deploy a workload that is not revoked, on a platform that is not revoked"
            }
            Self::ClockEarly { .. } | Self::ClockAbsurd { .. } => "set the clock of the Steward's machine",
            Self::ClockLate { .. } => "set the clock of the Steward's machine, or run `steward ca rotate`",
            Self::NoTimeLeft { .. } => {
                "renew the revocation lists and collateral that come with the evidence"
            }
            Self::Signing(_) => "look at the Steward's log and at its key store, then ask again",
        }
    }

    /// Every check of the evidence, where it came to that.
    pub fn checks(&self) -> Option<&Checks> {
        match self {
            Self::Evidence(rejection) => Some(rejection.checks()),
            _ => None,
        }
    }

    /// Whether the Steward is at fault, and not who asks.
    pub fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::ClockEarly { .. } | Self::ClockLate { .. } | Self::ClockAbsurd { .. } | Self::Signing(_)
        )
    }
}
