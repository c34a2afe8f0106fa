//! OCI manifests: what they are, what they need, and what they refer to.

use super::{Index, signed, unsigned};
use crate::store::StoreError;
use api::digest::Digest;
use api::name::Repository;

/// A manifest as the index knows it.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// What it is listed as.
    pub descriptor: Descriptor,
    /// The manifest that it says something about, as text, since that need not exist.
    pub subject: Option<String>,
    /// Blobs and manifests without which it is of no use.
    pub needs: Vec<Digest>,
}

/// What a list of referrers says of a manifest (OCI image-spec 1.1, descriptor.md).
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length.
    pub size: u64,
    /// What kind of artifact it is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
    /// What it says of itself.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub annotations: serde_json::Map<String, serde_json::Value>,
}

type Row = (String, String, String, String, i64);

impl Index {
    /// Enters a manifest whose text the repository holds.
    pub async fn add_manifest(&self, repository: &Repository, manifest: &Manifest) -> Result<(), StoreError> {
        let listed = &manifest.descriptor;
        let digest = listed.digest.to_string();
        let mut transaction = self.begin().await?;
        let sql = "INSERT INTO manifests (repository, digest, media_type, artifact_type, annotations, length, subject) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(repository.as_str()).bind(&digest).bind(&listed.media_type);
        let annotations = serde_json::to_string(&listed.annotations).unwrap_or_default();
        let query = query.bind(&listed.artifact_type).bind(annotations).bind(signed(listed.size));
        query.bind(&manifest.subject).execute(&mut *transaction).await?;
        for need in &manifest.needs {
            let sql =
                "INSERT INTO needs (repository, manifest, digest) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            let query = sqlx::query(sql).bind(repository.as_str()).bind(&digest).bind(need.to_string());
            query.execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// A manifest's media type and length.
    pub async fn manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<(String, u64)>, StoreError> {
        let query =
            sqlx::query_as("SELECT media_type, length FROM manifests WHERE repository = $1 AND digest = $2");
        let query = query.bind(repository.as_str()).bind(digest.to_string());
        let row: Option<(String, i64)> = query.fetch_optional(&self.readers).await?;
        Ok(row.map(|(media_type, length)| (media_type, unsigned(length))))
    }

    /// Manifests that say something about this one.
    pub async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        after: &str,
        count: i64,
    ) -> Result<Vec<Descriptor>, StoreError> {
        let sql = "SELECT digest, media_type, artifact_type, annotations, length FROM manifests \
                   WHERE repository = $1 AND subject = $2 AND digest > $3 ORDER BY digest LIMIT $4";
        let query =
            sqlx::query_as(sql).bind(repository.as_str()).bind(subject.to_string()).bind(after).bind(count);
        let rows: Vec<Row> = query.fetch_all(&self.readers).await?;
        rows.into_iter().map(descriptor).collect()
    }

    /// Deletes a manifest and every tag that stands for it.
    pub async fn delete_manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<bool, StoreError> {
        let sql = "SELECT name FROM tags WHERE repository = $1 AND manifest = $2";
        let query = sqlx::query_scalar(sql).bind(repository.as_str()).bind(digest.to_string());
        let tags: Vec<String> = query.fetch_all(&self.readers).await?;
        for tag in tags {
            self.delete_tag(repository, &tag).await?;
        }
        let mut transaction = self.begin().await?;
        let sql = "DELETE FROM needs WHERE repository = $1 AND manifest = $2";
        sqlx::query(sql)
            .bind(repository.as_str())
            .bind(digest.to_string())
            .execute(&mut *transaction)
            .await?;
        let sql = "DELETE FROM manifests WHERE repository = $1 AND digest = $2";
        let query = sqlx::query(sql).bind(repository.as_str()).bind(digest.to_string());
        let done = query.execute(&mut *transaction).await?.rows_affected() == 1;
        transaction.commit().await?;
        Ok(done)
    }

    /// Deletes a manifest that no tag stands for, that no other needs, and that says nothing about another.
    pub async fn drop_manifest(&self, repository: &Repository, digest: &Digest) -> Result<(), StoreError> {
        let sql = "DELETE FROM manifests WHERE repository = $1 AND digest = $2 AND subject IS NULL \
            AND NOT EXISTS (SELECT 1 FROM tags WHERE tags.repository = $1 AND tags.manifest = $2) \
            AND NOT EXISTS (SELECT 1 FROM needs WHERE needs.repository = $1 AND needs.digest = $2)";
        let mut transaction = self.begin().await?;
        let query = sqlx::query(sql).bind(repository.as_str()).bind(digest.to_string());
        if query.execute(&mut *transaction).await?.rows_affected() == 1 {
            let sql = "DELETE FROM needs WHERE repository = $1 AND manifest = $2";
            sqlx::query(sql)
                .bind(repository.as_str())
                .bind(digest.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Lets go of a blob, unless something in the repository needs it. False, if it does not hold it, or needs it.
    pub async fn drop_blob(&self, repository: &Repository, digest: &Digest) -> Result<bool, StoreError> {
        let sql = "UPDATE contents SET touched = 0 WHERE repository = $1 AND digest = $2 \
            AND NOT EXISTS (SELECT 1 FROM needs WHERE needs.repository = $1 AND needs.digest = $2) \
            AND NOT EXISTS (SELECT 1 FROM nodes WHERE nodes.repository = $1 AND nodes.digest = $2) \
            AND NOT EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = $1 AND manifests.digest = $2)";
        let query = sqlx::query(sql).bind(repository.as_str()).bind(digest.to_string());
        if query.execute(&self.writers).await?.rows_affected() == 0 {
            return Ok(false);
        }
        self.release_unused(1).await?;
        Ok(true)
    }
}

fn descriptor(
    (digest, media_type, artifact_type, annotations, length): Row,
) -> Result<Descriptor, StoreError> {
    Ok(Descriptor {
        media_type,
        digest: super::parsed(&digest)?,
        size: unsigned(length),
        artifact_type,
        annotations: serde_json::from_str(&annotations).unwrap_or_default(),
    })
}
