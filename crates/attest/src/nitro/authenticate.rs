//! Is the document genuine: chain to the pinned root, signature, and the times that tie them.

use alloc::boxed::Box;

use super::{Claims, Evidence};
use crate::claims::{self, Detail, Root};
use crate::endorsements::Endorsements;
use crate::evidence::Tee;
use crate::reason::{Checks, Reason};
use crate::roots::Vendor;
use crate::time::Time;
use crate::value::Value;
use crate::x509::chain::Path;
use crate::x509::{chain, crl};

/// Certificates from the leaf on whose issuers publish no list: that of the enclave and that of its instance have no
/// distribution point, those of zone and region have one.
const UNLISTED: usize = 2;

/// Runs every check of authentication.
pub(crate) fn authenticate(
    evidence: &Evidence,
    endorsements: &Endorsements,
    now: Time,
    checks: &mut Checks,
) -> Option<claims::Claims> {
    let Evidence { document, certificate, bundle, signed } = evidence;
    let name = certificate.shared_name();
    let holds = signed.is_signed_by(certificate.key());
    checks.require(Reason::NitroSignature, name.clone(), holds, "signed by the certificate", holds);
    // A CA's key signs certificates and never documents.
    match certificate.constraints() {
        Ok(constraints) => {
            let leaf = !constraints.ca && !constraints.signs_certificates;
            checks.require(Reason::ChainConstraints, name, leaf, "no CA", leaf);
        }
        Err(error) => checks.malformed(Reason::ChainConstraints, error),
    }
    let made = certificate.validity().contains(document.time());
    checks.require(Reason::NitroAge, "certificate", made, certificate.validity(), document.time());
    let path = chain::build(certificate, bundle, Vendor::Amazon, endorsements, now, checks);
    if let Some(path) = &path {
        check_bundle(evidence, path, checks);
    }
    let revocation =
        path.as_ref().map(|path| crl::check(path, UNLISTED, endorsements, now, checks)).unwrap_or_default();
    Some(claims::Claims {
        tee: Tee::Nitro,
        root: path.as_ref().map(|path| Root {
            grade: path.anchor().grade,
            name: path.anchor().certificate.common_name().into(),
            digest: *path.anchor().certificate.digest(),
        }),
        measurement: document.pcrs.get(&0).map(|pcr| pcr.to_vec()).unwrap_or_default(),
        report_data: document.user_data.clone().unwrap_or_default(),
        host_data: alloc::vec::Vec::new(),
        debug: document.debug(),
        validity: path.as_ref().map(Path::validity),
        revocation,
        detail: Detail::Nitro(Box::new(Claims { document: document.clone() })),
    })
}

/// "The cabundle is ordered from the root on" (section 3.2.3.1): it is exactly the path that was proven, and nothing else.
fn check_bundle(evidence: &Evidence, path: &Path<'_>, checks: &mut Checks) {
    let proven = path.certificates().skip(1).map(|certificate| certificate.digest());
    let holds = proven.eq(evidence.bundle.iter().rev().map(|certificate| certificate.digest()));
    let found = evidence.bundle.len() as u64;
    checks.require(Reason::NitroBundle, Value::None, holds, "the chain, root first", found);
}
