//! Evidence that was judged, kept to be judged again.

use attest::base64;
use attest::time::Time;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool, Row, Transaction};

use super::{Inventory, InventoryError, seconds};

/// How many pieces go at once when there is too much.
const STEP: i64 = 64;

/// Adds a submission; the same one twice counts once.
pub(super) async fn insert(
    transaction: &mut Transaction<'static, Any>,
    digest: &str,
    time: Time,
    body: &[u8],
) -> Result<(), sqlx::Error> {
    let insert = "INSERT INTO evidence (digest, time, size, body) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING";
    let size = i64::try_from(body.len()).unwrap_or(i64::MAX);
    let body = base64::encode(body);
    sqlx::query(insert)
        .bind(digest)
        .bind(seconds(time))
        .bind(size)
        .bind(body)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Removes the oldest submissions until the rest fits.
pub(super) async fn prune(pool: &AnyPool, bound: u64) -> Result<(), sqlx::Error> {
    let bound = i64::try_from(bound).unwrap_or(i64::MAX);
    loop {
        // PostgreSQL sums 64-bit numbers to NUMERIC, which is none of the types that both know.
        let sum = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM evidence";
        let total: i64 = sqlx::query(sum).fetch_one(pool).await?.try_get(0)?;
        if total <= bound {
            return Ok(());
        }
        let oldest = "DELETE FROM evidence WHERE digest IN (SELECT digest FROM evidence ORDER BY time, digest LIMIT $1)";
        sqlx::query(oldest).bind(STEP).execute(pool).await?;
    }
}

impl Inventory {
    /// The submission with this SHA-384, if it is still kept.
    pub async fn evidence(&self, digest: &str) -> Result<Option<Vec<u8>>, InventoryError> {
        let row: Option<AnyRow> = sqlx::query("SELECT body FROM evidence WHERE digest = $1")
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let text: String = row.try_get("body")?;
        let body = base64::decode("evidence", text.as_bytes());
        body.map(Some)
            .map_err(|error| InventoryError::Damaged { expected: "base64", found: error.to_string() })
    }
}
