//! Which of AMD's revocation lists covers what.
//!
//! The ARK of a line signs two lists: one names ASKs (`/vcek/v1/{line}/crl`), the other ASVKs (`/vlek/v1/{line}/crl`; AMD
//! #57230 chapter 4). Nothing inside a list says which of the two it is, so a fresh list of the first kind could hide that
//! the second was withheld. What tells them apart is where a list was fetched, which whoever fetched it states, against
//! the distribution point that the certificate names. A list of unknown origin counts as the one that the ARK itself
//! names, which is that of the ASKs; a revocation counts whichever list it stands in.

use crate::x509::certificate::Certificate;
use crate::x509::crl::Crl;

/// Whether the list is the one that would name the certificate.
pub(super) fn covers(crl: &Crl, certificate: &Certificate, issuer: &Certificate) -> bool {
    match (certificate.distribution_point(), crl.source().or(issuer.distribution_point())) {
        (Some(named), Some(source)) => named == source,
        (None, _) | (_, None) => true,
    }
}
