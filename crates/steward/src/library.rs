//! Endorsements at hand: shipped with the verifier, kept in a cache on disk, and fetched from vendors when something that a
//! request needs is missing.
//!
//! Requests are judged with what is at hand. Only when that lacks something are vendors asked: once for all requests that
//! need the same, on threads of their own, with bounded patience, and not again for a while after they failed. What was
//! fetched is fetched anew in the background before it grows stale, so that a vendor's outage is not noticed until what is
//! here has become too old for the policy.

use crate::failure::Failure;
use crate::memory::Remembered;
use crate::settings::{DevelopmentVendor, EndorsementSettings};
use attest::carrier::Submission;
use attest::dcap::pck::Pck;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::roots::{Anchor, Grade, Vendor};
use attest::snp::tcb::{Line, Tcb};
use attest::time::Time;
use attest::x509::certificate::Certificate;
use endorsement::cache::Store;
use endorsement::fetch::{Client, Patience};
use endorsement::pcs::{Environment, Update};
use endorsement::{Wanted, cache, file, kds, pcs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// How long a vendor is left alone after it gave nothing.
const PAUSE_SECONDS: u64 = 30;
/// The most items that are kept fresh.
const TENDED_MOST: usize = 4096;
/// A request waits: less patience than somebody who fills a cache.
const PATIENCE: Patience = Patience {
    attempts: 2,
    timeout: Duration::from_secs(10),
    pause: Duration::from_secs(1),
    pause_most: Duration::from_secs(5),
};

/// What is at hand, and where more comes from.
pub struct Library {
    base: Endorsements,
    current: RwLock<Arc<Endorsements>>,
    cache: Option<PathBuf>,
    /// What the cache's index said when it was read.
    seen: Mutex<Option<Vec<u8>>>,
    vendors: Option<Vendors>,
}

struct Vendors {
    store: Store,
    client: Client,
    kds: String,
    pcs: String,
    update: Update,
    /// When an item could not be had.
    failed: Mutex<BTreeMap<String, Time>>,
    /// Items that are kept fresh.
    tended: Mutex<BTreeMap<String, Wanted>>,
}

impl Library {
    /// Reads the cache, and prepares to fetch if settings allow it.
    pub fn open(settings: &EndorsementSettings) -> Result<Self, Failure> {
        let shipped = Endorsements::shipped().map_err(|error| Failure::broken(error.to_string()))?;
        let mut base = shipped.remembering(Arc::new(Remembered::default()));
        for (vendor, path) in &settings.development_roots {
            for certificate in roots(path)? {
                base.add_anchor(Anchor { vendor: (*vendor).into(), grade: Grade::Development, certificate });
            }
        }
        let vendors = match (&settings.cache, settings.fetch) {
            (Some(directory), true) => Some(Vendors {
                store: Store::open(directory).map_err(|error| Failure::of(&error))?,
                client: Client::new(PATIENCE),
                kds: settings.kds.clone().unwrap_or_else(|| kds::AMD.to_owned()),
                pcs: settings.pcs.clone().unwrap_or_else(|| pcs::INTEL.to_owned()),
                update: if settings.early { Update::Early } else { Update::Standard },
                failed: Mutex::default(),
                tended: Mutex::default(),
            }),
            _ => None,
        };
        let current = RwLock::new(Arc::new(base.clone()));
        let library = Self { base, current, cache: settings.cache.clone(), seen: Mutex::default(), vendors };
        library.reload()?;
        Ok(library)
    }

    /// What is at hand.
    pub fn current(&self) -> Arc<Endorsements> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the cache again if its index changed; whoever fills it may be another program. A fault leaves things as they are.
    pub fn reload(&self) -> Result<bool, Failure> {
        let Some(directory) = self.cache.as_ref().filter(|directory| directory.exists()) else {
            return Ok(false);
        };
        let index = std::fs::read(directory.join(cache::INDEX)).ok();
        let mut seen = lock(&self.seen);
        if index.is_some() && *seen == index {
            return Ok(false);
        }
        let mut endorsements = self.base.clone();
        for item in file::read(directory).map_err(|error| Failure::of(&error))? {
            item.add_to(&mut endorsements).map_err(|error| Failure::refused(error.to_string()))?;
        }
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(endorsements);
        *seen = index;
        Ok(true)
    }

    /// What vendors could add for this submission, leaving out what they just failed to give.
    pub fn wanted(&self, submission: &Submission, now: Time) -> Vec<Wanted> {
        let Some(vendors) = &self.vendors else { return Vec::new() };
        let mut wanted = BTreeMap::new();
        for evidence in &submission.evidence {
            wanted.extend(vendors.wanted(evidence).into_iter().map(|wanted| (wanted.name.clone(), wanted)));
        }
        let failed = lock(&vendors.failed);
        let tried = |name: &String| failed.get(name).is_some_and(|at| now.since(*at) < PAUSE_SECONDS);
        wanted.into_iter().filter(|(name, _)| !tried(name)).map(|(_, wanted)| wanted).collect()
    }

    /// Asks vendors; blocks. Says whether anything is at hand that was not.
    pub fn fetch(&self, wanted: &[Wanted], now: Time) -> bool {
        let Some(vendors) = &self.vendors else { return false };
        for wanted in wanted {
            match vendors.store.obtain(wanted, &vendors.client, now) {
                Ok(obtained) => {
                    if let cache::State::Stale { error, .. } = obtained.state {
                        vendors.failed(wanted, now, &error);
                    }
                    let mut tended = lock(&vendors.tended);
                    if tended.len() < TENDED_MOST && wanted.kind != endorsement::Kind::Certificate {
                        tended.insert(wanted.name.clone(), wanted.clone());
                    }
                }
                Err(error) => vendors.failed(wanted, now, &error),
            }
        }
        self.reload().unwrap_or_else(|failure| {
            tracing::error!(%failure, "the endorsements at hand stay as they were");
            false
        })
    }

    /// Fetches anew what grows stale; blocks.
    pub fn tend(&self, now: Time) {
        let tended = self.vendors.as_ref().map(|vendors| lock(&vendors.tended).values().cloned().collect());
        let tended: Vec<Wanted> = tended.unwrap_or_default();
        match tended.is_empty() {
            false => {
                self.fetch(&tended, now);
            }
            true => match self.reload() {
                Ok(true) => tracing::info!("read the cache of endorsements again"),
                Ok(false) => {}
                Err(failure) => tracing::error!(%failure, "the endorsements at hand stay as they were"),
            },
        }
    }
}

impl Vendors {
    fn wanted(&self, evidence: &Evidence) -> Vec<Wanted> {
        match evidence {
            Evidence::Snp(evidence) => {
                let report = &evidence.report;
                // Reports before version 3 do not name their product line.
                let Some(line) = report.cpuid.and_then(Line::of_cpuid) else { return Vec::new() };
                let mut all = kds::line(&self.kds, line);
                // A VLEK is given to the cloud provider that it belongs to, and to nobody else.
                if report.signing_key() == 0 {
                    let tcb = Tcb::decode(report.reported_tcb, line);
                    all.push(kds::vcek(&self.kds, line, &report.chip_id, &tcb));
                }
                all
            }
            Evidence::Sgx(evidence) => self.intel(Environment::Sgx, evidence.quote.certificates()),
            Evidence::Tdx(evidence) => self.intel(Environment::Tdx, evidence.quote.certificates()),
            // Their chains come along, or are configured; nobody publishes anything to fetch.
            Evidence::Cca(_) | Evidence::Nitro(_) | Evidence::Vtpm(_) | Evidence::Unattested => Vec::new(),
        }
    }

    fn intel(&self, environment: Environment, certificates: &[Certificate]) -> Vec<Wanted> {
        let pck = certificates.first().and_then(|certificate| Pck::decode(certificate).ok());
        let Some(pck) = pck else { return Vec::new() };
        let mut all = pcs::lists(&self.pcs);
        all.push(pcs::qe_identity(&self.pcs, environment, self.update));
        all.push(pcs::tcb_info(&self.pcs, environment, &pck.fmspc, self.update));
        all
    }

    fn failed(&self, wanted: &Wanted, now: Time, error: &dyn std::error::Error) {
        tracing::warn!(item = wanted.name, %error, "a vendor gave no endorsement");
        let mut failed = lock(&self.failed);
        failed.retain(|_, at| now.since(*at) < PAUSE_SECONDS);
        failed.insert(wanted.name.clone(), now);
    }
}

impl From<DevelopmentVendor> for Vendor {
    fn from(vendor: DevelopmentVendor) -> Self {
        match vendor {
            DevelopmentVendor::Amd => Self::Amd,
            DevelopmentVendor::Intel => Self::Intel,
        }
    }
}

fn roots(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let failed = |reason: String| {
        Failure::refused(format!("cannot read development roots from `{}`: {reason}", path.display()))
    };
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let blocks = attest::pem::decode(&text).map_err(|error| failed(error.to_string()))?;
    let roots = blocks.iter().map(|block| Certificate::decode(&block.bytes));
    roots.collect::<Result<_, _>>().map_err(|error| failed(error.to_string()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
