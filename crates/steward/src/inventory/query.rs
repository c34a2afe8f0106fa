//! Questions to the inventory: filters, newest first, page by page.

use attest::time::Time;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use super::record::{COLUMNS, Outcome, Record};
use super::{Inventory, InventoryError, seconds};
use crate::issue::serial::Serial;

/// The most records of one page.
pub const PAGE: u32 = 1_000;

/// Which records are asked for; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// The certificate's serial number
    #[arg(long, value_name = "HEX")]
    pub serial: Option<String>,
    /// The workload's digest
    #[arg(long, value_name = "HEX")]
    pub workload: Option<String>,
    /// The chip's or platform's identifier, or its SHA-256
    #[arg(long, value_name = "HEX")]
    pub chip: Option<String>,
    /// SHA-384 of the submission
    #[arg(long, value_name = "HEX")]
    pub evidence: Option<String>,
    /// SHA-384 of the policy
    #[arg(long, value_name = "HEX")]
    pub policy: Option<String>,
    /// `issued`, `warned` or `refused`
    #[arg(long)]
    pub outcome: Option<String>,
    /// Decided at this time or later
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Decided before this time
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Certificates that are valid at this time
    #[arg(long, value_name = "TIME")]
    pub valid_at: Option<String>,
    /// Older than this record: the `next` of the page before
    #[arg(long, value_name = "ID")]
    pub before: Option<String>,
    /// The most records of the answer
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<u32>,
}

/// Some records, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The records.
    pub records: Vec<Record>,
    /// What `before` of the next page is; nothing when this is the last.
    pub next: Option<String>,
}

/// A condition with the value it binds.
enum Bound {
    Text(String),
    Number(i64),
}

impl Inventory {
    /// Answers one page.
    pub async fn query(&self, filter: &Filter) -> Result<Page, InventoryError> {
        let conditions = filter.conditions()?;
        let limit = filter.limit.unwrap_or(PAGE.min(100)).clamp(1, PAGE);
        let mut sql = format!("SELECT {} FROM record", COLUMNS.join(", "));
        for (place, (condition, _)) in conditions.iter().enumerate() {
            let joint = if place == 0 { "WHERE" } else { "AND" };
            sql.push_str(&format!(" {joint} {condition} ${}", place + 1));
        }
        sql.push_str(&format!(" ORDER BY id DESC LIMIT {}", limit + 1));
        // Only constants of this file and numbers were put together; every value is bound.
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for (_, bound) in conditions {
            query = match bound {
                Bound::Text(text) => query.bind(text),
                Bound::Number(number) => query.bind(number),
            };
        }
        let rows = query.fetch_all(&self.pool).await?;
        let mut records = rows.iter().map(Record::from_row).collect::<Result<Vec<_>, _>>()?;
        let more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let next = records.last().filter(|_| more).map(|record| record.id.clone());
        Ok(Page { records, next })
    }

    /// One record.
    pub async fn find(&self, id: &str) -> Result<Option<Record>, InventoryError> {
        let sql = format!("SELECT {} FROM record WHERE id = $1", COLUMNS.join(", "));
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(Record::from_row).transpose()
    }
}

impl Filter {
    fn conditions(&self) -> Result<Vec<(&'static str, Bound)>, InventoryError> {
        let mut found = Vec::new();
        for (condition, value) in
            [("workload =", &self.workload), ("evidence =", &self.evidence), ("policy =", &self.policy)]
        {
            found.extend(value.as_deref().map(hex).transpose()?.map(|value| (condition, Bound::Text(value))));
        }
        if let Some(text) = &self.serial {
            let wrong = |_| InventoryError::Filter { expected: "serial number", found: text.clone() };
            let serial: Serial = text.parse().map_err(wrong)?;
            found.push(("serial =", Bound::Text(serial.to_string())));
        }
        if let Some(chip) = self.chip.as_deref().map(hex).transpose()? {
            found.push(("chip =", Bound::Text(chip_digest(&chip))));
        }
        if let Some(word) = &self.outcome {
            let wrong = |_| InventoryError::Filter {
                expected: "outcome (issued, warned, refused)",
                found: word.clone(),
            };
            let outcome = Outcome::from_word(word).map_err(wrong)?;
            found.push(("outcome =", Bound::Text(outcome.word().to_owned())));
        }
        for (condition, value) in [
            ("time >=", &self.from),
            ("time <", &self.to),
            ("not_after >=", &self.valid_at),
            ("time <=", &self.valid_at),
        ] {
            found.extend(
                value.as_deref().map(time).transpose()?.map(|value| (condition, Bound::Number(value))),
            );
        }
        found.extend(self.before.clone().map(|id| ("id <", Bound::Text(id))));
        Ok(found)
    }
}

/// What the inventory has in place of a chip's identifier: its SHA-256. 64 digits are taken for a digest.
pub fn chip_digest(hex: &str) -> String {
    let bytes: Vec<u8> = hex
        .as_bytes()
        .chunks(2)
        .filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    match bytes.len() {
        32 => hex.to_owned(),
        _ => super::record::hex(&attest::crypto::sha256(&bytes)),
    }
}

/// Hexadecimal in the inventory's spelling; colons, as openssl prints them, are left out.
fn hex(text: &str) -> Result<String, InventoryError> {
    let plain: String = text.chars().filter(|&digit| digit != ':').collect::<String>().to_lowercase();
    match !plain.is_empty()
        && plain.len().is_multiple_of(2)
        && plain.bytes().all(|digit| digit.is_ascii_hexdigit())
    {
        true => Ok(plain),
        false => Err(InventoryError::Filter { expected: "hexadecimal number", found: text.to_owned() }),
    }
}

fn time(text: &str) -> Result<i64, InventoryError> {
    let wrong =
        || InventoryError::Filter { expected: "time as YYYY-MM-DDTHH:MM:SSZ", found: text.to_owned() };
    Time::from_rfc3339(text).map(seconds).ok_or_else(wrong)
}
