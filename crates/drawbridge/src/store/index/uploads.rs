//! Uploads that come in several requests.

use super::Index;
use crate::store::StoreError;
use api::name::Repository;

impl Index {
    /// Enters an upload.
    pub async fn add_upload(&self, id: &str, repository: &Repository, now: i64) -> Result<(), StoreError> {
        let sql = "INSERT INTO uploads (id, repository, started) VALUES ($1, $2, $3)";
        sqlx::query(sql).bind(id).bind(repository.as_str()).bind(now).execute(&self.writers).await?;
        Ok(())
    }

    /// Whether the upload is one of the repository's.
    pub async fn has_upload(&self, id: &str, repository: &Repository) -> Result<bool, StoreError> {
        let query = sqlx::query_scalar("SELECT started FROM uploads WHERE id = $1 AND repository = $2");
        let started: Option<i64> =
            query.bind(id).bind(repository.as_str()).fetch_optional(&self.readers).await?;
        Ok(started.is_some())
    }

    /// Takes an upload from the index, as it is finished or given up.
    pub async fn remove_upload(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM uploads WHERE id = $1").bind(id).execute(&self.writers).await?;
        Ok(())
    }

    /// Uploads that were started before this.
    pub async fn stale_uploads(&self, before: i64) -> Result<Vec<String>, StoreError> {
        let query = sqlx::query_scalar("SELECT id FROM uploads WHERE started < $1 LIMIT 1000").bind(before);
        Ok(query.fetch_all(&self.readers).await?)
    }
}
