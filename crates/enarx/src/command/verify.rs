//! `enarx verify`: says what evidence is, and judges it without asking anybody.

mod verdict;

use crate::cli::{Bytes, Verify};
use crate::failure::Failure;
use crate::output::Output;
use crate::settings::Environment;
use attest::appraise::appraise;
use attest::binding::Binding;
use attest::carrier::Submission;
use attest::crypto::{PublicKey, sha384};
use attest::endorsements::Endorsements;
use attest::pem;
use attest::policy::Policy;
use attest::reason::{Reason, Rejection};
use attest::reference::ReferenceValues;
use attest::result::AttestationResult;
use attest::time::Time;
use attest::x509::certificate::Certificate;
use endorsement::file::{self, Endorsement};
use std::io::Read;
use std::path::{Path, PathBuf};
use verdict::Verdict;

/// What all evidence of one command is judged by.
struct Judge {
    policy: Policy,
    endorsements: Endorsements,
    now: Time,
    nonce: Option<Vec<u8>>,
    spki: Option<Vec<u8>>,
}

/// Judges every file that holds evidence, and tells the exit code of the first that is refused.
pub fn run(args: Verify, environment: &Environment, output: &Output) -> Result<u8, Failure> {
    let mut judge = Judge {
        policy: policy(&args.policy)?,
        endorsements: endorsements(args.endorsements.as_deref(), environment)?,
        now: args.at.unwrap_or(Time(environment.now)),
        nonce: args.nonce.map(|Bytes(bytes)| bytes),
        spki: args.key.as_deref().map(key).transpose()?,
    };
    let mut submissions = Vec::new();
    for path in &args.files {
        submissions.extend(judge.take(path)?.map(|opened| (path, opened)));
    }
    if submissions.is_empty() {
        return Err(Failure::refused("none of the files holds evidence"));
    }
    let mut verdicts = Vec::new();
    for (path, opened) in submissions {
        verdicts.extend(judge.verdicts(path, opened));
    }
    let code = verdicts.iter().map(Verdict::code).find(|&code| code != 0).unwrap_or(0);
    match args.json {
        true => output.json(&verdict::report(&verdicts, args.explain))?,
        false => verdicts.iter().for_each(|verdict| output.data(&verdict.text(args.explain))),
    }
    Ok(code)
}

impl Judge {
    /// Opens a file: evidence comes back, endorsements are added to the set.
    fn take(&mut self, path: &Path) -> Result<Option<Result<Submission, Rejection>>, Failure> {
        if path.is_dir() {
            return Ok(Some(open_directory(path)?));
        }
        let bytes = read(path)?;
        let rejection = match Submission::open(&bytes) {
            Ok(submission) => return Ok(Some(Ok(submission))),
            Err(rejection) => rejection,
        };
        // What is no evidence may be an endorsement; what is neither is refused for not being evidence.
        match Endorsement::recognise(&bytes) {
            Ok(items) if !items.is_empty() => {
                items.iter().try_for_each(|item| item.add_to(&mut self.endorsements)).map_err(|error| {
                    Failure::refused(format!("cannot use the endorsement `{}`", path.display()))
                        .because(&error)
                })?;
                Ok(None)
            }
            _ if rejection.has(Reason::EvidenceUnknown) || rejection.has(Reason::CarrierEmpty) => {
                Err(Failure::refused(format!("`{}` holds no evidence that is known", path.display()))
                    .hint(attest::explain::hint(Reason::EvidenceUnknown)))
            }
            _ => Ok(Some(Err(rejection))),
        }
    }

    fn verdicts(&self, path: &Path, opened: Result<Submission, Rejection>) -> Vec<Verdict> {
        let file = path.display().to_string();
        let submission = match opened {
            Ok(submission) => submission,
            Err(rejection) => {
                return vec![Verdict { file, what: "malformed".to_owned(), outcome: Err(rejection) }];
            }
        };
        let what = submission.describe();
        let outcomes = self.judge(&submission);
        outcomes
            .into_iter()
            .map(|outcome| Verdict { file: file.clone(), what: what.clone(), outcome })
            .collect()
    }

    fn judge(&self, submission: &Submission) -> Vec<Result<AttestationResult, Rejection>> {
        let prepared = submission
            .check_validity(self.now)
            .and_then(|()| submission.endorse(&self.endorsements))
            .and_then(|endorsements| Ok((endorsements, self.binding(submission)?)));
        let (endorsements, binding) = match prepared {
            Ok(prepared) => prepared,
            Err(rejection) => return vec![Err(rejection)],
        };
        let reference = ReferenceValues { binding, ..ReferenceValues::default() };
        let judge = |evidence| appraise(evidence, &endorsements, &reference, &self.policy, self.now);
        submission.evidence.iter().map(judge).collect()
    }

    /// What the evidence must be bound to: what it was submitted with, which must be the key and the nonce that were given.
    fn binding(&self, submission: &Submission) -> Result<Option<Binding>, Rejection> {
        let claims = submission.keep_claims.as_ref();
        if let Some(expected) = &self.spki {
            let digest = sha384(expected);
            let named = match (&submission.spki, claims) {
                (Some(found), _) => found == expected,
                (None, Some(claims)) => claims.spki_digest == digest,
                (None, None) => true,
            };
            if !named {
                return Err(Rejection::one(Reason::BindingMismatch, "the key that was given", "another key"));
            }
        }
        let given = self.nonce.as_ref();
        if let (Some(given), Some(claims)) = (given, claims)
            && claims.nonce.as_ref() != Some(given)
        {
            let found = claims.nonce.as_deref().unwrap_or_default();
            return Err(Rejection::one(Reason::NonceMissing, given.as_slice(), found));
        }
        let alone = || {
            let nonce = given.cloned().map(Binding::Nonce);
            nonce.or_else(|| self.spki.clone().map(|spki| Binding::LegacyKey { spki }))
        };
        Ok(submission.binding(given.is_some()).or_else(alone))
    }
}

fn policy(name: &str) -> Result<Policy, Failure> {
    let read = match Policy::profile(name) {
        Some(profile) => profile,
        None => {
            let text = String::from_utf8(read(Path::new(name))?);
            let text =
                text.map_err(|error| Failure::refused(format!("`{name}` is no text")).because(&error))?;
            match name.ends_with(".json") {
                true => Policy::from_json(&text),
                false => Policy::from_toml(&text),
            }
        }
    };
    read.map_err(|error| Failure::refused(format!("`{name}` is no policy")).because(&error))
}

/// The vendors' roots, and what the directory has. The cache of this user may be missing; a directory that was named not.
fn endorsements(directory: Option<&Path>, environment: &Environment) -> Result<Endorsements, Failure> {
    let mut endorsements = Endorsements::shipped()
        .map_err(|error| Failure::broken("the vendors' roots do not decode").because(&error))?;
    let kept = || environment.endorsements.as_deref().filter(|path| path.is_dir());
    let Some(directory) = directory.or_else(kept) else { return Ok(endorsements) };
    let failed = |error: &dyn std::error::Error| {
        Failure::refused(format!("cannot use the endorsements in `{}`", directory.display())).because(error)
    };
    for item in file::read(directory).map_err(|error| failed(&error))? {
        item.add_to(&mut endorsements).map_err(|error| failed(&error))?;
    }
    Ok(endorsements)
}

/// The SubjectPublicKeyInfo of a public key or certificate.
fn key(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read(path)?;
    let blocks = if pem::is_pem(&bytes) { pem::decode(&bytes).ok() } else { None };
    let der = blocks.and_then(|blocks| Some(blocks.into_iter().next()?.bytes)).unwrap_or(bytes);
    if let Ok(certificate) = Certificate::decode(&der) {
        return Ok(certificate.spki().to_vec());
    }
    match PublicKey::from_spki(&der) {
        Ok(_) => Ok(der),
        Err(error) => {
            Err(Failure::refused(format!("`{}` is no public key or certificate", path.display()))
                .because(&error))
        }
    }
}

/// The files of a report's folder that say what it is; reading the others would ask the kernel for something.
fn open_directory(path: &Path) -> Result<Result<Submission, Rejection>, Failure> {
    let mut files: Vec<(&str, Vec<u8>)> = Vec::new();
    for name in ["outblob", "auxblob", "provider"] {
        let file: PathBuf = path.join(name);
        if file.exists() {
            files.push((name, read(&file)?));
        }
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    Ok(Submission::open_files(&files))
}

/// A file; `-` is standard input.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        let read = std::io::stdin().take(file::FILE_MOST + 1).read_to_end(&mut bytes);
        read.map_err(|error| Failure::refused("cannot read standard input").because(&error))?;
        return match bytes.len() as u64 > file::FILE_MOST {
            true => Err(Failure::refused(format!("standard input is over the limit of {}", file::FILE_MOST))),
            false => Ok(bytes),
        };
    }
    file::read_bounded(path).map_err(|error| Failure::refused(error.to_string()).caused(&error))
}
