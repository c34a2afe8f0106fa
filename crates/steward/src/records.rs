//! What the Steward writes down of each decision: a line of the audit log, and a record of the inventory.
//!
//! Both are written before a certificate leaves, each where it is configured; what cannot be written down is not issued.
//! Refusals are written down as far as possible: a refused request is not refused any harder.

use attest::base64;
use attest::crypto::{sha256, sha384};
use attest::result::AttestationResult;
use attest::time::Time;
use serde::Serialize;
use service::audit::{AuditError, Head, Log};

use crate::inventory::record::hex;
use crate::inventory::{Inventory, InventoryError, Outcome, Record};
use crate::issue::{Issued, Profile};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::revocation::chip;

/// Where decisions are written down; nowhere is a choice too.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The audit log.
    pub audit: Option<Log>,
    /// The inventory.
    pub inventory: Option<Inventory>,
}

/// Why a decision could not be written down.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RecordsError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Inventory(#[from] InventoryError),
}

/// What is known of a request whatever becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The clock.
    pub now: Time,
    /// Tells records of one second apart.
    pub random: [u8; 11],
    /// The request's id, as in the log.
    pub id: Option<&'a str>,
    /// Where it came from.
    pub address: Option<&'a str>,
    /// The submission as it came.
    pub body: &'a [u8],
    /// The request, if it decoded.
    pub request: Option<&'a Request>,
    /// The profile that was asked for.
    pub profile: Option<&'a Profile>,
    /// SHA-384 of the policy in force.
    pub policy: &'a [u8; 48],
}

/// A line of the audit log: the record without the certificate, which the inventory keeps.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    record: &'a Record,
    /// SHA-256 of the certificate, in the record's place.
    certificate_sha256: Option<String>,
}

impl Asked<'_> {
    /// The record of a certificate. `warnings` are the checks that the next policy would have failed.
    pub fn issued(&self, result: &AttestationResult, issued: &Issued, warnings: &[&str]) -> Record {
        let outcome = if warnings.is_empty() { Outcome::Issued } else { Outcome::Warned };
        Record {
            checks: warnings.iter().map(|&check| check.to_owned()).collect(),
            tee: Some(result.tee().id().to_owned()),
            trust: Some(result.trust().as_str().to_owned()),
            serial: Some(issued.serial.to_string()),
            not_after: Some(issued.validity.to),
            chip: chip(result).map(|id| hex(&sha256(&id))),
            certificate: Some(base64::encode(&issued.certificate)),
            ..self.record(outcome)
        }
    }

    /// The record of a refusal.
    pub fn refused(&self, refusal: &Refusal) -> Record {
        let mut checks: Vec<String> = Vec::new();
        for check in refusal.checks().iter().flat_map(|checks| checks.failures()) {
            let id = check.reason.id();
            if !checks.iter().any(|known| known == id) {
                checks.push(id.to_owned());
            }
        }
        Record { code: Some(refusal.code().to_owned()), checks, ..self.record(Outcome::Refused) }
    }

    fn record(&self, outcome: Outcome) -> Record {
        let request = self.request;
        Record {
            profile: self.profile.map(|profile| profile.name.clone()),
            workload: request.and_then(Request::workload).map(hex),
            slug: request.and_then(Request::slug).map(str::to_owned),
            spki: request.map(|request| hex(&sha384(request.spki()))),
            evidence: Some(hex(&sha384(self.body))),
            policy: Some(hex(self.policy)),
            request: self.id.map(str::to_owned),
            address: self.address.map(str::to_owned),
            ..Record::new(self.now, outcome, self.random)
        }
    }
}

impl Records {
    /// Writes a decision down. The log comes first: whatever the inventory holds, the log tells of.
    pub async fn keep(&self, record: Record, body: &[u8]) -> Result<(), RecordsError> {
        if let Some(log) = &self.audit {
            let kind = match record.outcome {
                Outcome::Issued => "certificate.issued",
                Outcome::Warned => "certificate.warned",
                Outcome::Refused => "certificate.refused",
            };
            self.line(log, kind, &record).await?;
        }
        if let Some(inventory) = &self.inventory {
            let evidence = inventory.keeps_evidence().then(|| body.to_vec());
            inventory.record(record, evidence).await?;
        }
        Ok(())
    }

    /// Writes down what an operator did, or what became of the Steward itself.
    pub async fn tell(
        &self,
        now: Time,
        kind: &'static str,
        entry: &impl Serialize,
    ) -> Result<Option<Head>, AuditError> {
        match &self.audit {
            Some(log) => log.record(now, kind, entry).await.map(Some),
            None => Ok(None),
        }
    }

    async fn line(&self, log: &Log, kind: &'static str, record: &Record) -> Result<Head, AuditError> {
        let der =
            record.certificate.as_ref().and_then(|text| base64::decode("certificate", text.as_bytes()).ok());
        let certificate_sha256 = der.map(|der| hex(&sha256(&der)));
        let line = Line { record: &Record { certificate: None, ..record.clone() }, certificate_sha256 };
        log.record(record.time, kind, &line).await
    }
}
