//! Repositories.

use super::Index;
use crate::settings::Settings;
use crate::store::StoreError;
use api::name::Repository;

/// A repository.
#[derive(Clone, Debug)]
pub struct RepositoryRow {
    /// The user whose it is.
    pub owner: String,
    /// Who may do what with it.
    pub settings: Settings,
}

impl Index {
    /// Makes a repository. False, if there is one of that name.
    pub async fn create_repository(
        &self,
        name: &Repository,
        settings: &Settings,
        now: i64,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO repositories (name, owner, settings, created) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(name.as_str()).bind(name.user()).bind(settings.to_json()).bind(now);
        Ok(query.execute(&self.writers).await?.rows_affected() == 1)
    }

    /// A repository by name.
    pub async fn repository(&self, name: &Repository) -> Result<Option<RepositoryRow>, StoreError> {
        let sql = "SELECT owner, settings FROM repositories WHERE name = $1";
        let row: Option<(String, String)> =
            sqlx::query_as(sql).bind(name.as_str()).fetch_optional(&self.readers).await?;
        let Some((owner, settings)) = row else { return Ok(None) };
        Ok(Some(RepositoryRow { owner, settings: super::parsed(&settings)? }))
    }

    /// Replaces a repository's settings.
    pub async fn set_settings(&self, name: &Repository, settings: &Settings) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE repositories SET settings = $2 WHERE name = $1");
        query.bind(name.as_str()).bind(settings.to_json()).execute(&self.writers).await?;
        Ok(())
    }
}
