//! The kinds of certificates that are issued: each with its key, its certificates, its policy and its template.

use crate::ca::Authority;
use crate::ca::certificate::{Contents, extension, identify, subject_key_id};
use crate::ca::source::KeySource;
use crate::ca::{Signer, SigningError};
use crate::command::Environment;
use crate::failure::Failure;
use crate::issue::serial::Serial;
use crate::issue::template::Template;
use crate::issue::{Grade, Profile};
use crate::settings::{ProfileSettings, Settings, old};
use attest::crypto::PublicKey;
use attest::policy::Policy;
use attest::time::{Time, Window};
use der::Encode;
use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};

/// How long a throw-away authority is valid.
const THROWAWAY_SECONDS: u64 = 365 * 24 * 60 * 60;

/// All profiles.
pub struct Profiles {
    entries: Vec<Arc<Entry>>,
    default: usize,
}

/// One profile, ready to issue.
pub struct Entry {
    /// How certificates are issued.
    pub profile: Profile,
    /// Which platforms are good enough.
    pub policy: Arc<Policy>,
    /// The policy as it was written.
    pub policy_text: String,
    /// Launch measurements that are accepted; empty leaves it to the policy.
    pub measurements: BTreeSet<Vec<u8>>,
    authority: Arc<Authority>,
}

impl Profiles {
    /// Opens keys, certificates and policies.
    pub fn open(settings: &Settings, environment: &Environment) -> Result<Self, Failure> {
        let open = |(name, profile): (&String, &ProfileSettings)| {
            Entry::open(name, profile, environment).map(Arc::new)
        };
        let entries: Vec<Arc<Entry>> = settings.profiles.iter().map(open).collect::<Result<_, _>>()?;
        roots_differ(&entries)?;
        let default = settings.default_profile.as_ref();
        let default = default.and_then(|name| entries.iter().position(|entry| entry.profile.name == *name));
        Ok(Self { entries, default: default.unwrap_or(0) })
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
}

impl Entry {
    /// Who issues.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    fn open(name: &str, settings: &ProfileSettings, environment: &Environment) -> Result<Self, Failure> {
        let within = |failure: Failure| failure.within(&format!("profile `{name}`"));
        let policy_text = policy_text(&settings.policy).map_err(within)?;
        let policy = Policy::from_toml(&policy_text).map_err(|error| {
            within(Failure::refused(format!("policy `{}`: {error}", settings.policy)))
        })?;
        let template = Template::try_from(settings.template.clone())
            .map_err(|error| within(Failure::of(&error).hint(error.hint().to_owned())))?;
        let measurements = settings.measurements.iter().map(|text| unhex(text));
        let measurements = measurements.collect::<Option<_>>();
        let measurements =
            measurements.ok_or_else(|| within(Failure::refused("a measurement is not hexadecimal")))?;
        let profile = Profile {
            name: name.to_owned(),
            grade: settings.grade,
            lifetime: settings.lifetime_seconds,
            backdate: settings.backdate_seconds,
            template,
        };
        let authority = Arc::new(authority(name, settings, environment).map_err(within)?);
        Ok(Self { profile, policy: Arc::new(policy), policy_text, measurements, authority })
    }
}

/// A production root that a lab certificate chains to would be no production root.
fn roots_differ(entries: &[Arc<Entry>]) -> Result<(), Failure> {
    let roots = |grade| {
        let of_grade = entries.iter().filter(move |entry| entry.profile.grade == grade);
        of_grade.flat_map(|entry| entry.authority.chain().iter().map(|certificate| certificate.spki().to_vec()))
    };
    let production: BTreeSet<Vec<u8>> = roots(Grade::Production).collect();
    match roots(Grade::Lab).any(|key| production.contains(&key)) {
        true => Err(Failure::refused("a lab profile and a production profile share a key").hint(
            "lab certificates must never chain to a production root: make another with `steward ca init`"
                .to_owned(),
        )),
        false => Ok(()),
    }
}

/// A policy's file, or a profile of the verifier by name. A file of the old Steward knows nothing of claims, and means that
/// evidence which is bound to the key alone is accepted.
fn policy_text(policy: &str) -> Result<String, Failure> {
    if let Some((_, text)) = attest::policy::PROFILES.iter().find(|(name, _)| *name == policy) {
        return Ok((*text).to_owned());
    }
    let text = std::fs::read_to_string(policy)
        .map_err(|error| Failure::refused(format!("cannot read the policy `{policy}`: {error}")))?;
    match old::is_policy(&text) {
        true => Ok(format!("{text}\n[accept]\ntees = [\"snp\", \"sgx\"]\nlegacy_enarx = true\n")),
        false => Ok(text),
    }
}

fn authority(name: &str, settings: &ProfileSettings, environment: &Environment) -> Result<Authority, Failure> {
    let source: KeySource = settings.key.parse().map_err(|error: crate::ca::pkcs11::AddressError| {
        Failure::refused(error.to_string()).hint(error.hint().to_owned())
    })?;
    let signer = source
        .open(&|variable| environment.variable(variable))
        .map_err(|error| Failure::refused(error.to_string()).hint(error.hint().to_owned()))?;
    let chain = match (&settings.certificates, &source) {
        (None, KeySource::Throwaway) => {
            let now = (environment.clock)();
            vec![throwaway(name, signer.as_ref(), settings.grade, now).map_err(|error| Failure::of(&error))?]
        }
        (None, _) => return Err(Failure::refused("`certificates` is not set")),
        (Some(path), _) => certificates(path)?,
    };
    Authority::new(signer, &chain).map_err(|error| Failure::of(&error).hint(error.hint().to_owned()))
}

fn certificates(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let failed = |reason: String| Failure::refused(format!("cannot read certificates from `{}`: {reason}", path.display()));
    let text = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let blocks = attest::pem::decode(&text).map_err(|error| failed(error.to_string()))?;
    Ok(blocks.into_iter().filter(|block| block.label == "CERTIFICATE").map(|block| block.bytes).collect())
}

/// A root of a key that nobody keeps.
fn throwaway(name: &str, signer: &dyn Signer, grade: Grade, now: Time) -> Result<Vec<u8>, SigningError> {
    let key = PublicKey::from_spki(signer.spki()).map_err(|_| SigningError::Provider)?;
    let subject = x509_cert::name::Name::from_str(&format!("CN=Throw-away authority of {name}"))?.to_der()?;
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| SigningError::Provider)?;
    let extensions = vec![
        subject_key_id(&identify(key.bits()))?,
        extension(true, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign))?,
        extension(true, &BasicConstraints { ca: true, path_len_constraint: Some(0) })?,
        grade.policy()?,
    ];
    let validity = Window { from: now, to: Time(now.0 + THROWAWAY_SECONDS) };
    let (issuer, serial) = (subject.as_slice(), &Serial::random(random));
    Contents { serial, issuer, validity, subject: issuer, spki: signer.spki(), extensions }.sign(signer)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect::<Option<_>>()?;
    (digits.len() % 2 == 0).then(|| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
