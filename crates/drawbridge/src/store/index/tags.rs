//! Tags. The first to claim a name has it; a tree under it is seen by others when all of it has come.

use super::{Index, nodes};
use crate::store::StoreError;
use api::digest::Digest;
use api::name::{Repository, Version};
use api::tree::{Entry, Path};
use sqlx::{Any, Transaction};

/// What a tag's name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub name: String,
    /// The OCI manifest; none while a tree is being published.
    pub manifest: Option<Digest>,
    /// The tree, if it is one.
    pub tree: Option<TreeTag>,
}

/// What a tag says of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeTag {
    /// The text as it was published.
    pub entry: String,
    /// The text's media type.
    pub media_type: String,
    /// The digest of the package.
    pub package: String,
}

/// How an attempt to take a name ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The name is theirs.
    New,
    /// It stands for the same already.
    Same,
    /// It stands for something else.
    Taken(String),
    /// Somebody is publishing something else under it.
    Busy(String),
    /// It stood for something else, until it was deleted.
    Yanked(String),
}

impl Index {
    /// Claims a name for a tree, whose content is awaited from then on. A claim that nobody has worked on since `stale`
    /// is void.
    pub async fn claim_tag(
        &self,
        at: (&Repository, &Version),
        tree: &TreeTag,
        root: &Entry,
        stale: i64,
        now: i64,
    ) -> Result<Claimed, StoreError> {
        let (repository, name) = at;
        let mut transaction = self.begin().await?;
        match taken(&mut transaction, repository, name.as_str()).await? {
            Some((_, Some(entry), _, _)) if entry == tree.entry => return Ok(Claimed::Same),
            Some((Some(_), _, package, _)) => return Ok(Claimed::Taken(package.unwrap_or_default())),
            Some((None, _, package, touched)) if touched >= stale => {
                return Ok(Claimed::Busy(package.unwrap_or_default()));
            }
            Some(_) => remove(&mut transaction, repository, name.as_str()).await?,
            None => {}
        }
        if let Some(package) = yanked(&mut transaction, repository, name.as_str()).await?
            && package != tree.package
        {
            return Ok(Claimed::Yanked(package));
        }
        let sql = "INSERT INTO tags (repository, name, entry, entry_type, package, touched) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(repository.as_str()).bind(name.as_str()).bind(&tree.entry);
        let query = query.bind(&tree.media_type).bind(&tree.package).bind(now);
        if query.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(Claimed::Busy("another".into()));
        }
        nodes::await_node(&mut transaction, (repository, name, &Path::default()), root).await?;
        transaction.commit().await?;
        Ok(Claimed::New)
    }

    /// Makes a tree that is whole visible, under its OCI manifest too.
    pub async fn complete_tag(
        &self,
        repository: &Repository,
        name: &Version,
        manifest: &Digest,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE tags SET manifest = $3 WHERE repository = $1 AND name = $2 AND manifest IS NULL";
        let query = sqlx::query(sql).bind(repository.as_str()).bind(name.as_str()).bind(manifest.to_string());
        query.execute(&self.writers).await?;
        Ok(())
    }

    /// Lets a name stand for a manifest, with the nodes of the tree that it holds, if it holds one.
    pub async fn set_tag(
        &self,
        (repository, name): (&Repository, &str),
        manifest: &Digest,
        tree: Option<(&TreeTag, &[(Path, nodes::Node)])>,
        movable: bool,
        now: i64,
    ) -> Result<Claimed, StoreError> {
        let package = tree.map_or_else(|| manifest.to_string(), |(tree, _)| tree.package.clone());
        let mut transaction = self.begin().await?;
        match taken(&mut transaction, repository, name).await? {
            Some((Some(known), ..)) if known == manifest.to_string() => return Ok(Claimed::Same),
            Some((Some(known), ..)) if !movable => return Ok(Claimed::Taken(known)),
            Some((None, _, package, touched)) if touched >= now - super::super::CLAIM_SECONDS => {
                return Ok(Claimed::Busy(package.unwrap_or_default()));
            }
            Some(_) => remove(&mut transaction, repository, name).await?,
            None => {}
        }
        if let Some(yanked) = yanked(&mut transaction, repository, name).await?
            && yanked != package
        {
            return Ok(Claimed::Yanked(yanked));
        }
        let sql = "INSERT INTO tags (repository, name, manifest, entry, entry_type, package, touched) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(repository.as_str()).bind(name).bind(manifest.to_string());
        let query =
            query.bind(tree.map(|(tree, _)| &tree.entry)).bind(tree.map(|(tree, _)| &tree.media_type));
        let query = query.bind(tree.map(|(tree, _)| &tree.package)).bind(now);
        if query.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(Claimed::Busy("another".into()));
        }
        let sql = "INSERT INTO nodes (repository, tag, path, entry, digest) VALUES ($1, $2, $3, $4, $5)";
        for (path, node) in tree.into_iter().flat_map(|(_, nodes)| nodes) {
            let query = sqlx::query(sql).bind(repository.as_str()).bind(name).bind(path.to_string());
            let entry = String::from_utf8(node.entry.encode()).unwrap_or_default();
            let query = query.bind(entry).bind(node.digest.map(|digest| digest.to_string()));
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(Claimed::New)
    }

    /// A tag, visible or not.
    pub async fn tag(&self, repository: &Repository, name: &str) -> Result<Option<Tag>, StoreError> {
        let sql =
            "SELECT name, manifest, entry, entry_type, package FROM tags WHERE repository = $1 AND name = $2";
        let row: Option<Row> =
            sqlx::query_as(sql).bind(repository.as_str()).bind(name).fetch_optional(&self.readers).await?;
        row.map(tag).transpose()
    }

    /// Visible tags after a name, in the order of bytes.
    pub async fn tags(
        &self,
        repository: &Repository,
        after: &str,
        count: i64,
    ) -> Result<Vec<Tag>, StoreError> {
        let sql = "SELECT name, manifest, entry, entry_type, package FROM tags \
                   WHERE repository = $1 AND name > $2 AND manifest IS NOT NULL ORDER BY name LIMIT $3";
        let query = sqlx::query_as(sql).bind(repository.as_str()).bind(after).bind(count);
        let rows: Vec<Row> = query.fetch_all(&self.readers).await?;
        rows.into_iter().map(tag).collect()
    }

    /// The visible trees that a blob or manifest of a repository is part of.
    pub async fn trees_with(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Vec<TreeTag>, StoreError> {
        let sql = "SELECT name, manifest, entry, entry_type, package FROM tags \
                   WHERE repository = $1 AND manifest IS NOT NULL AND package IS NOT NULL AND (manifest = $2 \
                   OR EXISTS (SELECT 1 FROM needs n WHERE n.repository = $1 AND n.manifest = tags.manifest AND n.digest = $2) \
                   OR EXISTS (SELECT 1 FROM nodes n WHERE n.repository = $1 AND n.tag = tags.name AND n.digest = $2))";
        let query = sqlx::query_as(sql).bind(repository.as_str()).bind(digest.to_string());
        let rows: Vec<Row> = query.fetch_all(&self.readers).await?;
        rows.into_iter().filter_map(|row| tag(row).map(|tag| tag.tree).transpose()).collect()
    }

    /// Deletes a tag. What it stood for is remembered, so that the name can come back, but never as something else.
    pub async fn delete_tag(&self, repository: &Repository, name: &str) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let Some((manifest, _, package, _)) = taken(&mut transaction, repository, name).await? else {
            return Ok(false);
        };
        if let Some(manifest) = manifest {
            let sql =
                "INSERT INTO yanked (repository, name, package) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            let query =
                sqlx::query(sql).bind(repository.as_str()).bind(name).bind(package.unwrap_or(manifest));
            query.execute(&mut *transaction).await?;
        }
        remove(&mut transaction, repository, name).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

type Row = (String, Option<String>, Option<String>, Option<String>, Option<String>);
type Taken = (Option<String>, Option<String>, Option<String>, i64);

async fn taken(
    transaction: &mut Transaction<'static, Any>,
    repository: &Repository,
    name: &str,
) -> Result<Option<Taken>, StoreError> {
    let sql = "SELECT manifest, entry, package, touched FROM tags WHERE repository = $1 AND name = $2";
    Ok(sqlx::query_as(sql).bind(repository.as_str()).bind(name).fetch_optional(&mut **transaction).await?)
}

async fn yanked(
    transaction: &mut Transaction<'static, Any>,
    repository: &Repository,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT package FROM yanked WHERE repository = $1 AND name = $2";
    Ok(sqlx::query_scalar(sql)
        .bind(repository.as_str())
        .bind(name)
        .fetch_optional(&mut **transaction)
        .await?)
}

async fn remove(
    transaction: &mut Transaction<'static, Any>,
    repository: &Repository,
    name: &str,
) -> Result<(), StoreError> {
    for sql in [
        "DELETE FROM nodes WHERE repository = $1 AND tag = $2",
        "DELETE FROM tags WHERE repository = $1 AND name = $2",
    ] {
        sqlx::query(sql).bind(repository.as_str()).bind(name).execute(&mut **transaction).await?;
    }
    Ok(())
}

fn tag((name, manifest, entry, entry_type, package): Row) -> Result<Tag, StoreError> {
    let tree = match (entry, entry_type, package) {
        (Some(entry), Some(media_type), Some(package)) => Some(TreeTag { entry, media_type, package }),
        _ => None,
    };
    Ok(Tag { name, manifest: manifest.as_deref().map(super::parsed).transpose()?, tree })
}
