//! Users.

use super::{JSON_LIMIT, json, named, short};
use crate::app::Shared;
use crate::caller::Caller;
use crate::error::Refusal;
use api::name::User;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use service::address::Peer;

/// `GET /<user>`: to the user.
pub async fn show(
    State(app): State<Shared>,
    Path((_, user)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let user: User = named(&user)?;
    let caller = Caller::of(&app, request.headers(), request.extensions().get::<Peer>()).await?;
    match &caller.token {
        None => Err(Refusal::Unauthenticated("only the user may see this")),
        Some(token) if token.holder != user.as_str() => Err(Refusal::Missing("user")),
        Some(_) => {
            let row = app.store.index.user(user.as_str()).await?.ok_or(Refusal::Missing("user"))?;
            let text = serde_json::json!({ "subject": row.subject, "used": row.used, "quota": row.quota });
            Ok(json(text.to_string()))
        }
    }
}

/// `PUT /<user>`: users are made by the operator.
pub async fn create(
    State(app): State<Shared>,
    Path((_, user)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let user: User = named(&user)?;
    let (parts, body) = request.into_parts();
    let caller = Caller::of(&app, &parts.headers, parts.extensions.get::<Peer>()).await?;
    short(&parts.headers, body, JSON_LIMIT).await?;
    if caller.token.is_none() {
        return Err(Refusal::Unauthenticated("only an operator may do this"));
    }
    match app.store.index.user(user.as_str()).await? {
        Some(_) => Err(Refusal::Exists(format!("user `{user}`"))),
        None => Err(Refusal::Denied {
            code: "operator-only",
            detail: "users are made by the operator, with `drawbridge user add`".into(),
        }),
    }
}
