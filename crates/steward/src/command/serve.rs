//! `steward serve`.

use super::Environment;
use crate::app::App;
use crate::failure::Failure;
use crate::issue::{Grade, check_clock};
use crate::policy::live::LOOK;
use crate::profiles::{Entry, THROWAWAY};
use crate::router;
use crate::settings::Settings;
use service::lifecycle;
use service::server::{ServeError, Service};
use service::tls::Tls;
use std::sync::Arc;
use std::time::Duration;

/// How often the cache of endorsements is looked after.
const TEND: Duration = Duration::from_secs(60);

/// Serves until told to stop.
pub fn run(settings: Settings, environment: &Environment) -> Result<(), Failure> {
    service::log::start(&settings.server.log).map_err(Failure::refused)?;
    lifecycle::raise_descriptors();
    let served = lifecycle::block_on(serve(settings, environment));
    served.map_err(|error| Failure::broken(error.to_string()))?
}

async fn serve(settings: Settings, environment: &Environment) -> Result<(), Failure> {
    let app = App::open(&settings, environment).await?;
    for entry in app.profiles.iter() {
        tell(entry, app.now());
    }
    let service = start(&settings)?;
    app.count_in(service.metrics());
    let watched = app.clone();
    service.readiness().check("authority", move || {
        let late = |entry: &Arc<Entry>| check_clock(&entry.issuers().newest, watched.now()).err();
        watched.profiles.iter().find_map(late).map_or(Ok(()), |refusal| Err(refusal.to_string()))
    });
    let watched = app.clone();
    service.readiness().check("records", move || watched.recording());
    let bound = service.bind().map_err(failed)?;
    tokio::spawn(tend(app.clone()));
    tokio::spawn(look(app.clone()));
    let reload = || {
        let told = app.clone();
        tokio::spawn(async move {
            told.look_at_policies().await;
            reload_revocations(&told).await;
        });
        app.profiles.reload();
        if let Err(failure) = app.library.reload() {
            tracing::error!(%failure, "the endorsements at hand stay as they were");
        }
    };
    bound.run(router::router(app.clone()), reload, lifecycle::stopped()).await;
    Ok(())
}

fn start(settings: &Settings) -> Result<Service, Failure> {
    let server = settings.server.clone();
    let throwaway = settings.profiles.values().all(|profile| profile.key.as_deref() == Some(THROWAWAY));
    if server.tls.is_some() || !throwaway {
        if server.tls.is_none() {
            tracing::warn!("no TLS is set: only a proxy that ends TLS may reach this server");
        }
        return Service::new("steward", server).map_err(failed);
    }
    let (tls, certificate) =
        Tls::self_made(&["localhost".to_owned()]).map_err(|error| failed(error.into()))?;
    tracing::warn!(
        "TLS with a throw-away certificate:\n{}",
        attest::pem::encode("CERTIFICATE", &certificate)
    );
    Ok(Service::with_tls("steward", server, Some(tls)))
}

/// Says what certificates will be worth.
fn tell(entry: &Entry, now: attest::time::Time) {
    let (name, authority) = (&entry.profile.name, entry.issuers().newest.clone());
    let (issuer, until) = (authority.issuing().common_name(), authority.validity().to);
    tracing::info!(profile = name, grade = ?entry.profile.grade, %until, "certificates are issued by `{issuer}`");
    if entry.profile.grade == Grade::Lab {
        tracing::warn!(profile = name, "certificates of this profile prove nothing to production");
    }
    if entry.policy.in_force().policy.policy.accept.legacy_enarx {
        tracing::warn!(profile = name, "evidence of old keeps is accepted, which proves no workload");
    }
    if let Err(refusal) = check_clock(&authority, now) {
        tracing::error!(profile = name, hint = refusal.hint(), "nothing will be issued: {refusal}");
    }
}

/// Policies come into force soon after their files change.
async fn look(app: Arc<App>) {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        app.look_at_policies().await;
        app.look_at_records().await;
    }
}

async fn reload_revocations(app: &App) {
    if let Err(error) = app.reload_revocations().await {
        tracing::error!(%error, "what is revoked stays as it was");
    }
}

async fn tend(app: Arc<App>) {
    let mut told = None;
    let mut ticks = tokio::time::interval(TEND);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        reload_revocations(&app).await;
        app.expire_records().await;
        // The program's log usually ends up on another machine: lines that are cut off the audit log later are found by it.
        let head = app.audit_head();
        if let Some(head) = head.filter(|_| head != told) {
            tracing::info!(%head, "the audit log is this far");
            told = Some(head);
        }
        let app = app.clone();
        let _ = tokio::task::spawn_blocking(move || {
            app.profiles.reload();
            app.library.tend(app.now());
        })
        .await;
    }
}

fn failed(error: ServeError) -> Failure {
    let hint = match &error {
        ServeError::Listen(error) => error.hint().map(ToOwned::to_owned),
        ServeError::Tls(_) | ServeError::Nowhere => None,
    };
    Failure::of(&error).hint(hint)
}
