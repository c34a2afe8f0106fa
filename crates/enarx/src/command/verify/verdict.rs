//! One verdict, for people and as JSON.

use attest::explain;
use attest::reason::{Check, Checks, Class, Outcome, Rejection};
use attest::result::AttestationResult;
use attest::result::ear::{Ear, Verifier};
use serde::Serialize;
use serde_json::Value;

/// The verdict on one piece of evidence.
pub struct Verdict {
    /// Where it came from.
    pub file: String,
    /// What it is.
    pub what: String,
    /// How it was judged.
    pub outcome: Result<AttestationResult, Rejection>,
}

/// What `--json` prints.
#[derive(Serialize)]
pub struct Report {
    /// Changes when a reader must.
    schema: u32,
    verdicts: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    file: String,
    what: String,
    accepted: bool,
    exit_code: u8,
    /// The claims of an attestation result (draft-ietf-rats-ear-04), without signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Value>,
    checks: Vec<Line>,
}

#[derive(Serialize)]
struct Line {
    reason: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    expected: String,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl Verdict {
    /// The exit code: zero for what is accepted, else the class that decides.
    pub fn code(&self) -> u8 {
        let Err(rejection) = &self.outcome else { return 0 };
        match rejection.class() {
            Class::Malformed | Class::Signature => 10,
            Class::Measurement => 11,
            Class::Tcb => 12,
            Class::Revoked => 13,
            Class::Stale => 14,
            Class::Debug => 15,
            Class::Policy => 16,
        }
    }

    /// The verdict for people: every check, or those only that did not hold.
    pub fn text(&self, explain_all: bool) -> String {
        let Self { file, what, outcome } = self;
        let explained = match outcome {
            Ok(result) => explain::result(result),
            Err(rejection) => explain::rejection(rejection),
        };
        let shown = match explained.split_once("\nheld:") {
            Some((head, _)) if !explain_all => head.trim_end(),
            _ => explained.trim_end(),
        };
        format!("{file}: {what}\n{shown}\n")
    }

    fn checks(&self) -> &Checks {
        match &self.outcome {
            Ok(result) => result.checks(),
            Err(rejection) => rejection.checks(),
        }
    }

    fn entry(&self, explain_all: bool) -> Entry {
        let verifier = Verifier {
            developer: "https://enarx.dev".to_owned(),
            build: concat!("enarx ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let result = self.outcome.as_ref().ok().map(|result| Ear::new(result, verifier, None).to_json());
        let shown = |check: &&Check| explain_all || check.outcome != Outcome::Pass;
        Entry {
            file: self.file.clone(),
            what: self.what.clone(),
            accepted: self.outcome.is_ok(),
            exit_code: self.code(),
            result: result.and_then(|text| serde_json::from_str(&text).ok()),
            checks: self.checks().iter().filter(shown).map(Line::new).collect(),
        }
    }
}

/// What `--json` prints.
pub fn report(verdicts: &[Verdict], explain_all: bool) -> Report {
    Report { schema: 1, verdicts: verdicts.iter().map(|verdict| verdict.entry(explain_all)).collect() }
}

impl Line {
    fn new(check: &Check) -> Self {
        let outcome = match check.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Note => "note",
        };
        Self {
            reason: check.reason.id(),
            outcome,
            subject: (check.subject != attest::value::Value::None).then(|| check.subject.to_string()),
            expected: check.expected.to_string(),
            found: check.found.to_string(),
            hint: (check.outcome == Outcome::Fail).then(|| explain::hint(check.reason)),
        }
    }
}
