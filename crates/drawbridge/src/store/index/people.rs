//! Users, and the tokens that programs use for them.

use super::{Index, signed, unsigned};
use crate::store::StoreError;
use api::digest::Digest;
use api::name::User;

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Who the identity provider says they are.
    pub subject: String,
    /// How many bytes they have stored.
    pub used: u64,
    /// How many they may.
    pub quota: u64,
}

/// What the bearer of a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose token it is.
    pub holder: String,
    /// The one repository that it is for; empty: all of the holder's.
    pub repository: String,
    /// Whether it is also for writing.
    pub writes: bool,
}

impl Index {
    /// Adds a user. False, if name or subject are taken.
    pub async fn add_user(
        &self,
        name: &User,
        subject: &str,
        quota: u64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO users (name, subject, used, quota, created) VALUES ($1, $2, 0, $3, $4) ON CONFLICT DO NOTHING";
        let query = sqlx::query(sql).bind(name.as_str()).bind(subject).bind(signed(quota)).bind(now);
        Ok(query.execute(&self.writers).await?.rows_affected() == 1)
    }

    /// A user by name.
    pub async fn user(&self, name: &str) -> Result<Option<UserRow>, StoreError> {
        let sql = "SELECT subject, used, quota FROM users WHERE name = $1";
        let row: Option<(String, i64, i64)> =
            sqlx::query_as(sql).bind(name).fetch_optional(&self.readers).await?;
        Ok(row.map(|(subject, used, quota)| UserRow {
            subject,
            used: unsigned(used),
            quota: unsigned(quota),
        }))
    }

    /// The name of the user that the identity provider calls so.
    pub async fn user_by_subject(&self, subject: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT name FROM users WHERE subject = $1";
        Ok(sqlx::query_scalar(sql).bind(subject).fetch_optional(&self.readers).await?)
    }

    /// Adds a token by its hash.
    pub async fn add_token(&self, hash: &Digest, token: &Token, expires: i64) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO tokens (hash, holder, repository, writes, expires) VALUES ($1, $2, $3, $4, $5)";
        let query = sqlx::query(sql).bind(hash.to_string()).bind(&token.holder).bind(&token.repository);
        query.bind(i64::from(token.writes)).bind(expires).execute(&self.writers).await?;
        Ok(())
    }

    /// The token of this hash, unless it has expired.
    pub async fn token(&self, hash: &Digest, now: i64) -> Result<Option<Token>, StoreError> {
        let sql = "SELECT holder, repository, writes FROM tokens WHERE hash = $1 AND expires > $2";
        let query = sqlx::query_as(sql).bind(hash.to_string()).bind(now);
        let row: Option<(String, String, i64)> = query.fetch_optional(&self.readers).await?;
        Ok(row.map(|(holder, repository, writes)| Token { holder, repository, writes: writes != 0 }))
    }

    /// Ends every token of a user; the number of them.
    pub async fn revoke_tokens(&self, holder: &User) -> Result<u64, StoreError> {
        let query = sqlx::query("DELETE FROM tokens WHERE holder = $1").bind(holder.as_str());
        Ok(query.execute(&self.writers).await?.rows_affected())
    }
}
