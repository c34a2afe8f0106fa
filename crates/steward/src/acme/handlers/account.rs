//! Accounts: opening, changing, binding to an external one, another key (RFC 8555 section 7.3).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use service::problem::Problem;

use super::{Answer, at, not_kept};
use crate::acme::Acme;
use crate::acme::error::{malformed, problem, unauthorized};
use crate::acme::jws::{Jwk, Jws, JwsError, url_safe};
use crate::acme::signed::Signed;
use crate::acme::store::Account;

/// The most contacts of an account, and the longest.
const CONTACTS: usize = 4;
const CONTACT: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewAccount {
    #[serde(default)]
    contact: Vec<String>,
    #[serde(default)]
    terms_of_service_agreed: bool,
    #[serde(default)]
    only_return_existing: bool,
    external_account_binding: Option<Value>,
}

#[derive(Deserialize)]
struct Update {
    contact: Option<Vec<String>>,
    status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyChange {
    account: String,
    old_key: Jwk,
}

pub(super) async fn open(acme: &Acme, signed: &Signed) -> Answer {
    let key = signed.key()?;
    let asked: NewAccount = signed.read()?;
    if let Some(known) = acme.store.account_of(key) {
        return match known.deactivated {
            true => Err(unauthorized("the account was deactivated")),
            false => at(StatusCode::OK, &url(acme, &known), body(acme, &known)),
        };
    }
    if asked.only_return_existing {
        let detail = "no account has this key";
        return Err(problem(StatusCode::BAD_REQUEST, "accountDoesNotExist", detail));
    }
    if let Some(terms) = &acme.settings.terms_of_service
        && !asked.terms_of_service_agreed
    {
        let detail = format!("the terms of service must be agreed to: {terms}");
        return Err(problem(StatusCode::FORBIDDEN, "userActionRequired", detail));
    }
    check_contact(&asked.contact)?;
    let external = asked.external_account_binding;
    bind(acme, key, external.as_ref())?;
    let account = acme.store.open(key.clone(), asked.contact, external, acme.now()).map_err(not_kept)?;
    at(StatusCode::CREATED, &url(acme, &account), body(acme, &account))
}

pub(super) async fn update(acme: &Acme, signed: &Signed, id: &str) -> Answer {
    let account = signed.account()?;
    if account.id != id {
        return Err(unauthorized("this is another account"));
    }
    if signed.is_get() {
        return at(StatusCode::OK, &url(acme, account), body(acme, account));
    }
    let asked: Update = signed.read()?;
    check_contact(asked.contact.as_deref().unwrap_or_default())?;
    let deactivated = match asked.status.as_deref() {
        None | Some("valid") => false,
        Some("deactivated") => true,
        Some(_) => return Err(malformed("an account can only become `deactivated`")),
    };
    let changed = acme.store.update(id, |account| {
        account.contact = asked.contact.unwrap_or_else(|| std::mem::take(&mut account.contact));
        account.deactivated = deactivated;
    });
    let account = changed.ok_or_else(|| unauthorized("the account is gone"))?;
    at(StatusCode::OK, &url(acme, &account), body(acme, &account))
}

/// Section 7.3.5: the request holds one by the new key, which names account and old key.
pub(super) async fn change_key(acme: &Acme, signed: &Signed) -> Answer {
    let account = signed.account()?;
    let unsigned = |error: JwsError| malformed(format!("inner request: {error}"));
    let inner = Jws::decode(&signed.payload).map_err(unsigned)?;
    let key = match &inner.header.jwk {
        Some(key) if inner.header.kid.is_none() && inner.header.nonce.is_none() => key,
        _ => return Err(malformed("inner request: its header has `jwk`, and neither `kid` nor `nonce`")),
    };
    key.check().and_then(|()| inner.verify(key)).map_err(unsigned)?;
    if inner.header.url != acme.url("key-change") {
        return Err(malformed("inner request: it is signed for another address"));
    }
    let change: KeyChange = serde_json::from_slice(&inner.payload)
        .map_err(|error| malformed(format!("inner request: {error}")))?;
    if change.account != url(acme, account) || change.old_key != account.key {
        return Err(malformed("inner request: it names another account or key"));
    }
    match acme.store.change_key(&account.id, key.clone()) {
        Ok(()) => at(StatusCode::OK, &url(acme, account), body(acme, account)),
        Err(taken) => {
            let taken = HeaderValue::from_str(&acme.url(&format!("account/{taken}")));
            let detail = "the new key is of another account already";
            let mut response = problem(StatusCode::CONFLICT, "malformed", detail).into_response();
            response.headers_mut().extend(taken.ok().map(|taken| (header::LOCATION, taken)));
            Ok(response)
        }
    }
}

/// Section 7.3.4: a request within the request, authenticated by a key that both sides know, whose payload is the new key.
fn bind(acme: &Acme, key: &Jwk, binding: Option<&Value>) -> Result<(), Problem> {
    let keys = &acme.settings.external_accounts;
    let Some(binding) = binding else {
        return match keys.is_empty() {
            true => Ok(()),
            false => {
                let detail = "accounts must be bound to one that the operator knows";
                Err(problem(StatusCode::FORBIDDEN, "externalAccountRequired", detail))
            }
        };
    };
    let wrong = |error: JwsError| malformed(format!("externalAccountBinding: {error}"));
    let inner = Jws::decode_inner(binding).map_err(wrong)?;
    let secret = inner.header.kid.as_ref().and_then(|id| keys.get(id));
    let secret = secret.and_then(|secret| url_safe("key", secret).ok());
    let Some(secret) = secret else {
        return Err(unauthorized("externalAccountBinding: there is no such external account"));
    };
    inner
        .verify_mac(&secret)
        .map_err(|_| unauthorized("externalAccountBinding: it is not by that account's key"))?;
    let bound: Option<Jwk> = serde_json::from_slice(&inner.payload).ok();
    match inner.header.url == acme.url("new-account")
        && inner.header.nonce.is_none()
        && bound.as_ref() == Some(key)
    {
        true => Ok(()),
        false => Err(malformed("externalAccountBinding: it is of another key or address")),
    }
}

fn check_contact(contact: &[String]) -> Result<(), Problem> {
    let refuse = |kind, detail: &str| Err(problem(StatusCode::BAD_REQUEST, kind, detail));
    if contact.len() > CONTACTS || contact.iter().any(|contact| contact.len() > CONTACT) {
        return refuse("invalidContact", "four contacts of 256 bytes at most");
    }
    for contact in contact {
        let Some(address) = contact.strip_prefix("mailto:") else {
            return refuse("unsupportedContact", "contacts are addresses as mailto:somebody@example.org");
        };
        // One address, without header fields (section 7.3).
        let plain = |byte: u8| byte.is_ascii_graphic() && !b",?".contains(&byte);
        let parts = address.split_once('@').filter(|(name, host)| !name.is_empty() && !host.is_empty());
        if parts.is_none() || !address.bytes().all(plain) {
            return refuse("invalidContact", "a contact is one address, without header fields");
        }
    }
    Ok(())
}

fn url(acme: &Acme, account: &Account) -> String {
    acme.url(&format!("account/{}", account.id))
}

fn body(acme: &Acme, account: &Account) -> Value {
    let mut body = json!({
        "status": if account.deactivated { "deactivated" } else { "valid" },
        "contact": account.contact,
        "orders": format!("{}/orders", url(acme, account)),
    });
    if acme.settings.terms_of_service.is_some() {
        body["termsOfServiceAgreed"] = true.into();
    }
    if let Some(external) = &account.external {
        body["externalAccountBinding"] = external.clone();
    }
    body
}
