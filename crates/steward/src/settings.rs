//! Every setting of `steward.toml`, of `STEWARD_*` variables and of flags. docs/steward.md explains each.

pub mod old;

use crate::cli::Serve;
use crate::command::Environment;
use crate::failure::Failure;
use crate::issue::template::TemplateFile;
use crate::issue::{BACKDATE, Grade, LIFETIME};
use crate::profiles::THROWAWAY;
use serde::Deserialize;
use service::settings::Sources;
use std::collections::BTreeMap;
use std::path::PathBuf;
use toml::{Table, Value};

/// What variables start with.
const PREFIX: &str = "STEWARD_";
/// Variables with that prefix that are flags, of this Steward or of the old one.
const RESERVED: [&str; 4] = ["STEWARD_CONFIG", "STEWARD_KEY", "STEWARD_CRT", "STEWARD_SAN"];

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Sockets, TLS, limits, logs.
    #[serde(default)]
    pub server: service::server::Settings,
    /// The profile of requests that name none; may be left out if there is only one.
    #[serde(default)]
    pub default_profile: Option<String>,
    /// What certificates are issued, by name.
    pub profiles: BTreeMap<String, ProfileSettings>,
    /// Where endorsements come from.
    #[serde(default)]
    pub endorsements: EndorsementSettings,
    /// Nonces.
    #[serde(default)]
    pub nonce: NonceSettings,
    /// Whether anybody may read the policies' text.
    #[serde(default)]
    pub disclose_policy: bool,
    /// Threads that verify and sign.
    #[serde(default)]
    pub crypto: CryptoSettings,
    /// The database of what was issued and refused; none without it.
    #[serde(default)]
    pub inventory: Option<crate::inventory::Settings>,
    /// Without an inventory: the file that lists what is revoked.
    #[serde(default)]
    pub revocations: Option<PathBuf>,
    /// The log whose lines vouch for each other; none without it.
    #[serde(default)]
    pub audit: Option<AuditSettings>,
    /// Who may ask what the inventory knows; nobody without it.
    #[serde(default)]
    pub operators: crate::routes::operator::Operators,
    /// ACME; not served without it.
    #[serde(default)]
    pub acme: Option<crate::acme::Settings>,
}

/// The audit log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditSettings {
    /// Its folder.
    pub directory: PathBuf,
    /// A file of this size is closed, and the next begun.
    #[serde(default = "rotate_bytes")]
    pub rotate_bytes: u64,
    /// When lines are flushed to the disk.
    #[serde(default = "sync")]
    pub sync: service::audit::Sync,
}

/// One kind of certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileSettings {
    /// What its certificates are good for.
    pub grade: Grade,
    /// A folder of `steward ca`, with generations of keys and certificates.
    #[serde(default)]
    pub authority: Option<PathBuf>,
    /// Instead, one key: a path, `env:NAME`, `credential:NAME`, `pkcs11:…` (RFC 7512) or `throwaway:`.
    #[serde(default)]
    pub key: Option<String>,
    /// Certificates of that key, the issuing one first, as PEM; not for a throw-away key.
    #[serde(default)]
    pub certificates: Option<PathBuf>,
    /// The policy: a file, or `strict`, `standard` or `lab`.
    pub policy: String,
    /// The policy to come: judged besides, and told of in records and log; it refuses nobody yet.
    #[serde(default)]
    pub next_policy: Option<String>,
    /// Launch measurements that are accepted, in hexadecimal; none leaves it to the policy.
    #[serde(default)]
    pub measurements: Vec<String>,
    /// The longest lifetime.
    #[serde(default = "lifetime")]
    pub lifetime_seconds: u64,
    /// How long before its issuance a certificate is valid, for peers whose clocks are behind.
    #[serde(default = "backdate")]
    pub backdate_seconds: u64,
    /// What its certificates say.
    pub template: TemplateFile,
}

/// Where endorsements come from, beyond those in requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EndorsementSettings {
    /// The cache, as `enarx endorsements fetch` fills it and as fetching fills it.
    pub cache: Option<PathBuf>,
    /// Whether to ask vendors for what is missing. Needs a cache.
    pub fetch: bool,
    /// AMD's service, or a mirror of it.
    pub kds: Option<String>,
    /// Intel's service, or a cache of it.
    pub pcs: Option<String>,
    /// Judge Intel's platforms by announced TCB levels that are not in force yet.
    pub early: bool,
    /// Roots of simulators, as PEM, by the vendor whose formats they sign; a policy must name them too.
    pub development_roots: BTreeMap<DevelopmentVendor, PathBuf>,
}

/// Vendors whose formats simulators sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DevelopmentVendor {
    /// AMD.
    Amd,
    /// Intel.
    Intel,
}

/// Nonces.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NonceSettings {
    /// A file with at least 32 bytes that replicas share; without it each process makes its own.
    pub key: Option<PathBuf>,
    /// How long a nonce is good.
    pub lifetime_seconds: u64,
    /// The most nonces remembered as spent; more refuse requests with nonces until the oldest expire.
    pub spent_most: usize,
}

impl Default for NonceSettings {
    fn default() -> Self {
        // The shipped policies count on five minutes.
        Self { key: None, lifetime_seconds: 300, spent_most: 1 << 20 }
    }
}

/// Threads that verify and sign.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CryptoSettings {
    /// How many; 0: as many as processors.
    pub threads: usize,
    /// Requests that wait for a thread; more are told to come back.
    pub queue: usize,
}

impl Default for CryptoSettings {
    fn default() -> Self {
        Self { threads: 0, queue: 256 }
    }
}

impl Settings {
    /// What `serve` goes by.
    pub fn for_serving(arguments: &Serve, environment: &Environment) -> Result<Self, Failure> {
        if arguments.dev && arguments.config.is_none() {
            return Self::merge(old::development("localhost"), arguments, environment);
        }
        let Some(path) = &arguments.config else {
            return Err(Failure::refused("there are no settings")
                .hint("name a file with `-c steward.toml`, or try `steward serve --dev`".to_owned()));
        };
        let sources = sources(environment).read(path).map_err(refused)?;
        let text = sources.file.as_ref().map_or("", |(_, text)| text);
        if old::is_policy(text) {
            // The old Steward's own file; what it left to flags stands in its variables.
            return Self::of_old(&old::from_variables(path, environment));
        }
        let mut settings: Self = with_flags(sources, arguments).load().map_err(refused)?;
        if arguments.dev {
            settings.make_throwaway();
        }
        settings.check()
    }

    /// What the old Steward's flags mean.
    pub fn of_old(flags: &crate::cli::Old) -> Result<Self, Failure> {
        old::translate(flags)?.check()
    }

    fn merge(base: Table, arguments: &Serve, environment: &Environment) -> Result<Self, Failure> {
        let text = base.to_string();
        let sources = Sources { file: Some(("(development)".into(), text)), ..sources(environment) };
        with_flags(sources, arguments).load::<Self>().map_err(refused)?.check()
    }

    /// Every key becomes a throw-away one: development may not touch what production signs with.
    fn make_throwaway(&mut self) {
        for profile in self.profiles.values_mut() {
            (profile.authority, profile.certificates) = (None, None);
            profile.key = Some(THROWAWAY.to_owned());
            profile.grade = Grade::Lab;
        }
    }

    /// Things that no single value shows.
    fn check(self) -> Result<Self, Failure> {
        let refused = |message: &str, hint: &str| Err(Failure::refused(message).hint(hint.to_owned()));
        if self.profiles.is_empty() {
            return refused("no profile is set", "add a table such as [profiles.production]");
        }
        match &self.default_profile {
            None if self.profiles.len() > 1 => {
                return refused("there are several profiles and no default", "set `default_profile`");
            }
            Some(name) if !self.profiles.contains_key(name) => {
                return refused(
                    &format!("the default profile `{name}` is not set"),
                    "add it, or name another",
                );
            }
            _ => {}
        }
        if self.endorsements.fetch && self.endorsements.cache.is_none() {
            return refused("endorsements cannot be fetched without a cache", "set `endorsements.cache`");
        }
        Ok(self)
    }
}

fn sources(environment: &Environment) -> Sources {
    Sources {
        file: None,
        prefix: PREFIX,
        reserved: &RESERVED,
        environment: environment.variables.to_vec(),
        flags: Table::new(),
    }
}

fn with_flags(mut sources: Sources, arguments: &Serve) -> Sources {
    let list = |items: &[String]| Value::Array(items.iter().cloned().map(Value::String).collect());
    let mut server = Table::new();
    if !arguments.listen.is_empty() {
        server.insert("listen".to_owned(), list(&arguments.listen));
    }
    if !arguments.admin.is_empty() {
        server.insert("admin".to_owned(), list(&arguments.admin));
    }
    if let Some(format) = &arguments.log {
        let format = Table::from_iter([("format".to_owned(), Value::String(format.clone()))]);
        server.insert("log".to_owned(), Value::Table(format));
    }
    if !server.is_empty() {
        sources.flags.insert("server".to_owned(), Value::Table(server));
    }
    sources
}

fn refused(error: service::settings::SettingsError) -> Failure {
    Failure::of(&error).hint(error.hint())
}

fn lifetime() -> u64 {
    LIFETIME
}

fn backdate() -> u64 {
    BACKDATE
}

fn rotate_bytes() -> u64 {
    64 << 20
}

fn sync() -> service::audit::Sync {
    service::audit::Sync::Always
}
