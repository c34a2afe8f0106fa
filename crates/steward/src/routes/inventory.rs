//! `GET /v1/inventory`: what was issued and refused, for operators.

use super::operator::Operator;
use super::{answer, negotiate};
use crate::app::App;
use crate::error::mistake;
use crate::inventory::export::{Format, header, write};
use crate::inventory::{Filter, Inventory, InventoryError};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use service::problem::Problem;
use std::sync::Arc;

const JSON: &str = "application/json";
const CSV: &str = "text/csv";

/// Answers one page, newest first.
pub async fn list(
    State(app): State<Arc<App>>,
    _: Operator,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let media = negotiate(&headers, &[JSON, CSV])?;
    let page = inventory(&app)?.query(&filter).await.map_err(failed)?;
    if media == JSON {
        return Ok(answer(JSON, "no-store", Json(page)));
    }
    let mut csv = header().into_bytes();
    // Writing to memory does not fail.
    let _ = page.records.iter().try_for_each(|record| write(record, Format::Csv, &mut csv));
    Ok(answer(CSV, "no-store", csv))
}

/// Answers one record.
pub async fn find(
    State(app): State<Arc<App>>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    match inventory(&app)?.find(&id).await.map_err(failed)? {
        Some(record) => Ok(answer(JSON, "no-store", Json(record))),
        None => Err(mistake(StatusCode::NOT_FOUND, "inventory.record", "there is no such record")),
    }
}

fn inventory(app: &App) -> Result<&Inventory, Problem> {
    app.records().inventory.as_ref().ok_or_else(|| {
        mistake(StatusCode::NOT_FOUND, "inventory.none", "this Steward keeps no inventory")
            .hint("set `inventory.url`")
    })
}

fn failed(error: InventoryError) -> Problem {
    match error {
        InventoryError::Filter { .. } => {
            mistake(StatusCode::BAD_REQUEST, "inventory.filter", error.to_string())
        }
        _ => {
            tracing::error!(%error, "the inventory did not answer");
            mistake(StatusCode::SERVICE_UNAVAILABLE, "inventory", "the inventory did not answer")
        }
    }
}
