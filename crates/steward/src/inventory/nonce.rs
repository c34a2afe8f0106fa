//! Nonces that were answered: shared among replicas, so that none is answered twice.

use attest::time::Time;

use super::record::hex;
use super::{Inventory, InventoryError, seconds};

impl Inventory {
    /// Spends a nonce. Says whether it was unspent; nobody else hears so until it has expired, and is forgotten.
    pub async fn spend_nonce(&self, nonce: &[u8], expires: Time, now: Time) -> Result<bool, InventoryError> {
        let spend = async {
            let digest = hex(&attest::crypto::sha256(nonce));
            sqlx::query("DELETE FROM nonce WHERE expires < $1")
                .bind(seconds(now))
                .execute(&self.pool)
                .await?;
            let insert =
                "INSERT INTO nonce (digest, expires) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING";
            let done = sqlx::query(insert).bind(digest).bind(seconds(expires)).execute(&self.pool).await?;
            Ok(done.rows_affected() == 1)
        };
        let spent = tokio::time::timeout(self.deadline, spend).await;
        spent.map_err(|_| InventoryError::Late(self.deadline))?
    }
}
