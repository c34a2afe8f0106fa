//! The files and directories of a tagged tree.

use super::Index;
use crate::store::StoreError;
use api::digest::{Algorithm, Digest};
use api::name::{Repository, Version};
use api::tree::{Directory, Entry, Path};
use sqlx::{Any, Transaction};

/// A file or directory of a tagged tree.
#[derive(Clone, Debug)]
pub struct Node {
    /// What the directory above, or the tag, says of it.
    pub entry: Entry,
    /// Its blob, as soon as its content has come.
    pub digest: Option<Digest>,
}

impl Index {
    /// One node.
    pub async fn node(
        &self,
        repository: &Repository,
        tag: &Version,
        path: &Path,
    ) -> Result<Option<Node>, StoreError> {
        let sql = "SELECT entry, digest FROM nodes WHERE repository = $1 AND tag = $2 AND path = $3";
        let query = sqlx::query_as(sql).bind(repository.as_str()).bind(tag.as_str()).bind(path.to_string());
        let row: Option<(String, Option<String>)> = query.fetch_optional(&self.readers).await?;
        row.map(node).transpose()
    }

    /// Every node of a tree.
    pub async fn nodes(
        &self,
        repository: &Repository,
        tag: &Version,
    ) -> Result<Vec<(Path, Node)>, StoreError> {
        let sql = "SELECT path, entry, digest FROM nodes WHERE repository = $1 AND tag = $2 ORDER BY path";
        let query = sqlx::query_as(sql).bind(repository.as_str()).bind(tag.as_str());
        let rows: Vec<(String, String, Option<String>)> = query.fetch_all(&self.readers).await?;
        rows.into_iter()
            .map(|(path, entry, digest)| Ok((super::parsed(&path)?, node((entry, digest))?)))
            .collect()
    }

    /// Enters that a node's content has come. For a directory, what it lists is awaited from now on, but for files that
    /// the repository holds already. True, if nothing is awaited any more.
    pub async fn fill_node(
        &self,
        at: (&Repository, &Version, &Path),
        digest: Digest,
        directory: Option<&Directory>,
        now: i64,
    ) -> Result<bool, StoreError> {
        let (repository, tag, path) = at;
        let mut transaction = self.begin().await?;
        let sql = "UPDATE nodes SET digest = $4 WHERE repository = $1 AND tag = $2 AND path = $3";
        let query = sqlx::query(sql).bind(repository.as_str()).bind(tag.as_str()).bind(path.to_string());
        if query.bind(digest.to_string()).execute(&mut *transaction).await?.rows_affected() == 0 {
            // The tag was taken away meanwhile.
            return Ok(false);
        }
        for (name, entry) in directory.into_iter().flat_map(Directory::iter) {
            // The directory was decoded with the depth of its path in view.
            let Ok(child) = path.join(name.clone()) else { continue };
            await_node(&mut transaction, (repository, tag, &child), entry).await?;
        }
        let sql = "UPDATE tags SET touched = $3 WHERE repository = $1 AND name = $2";
        sqlx::query(sql)
            .bind(repository.as_str())
            .bind(tag.as_str())
            .bind(now)
            .execute(&mut *transaction)
            .await?;
        let sql = "SELECT path FROM nodes WHERE repository = $1 AND tag = $2 AND digest IS NULL LIMIT 1";
        let query = sqlx::query_scalar(sql).bind(repository.as_str()).bind(tag.as_str());
        let awaited: Option<String> = query.fetch_optional(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(awaited.is_none())
    }
}

/// Enters a node whose content may be there: a file that the repository holds is not asked for again.
pub(super) async fn await_node(
    transaction: &mut Transaction<'static, Any>,
    (repository, tag, path): (&Repository, &Version, &Path),
    entry: &Entry,
) -> Result<(), StoreError> {
    let held = entry.digest.get(Algorithm::Sha256).filter(|_| !entry.is_directory()).map(Digest::to_string);
    let sql = "INSERT INTO nodes (repository, tag, path, entry, digest) VALUES ($1, $2, $3, $4, \
               (SELECT contents.digest FROM contents JOIN blobs ON blobs.digest = contents.digest \
                WHERE contents.repository = $1 AND contents.digest = $5 AND blobs.length = $6)) ON CONFLICT DO NOTHING";
    let text = String::from_utf8(entry.encode()).unwrap_or_default();
    let query =
        sqlx::query(sql).bind(repository.as_str()).bind(tag.as_str()).bind(path.to_string()).bind(text);
    query.bind(held).bind(super::signed(entry.length)).execute(&mut **transaction).await?;
    Ok(())
}

fn node((entry, digest): (String, Option<String>)) -> Result<Node, StoreError> {
    let entry = Entry::decode(entry.as_bytes())
        .map_err(|error| StoreError::Index(sqlx::Error::Decode(error.into())))?;
    Ok(Node { entry, digest: digest.as_deref().map(super::parsed).transpose()? })
}
