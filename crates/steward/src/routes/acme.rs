//! What stands behind ACME: the Steward's own way of judging, issuing and recording.

use crate::acme::{Certifier, Origin, Promise};
use crate::app::{App, Asking};
use crate::error::mistake;
use crate::inventory::revoked::{Entry, Kind};
use crate::request::Request;
use crate::revocation::{Cause, Revocation};
use attest::carrier::Submission;
use attest::x509::certificate::Certificate;
use http::StatusCode;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The Steward, as ACME sees it.
pub struct Desk(pub Arc<App>);

impl Certifier for Desk {
    fn profiles(&self) -> BTreeMap<String, String> {
        let told =
            |profile: &crate::issue::Profile| format!("{:?}, {} s at most", profile.grade, profile.lifetime);
        self.0.profiles.iter().map(|entry| (entry.profile.name.clone(), told(&entry.profile))).collect()
    }

    fn judge<'a>(&'a self, profile: Option<&'a str>, submission: Submission) -> Promise<'a, ()> {
        Box::pin(async move {
            let entry = self.0.profile(profile)?.clone();
            self.0.judge(submission, &entry).await.map_err(|denied| denied.problem(false))
        })
    }

    fn certify<'a>(
        &'a self,
        profile: Option<&'a str>,
        request: Request,
        body: Vec<u8>,
        origin: Origin,
    ) -> Promise<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let entry = self.0.profile(profile)?.clone();
            let asking =
                Asking { id: origin.id, address: origin.address, body: body.into(), challenged: true };
            let certified = self.0.certify(&asking, Ok(request), &entry).await;
            let certified = certified.map_err(|denied| denied.problem(false))?;
            let above =
                certified.authority.intermediates().iter().map(|certificate| certificate.der().to_vec());
            Ok([certified.issued.certificate].into_iter().chain(above).collect())
        })
    }

    fn revoke<'a>(&'a self, certificate: &'a Certificate, cause: Cause) -> Promise<'a, ()> {
        Box::pin(async move {
            let refuse = |status, code, detail: &str| Err(mistake(status, code, detail));
            let ours = |entry: &Arc<crate::profiles::Entry>| {
                entry
                    .issuers()
                    .all
                    .iter()
                    .any(|authority| certificate.is_signed_by(authority.issuing().key()))
            };
            if !self.0.profiles.iter().any(ours) {
                return refuse(
                    StatusCode::FORBIDDEN,
                    "acme.unauthorized",
                    "the certificate is not of this authority",
                );
            }
            let Some(revoked) = self.0.revoked() else {
                return refuse(
                    StatusCode::FORBIDDEN,
                    "acme.unauthorized",
                    "this Steward keeps no revocations",
                );
            };
            let revocation = Revocation { at: self.0.now(), cause };
            let serial = super::hex(certificate.serial());
            let unwritten = |error: crate::inventory::revoked::RevokedError| {
                tracing::error!(%error, "a revocation could not be written down");
                mistake(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "records",
                    "the revocation could not be written down",
                )
            };
            let entry = Entry::new(Kind::Serial, &serial, revocation, "by ACME").map_err(unwritten)?;
            match revoked.add(&entry).await.map_err(unwritten)? {
                true => self.0.reload_revocations().await.map_err(unwritten),
                false => refuse(StatusCode::BAD_REQUEST, "acme.alreadyRevoked", "it is revoked already"),
            }
        })
    }
}
