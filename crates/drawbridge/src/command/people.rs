//! `drawbridge user` and `drawbridge token`. They may be used while the server runs.

use super::{Failure, World, print};
use crate::cli::{TokenCommand, UserCommand};
use crate::configuration::Configuration;
use crate::store::Index;
use crate::store::index::Token;
use api::digest::Digest;
use std::process::ExitCode;

/// How tokens start, so that they are recognised where they should not be.
const MARK: &str = "drawbridge_";

pub async fn user(
    command: UserCommand,
    configuration: &Configuration,
    world: &World,
) -> Result<ExitCode, Failure> {
    let index = open(configuration).await?;
    let UserCommand::Add { name, subject, quota } = command;
    let subject = subject.unwrap_or_else(|| name.to_string());
    let quota = quota.unwrap_or(configuration.quota_bytes);
    let added = index.add_user(&name, &subject, quota, (world.clock)()).await?;
    index.close().await;
    match added {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::Usage(format!("a user `{name}`, or one known as `{subject}`, exists already"))),
    }
}

pub async fn token(
    command: TokenCommand,
    configuration: &Configuration,
    world: &World,
) -> Result<ExitCode, Failure> {
    let index = open(configuration).await?;
    match command {
        TokenCommand::Create { user, repository, read_only, days } => {
            if index.user(user.as_str()).await?.is_none() {
                return Err(Failure::Usage(format!("there is no user `{user}`")));
            }
            let mut bytes = [0; 32];
            (world.random)(&mut bytes);
            let secret = bytes.iter().fold(MARK.to_owned(), |text, byte| format!("{text}{byte:02x}"));
            let repository = repository.map(|name| name.to_string()).unwrap_or_default();
            let token = Token { holder: user.to_string(), repository, writes: !read_only };
            let expires = (world.clock)() + i64::from(days) * 86_400;
            index.add_token(&Digest::sha256(secret.as_bytes()), &token, expires).await?;
            print(&secret)?;
        }
        TokenCommand::Revoke { user } => {
            let count = index.revoke_tokens(&user).await?;
            print(&format!("{count} tokens ended"))?;
        }
    }
    index.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn open(configuration: &Configuration) -> Result<Index, Failure> {
    Ok(match &configuration.database {
        Some(url) => Index::connect(url).await?,
        None => {
            std::fs::create_dir_all(&configuration.store)?;
            Index::open(&configuration.store).await?
        }
    })
}
