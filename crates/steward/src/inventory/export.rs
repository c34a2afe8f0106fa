//! The inventory as CSV (RFC 4180) or JSON, written page by page.

use std::io::{self, Write};

use super::query::PAGE;
use super::record::{COLUMNS, Record};
use super::{Filter, Inventory, InventoryError};

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One line each, after a line of names.
    Csv,
    /// One JSON object a line.
    Json,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ExportError {
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    #[error("cannot write the export: {0}")]
    Write(#[from] io::Error),
}

impl Inventory {
    /// Writes every record that the filter names, newest first, whatever its limit.
    pub async fn export(
        &self,
        filter: &Filter,
        format: Format,
        out: &mut impl Write,
    ) -> Result<u64, ExportError> {
        if format == Format::Csv {
            out.write_all(header().as_bytes())?;
        }
        let mut filter = Filter { limit: Some(PAGE), ..filter.clone() };
        let mut written = 0;
        loop {
            let page = self.query(&filter).await?;
            for record in &page.records {
                write(record, format, out)?;
                written += 1;
            }
            match page.next {
                Some(next) => filter.before = Some(next),
                None => return Ok(written),
            }
        }
    }
}

/// Writes one record with its line's end.
pub fn write(record: &Record, format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer(&mut *out, record)?;
            out.write_all(b"\n")
        }
        Format::Csv => write!(out, "{}\r\n", fields(record).map(|field| quoted(&field)).join(",")),
    }
}

/// How many columns a CSV has: all but the last, the certificate.
const FIELDS: usize = COLUMNS.len() - 1;

/// The line of names.
pub fn header() -> String {
    format!("{}\r\n", COLUMNS[..FIELDS].join(","))
}

fn fields(record: &Record) -> [String; FIELDS] {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    [
        record.id.clone(),
        record.time.to_string(),
        record.outcome.to_string(),
        text(&record.code),
        record.checks.join(" "),
        text(&record.profile),
        text(&record.tee),
        text(&record.trust),
        text(&record.serial),
        record.not_after.map(|time| time.to_string()).unwrap_or_default(),
        text(&record.workload),
        text(&record.slug),
        text(&record.chip),
        text(&record.spki),
        text(&record.evidence),
        text(&record.policy),
        text(&record.request),
        text(&record.address),
    ]
}

/// A field as RFC 4180 has it. What a spreadsheet would take for a formula is kept from being one by a quote mark.
fn quoted(field: &str) -> String {
    let guard = if field.starts_with(['=', '+', '-', '@', '\t']) { "'" } else { "" };
    match field.contains([',', '"', '\r', '\n']) || !guard.is_empty() {
        true => format!("\"{guard}{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
