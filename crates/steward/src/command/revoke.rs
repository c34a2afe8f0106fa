//! `steward revoke`: what is revoked, changed and shown. A running Steward takes notice within a minute, or on SIGHUP.

use super::{Environment, inventory};
use crate::cli::records::{Because, CauseWord, Configured, Database, Kept, Revoke, What};
use crate::failure::Failure;
use crate::inventory::revoked::{Entry, Kind, Revoked, RevokedError};
use crate::output;
use crate::revocation::{Cause, Revocation};

/// Runs a command.
pub fn run(command: Revoke, environment: &Environment) -> Result<(), Failure> {
    super::block_on(async {
        let revoked = open(command.kept, environment).await?;
        match command.what {
            What::Serial(because) => add(&revoked, Kind::Serial, because, environment).await,
            What::Workload(because) => add(&revoked, Kind::Workload, because, environment).await,
            What::Chip(because) => add(&revoked, Kind::Chip, because, environment).await,
            What::List { json } => list(&revoked, json).await,
            What::Undo { kind, value } => match revoked.undo(kind, &value).await.map_err(failed)? {
                true => Ok(()),
                false => Err(Failure::refused(format!("`{value}` is not revoked"))),
            },
        }
    })
}

async fn open(kept: Kept, environment: &Environment) -> Result<Revoked, Failure> {
    let configured = Configured { config: kept.config };
    if let Some(file) = kept.file {
        return Ok(Revoked::File(file));
    }
    let named = kept.database.is_some();
    let settings = || super::settings(configured.clone(), environment);
    let database = Database { database: kept.database, configured: configured.clone() };
    if named || settings()?.inventory.is_some() {
        return Ok(Revoked::Inventory(inventory::open(database, environment).await?));
    }
    settings()?.revocations.map(Revoked::File).ok_or_else(|| {
        Failure::refused("the settings name no place for revocations")
            .hint("set `inventory.url` or `revocations`, or give `--file`".to_owned())
    })
}

async fn add(
    revoked: &Revoked,
    kind: Kind,
    because: Because,
    environment: &Environment,
) -> Result<(), Failure> {
    let revocation = Revocation { at: (environment.clock)(), cause: cause(because.cause) };
    let entry = Entry::new(kind, &because.value, revocation, &because.note).map_err(failed)?;
    match revoked.add(&entry).await.map_err(failed)? {
        true => Ok(()),
        false => Err(Failure::refused(format!("`{}` is revoked already", entry.value))),
    }
}

async fn list(revoked: &Revoked, json: bool) -> Result<(), Failure> {
    let entries = revoked.list().await.map_err(failed)?;
    if json {
        let text =
            serde_json::to_string_pretty(&entries).map_err(|error| Failure::broken(error.to_string()))?;
        output::data(&format!("{text}\n"));
        return Ok(());
    }
    for Entry { kind, value, at, cause, note } in entries {
        let (kind, cause) = (format!("{kind:?}").to_lowercase(), format!("{cause:?}"));
        output::data(&format!("{at}  {kind:8}  {value}  {cause}  {note}\n"));
    }
    Ok(())
}

fn cause(word: CauseWord) -> Cause {
    match word {
        CauseWord::Unspecified => Cause::Unspecified,
        CauseWord::KeyCompromise => Cause::KeyCompromise,
        CauseWord::Superseded => Cause::Superseded,
        CauseWord::CessationOfOperation => Cause::CessationOfOperation,
        CauseWord::PrivilegeWithdrawn => Cause::PrivilegeWithdrawn,
    }
}

fn failed(error: RevokedError) -> Failure {
    Failure::of(&error)
}
