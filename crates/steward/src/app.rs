//! What all requests share, and how one of them is certified: decode, spend the nonce, judge, issue, record.

use crate::acme;
use crate::ca::Authority;
use crate::certify::{Circumstances, Rules, certify, judge};
use crate::command::Environment;
use crate::error::{self, mistake};
use crate::failure::Failure;
use crate::inventory::Inventory;
use crate::inventory::revoked::{Revoked, RevokedError};
use crate::issue::Issued;
use crate::issue::serial::Serial;
use crate::library::Library;
use crate::nonce::{Nonces, Verdict};
use crate::policy::live::{InForce, Look};
use crate::profiles::{Entry, Profiles};
use crate::records::{Asked, Records, RecordsError};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::revocation::Revocations;
use crate::routes::hex;
use crate::routes::operator::Operators;
use crate::settings::{AuditSettings, Settings};
use crate::status::Lists;
use attest::carrier::Submission;
use attest::reason::Class;
use attest::result::AttestationResult;
use attest::time::Time;
use bytes::Bytes;
use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use service::audit;
use service::metrics::{Metrics, Reason};
use service::offload::{Offload, OffloadError};
use service::problem::Problem;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;

/// Threads that ask vendors, and requests that wait for one.
const FETCHERS: usize = 4;
const FETCHES_WAITING: usize = 64;

/// What all requests share.
pub struct App {
    /// The kinds of certificates.
    pub profiles: Profiles,
    /// Endorsements.
    pub library: Library,
    /// Nonces.
    pub nonces: Nonces,
    /// Revocation lists that were signed.
    pub lists: Lists,
    /// Whether anybody may read the policies' text.
    pub disclose_policy: bool,
    /// Who may ask what the inventory knows.
    pub operators: Operators,
    /// ACME, if it is served.
    pub acme: Option<acme::Settings>,
    environment: Environment,
    revocations: RwLock<Arc<Revocations>>,
    crypto: Offload,
    vendors: Offload,
    records: Records,
    revoked: Option<Revoked>,
    fetching: Mutex<HashMap<String, watch::Receiver<()>>>,
    issued: Counter,
    refused: Family<Reason, Counter>,
    stale: Gauge,
    /// Why the inventory does not answer.
    unwritable: Mutex<Option<String>>,
}

/// Who asks, and what was sent.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The request's id, as in the log.
    pub id: Arc<str>,
    /// Where it came from.
    pub address: Option<IpAddr>,
    /// The body as it came.
    pub body: Bytes,
    /// Whether its nonce was a challenge's, which whoever asks has recognised.
    pub challenged: bool,
}

/// A certificate, and what it was issued upon.
#[derive(Debug)]
pub struct Certified {
    /// What was proven.
    pub result: AttestationResult,
    /// The certificate.
    pub issued: Issued,
    /// Who issued it.
    pub authority: Arc<Authority>,
    /// The checks that the policy to come would have failed.
    pub warnings: Vec<&'static str>,
}

/// Why a request has no certificate.
#[derive(Debug)]
pub enum Denied {
    /// It is refused.
    Refused(Box<Refusal>),
    /// Something is not as it should be, with the service or with how it was asked.
    Problem(Box<Problem>),
}

impl App {
    /// Opens everything that settings name.
    pub async fn open(settings: &Settings, environment: &Environment) -> Result<Arc<Self>, Failure> {
        let threads = match settings.crypto.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let start = |name, threads, queue| {
            Offload::start(name, threads, queue).map_err(|error| Failure::broken(error.to_string()))
        };
        let records = records(settings, (environment.clock)()).await?;
        let file = || settings.revocations.clone().map(Revoked::File);
        let app = Arc::new(Self {
            profiles: Profiles::open(settings, environment)?,
            library: Library::open(&settings.endorsements)?,
            nonces: nonces(settings)?,
            lists: Lists::default(),
            disclose_policy: settings.disclose_policy,
            operators: settings.operators.clone(),
            acme: settings.acme.clone(),
            environment: environment.clone(),
            revocations: RwLock::default(),
            crypto: start("crypto", threads, settings.crypto.queue)?,
            vendors: start("vendors", FETCHERS, FETCHES_WAITING)?,
            fetching: Mutex::default(),
            issued: Counter::default(),
            refused: Family::default(),
            stale: Gauge::default(),
            unwritable: Mutex::default(),
            revoked: records.inventory.clone().map(Revoked::Inventory).or_else(file),
            records,
        });
        app.reload_revocations().await.map_err(|error| Failure::of(&error))?;
        Ok(app)
    }

    /// Registers what is counted.
    pub fn count_in(&self, metrics: &Metrics) {
        metrics.register(|registry| {
            registry.register("issued", "Certificates issued", self.issued.clone());
            registry.register("refused", "Requests refused", self.refused.clone());
            registry.register("policy_stale", "Policies whose file cannot be used", self.stale.clone());
        });
    }

    /// The clock.
    pub fn now(&self) -> Time {
        (self.environment.clock)()
    }

    /// Everything that is revoked.
    pub fn revocations(&self) -> Arc<Revocations> {
        self.revocations.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where revocations are kept.
    pub fn revoked(&self) -> Option<&Revoked> {
        self.revoked.as_ref()
    }

    /// Reads again what is revoked; the audit log tells of what changed.
    pub async fn reload_revocations(&self) -> Result<(), RevokedError> {
        let Some(revoked) = &self.revoked else { return Ok(()) };
        let fresh = Arc::new(revoked.load().await?);
        if *fresh == *self.revocations() {
            // Lists that were signed for the same stay good.
            return Ok(());
        }
        let before = std::mem::replace(
            &mut *self.revocations.write().unwrap_or_else(PoisonError::into_inner),
            fresh.clone(),
        );
        for (kind, one, other) in
            [("revocation.seen", &fresh, &before), ("revocation.undone", &before, &fresh)]
        {
            let changed = one.iter().filter(|(subject, _)| other.find(subject).is_none());
            for (subject, revocation) in changed {
                let entry = serde_json::json!({
                    "subject": subject.to_string(), "at": revocation.at, "cause": revocation.cause,
                });
                self.tell(kind, &entry).await;
            }
        }
        Ok(())
    }

    /// Looks at the policies' files; the audit log tells of what came into force.
    pub async fn look_at_policies(self: &Arc<Self>) {
        let app = self.clone();
        let look = move || {
            let changed = |entry: &&Arc<Entry>| matches!(entry.policy.look(), Look::Changed);
            app.profiles.iter().filter(changed).cloned().collect::<Vec<_>>()
        };
        for entry in tokio::task::spawn_blocking(look).await.unwrap_or_default() {
            let in_force = entry.policy.in_force();
            let next = in_force.next.as_ref().map(|next| hex(&next.policy.digest()));
            let policy = hex(&in_force.policy.policy.digest());
            let told = serde_json::json!({"profile": entry.profile.name, "policy": policy, "next": next});
            self.tell("policy.changed", &told).await;
        }
        let stale = |entry: &&Arc<Entry>| entry.policy.counts().stale.load(Relaxed) != 0;
        self.stale.set(self.profiles.iter().filter(stale).count() as i64);
    }

    /// Whether decisions can be written down, for readiness.
    pub fn recording(&self) -> Result<(), String> {
        match &*self.unwritable.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(error) => Err(error.clone()),
        }
    }

    /// Looks whether the inventory answers.
    pub async fn look_at_records(&self) {
        let Some(inventory) = &self.records.inventory else { return };
        let found = inventory.check().await.err().map(|error| error.to_string());
        let mut known = self.unwritable.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &found) {
            (None, Some(error)) => {
                tracing::error!(error, "decisions cannot be written down, and nothing is issued")
            }
            (Some(_), None) => tracing::info!("decisions can be written down again"),
            _ => {}
        }
        *known = found;
    }

    /// The last line of the audit log.
    pub fn audit_head(&self) -> Option<audit::Head> {
        Some(self.records.audit.as_ref()?.head())
    }

    /// Removes records that are older than the settings keep them.
    pub async fn expire_records(&self) {
        let Some(inventory) = &self.records.inventory else { return };
        match inventory.expire(self.now()).await {
            Ok(0) => {}
            Ok(gone) => self.tell("inventory.purged", &serde_json::json!({ "records": gone })).await,
            Err(error) => tracing::error!(%error, "old records cannot be removed"),
        }
    }

    async fn tell(&self, kind: &'static str, entry: &serde_json::Value) {
        if let Err(error) = self.records.tell(self.now(), kind, entry).await {
            tracing::error!(%error, kind, "the audit log could not be told");
        }
    }

    /// Where decisions are written down.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// The profile of this name, or the default.
    pub fn profile(&self, name: Option<&str>) -> Result<&Arc<Entry>, Problem> {
        self.profiles.find(name).ok_or_else(|| {
            let known: Vec<&str> = self.profiles.iter().map(|entry| entry.profile.name.as_str()).collect();
            mistake(StatusCode::NOT_FOUND, "profile", "there is no such profile")
                .hint(format!("profiles: {}", known.join(", ")))
        })
    }

    /// Runs work on the threads that verify and sign.
    pub async fn crypto<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OffloadError> {
        self.crypto.run(work).await
    }

    /// The whole way of one request.
    pub async fn certify(
        self: &Arc<Self>,
        asking: &Asking,
        request: Result<Request, Refusal>,
        profile: &Arc<Entry>,
    ) -> Result<Certified, Denied> {
        let in_force = profile.policy.in_force();
        let attempted = match &request {
            Ok(request) => self.judge_and_issue(request, profile, &in_force, asking.challenged).await,
            Err(refusal) => Err(Denied::Refused(Box::new(refusal.clone()))),
        };
        let address = asking.address.map(|address| address.to_string());
        let asked = Asked {
            now: self.now(),
            random: random()?.first_chunk().copied().unwrap_or_default(),
            id: Some(&asking.id),
            address: address.as_deref(),
            body: &asking.body,
            request: request.as_ref().ok(),
            profile: Some(&profile.profile),
            policy: &in_force.policy.policy.digest(),
        };
        match &attempted {
            Ok(certified) => {
                let record = asked.issued(&certified.result, &certified.issued, &certified.warnings);
                self.records.keep(record, &asking.body).await.map_err(unrecorded)?;
                self.issued.inc();
            }
            Err(Denied::Refused(refusal)) => {
                self.refused.get_or_create(&Reason { reason: refusal.code() }).inc();
                if let Err(error) = self.records.keep(asked.refused(refusal), &asking.body).await {
                    tracing::error!(%error, "a refusal could not be written down");
                }
            }
            Err(Denied::Problem(_)) => {}
        }
        attempted
    }

    /// Tries with the endorsements at hand, and once more with what vendors have.
    async fn judge_and_issue(
        self: &Arc<Self>,
        request: &Request,
        profile: &Arc<Entry>,
        in_force: &Arc<InForce>,
        challenged: bool,
    ) -> Result<Certified, Denied> {
        let nonce_fresh = challenged || self.spend_nonce(request).await?;
        let attempt = || self.attempt(request.clone(), profile.clone(), in_force.clone(), nonce_fresh);
        match attempt().await {
            Err(Denied::Refused(refusal))
                if lacks_endorsements(&refusal) && self.fetch(request.submission()).await =>
            {
                attempt().await
            }
            attempted => attempted,
        }
    }

    /// Judges evidence that answers a challenge, whose nonce was recognised, and issues nothing.
    pub async fn judge(self: &Arc<Self>, submission: Submission, profile: &Arc<Entry>) -> Result<(), Denied> {
        let attempt = || {
            let (app, entry, submission) = (self.clone(), profile.clone(), submission.clone());
            self.crypto(move || {
                let in_force = entry.policy.in_force();
                let (endorsements, revocations) = (app.library.current(), app.revocations());
                let rules = Rules {
                    policy: &in_force.policy.policy,
                    measurements: &entry.measurements,
                    endorsements: &endorsements,
                    revocations: &revocations,
                };
                judge(&submission, &rules, true, app.now())
            })
        };
        let judged = match attempt().await? {
            Err(refusal) if lacks_endorsements(&refusal) && self.fetch(&submission).await => {
                attempt().await?
            }
            judged => judged,
        };
        Ok(judged.map(|_| ())?)
    }

    /// Judges and issues, on the threads for it.
    async fn attempt(
        self: &Arc<Self>,
        request: Request,
        entry: Arc<Entry>,
        in_force: Arc<InForce>,
        nonce_fresh: bool,
    ) -> Result<Certified, Denied> {
        let app = self.clone();
        let work = move || {
            let serial = Serial::random(random()?);
            let (endorsements, revocations) = (app.library.current(), app.revocations());
            let rules = |policy| Rules {
                policy,
                measurements: &entry.measurements,
                endorsements: &endorsements,
                revocations: &revocations,
            };
            let (authority, now) = (entry.issuers().newest.clone(), app.now());
            let circumstances = Circumstances { nonce_fresh, now, serial: &serial };
            let policy = &in_force.policy.policy;
            let (result, issued) =
                certify(&request, &entry.profile, &authority, &rules(policy), circumstances)?;
            let next = in_force.next.as_ref();
            let next = next.map(|next| judge(request.submission(), &rules(&next.policy), nonce_fresh, now));
            let warnings = next.and_then(Result::err).map(|refusal| warnings(&refusal)).unwrap_or_default();
            Ok(Certified { result, issued, authority, warnings })
        };
        self.crypto(work).await?
    }

    /// Whether the nonce of the keep's claims is ours and was not spent before; it is now. Replicas with an inventory share
    /// what is spent.
    async fn spend_nonce(&self, request: &Request) -> Result<bool, Denied> {
        let Some(nonce) = request.nonce() else { return Ok(false) };
        let now = self.now();
        if let Some(inventory) = &self.records.inventory {
            let Some(expires) = self.nonces.recognise(nonce, now) else { return Ok(false) };
            let spent = inventory.spend_nonce(nonce, expires, now).await;
            return spent.map_err(|error| unrecorded(error.into()));
        }
        match self.nonces.spend(nonce, now) {
            Verdict::Stale => Ok(false),
            Verdict::Fresh => Ok(true),
            Verdict::Full => {
                Err(mistake(StatusCode::SERVICE_UNAVAILABLE, "nonce.full", "too many nonces are spent")
                    .retry_after(Duration::from_secs(30))
                    .into())
            }
        }
    }

    /// Asks vendors for what the request's evidence needs; whoever needs the same waits for the same answer. Says whether
    /// trying again makes sense.
    async fn fetch(self: &Arc<Self>, submission: &Submission) -> bool {
        let wanted = self.library.wanted(submission, self.now());
        if wanted.is_empty() {
            return false;
        }
        let key: String = wanted.iter().map(|wanted| wanted.name.as_str()).collect::<Vec<_>>().join(" ");
        let flight =
            |app: &Self| app.fetching.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(mut landed) = flight(self) {
            // An error says that the sender is gone: the flight has landed.
            let _ = landed.changed().await;
            return true;
        }
        let (_landing, landed) = watch::channel(());
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), landed);
        let app = self.clone();
        let fetched = self.vendors.run(move || app.library.fetch(&wanted, app.now())).await;
        self.fetching.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        fetched.unwrap_or(false)
    }
}

/// The checks that a refusal names, each once.
fn warnings(refusal: &Refusal) -> Vec<&'static str> {
    let mut ids: Vec<&'static str> = Vec::new();
    match refusal.checks() {
        Some(checks) => ids.extend(checks.failures().map(|check| check.reason.id())),
        None => ids.push(refusal.code()),
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// What cannot be written down is not issued.
fn unrecorded(error: RecordsError) -> Denied {
    tracing::error!(%error, "a decision could not be written down");
    mistake(StatusCode::SERVICE_UNAVAILABLE, "records", "the decision could not be written down")
        .hint("try again later")
        .retry_after(Duration::from_secs(5))
        .into()
}

async fn records(settings: &Settings, now: Time) -> Result<Records, Failure> {
    let audit = match &settings.audit {
        None => None,
        Some(AuditSettings { directory, rotate_bytes, sync }) => {
            let settings =
                audit::Settings { directory: directory.clone(), rotate_bytes: *rotate_bytes, sync: *sync };
            Some(audit::Log::open(settings, now).map_err(|error| Failure::of(&error))?.0)
        }
    };
    let inventory = match &settings.inventory {
        None => None,
        Some(settings) => Some(Inventory::open(settings).await.map_err(|error| Failure::of(&error))?),
    };
    Ok(Records { audit, inventory })
}

/// Whether vendors may have what is lacking.
fn lacks_endorsements(refusal: &Refusal) -> bool {
    refusal.checks().is_some_and(|checks| checks.failures().any(|check| check.reason.class() == Class::Stale))
}

fn nonces(settings: &Settings) -> Result<Nonces, Failure> {
    let nonce = &settings.nonce;
    let key = match &nonce.key {
        Some(path) => std::fs::read(path).map_err(|error| {
            Failure::refused(format!("cannot read the key of nonces `{}`: {error}", path.display()))
        })?,
        None => [random(), random()]
            .into_iter()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Failure::broken("there is no randomness"))?
            .concat(),
    };
    Nonces::new(&key, nonce.lifetime_seconds, nonce.spent_most)
        .map_err(|error| Failure::of(&error).hint("`head -c 32 /dev/urandom` makes one".to_owned()))
}

/// Sixteen random bytes.
pub fn random() -> Result<[u8; 16], Refusal> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Refusal::Signing(crate::ca::SigningError::Provider))?;
    Ok(random)
}

impl Denied {
    /// As an answer, with the statuses of the old Steward if wanted.
    pub fn problem(self, old: bool) -> Problem {
        match self {
            Self::Refused(refusal) if old => error::old_problem(&refusal),
            Self::Refused(refusal) => error::problem(&refusal),
            Self::Problem(problem) => *problem,
        }
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<OffloadError> for Denied {
    fn from(error: OffloadError) -> Self {
        Self::Problem(Box::new(error.into()))
    }
}

impl From<Problem> for Denied {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}
