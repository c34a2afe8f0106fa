//! `drawbridge fsck` and `drawbridge gc`, on a store that no server has open.

use super::{Failure, World, print};
use crate::configuration::Configuration;
use crate::store::{Failpoints, Store};
use serde::Serialize;
use std::process::ExitCode;

pub async fn fsck(configuration: &Configuration, repair: bool) -> Result<ExitCode, Failure> {
    let store = open(configuration).await?;
    let findings = store.check(repair).await?;
    store.index.close().await;
    print(&json(&findings))?;
    Ok(if findings.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

pub async fn collect(configuration: &Configuration, world: &World) -> Result<ExitCode, Failure> {
    let store = open(configuration).await?;
    let before = (world.clock)() - i64::from(configuration.garbage_hours) * 3600;
    let collected = store.collect(before).await?;
    store.index.close().await;
    print(&json(&collected))?;
    Ok(ExitCode::SUCCESS)
}

async fn open(configuration: &Configuration) -> Result<Store, Failure> {
    Ok(Store::open(&configuration.store, configuration.database.as_deref(), Failpoints::default()).await?)
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
