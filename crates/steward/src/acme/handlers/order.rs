//! Orders: from what is asked for to a certificate (RFC 8555 section 7.4, 7.5; draft-ietf-acme-rats).

use attest::base64;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use service::problem::Problem;

use super::{Answer, at, not_kept, only_read};
use crate::acme::Acme;
use crate::acme::answer;
use crate::acme::error::{malformed, missing, problem, refused, told};
use crate::acme::jws::url_safe;
use crate::acme::signed::Signed;
use crate::acme::store::{Identifier, Order, Step, Store};

/// The challenge of draft-ietf-acme-rats.
const CHALLENGE: &str = "remote-attest-01";

/// Its identifier, and the one of draft-ietf-acme-device-attest.
const ANYTHING: &str = "remote-attestation";
const WORKLOAD: &str = "permanent-identifier";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewOrder {
    identifiers: Vec<Named>,
    /// draft-ietf-acme-profiles.
    profile: Option<String>,
    not_before: Option<String>,
    not_after: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

#[derive(Deserialize)]
struct Finalize {
    csr: String,
}

#[derive(Deserialize)]
struct Status {
    status: String,
}

pub(super) async fn begin(acme: &Acme, signed: &Signed) -> Answer {
    let account = signed.account()?;
    let asked: NewOrder = signed.read()?;
    if asked.not_before.is_some() || asked.not_after.is_some() {
        return Err(malformed("the Steward decides on dates; KeepClaims may ask for a shorter lifetime"));
    }
    if let Some(profile) = &asked.profile
        && !acme.certifier.profiles().contains_key(profile)
    {
        let detail = format!("there is no profile `{profile}`");
        return Err(problem(StatusCode::BAD_REQUEST, "invalidProfile", detail));
    }
    let identifier = identifier(&asked.identifiers)?;
    let order = acme.store.order(&account.id, identifier, asked.profile, acme.now());
    let order = order.map_err(not_kept)?;
    at(StatusCode::CREATED, &acme.url(&format!("order/{}", order.id)), body(acme, &order))
}

pub(super) async fn show(acme: &Acme, signed: &Signed, id: &str) -> Answer {
    only_read(signed)?;
    Ok(Json(body(acme, &find(acme, signed, id)?)).into_response())
}

pub(super) async fn list(acme: &Acme, signed: &Signed, id: &str) -> Answer {
    only_read(signed)?;
    if signed.account()?.id != id {
        return Err(missing("account"));
    }
    let orders = acme.store.orders_of(id, acme.now());
    let orders: Vec<String> = orders.iter().map(|order| acme.url(&format!("order/{order}"))).collect();
    Ok(Json(json!({ "orders": orders })).into_response())
}

pub(super) async fn authorization(acme: &Acme, signed: &Signed, id: &str) -> Answer {
    let mut order = find(acme, signed, id)?;
    if !signed.is_get() {
        // Section 7.5.2.
        let asked: Status = signed.read()?;
        if asked.status != "deactivated" {
            return Err(malformed("an authorization can only become `deactivated`"));
        }
        let open = |step: &Step| matches!(step, Step::Pending | Step::Ready(_));
        let given_up = acme.store.step(id, open, |_| Step::Deactivated);
        order = given_up.ok_or_else(|| malformed("the authorization is not open any more"))?;
    }
    let status = match (&order.step, order.validated) {
        (Step::Deactivated, _) => "deactivated",
        (_, Some(_)) => "valid",
        (Step::Invalid(_), None) => "invalid",
        _ => "pending",
    };
    let body = json!({
        "status": status,
        "expires": order.expires,
        "identifier": named(&order),
        "challenges": [challenge_body(acme, signed, &order)?],
    });
    Ok(Json(body).into_response())
}

/// Empty payload or object: shows the challenge. Anything else answers it.
pub(super) async fn challenge(acme: &Acme, signed: &Signed, id: &str) -> Answer {
    let order = find(acme, signed, id)?;
    if signed.is_get() || signed.payload == b"{}" || !matches!(order.step, Step::Pending) {
        return shown(acme, signed, &order);
    }
    let nonce = order.freshness_nonce(&signed.account()?.key);
    let judged = match answer::decode(&signed.payload, &nonce, &order.identifier) {
        Ok(submission) => acme.certifier.judge(order.profile.as_deref(), submission).await,
        Err(refusal) => Err(told(&refusal)),
    };
    let stepped = match judged {
        Ok(()) => acme.store.meet(id, signed.payload.clone(), acme.now()).map_err(not_kept)?,
        // Not the answer's fault: it may come again.
        Err(problem) if problem.status.is_server_error() => return Err(refused(problem)),
        Err(problem) => {
            let pending = |step: &Step| matches!(step, Step::Pending);
            acme.store.step(id, pending, |_| Step::Invalid(Box::new(refused(problem))))
        }
    };
    // Another answer came first.
    let order = stepped.map_or_else(|| find(acme, signed, id), Ok)?;
    shown(acme, signed, &order)
}

/// Section 7.4: the CSR, which must be of the key that the answer names.
pub(super) async fn finalize(acme: &Acme, signed: &Signed, id: &str) -> Answer {
    let order = find(acme, signed, id)?;
    let csr =
        url_safe("csr", &signed.read::<Finalize>()?.csr).map_err(|error| malformed(error.to_string()))?;
    let Step::Ready(body_of_answer) = &order.step else {
        let detail = format!("the order is {}", status(&order));
        return Err(problem(StatusCode::FORBIDDEN, "orderNotReady", detail));
    };
    let nonce = order.freshness_nonce(&signed.account()?.key);
    let submission = answer::decode(body_of_answer, &nonce, &order.identifier);
    let submission = submission.map_err(|refusal| refused(told(&refusal)))?;
    let request = answer::request(submission, &csr)?;
    let taken = acme.store.step(
        id,
        |step| matches!(step, Step::Ready(_)),
        |step| match step {
            Step::Ready(answer) => Step::Issuing(answer),
            other => other,
        },
    );
    taken.ok_or_else(|| {
        problem(StatusCode::FORBIDDEN, "orderNotReady", "another request finalizes the order")
    })?;
    let attempt = Attempt { store: &acme.store, id };
    let (profile, body_of_answer) = (order.profile.as_deref(), body_of_answer.clone());
    let issued = acme.certifier.certify(profile, request, body_of_answer, signed.origin.clone()).await;
    let to = match issued {
        Ok(chain) => Step::Valid(chain.iter().map(|der| attest::pem::encode("CERTIFICATE", der)).collect()),
        Err(problem) if problem.status.is_server_error() => return Err(refused(problem)),
        Err(problem) => Step::Invalid(Box::new(refused(problem))),
    };
    let order = acme.store.step(attempt.id, |step| matches!(step, Step::Issuing(_)), |_| to);
    let order = order.ok_or_else(|| missing("order"))?;
    at(StatusCode::OK, &acme.url(&format!("order/{id}")), body(acme, &order))
}

pub(super) async fn certificate(acme: &Acme, signed: &Signed, id: &str) -> Answer {
    only_read(signed)?;
    match find(acme, signed, id)?.step {
        Step::Valid(chain) => {
            let kind = HeaderValue::from_static("application/pem-certificate-chain");
            Ok(([(header::CONTENT_TYPE, kind)], chain).into_response())
        }
        _ => Err(missing("certificate")),
    }
}

/// An attempt to issue. If it ends without a result, the order is ready for another.
struct Attempt<'a> {
    store: &'a Store,
    id: &'a str,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.store.step(
            self.id,
            |step| matches!(step, Step::Issuing(_)),
            |step| match step {
                Step::Issuing(answer) => Step::Ready(answer),
                other => other,
            },
        );
    }
}

fn find(acme: &Acme, signed: &Signed, id: &str) -> Result<Order, Problem> {
    acme.store.find(id, &signed.account()?.id, acme.now()).ok_or_else(|| missing("order"))
}

/// One identifier, of the kinds that evidence can prove.
fn identifier(asked: &[Named]) -> Result<(String, Identifier), Problem> {
    let refuse = |kind, detail: String| Err(problem(StatusCode::BAD_REQUEST, kind, detail));
    let [Named { kind, value }] = asked else {
        return refuse(
            "rejectedIdentifier",
            "an order has one identifier: one keep has one certificate".into(),
        );
    };
    match kind.as_str() {
        ANYTHING if value.is_empty() => Ok((value.clone(), Identifier::Anything)),
        ANYTHING => refuse(
            "rejectedIdentifier",
            format!("the hint `{value}` is not known; leave it empty for all that is proven"),
        ),
        WORKLOAD => match unhex(value) {
            Some(digest) if (32..=64).contains(&digest.len()) => {
                Ok((value.clone(), Identifier::Workload(digest)))
            }
            _ => refuse(
                "rejectedIdentifier",
                "a permanent identifier is a workload's digest in hexadecimal".into(),
            ),
        },
        _ => refuse(
            "unsupportedIdentifier",
            format!("identifiers are `{ANYTHING}` or `{WORKLOAD}`, not `{kind}`"),
        ),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let lower = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok());
    if text.len().is_multiple_of(2) && text.as_bytes().iter().all(lower) { pairs.collect() } else { None }
}

fn named(order: &Order) -> Value {
    let kind = match order.identifier {
        Identifier::Anything => ANYTHING,
        Identifier::Workload(_) => WORKLOAD,
    };
    json!({ "type": kind, "value": order.value })
}

fn status(order: &Order) -> &'static str {
    match order.step {
        Step::Pending => "pending",
        Step::Ready(_) => "ready",
        Step::Issuing(_) => "processing",
        Step::Valid(_) => "valid",
        Step::Invalid(_) | Step::Deactivated => "invalid",
    }
}

fn body(acme: &Acme, order: &Order) -> Value {
    let mut body = json!({
        "status": status(order),
        "expires": order.expires,
        "identifiers": [named(order)],
        "authorizations": [acme.url(&format!("authz/{}", order.id))],
        "finalize": acme.url(&format!("order/{}/finalize", order.id)),
    });
    if let Some(profile) = &order.profile {
        body["profile"] = profile.as_str().into();
    }
    match &order.step {
        Step::Valid(_) => body["certificate"] = acme.url(&format!("certificate/{}", order.id)).into(),
        Step::Invalid(problem) => body["error"] = json!(problem),
        _ => {}
    }
    body
}

fn shown(acme: &Acme, signed: &Signed, order: &Order) -> Answer {
    let mut response = Json(challenge_body(acme, signed, order)?).into_response();
    let up = HeaderValue::from_str(&format!("<{}>;rel=\"up\"", acme.url(&format!("authz/{}", order.id))));
    response.headers_mut().extend(up.ok().map(|up| (header::LINK, up)));
    Ok(response)
}

fn challenge_body(acme: &Acme, signed: &Signed, order: &Order) -> Result<Value, Problem> {
    let mut body = json!({
        "type": CHALLENGE,
        "url": acme.url(&format!("challenge/{}", order.id)),
        "token": order.token,
        "freshness_nonce": base64::encode_url(&order.freshness_nonce(&signed.account()?.key)),
    });
    body["status"] = match (&order.step, order.validated) {
        (_, Some(validated)) => {
            body["validated"] = json!(validated);
            "valid".into()
        }
        (Step::Invalid(problem), None) => {
            body["error"] = json!(problem);
            "invalid".into()
        }
        _ => "pending".into(),
    };
    Ok(body)
}
