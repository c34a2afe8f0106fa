//! Results and rejections as text for people: one line for each check, failures first.

use alloc::string::String;
use core::fmt::Write;

use crate::reason::{Checks, Outcome, Rejection};
use crate::result::AttestationResult;

/// Explains a result.
pub fn result(result: &AttestationResult) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "accepted: {}, {}, judged at {}",
        result.tee(),
        result.trust().as_str(),
        result.judged_at()
    );
    checks(&mut text, result.checks());
    text
}

/// Explains a rejection.
pub fn rejection(rejection: &Rejection) -> String {
    let failed = rejection.checks().failures().count();
    let mut text = String::new();
    let _ = writeln!(text, "rejected: {failed} {} failed", if failed == 1 { "check" } else { "checks" });
    checks(&mut text, rejection.checks());
    text
}

fn checks(text: &mut String, checks: &Checks) {
    for (outcome, word) in [(Outcome::Fail, "FAIL"), (Outcome::Note, "note"), (Outcome::Pass, "ok  ")] {
        for check in checks.iter().filter(|check| check.outcome == outcome) {
            let _ = writeln!(text, "{word} {check}");
            if outcome == Outcome::Fail {
                let _ = writeln!(text, "     {}", check.reason.meaning());
            }
        }
    }
}
