//! What is known of certificates: lists and answers for those who ask whether one is revoked.
//!
//! What is revoked by workload or chip is resolved to serial numbers through the inventory; without one, only serial numbers
//! themselves can be listed, and short lifetimes have to do.

use crate::app::App;
use crate::ca::Authority;
use crate::inventory::query::{Filter, chip_digest};
use crate::inventory::{Inventory, InventoryError};
use crate::issue::serial::Serial;
use crate::refusal::Refusal;
use crate::revocation::ocsp::{self, Failure, Question, Responder, Status};
use crate::revocation::{Revocation, Revocations, Subject, crl};
use crate::routes::hex;
use attest::time::{Time, Window};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// A list is signed anew after this time, or when something was revoked.
const LIST_SECONDS: u64 = 600;
/// The most pages of one workload or chip.
const PAGES_MOST: usize = 100;

/// Lists that were signed, by the key that signed them.
#[derive(Default)]
pub struct Lists(Mutex<HashMap<Vec<u8>, Signed>>);

#[derive(Clone)]
struct Signed {
    at: Time,
    revocations: Arc<Revocations>,
    der: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The inventory failed.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The authority could not sign.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The threads that sign are busy.
    #[error(transparent)]
    Offload(#[from] service::offload::OffloadError),
}

/// The revocation list of an authority.
pub async fn list(app: &App, authority: Arc<Authority>) -> Result<Bytes, StatusError> {
    let (now, revocations) = (app.now(), app.revocations());
    let known = app.lists.0.lock().unwrap_or_else(PoisonError::into_inner).get(authority.key_id()).cloned();
    if let Some(known) = known
        && now.since(known.at) < LIST_SECONDS
        && Arc::ptr_eq(&known.revocations, &revocations)
    {
        return Ok(known.der);
    }
    let entries = match &app.records().inventory {
        Some(inventory) => resolve(inventory, &revocations, now).await?,
        None => by_serial(&revocations),
    };
    let key_id = authority.key_id().to_vec();
    let validity = Window { from: now, to: Time(now.0.saturating_add(crl::LIFETIME)) };
    let sign = move || crl::sign(&authority, &entries, now.0, validity);
    let der = Bytes::from(app.crypto(sign).await?.map_err(Refusal::Signing)?);
    let signed = Signed { at: now, revocations, der: der.clone() };
    app.lists.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key_id, signed);
    Ok(der)
}

/// The answer to an OCSP question; failures are answers too.
pub async fn answer(app: &App, question: Result<Question, Failure>) -> Vec<u8> {
    let question = match question {
        Ok(question) => question,
        Err(failure) => return failure.to_answer(),
    };
    let issuers = app.profiles.iter().flat_map(|entry| entry.issuers().all.clone());
    let mut responders = issuers.map(|authority| Responder::direct((*authority).clone()));
    let Some(responder) = responders.find(|responder| responder.is_asked(&question)) else {
        return Failure::Unauthorized.to_answer();
    };
    let mut known = BTreeMap::new();
    for serial in question.serials() {
        match status(app, serial).await {
            Ok(status) => known.insert(serial.clone(), status),
            Err(error) => {
                tracing::error!(%error, "a certificate's status cannot be told");
                return Failure::TryLater.to_answer();
            }
        };
    }
    let now = app.now();
    let validity = Window { from: now, to: Time(now.0.saturating_add(ocsp::LIFETIME)) };
    let status = move |serial: &Serial| known.get(serial).copied().unwrap_or(Status::Unknown);
    match app.crypto(move || responder.answer(&question, validity, status)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Failure::InternalError.to_answer(),
        Err(_) => Failure::TryLater.to_answer(),
    }
}

async fn status(app: &App, serial: &Serial) -> Result<Status, InventoryError> {
    let revocations = app.revocations();
    let Some(inventory) = &app.records().inventory else {
        let revoked = revocations.find(&Subject::Serial(serial.clone()));
        return Ok(revoked.map_or(Status::Good, |revocation| Status::Revoked(*revocation)));
    };
    let filter = Filter { serial: Some(serial.to_string()), limit: Some(1), ..Filter::default() };
    let Some(record) = inventory.query(&filter).await?.records.into_iter().next() else {
        return Ok(Status::Unknown);
    };
    let names = |subject: &Subject| match subject {
        Subject::Serial(revoked) => revoked == serial,
        Subject::Workload(digest) => record.workload.as_deref() == Some(&hex(digest)),
        Subject::Chip(chip) => record.chip.as_deref() == Some(&chip_digest(&hex(chip))),
    };
    let revoked = revocations.iter().filter(|(subject, _)| names(subject)).map(|(_, revocation)| *revocation);
    Ok(revoked.min_by_key(|revocation| revocation.at).map_or(Status::Good, Status::Revoked))
}

fn by_serial(revocations: &Revocations) -> BTreeMap<Serial, Revocation> {
    let serials = revocations.iter().filter_map(|(subject, revocation)| match subject {
        Subject::Serial(serial) => Some((serial.clone(), *revocation)),
        Subject::Workload(_) | Subject::Chip(_) => None,
    });
    serials.collect()
}

/// Every certificate that is revoked and has not expired.
async fn resolve(
    inventory: &Inventory,
    revocations: &Revocations,
    now: Time,
) -> Result<BTreeMap<Serial, Revocation>, InventoryError> {
    let mut entries = by_serial(revocations);
    for (subject, revocation) in revocations.iter() {
        let (workload, chip) = match subject {
            Subject::Serial(_) => continue,
            Subject::Workload(digest) => (Some(hex(digest)), None),
            Subject::Chip(chip) => (None, Some(hex(chip))),
        };
        let mut filter = Filter { workload, chip, valid_at: Some(now.to_string()), ..Filter::default() };
        for _ in 0..PAGES_MOST {
            let page = inventory.query(&filter).await?;
            let serials = page.records.iter().filter_map(|record| record.serial.as_ref()?.parse().ok());
            serials.for_each(|serial: Serial| {
                entries.entry(serial).or_insert(*revocation);
            });
            filter.before = page.next;
            if filter.before.is_none() {
                break;
            }
        }
    }
    Ok(entries)
}
