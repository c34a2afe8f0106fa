//! From a leaf to a pinned anchor.

use alloc::string::String;
use alloc::vec::Vec;

use super::certificate::Certificate;
use crate::endorsements::Endorsements;
use crate::memory;
use crate::reason::{Checks, Reason};
use crate::roots::{Anchor, Vendor};
use crate::time::{Time, Window};
use crate::value::Value;

/// The most certificates between leaf and anchor, both included; Nitro's chains have five (attestation process,
/// "AWS Nitro Enclaves NSM API", section 3.2.3).
const MAX_DEPTH: usize = 6;

/// The most signatures verified while searching for one path.
const MAX_SIGNATURES: usize = 16;

/// A chain whose every signature was verified; only [`build`] makes one.
#[derive(Clone, Debug)]
pub struct Path<'a> {
    certificates: Vec<&'a Certificate>,
    anchor: &'a Anchor,
}

impl<'a> Path<'a> {
    /// The certificate that the path was built for.
    pub fn leaf(&self) -> &'a Certificate {
        self.certificates[0]
    }

    /// The leaf's issuer.
    pub fn issuer(&self) -> &'a Certificate {
        self.certificates.get(1).copied().unwrap_or(&self.anchor.certificate)
    }

    /// The pinned anchor.
    pub fn anchor(&self) -> &'a Anchor {
        self.anchor
    }

    /// Leaf to anchor.
    pub fn certificates(&self) -> impl Iterator<Item = &'a Certificate> {
        self.certificates.iter().copied().chain(core::iter::once(&self.anchor.certificate))
    }

    /// Every certificate with its issuer, from the leaf on.
    pub fn links(&self) -> impl Iterator<Item = (&'a Certificate, &'a Certificate)> {
        self.certificates().zip(self.certificates().skip(1))
    }

    /// When the whole path is valid.
    pub fn validity(&self) -> Window {
        let leaf = self.leaf().validity();
        self.certificates().fold(leaf, |window, certificate| window.intersect(certificate.validity()))
    }
}

/// Finds the path from `leaf` to an anchor of `vendor`, through `carried` certificates and those of `endorsements`.
///
/// Issuers are found by name and proven by signature. An anchor is matched by subject and key, not by bytes: Intel has
/// issued two root certificates with one key. Returns nothing, with a failed check, when there is no such path; validity
/// and constraints are checked on the path found and do not hide it.
pub fn build<'a>(
    leaf: &'a Certificate,
    carried: &'a [Certificate],
    vendor: Vendor,
    endorsements: &'a Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Option<Path<'a>> {
    let mut certificates = alloc::vec![leaf];
    let mut budget = MAX_SIGNATURES;
    let path = loop {
        let current = certificates[certificates.len() - 1];
        let name = current.issuer();
        let mut is_issuer = |issuer: &Certificate| {
            let candidate = issuer.subject() == name && budget > 0;
            candidate && {
                budget -= 1;
                let memory = endorsements.memory();
                memory::verified(memory, issuer.spki_digest(), current.digest(), || {
                    current.is_signed_by(issuer.key())
                })
            }
        };
        if let Some(anchor) = endorsements.anchors(vendor).find(|anchor| is_issuer(&anchor.certificate)) {
            break Path { certificates, anchor };
        }
        let pool = carried.iter().chain(endorsements.certificates_of(current.issuer_common_name()));
        // A self-signed certificate that is no anchor would only lead back to itself.
        let issuer =
            pool.filter(|issuer| issuer.subject() != issuer.issuer()).find(|issuer| is_issuer(issuer));
        match issuer {
            Some(issuer) if certificates.len() + 1 < MAX_DEPTH => certificates.push(issuer),
            _ => {
                let reason = if budget == 0 {
                    Reason::ChainBudget
                } else {
                    missing(current, carried, endorsements, vendor)
                };
                let found = String::from(current.issuer_common_name());
                checks.require(reason, current.shared_name(), false, "a known issuer that signed it", found);
                return None;
            }
        }
    };
    let name = path.anchor.certificate.shared_name();
    checks.require(Reason::ChainAnchor, Value::None, true, "a pinned anchor", name);
    check_links(&path, now, checks);
    Some(path)
}

/// An issuer that is known by name did not sign; otherwise nobody is known by that name.
fn missing(
    current: &Certificate,
    carried: &[Certificate],
    endorsements: &Endorsements,
    vendor: Vendor,
) -> Reason {
    let mut anchors = endorsements.anchors(vendor).map(|anchor| anchor.certificate.subject());
    let others = carried.iter().chain(endorsements.certificates_of(current.issuer_common_name()));
    let mut others = others.map(Certificate::subject);
    let known = anchors.any(|name| name == current.issuer()) || others.any(|name| name == current.issuer());
    if known { Reason::ChainSignature } else { Reason::ChainAnchor }
}

fn check_links(path: &Path<'_>, now: Time, checks: &mut Checks) {
    for (depth, certificate) in path.certificates().enumerate() {
        let name = || certificate.shared_name();
        let validity = certificate.validity();
        checks.require(Reason::ChainValidity, name(), validity.contains(now), validity, now);
        if depth == 0 {
            continue;
        }
        match certificate.constraints() {
            Ok(constraints) => {
                // CAs that stand between this one and the leaf.
                let below = depth as u64 - 1;
                let may_issue = constraints.ca
                    && constraints.signs_certificates
                    && constraints.path_length.is_none_or(|length| below <= length);
                checks.require(
                    Reason::ChainConstraints,
                    name(),
                    may_issue,
                    "a CA that may sign at this depth",
                    depth as u64,
                );
            }
            Err(error) => checks.malformed(Reason::ChainConstraints, error),
        }
    }
}
