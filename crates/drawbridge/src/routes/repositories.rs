//! Repositories.

use super::{JSON_LIMIT, allowed, json, repository, short};
use crate::access::{self, Action};
use crate::app::Shared;
use crate::caller::Caller;
use crate::error::Refusal;
use crate::settings::Settings;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use service::address::Peer;

type Names = Path<(String, String, String)>;

/// `GET`: to the owner.
pub async fn show(
    State(app): State<Shared>,
    Path((_, user, name)): Names,
    request: Request,
) -> Result<Response, Refusal> {
    let name = repository(&user, &name)?;
    let (parts, _) = request.into_parts();
    let (settings, _) = allowed(&app, &parts, &name, Action::Own).await?;
    Ok(json(settings.to_json()))
}

/// `PUT`: makes one.
pub async fn create(
    State(app): State<Shared>,
    Path((_, user, name)): Names,
    request: Request,
) -> Result<Response, Refusal> {
    let name = repository(&user, &name)?;
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&app, &parts.headers, parts.extensions.get::<Peer>()).await?;
    access::decide(&name, &Settings::default(), &caller, Action::Own, app.now())?;
    let (_, text) = short(&parts.headers, body, JSON_LIMIT).await?;
    let settings = settings(&text)?;
    match app.store.index.create_repository(&name, &settings, app.now()).await? {
        true => Ok(StatusCode::CREATED.into_response()),
        false if app.repository(&name).await?.settings == settings => Ok(StatusCode::OK.into_response()),
        false => Err(Refusal::Exists(format!("repository `{name}`"))),
    }
}

/// `PATCH`: other settings for one. All of them: what is left out is as if it had never been said.
pub async fn change(
    State(app): State<Shared>,
    Path((_, user, name)): Names,
    request: Request,
) -> Result<Response, Refusal> {
    let name = repository(&user, &name)?;
    let (parts, body) = request.into_parts();
    allowed(&app, &parts, &name, Action::Own).await?;
    let (_, text) = short(&parts.headers, body, JSON_LIMIT).await?;
    let settings = settings(&text)?;
    app.store.index.set_settings(&name, &settings).await?;
    Ok(json(settings.to_json()))
}

fn settings(text: &[u8]) -> Result<Settings, Refusal> {
    let settings: Settings = serde_json::from_slice(text)
        .map_err(|error| Refusal::Body(format!("the settings are not understood: {error}")))?;
    match settings.public && settings.release.is_some() {
        true => Err(Refusal::Body(
            "a public repository is released to everybody, so it has no release policy".into(),
        )),
        false => Ok(settings),
    }
}
