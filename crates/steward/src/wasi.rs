//! The Steward as a WASI program in a keep: the same decoding, judging and issuing on a listener that the manifest declares.
//!
//! The keep ends TLS. Settings are variables of the manifest, and so measured with it; without a key among them one is born
//! in the keep, and dies with it. There is no clock but the host's, no database, no vendor to ask: requests carry their
//! endorsements, and what the host's clock says decides no more than how long a certificate lives.

mod http;
mod sys;

use std::collections::BTreeSet;
use std::sync::Arc;

use attest::endorsements::Endorsements;
use attest::policy::{Policy, PolicyError};
use attest::time::Time;

use crate::ca::ceremony::throwaway;
use crate::ca::key::{KeyError, MemoryKey};
use crate::ca::{Authority, AuthorityError, SigningError};
use crate::certify::{Circumstances, Rules, certify};
use crate::issue::serial::Serial;
use crate::issue::template::{Template, TemplateError, TemplateFile};
use crate::issue::{BACKDATE, Grade, Issued, LIFETIME, Profile};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::revocation::Revocations;

/// The name of the listener in the manifest.
const LISTENER: &str = "steward";

/// The variables of the manifest that are settings.
mod variable {
    /// The names that the keep gives its descriptors.
    pub const DESCRIPTORS: &str = "FD_NAMES";
    /// A policy as TOML, or the name of one that is shipped; `strict` unless said.
    pub const POLICY: &str = "STEWARD_POLICY";
    /// The template as TOML.
    pub const TEMPLATE: &str = "STEWARD_TEMPLATE";
    /// The authority's key as PEM; without one, one is born in the keep.
    pub const KEY: &str = "STEWARD_KEY";
    /// Its certificates as PEM, the issuing one first.
    pub const CERTIFICATES: &str = "STEWARD_CERTIFICATES";
}

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("the manifest declares no listener named `{LISTENER}`")]
    NoListener,
    #[error("STEWARD_POLICY names no policy, and is none: {0}")]
    Policy(PolicyError),
    #[error("STEWARD_TEMPLATE is not understood: {0}")]
    TemplateFile(String),
    #[error("STEWARD_TEMPLATE: {0}")]
    Template(#[from] TemplateError),
    #[error("STEWARD_KEY: {0}")]
    Key(#[from] KeyError),
    #[error("STEWARD_CERTIFICATES: {0}")]
    Authority(#[from] AuthorityError),
    #[error("STEWARD_CERTIFICATES: not certificates as PEM")]
    Certificates,
    #[error("no key is born: {0}")]
    Birth(#[from] SigningError),
    #[error("no random bytes")]
    Random,
    #[error("shipped endorsements do not decode")]
    Endorsements,
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Everything that requests share.
struct Steward {
    authority: Authority,
    profile: Profile,
    policy: Policy,
    endorsements: Endorsements,
    measurements: BTreeSet<Vec<u8>>,
    revocations: Revocations,
}

/// Serves until the keep ends; says why it cannot.
pub fn main() -> std::process::ExitCode {
    match run(&environment) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error}"));
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(environment: &dyn Fn(&str) -> Option<String>) -> Result<(), StartError> {
    let names = environment(variable::DESCRIPTORS).unwrap_or_default();
    let number = names.split(':').position(|name| name == LISTENER).ok_or(StartError::NoListener)?;
    let steward = Steward::open(environment, now())?;
    let root = steward.authority.chain().last().map(|root| attest::pem::encode("CERTIFICATE", root.der()));
    say(&format!("issues as {:?}; the root:\n{}", steward.authority, root.unwrap_or_default()));
    http::serve(sys::listener(number)?, Arc::new(steward))?;
    Ok(())
}

impl Steward {
    fn open(environment: &dyn Fn(&str) -> Option<String>, now: Time) -> Result<Self, StartError> {
        let (authority, grade) = match environment(variable::KEY) {
            Some(pem) => {
                let key = MemoryKey::decode(pem.as_bytes())?;
                let pem = environment(variable::CERTIFICATES).unwrap_or_default();
                let blocks = attest::pem::decode(pem.as_bytes()).map_err(|_| StartError::Certificates)?;
                let chain: Vec<Vec<u8>> = blocks.into_iter().map(|block| block.bytes).collect();
                (Authority::new(Arc::new(key), &chain)?, Grade::Production)
            }
            None => (throwaway("Steward in a keep", now, &serial()?)?, Grade::Lab),
        };
        let template = environment(variable::TEMPLATE).unwrap_or_default();
        let template: TemplateFile =
            toml::from_str(&template).map_err(|error| StartError::TemplateFile(error.message().into()))?;
        let policy = environment(variable::POLICY).unwrap_or_else(|| "strict".into());
        let policy = Policy::profile(&policy).unwrap_or_else(|| Policy::from_toml(&policy));
        Ok(Self {
            authority,
            profile: Profile {
                name: "keep".into(),
                grade,
                lifetime: LIFETIME,
                backdate: BACKDATE,
                template: Template::try_from(template)?,
            },
            policy: policy.map_err(StartError::Policy)?,
            endorsements: Endorsements::shipped().map_err(|_| StartError::Endorsements)?,
            measurements: BTreeSet::new(),
            revocations: Revocations::default(),
        })
    }

    /// Decodes, judges, issues.
    fn certify(&self, request: &Request) -> Result<Issued, Refusal> {
        let rules = Rules {
            policy: &self.policy,
            measurements: &self.measurements,
            endorsements: &self.endorsements,
            revocations: &self.revocations,
        };
        let serial = serial().map_err(|_| Refusal::Signing(SigningError::Provider))?;
        let circumstances = Circumstances { nonce_fresh: false, now: now(), serial: &serial };
        certify(request, &self.profile, &self.authority, &rules, circumstances).map(|(_, issued)| issued)
    }
}

fn serial() -> Result<Serial, StartError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| StartError::Random)?;
    Ok(Serial::random(random))
}

#[expect(clippy::disallowed_methods, reason = "this is the program")]
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time(since.map_or(0, |since| since.as_secs()))
}

#[expect(clippy::disallowed_methods, reason = "this is the program")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::print_stderr, reason = "a keep has no other log")]
fn say(text: &str) {
    eprintln!("{text}");
}
