//! `steward inventory`: questions to the database, without the service.

use std::fs::File;
use std::io::{BufWriter, Write};

use super::Environment;
use crate::cli::records::{Database, Inventory as Command};
use crate::failure::Failure;
use crate::inventory::export::Format;
use crate::inventory::{Filter, Inventory, InventoryError, Record, Settings};
use crate::output;

/// Runs a command.
pub fn run(command: Command, environment: &Environment) -> Result<(), Failure> {
    super::block_on(async {
        match command {
            Command::List { database, filter, json } => {
                list(&open(database, environment).await?, &filter, json).await
            }
            Command::Show { database, id } => show(&open(database, environment).await?, &id).await,
            Command::Export { database, filter, format, output } => {
                let inventory = open(database, environment).await?;
                match output {
                    None => export(&inventory, &filter, format, &mut std::io::stdout().lock()).await,
                    Some(path) => {
                        let failed =
                            |error| Failure::refused(format!("cannot write `{}`: {error}", path.display()));
                        let mut file = BufWriter::new(File::create_new(&path).map_err(failed)?);
                        export(&inventory, &filter, format, &mut file).await?;
                        file.flush().map_err(failed)
                    }
                }
            }
            Command::Purge { database, before } => {
                if before > (environment.clock)() {
                    return Err(Failure::refused(
                        "the time lies ahead: records of valid certificates would go",
                    ));
                }
                let gone = open(database, environment).await?.purge(before).await.map_err(failed)?;
                output::data(&format!("{gone} records removed\n"));
                Ok(())
            }
        }
    })
}

/// Opens the database of the settings, or the one that is named.
pub async fn open(database: Database, environment: &Environment) -> Result<Inventory, Failure> {
    let settings = match database.database {
        Some(url) => Settings::of(url),
        None => super::settings(database.configured, environment)?.inventory.ok_or_else(|| {
            Failure::refused("the settings name no inventory")
                .hint("set `inventory.url`, or give `--database`".to_owned())
        })?,
    };
    Inventory::open(&settings).await.map_err(failed)
}

async fn list(inventory: &Inventory, filter: &Filter, json: bool) -> Result<(), Failure> {
    let page = inventory.query(filter).await.map_err(failed)?;
    if json {
        let text = serde_json::to_string_pretty(&page).map_err(|error| Failure::broken(error.to_string()))?;
        output::data(&format!("{text}\n"));
        return Ok(());
    }
    for record in &page.records {
        output::data(&line(record));
    }
    if let Some(next) = page.next {
        output::data(&format!("more: --before {next}\n"));
    }
    Ok(())
}

/// One record in one line.
fn line(record: &Record) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_else(|| "-".to_owned());
    let what = match &record.code {
        Some(code) if record.checks.is_empty() => code.clone(),
        Some(code) => format!("{code} ({})", record.checks.join(", ")),
        None => text(&record.serial),
    };
    let workload = record.workload.as_ref().map_or("-", |digest| &digest[..digest.len().min(16)]);
    let (tee, profile) = (text(&record.tee), text(&record.profile));
    format!(
        "{}  {}  {:8} {profile:12} {tee:10} {workload:16} {what}\n",
        record.id,
        record.time,
        record.outcome.word()
    )
}

async fn show(inventory: &Inventory, id: &str) -> Result<(), Failure> {
    let by_serial = async || {
        let filter = Filter { serial: Some(id.to_owned()), ..Filter::default() };
        Ok::<_, InventoryError>(inventory.query(&filter).await?.records.pop())
    };
    let found = match inventory.find(id).await.map_err(failed)? {
        Some(record) => Some(record),
        None => by_serial().await.map_err(failed)?,
    };
    let record = found.ok_or_else(|| Failure::refused(format!("there is no record `{id}`")))?;
    let text = serde_json::to_string_pretty(&record).map_err(|error| Failure::broken(error.to_string()))?;
    output::data(&format!("{text}\n"));
    Ok(())
}

async fn export(
    inventory: &Inventory,
    filter: &Filter,
    format: Format,
    out: &mut impl Write,
) -> Result<(), Failure> {
    inventory.export(filter, format, out).await.map(|_| ()).map_err(|error| Failure::of(&error))
}

fn failed(error: InventoryError) -> Failure {
    Failure::of(&error)
}
