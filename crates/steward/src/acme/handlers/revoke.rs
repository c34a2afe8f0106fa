//! Revocation by clients (RFC 8555 section 7.6).

use attest::x509::certificate::Certificate;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;

use super::Answer;
use crate::acme::Acme;
use crate::acme::error::{malformed, problem, unauthorized};
use crate::acme::jws::url_safe;
use crate::acme::signed::{By, Signed};
use crate::acme::store::{Account, Step};
use crate::revocation::Cause;

#[derive(Deserialize)]
struct Revoke {
    certificate: String,
    reason: Option<u8>,
}

/// By the account that ordered the certificate, for as long as the order is remembered, or by the certificate's own key.
pub(super) async fn revoke(acme: &Acme, signed: &Signed) -> Answer {
    let asked: Revoke = signed.read()?;
    let der = url_safe("certificate", &asked.certificate).map_err(|error| malformed(error.to_string()))?;
    let certificate = Certificate::decode(&der).map_err(|error| malformed(error.to_string()))?;
    let allowed = match &signed.by {
        By::Account(account) => ordered(acme, account, &der),
        By::Key(key) => key.public_key().is_ok_and(|key| key == *certificate.key()),
    };
    if !allowed {
        return Err(unauthorized("the certificate is neither of this account nor of this key"));
    }
    let cause = match asked.reason.unwrap_or(0) {
        0 => Cause::Unspecified,
        1 => Cause::KeyCompromise,
        4 => Cause::Superseded,
        5 => Cause::CessationOfOperation,
        other => {
            let detail = format!("reason {other} is not for clients: 0, 1, 4 and 5 are");
            return Err(problem(StatusCode::BAD_REQUEST, "badRevocationReason", detail));
        }
    };
    acme.certifier.revoke(&certificate, cause).await?;
    Ok(StatusCode::OK.into_response())
}

fn ordered(acme: &Acme, account: &Account, der: &[u8]) -> bool {
    let now = acme.now();
    let leaf = attest::pem::encode("CERTIFICATE", der);
    let orders = acme.store.orders_of(&account.id, now);
    let mut orders = orders.iter().filter_map(|id| acme.store.find(id, &account.id, now));
    orders.any(|order| matches!(&order.step, Step::Valid(chain) if chain.starts_with(&leaf)))
}
