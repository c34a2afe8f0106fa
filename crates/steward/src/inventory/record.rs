//! One decision.

use std::fmt;

use attest::time::Time;
use serde::Serialize;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::{InventoryError, seconds};

/// The columns, in the order that [`Record::from_row`] reads and the writer binds them.
pub(super) const COLUMNS: [&str; 19] = [
    "id",
    "time",
    "outcome",
    "code",
    "checks",
    "profile",
    "tee",
    "trust",
    "serial",
    "not_after",
    "workload",
    "slug",
    "chip",
    "spki",
    "evidence",
    "policy",
    "request",
    "address",
    "certificate",
];

/// What was decided on a request. Digests and numbers are lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its name; grows with time.
    pub id: String,
    /// When it was decided.
    pub time: Time,
    /// What.
    pub outcome: Outcome,
    /// The code of the refusal.
    pub code: Option<String>,
    /// The reason codes of the checks that failed.
    pub checks: Vec<String>,
    /// The profile that was asked for.
    pub profile: Option<String>,
    /// The kind of environment.
    pub tee: Option<String>,
    /// How far the keep can be trusted.
    pub trust: Option<String>,
    /// The certificate's serial number.
    pub serial: Option<String>,
    /// When the certificate ends.
    pub not_after: Option<Time>,
    /// The digest of the workload package.
    pub workload: Option<String>,
    /// The name that the workload was deployed by.
    pub slug: Option<String>,
    /// SHA-256 of the chip's or platform's identifier: the identifier itself follows a machine through its life.
    pub chip: Option<String>,
    /// SHA-384 of the key's SubjectPublicKeyInfo.
    pub spki: Option<String>,
    /// SHA-384 of the submission as it came.
    pub evidence: Option<String>,
    /// SHA-384 of the policy.
    pub policy: Option<String>,
    /// The request's id, as in the log.
    pub request: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
    /// The certificate, as base64 of its DER.
    pub certificate: Option<String>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A certificate.
    Issued,
    /// A certificate of a policy that only warns; the enforced one would have refused it, for the checks that are listed.
    Warned,
    /// None.
    Refused,
}

impl Record {
    /// An empty record; `random` tells records of one second apart.
    pub fn new(time: Time, outcome: Outcome, random: [u8; 11]) -> Self {
        Self {
            id: format!("{:010x}{}", time.0, hex(&random)),
            time,
            outcome,
            code: None,
            checks: Vec::new(),
            profile: None,
            tee: None,
            trust: None,
            serial: None,
            not_after: None,
            workload: None,
            slug: None,
            chip: None,
            spki: None,
            evidence: None,
            policy: None,
            request: None,
            address: None,
            certificate: None,
        }
    }

    pub(super) fn from_row(row: &AnyRow) -> Result<Self, InventoryError> {
        let text = |column| row.try_get::<Option<String>, _>(column);
        let time = |column: &str| -> Result<Option<Time>, InventoryError> {
            let found: Option<i64> = row.try_get(column)?;
            found
                .map(|seconds| u64::try_from(seconds).map(Time))
                .transpose()
                .map_err(|_| InventoryError::Damaged { expected: "a time", found: format!("{found:?}") })
        };
        let outcome: String = row.try_get("outcome")?;
        let checks: String = row.try_get("checks")?;
        Ok(Self {
            id: row.try_get("id")?,
            time: time("time")?.unwrap_or(Time(0)),
            outcome: Outcome::from_word(&outcome)?,
            code: text("code")?,
            checks: checks.split_whitespace().map(str::to_owned).collect(),
            profile: text("profile")?,
            tee: text("tee")?,
            trust: text("trust")?,
            serial: text("serial")?,
            not_after: time("not_after")?,
            workload: text("workload")?,
            slug: text("slug")?,
            chip: text("chip")?,
            spki: text("spki")?,
            evidence: text("evidence")?,
            policy: text("policy")?,
            request: text("request")?,
            address: text("address")?,
            certificate: text("certificate")?,
        })
    }

    /// The statement that inserts it.
    pub(super) fn insert(&self) -> sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments> {
        sqlx::query(
            "INSERT INTO record (id, time, outcome, code, checks, profile, tee, trust, serial, not_after, workload, slug, \
             chip, spki, evidence, policy, request, address, certificate) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
        )
        .bind(self.id.as_str())
        .bind(seconds(self.time))
        .bind(self.outcome.word())
        .bind(self.code.as_deref())
        .bind(self.checks.join(" "))
        .bind(self.profile.as_deref())
        .bind(self.tee.as_deref())
        .bind(self.trust.as_deref())
        .bind(self.serial.as_deref())
        .bind(self.not_after.map(seconds))
        .bind(self.workload.as_deref())
        .bind(self.slug.as_deref())
        .bind(self.chip.as_deref())
        .bind(self.spki.as_deref())
        .bind(self.evidence.as_deref())
        .bind(self.policy.as_deref())
        .bind(self.request.as_deref())
        .bind(self.address.as_deref())
        .bind(self.certificate.as_deref())
    }
}

impl Outcome {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Warned => "warned",
            Self::Refused => "refused",
        }
    }

    pub(super) fn from_word(word: &str) -> Result<Self, InventoryError> {
        let known =
            [Self::Issued, Self::Warned, Self::Refused].into_iter().find(|known| known.word() == word);
        known.ok_or_else(|| InventoryError::Damaged { expected: "an outcome", found: word.to_owned() })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Lower-case hexadecimal, as everything in the inventory.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
