//! Who may do what: a pure decision.
//!
//! | | everybody | readers | keep | owner |
//! |---|---|---|---|---|
//! | what a tag stands for | public, or with a release policy | ✓ | ✓ | ✓ |
//! | content | public | ✓ | if the policy accepts its certificate, and that names this very package | ✓ |
//! | write, settings | | | | ✓ |

mod keep;

pub use keep::{Keep, KeepError};

use crate::caller::Caller;
use crate::error::Refusal;
use crate::settings::Settings;
use api::digest::Digest;
use api::name::Repository;

/// What somebody wants to do with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Learn what tags stand for.
    Look,
    /// Get content; of a package, where it is known to be part of one.
    Read(Option<&'a Digest>),
    /// Publish, delete.
    Write,
    /// Change or see settings.
    Own,
}

/// Why somebody may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Everybody may.
    Public,
    /// A person may, by their token.
    Person(String),
    /// A keep may, by its certificate.
    Keep(Box<Keep>),
}

/// Decides. Whoever may not even know of a repository is told that they are not known, or that it is not there.
pub fn decide(
    name: &Repository,
    settings: &Settings,
    caller: &Caller,
    action: Action<'_>,
    now: i64,
) -> Result<Grant, Refusal> {
    let person = caller
        .token
        .as_ref()
        .filter(|token| token.repository.is_empty() || token.repository == name.as_str());
    let owner = person.filter(|token| token.holder == name.user());
    match action {
        Action::Write | Action::Own => return write(caller, owner),
        Action::Look if settings.public || settings.release.is_some() => return Ok(Grant::Public),
        Action::Read(_) if settings.public => return Ok(Grant::Public),
        Action::Look | Action::Read(_) => {}
    }
    if let Some(person) = person.filter(|person| owner.is_some() || settings.readers.contains(&person.holder))
    {
        return Ok(Grant::Person(person.holder.clone()));
    }
    if let (Action::Read(package), Some(release)) = (action, &settings.release)
        && !caller.certificates.is_empty()
    {
        let denied = |error: KeepError| Refusal::Denied { code: error.code(), detail: error.to_string() };
        let keep = Keep::judge(&caller.certificates, release, now).map_err(denied)?;
        return match package {
            Some(package) if *package == keep.workload => Ok(Grant::Keep(Box::new(keep))),
            found => Err(denied(KeepError::Workload { expected: keep.workload, found: found.copied() })),
        };
    }
    match (&caller.token, &settings.release) {
        (None, None) => Err(Refusal::Unauthenticated("the repository is not public")),
        (None, Some(_)) => Err(Refusal::Unauthenticated(
            "the package is released to keeps with a certificate, and to people with a token",
        )),
        (Some(_), Some(_)) => Err(denied("not-a-reader", "the token is not of the owner, nor of a reader")),
        (Some(_), None) => Err(Refusal::Missing("repository")),
    }
}

fn write(caller: &Caller, owner: Option<&crate::store::index::Token>) -> Result<Grant, Refusal> {
    match (owner, &caller.token) {
        (Some(token), _) if token.writes => Ok(Grant::Person(token.holder.clone())),
        (Some(_), _) => Err(denied("read-only", "the token is for reading only")),
        (None, Some(_)) => {
            Err(denied("not-the-owner", "the token is not of the owner, or for another repository"))
        }
        (None, None) => Err(Refusal::Unauthenticated("only the owner may do this")),
    }
}

fn denied(code: &'static str, detail: &str) -> Refusal {
    Refusal::Denied { code, detail: detail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Release;
    use crate::store::index::Token;

    fn caller(holder: &str, repository: &str, writes: bool) -> Caller {
        let token = Token { holder: holder.into(), repository: repository.into(), writes };
        Caller { token: Some(token), ..Caller::default() }
    }

    #[test]
    fn people_may_what_the_table_says() {
        let name: Repository = "alice/hello".parse().expect("a name");
        let release = Release {
            steward: "https://steward.example".into(),
            roots: Vec::new(),
            trust_domain: "example".into(),
            tee: Vec::new(),
            minimum_trust: Default::default(),
            policies: Vec::new(),
        };
        let private = Settings { readers: vec!["bob".into()], ..Settings::default() };
        let protected = Settings { release: Some(release), ..private.clone() };
        let public = Settings { public: true, ..private.clone() };
        let digest = Digest::sha256(b"package");
        let actions = [Action::Look, Action::Read(Some(&digest)), Action::Write, Action::Own];
        // Look, read, write, own; for a public, a protected and a private repository.
        for (caller, expected) in [
            (Caller::default(), [[200, 200, 401, 401], [200, 401, 401, 401], [401, 401, 401, 401]]),
            (caller("alice", "", true), [[200; 4]; 3]),
            (caller("alice", "alice/hello", true), [[200; 4]; 3]),
            (caller("alice", "", false), [[200, 200, 403, 403]; 3]),
            (
                caller("alice", "alice/other", true),
                [[200, 200, 403, 403], [200, 403, 403, 403], [404, 404, 403, 403]],
            ),
            (caller("bob", "", true), [[200, 200, 403, 403]; 3]),
            (caller("carol", "", true), [[200, 200, 403, 403], [200, 403, 403, 403], [404, 404, 403, 403]]),
        ] {
            for (settings, expected) in [&public, &protected, &private].into_iter().zip(expected) {
                let found = actions.map(|action| match decide(&name, settings, &caller, action, 0) {
                    Ok(_) => 200,
                    Err(refusal) => refusal.codes().0.as_u16(),
                });
                assert_eq!(found, expected, "{caller:?} {settings:?}");
            }
        }
    }
}
