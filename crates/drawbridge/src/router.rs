//! Every route: the table of contents of what is served.

use crate::app::Shared;
use crate::{oci, routes};
use axum::Router;

/// Every route.
pub fn router(app: Shared) -> Router {
    routes::router().merge(oci::router()).with_state(app)
}
