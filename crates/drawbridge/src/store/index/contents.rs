//! Which blobs a repository holds.

use super::{Index, signed, unsigned};
use crate::store::StoreError;
use api::digest::Digest;
use api::name::Repository;
use sqlx::{Any, Transaction};

/// A blob that a repository comes to hold.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The blob.
    pub digest: Digest,
    /// Its length.
    pub length: u64,
}

impl Held<'_> {
    /// Enters it, and counts it. False, if that would exceed the quota of the repository's owner; then nothing is entered.
    pub(super) async fn enter(
        &self,
        transaction: &mut Transaction<'static, Any>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let (repository, digest, length) =
            (self.repository.as_str(), self.digest.to_string(), signed(self.length));
        let sql = "INSERT INTO blobs (digest, length) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        sqlx::query(sql).bind(&digest).bind(length).execute(&mut **transaction).await?;
        let sql = "UPDATE contents SET touched = $3 WHERE repository = $1 AND digest = $2";
        let query = sqlx::query(sql).bind(repository).bind(&digest).bind(now);
        if query.execute(&mut **transaction).await?.rows_affected() > 0 {
            return Ok(true);
        }
        let sql = "UPDATE users SET used = used + $2 WHERE name = $1 AND used + $2 <= quota";
        let query = sqlx::query(sql).bind(self.repository.user()).bind(length);
        if query.execute(&mut **transaction).await?.rows_affected() == 0 {
            return Ok(false);
        }
        let sql = "INSERT INTO contents (repository, digest, touched) VALUES ($1, $2, $3)";
        sqlx::query(sql).bind(repository).bind(&digest).bind(now).execute(&mut **transaction).await?;
        Ok(true)
    }
}

impl Index {
    /// The length of a blob, if the repository holds it.
    pub async fn held(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT length FROM blobs JOIN contents ON contents.digest = blobs.digest \
                   WHERE contents.repository = $1 AND contents.digest = $2";
        let query = sqlx::query_scalar(sql).bind(repository.as_str()).bind(digest.to_string());
        let length: Option<i64> = query.fetch_optional(&self.readers).await?;
        Ok(length.map(unsigned))
    }

    /// Every blob with its length, after a given one, in the order of digests.
    pub async fn blobs(&self, after: &str, count: i64) -> Result<Vec<(Digest, u64)>, StoreError> {
        let sql = "SELECT digest, length FROM blobs WHERE digest > $1 ORDER BY digest LIMIT $2";
        let query = sqlx::query_as(sql).bind(after).bind(count);
        let rows: Vec<(String, i64)> = query.fetch_all(&self.readers).await?;
        rows.into_iter().map(|(digest, length)| Ok((super::parsed(&digest)?, unsigned(length)))).collect()
    }

    /// Whether the index knows a blob.
    pub async fn knows(&self, digest: &Digest) -> Result<bool, StoreError> {
        let query = sqlx::query_scalar("SELECT length FROM blobs WHERE digest = $1").bind(digest.to_string());
        let length: Option<i64> = query.fetch_optional(&self.readers).await?;
        Ok(length.is_some())
    }

    /// Makes repositories let go of what they hold for nothing since `before`: no manifest is it, needs it, or no tree has it.
    pub async fn release_unused(&self, before: i64) -> Result<u64, StoreError> {
        const UNUSED: &str = "touched < $1 \
            AND NOT EXISTS (SELECT 1 FROM manifests m WHERE m.repository = contents.repository AND m.digest = contents.digest) \
            AND NOT EXISTS (SELECT 1 FROM needs n WHERE n.repository = contents.repository AND n.digest = contents.digest) \
            AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.repository = contents.repository AND n.digest = contents.digest)";
        let mut transaction = self.begin().await?;
        let freed = format!(
            "UPDATE users SET used = used - (SELECT COALESCE(CAST(SUM(blobs.length) AS BIGINT), 0) FROM contents \
             JOIN blobs ON blobs.digest = contents.digest JOIN repositories ON repositories.name = contents.repository \
             WHERE repositories.owner = users.name AND {UNUSED})"
        );
        sqlx::query(sqlx::AssertSqlSafe(freed)).bind(before).execute(&mut *transaction).await?;
        let delete = format!("DELETE FROM contents WHERE {UNUSED}");
        let done = sqlx::query(sqlx::AssertSqlSafe(delete)).bind(before).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    /// Blobs that no repository holds.
    pub async fn unheld(&self, count: i64) -> Result<Vec<Digest>, StoreError> {
        let sql = "SELECT digest FROM blobs WHERE NOT EXISTS \
                   (SELECT 1 FROM contents WHERE contents.digest = blobs.digest) ORDER BY digest LIMIT $1";
        let rows: Vec<String> = sqlx::query_scalar(sql).bind(count).fetch_all(&self.readers).await?;
        rows.iter().map(|digest| super::parsed(digest)).collect()
    }

    /// Forgets a blob, if no repository has come to hold it meanwhile.
    pub async fn forget(&self, digest: &Digest) -> Result<bool, StoreError> {
        let sql = "DELETE FROM blobs WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM contents WHERE contents.digest = $1)";
        let done = sqlx::query(sql).bind(digest.to_string()).execute(&self.writers).await?;
        Ok(done.rows_affected() == 1)
    }
}
