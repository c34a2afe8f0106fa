//! The answer of the verifier.

pub mod ear;
pub mod extension;

use alloc::string::String;

use crate::claims::{Claims, Detail};
use crate::evidence::Tee;
use crate::reason::Checks;
use crate::roots::Grade;
use crate::time::{Time, Window};

/// How far a result can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrustLevel {
    /// Nobody vouches for the keep.
    Unattested,
    /// A simulator vouches for the keep.
    Simulated,
    /// Genuine hardware vouches for the keep, but the host can look inside.
    Debug,
    /// Genuine hardware vouches for the keep, and the policy excused something; the notes say what.
    Tolerated,
    /// Genuine hardware vouches for the keep, and nothing was excused.
    Affirming,
}

/// Evidence that is genuine and acceptable; only [`appraise`](crate::appraise::appraise) makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct AttestationResult {
    pub(crate) claims: Claims,
    pub(crate) checks: Checks,
    pub(crate) trust: TrustLevel,
    pub(crate) measured: bool,
    pub(crate) policy_digest: [u8; 48],
    pub(crate) judged_at: Time,
    pub(crate) lifetime: Option<u64>,
}

impl AttestationResult {
    /// What was proven.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The kind of environment.
    pub fn tee(&self) -> Tee {
        self.claims.tee
    }

    /// Every check that was made.
    pub fn checks(&self) -> &Checks {
        &self.checks
    }

    /// How far the result can be trusted.
    pub fn trust(&self) -> TrustLevel {
        self.trust
    }

    /// Whether the launch measurement was compared with reference values or a list of the policy.
    pub fn is_measured(&self) -> bool {
        self.measured
    }

    /// The security version of the platform, in the words of its vendor; nothing where it has none.
    pub fn tcb_level(&self) -> Option<String> {
        match self.claims.detail.silicon() {
            Detail::Snp(claims) => Some(alloc::format!("{}", claims.reported)),
            Detail::Sgx(claims) => {
                claims.platform.verdict.as_ref().map(|verdict| verdict.status.name().into())
            }
            Detail::Tdx(claims) => {
                claims.platform.verdict.as_ref().map(|verdict| verdict.status.name().into())
            }
            _ => None,
        }
    }

    /// SHA-384 of the policy that accepted the evidence.
    pub fn policy_digest(&self) -> &[u8; 48] {
        &self.policy_digest
    }

    /// The time of judgement.
    pub fn judged_at(&self) -> Time {
        self.judged_at
    }

    /// How long the result holds: as certificates and lists allow, and as the policy says; nothing without certificates.
    pub fn validity(&self) -> Option<Window> {
        let lists = self.claims.revocation.iter().filter_map(|coverage| coverage.window);
        let lists = lists.filter(|window| window.contains(self.judged_at));
        let whole = lists.fold(self.claims.validity?, Window::intersect);
        let to = Time(self.judged_at.0.saturating_add(self.lifetime.unwrap_or(u64::MAX)));
        Some(whole.intersect(Window { from: self.judged_at, to }))
    }
}

impl TrustLevel {
    pub(crate) fn of(claims: &Claims, excused: bool) -> Self {
        match claims.root.as_ref().map(|root| root.grade) {
            None => Self::Unattested,
            Some(Grade::Development) => Self::Simulated,
            Some(Grade::Vendor) if claims.debug => Self::Debug,
            Some(Grade::Vendor) if excused => Self::Tolerated,
            Some(Grade::Vendor) => Self::Affirming,
        }
    }

    /// The word used in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unattested => "unattested",
            Self::Simulated => "simulated",
            Self::Debug => "debug",
            Self::Tolerated => "tolerated",
            Self::Affirming => "affirming",
        }
    }
}
