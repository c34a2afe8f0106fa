//! The kinds of certificates that are issued: each with its authority, its policy and its template.

use crate::ca::Authority;
use crate::ca::ceremony::throwaway;
use crate::ca::directory::{Directory, Generations, read_certificates};
use crate::ca::pkcs11::{AddressError, Libraries};
use crate::ca::source::{KeySource, Surroundings};
use crate::command::Environment;
use crate::failure::Failure;
use crate::issue::serial::Serial;
use crate::issue::template::Template;
use crate::issue::{Grade, Profile};
use crate::policy::live::Live;
use crate::settings::{ProfileSettings, Settings};
use attest::time::Time;
use attest::x509::certificate::Certificate;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

/// All profiles.
pub struct Profiles {
    entries: Vec<Arc<Entry>>,
    default: usize,
    environment: Environment,
    libraries: Libraries,
}

/// One profile, ready to issue.
pub struct Entry {
    /// How certificates are issued.
    pub profile: Profile,
    /// Which platforms are good enough; may change.
    pub policy: Live,
    /// Launch measurements that are accepted; empty leaves it to the policy.
    pub measurements: BTreeSet<Vec<u8>>,
    source: Source,
    issuers: RwLock<Arc<Issuers>>,
}

/// Who issues, and who issued before.
#[derive(Clone, Debug)]
pub struct Issuers {
    /// Who issues.
    pub newest: Arc<Authority>,
    /// All that are valid, the newest first.
    pub all: Vec<Arc<Authority>>,
    /// Their roots; those that overlap are all here.
    pub roots: Vec<Certificate>,
}

/// Where an authority is kept.
enum Source {
    /// A folder with generations of keys.
    Directory(Directory),
    /// One key, one chain; or a throw-away one. Opened once.
    Fixed,
}

impl Profiles {
    /// Opens authorities and policies.
    pub fn open(settings: &Settings, environment: &Environment) -> Result<Self, Failure> {
        let libraries = Libraries::default();
        let variable = |name: &str| environment.variable(name);
        let surroundings = Surroundings { environment: &variable, libraries: &libraries };
        let open = |(name, profile): (&String, &ProfileSettings)| {
            let entry = Entry::open(name, profile, &surroundings, (environment.clock)());
            entry.map(Arc::new).map_err(|failure| failure.within(&format!("profile `{name}`")))
        };
        let entries: Vec<Arc<Entry>> = settings.profiles.iter().map(open).collect::<Result<_, _>>()?;
        roots_differ(&entries)?;
        let default = settings.default_profile.as_ref();
        let default = default.and_then(|name| entries.iter().position(|entry| entry.profile.name == *name));
        Ok(Self { entries, default: default.unwrap_or(0), environment: environment.clone(), libraries })
    }

    /// The profile of this name, or the one of requests that name none.
    pub fn find(&self, name: Option<&str>) -> Option<&Arc<Entry>> {
        match name {
            None => self.entries.get(self.default),
            Some(name) => self.entries.iter().find(|entry| entry.profile.name == name),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter()
    }

    /// Looks for new generations of keys; blocks. A fault leaves a profile as it is.
    pub fn reload(&self) {
        let variable = |name: &str| self.environment.variable(name);
        let surroundings = Surroundings { environment: &variable, libraries: &self.libraries };
        for entry in &self.entries {
            if let Err(failure) = entry.reload(&surroundings, (self.environment.clock)()) {
                tracing::error!(profile = entry.profile.name, %failure, "the authority stays as it was");
            }
        }
    }
}

impl Entry {
    /// Who issues, and who issued before.
    pub fn issuers(&self) -> Arc<Issuers> {
        self.issuers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn open(
        name: &str,
        settings: &ProfileSettings,
        surroundings: &Surroundings<'_>,
        now: Time,
    ) -> Result<Self, Failure> {
        let policy = Live::open(name, &settings.policy, settings.next_policy.as_deref())
            .map_err(|error| Failure::of(&error))?;
        let template = Template::try_from(settings.template.clone())
            .map_err(|error| Failure::of(&error).hint(error.hint().to_owned()))?;
        let measurements = settings.measurements.iter().map(|text| unhex(text)).collect::<Option<_>>();
        let (source, issuers) = authority(name, settings, surroundings, now)?;
        Ok(Self {
            profile: Profile {
                name: name.to_owned(),
                grade: settings.grade,
                lifetime: settings.lifetime_seconds,
                backdate: settings.backdate_seconds,
                template,
            },
            policy,
            measurements: measurements.ok_or_else(|| Failure::refused("a measurement is not hexadecimal"))?,
            source,
            issuers: RwLock::new(Arc::new(issuers)),
        })
    }

    fn reload(&self, surroundings: &Surroundings<'_>, now: Time) -> Result<(), Failure> {
        let Source::Directory(directory) = &self.source else { return Ok(()) };
        let fresh: Issuers = generations(directory, surroundings, now)?.into();
        let mut issuers = self.issuers.write().unwrap_or_else(PoisonError::into_inner);
        if fresh.newest.issuing().der() != issuers.newest.issuing().der() {
            tracing::info!(profile = self.profile.name, "{:?} issues from now on", fresh.newest);
        }
        *issuers = Arc::new(fresh);
        Ok(())
    }
}

impl From<Authority> for Issuers {
    fn from(authority: Authority) -> Self {
        let roots = authority.root().or(authority.chain().last()).cloned().into_iter().collect();
        let newest = Arc::new(authority);
        Self { all: vec![newest.clone()], newest, roots }
    }
}

impl From<Generations> for Issuers {
    fn from(generations: Generations) -> Self {
        let all: Vec<Arc<Authority>> = generations.authorities.into_iter().map(Arc::new).collect();
        // A folder without valid authorities does not open.
        Self { newest: all[0].clone(), all, roots: generations.roots }
    }
}

/// A production root that a lab certificate chains to would be no production root.
fn roots_differ(entries: &[Arc<Entry>]) -> Result<(), Failure> {
    let keys = |grade: Grade| {
        let of_grade = entries.iter().filter(move |entry| entry.profile.grade == grade);
        let issuers = of_grade.map(|entry| entry.issuers());
        issuers.flat_map(|issuers| {
            let chains = issuers.all.iter().flat_map(|authority| authority.chain());
            chains.chain(&issuers.roots).map(|certificate| certificate.spki().to_vec()).collect::<Vec<_>>()
        })
    };
    let production: BTreeSet<Vec<u8>> = keys(Grade::Production).collect();
    match keys(Grade::Lab).any(|key| production.contains(&key)) {
        true => Err(Failure::refused("a lab profile and a production profile share a key").hint(
            "lab certificates never chain to a production root: make another with `steward ca init`"
                .to_owned(),
        )),
        false => Ok(()),
    }
}

fn authority(
    name: &str,
    settings: &ProfileSettings,
    surroundings: &Surroundings<'_>,
    now: Time,
) -> Result<(Source, Issuers), Failure> {
    match (&settings.authority, &settings.key, &settings.certificates) {
        (Some(path), None, None) => {
            let directory = Directory::new(path);
            let issuers = generations(&directory, surroundings, now)?.into();
            Ok((Source::Directory(directory), issuers))
        }
        (None, Some(key), None) if key == THROWAWAY && settings.grade == Grade::Lab => {
            let random = crate::app::random().map_err(|refusal| Failure::broken(refusal.to_string()))?;
            let authority =
                throwaway(&format!("Throw-away authority of {name}"), now, &Serial::random(random));
            Ok((Source::Fixed, authority.map_err(|error| Failure::of(&error))?.into()))
        }
        (None, Some(key), Some(path)) => {
            let hinted = |error: &(dyn std::error::Error + 'static), hint: &str| {
                Failure::of(error).hint(hint.to_owned())
            };
            let source: KeySource =
                key.parse().map_err(|error: AddressError| hinted(&error, error.hint()))?;
            let signer = source.open(surroundings).map_err(|error| hinted(&error, error.hint()))?;
            let chain = read_certificates(path).map_err(|error| hinted(&error, error.hint()))?;
            let authority = Authority::new(signer, &chain).map_err(|error| hinted(&error, error.hint()))?;
            Ok((Source::Fixed, authority.into()))
        }
        _ => Err(Failure::refused("it is not clear which key signs").hint(
            "set `authority` to a folder of `steward ca init`, or both `key` and `certificates`; \
             `key = \"throwaway:\"` alone will do for a lab"
                .to_owned(),
        )),
    }
}

fn generations(
    directory: &Directory,
    surroundings: &Surroundings<'_>,
    now: Time,
) -> Result<Generations, Failure> {
    directory.open(surroundings, now).map_err(|error| Failure::of(&error).hint(error.hint().to_owned()))
}

/// A key that nobody keeps.
pub const THROWAWAY: &str = "throwaway:";

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
