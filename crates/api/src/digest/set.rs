//! Several digests of one content.

use super::{Algorithm, Digest, DigestError, Hasher, shortened};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The longest `Content-Digest` that is read: every algorithm we know, and as much again of others.
const HEADER_LIMIT: usize = 1024;

/// Digests of one content, in the order of [`Algorithm::ALL`], each algorithm once, at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Digests(Vec<Digest>);

impl Digests {
    /// The digests of bytes that are at hand, under every algorithm.
    pub fn of(content: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::ALL);
        hasher.update(content);
        hasher.finish()
    }

    /// Each digest.
    pub fn iter(&self) -> impl Iterator<Item = &Digest> {
        self.0.iter()
    }

    /// The digest under one algorithm.
    pub fn get(&self, algorithm: Algorithm) -> Option<&Digest> {
        self.0.iter().find(|digest| digest.algorithm() == algorithm)
    }

    /// Which algorithms it has.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.0.iter().map(Digest::algorithm)
    }

    /// The first digest here that `computed` contradicts or does not have.
    pub fn mismatch(&self, computed: &Self) -> Option<&Digest> {
        self.0.iter().find(|digest| computed.get(digest.algorithm()) != Some(digest))
    }

    /// Reads a `Content-Digest` (RFC 9530 section 2: a dictionary of RFC 8941, whose values are byte sequences).
    ///
    /// Algorithms that we do not know are passed over, as the RFC wants; one that we know must stand there.
    pub fn from_header(text: &str) -> Result<Self, DigestError> {
        if text.len() > HEADER_LIMIT {
            return Err(DigestError::Form { found: shortened(text) });
        }
        let mut digests = Vec::new();
        for member in text.split(',') {
            let member = member.trim_matches([' ', '\t']);
            let value = member
                .split_once('=')
                .and_then(|(name, value)| Some((name, value.strip_prefix(':')?.strip_suffix(':')?)));
            let (name, value) = value.ok_or_else(|| DigestError::Form { found: shortened(member) })?;
            if let Some(algorithm) = Algorithm::named(name) {
                digests.push(Digest::from_base64(algorithm, value)?);
            }
        }
        Self::checked(digests)
    }

    /// The text of a `Content-Digest`. No blank after a comma: clients before 0.8 stumble over it.
    pub fn to_header(&self) -> String {
        let members =
            self.0.iter().map(|digest| format!("{}=:{}:", digest.algorithm().name(), digest.base64()));
        members.collect::<Vec<_>>().join(",")
    }

    fn checked(mut digests: Vec<Digest>) -> Result<Self, DigestError> {
        digests.sort();
        if digests.is_empty() {
            return Err(DigestError::Empty);
        }
        match digests.windows(2).find(|pair| pair[0].algorithm() == pair[1].algorithm()) {
            Some(pair) => Err(DigestError::Twice(pair[0].algorithm())),
            None => Ok(Self(digests)),
        }
    }
}

impl From<Digest> for Digests {
    fn from(digest: Digest) -> Self {
        Self(vec![digest])
    }
}

/// Of digests under distinct algorithms, as hashing yields them.
impl FromIterator<Digest> for Digests {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Self {
        let mut digests: Vec<_> = digests.into_iter().collect();
        digests.sort();
        digests.dedup_by_key(|digest| digest.algorithm());
        Self(digests)
    }
}

impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_header())
    }
}

impl Serialize for Digests {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|digest| (digest.algorithm().name(), digest.base64())))
    }
}

impl<'de> Deserialize<'de> for Digests {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Digests;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of digests by algorithm")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Digests, A::Error> {
        let mut digests = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            let unknown = || A::Error::custom(DigestError::Algorithm { found: shortened(&name) });
            let algorithm = Algorithm::named(&name).ok_or_else(unknown)?;
            digests.push(Digest::from_base64(algorithm, &value).map_err(A::Error::custom)?);
        }
        Digests::checked(digests).map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOO: &str = "sha-256=:LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564=:";

    #[test]
    fn headers_are_read() {
        fn check(text: &str, count: usize) {
            let digests = Digests::from_header(text).expect(text);
            assert_eq!(digests.iter().count(), count, "{text}");
            assert_eq!(Digests::from_header(&digests.to_header()), Ok(digests));
        }
        check(FOO, 1);
        check(&format!("{FOO} , {}", Digest::of(Algorithm::Sha384, b"foo").header()), 2);
        check(&format!("unixsum=:MTIz:,{FOO}"), 1);
        check(&Digests::of(b"foo").to_header(), 4);
    }

    impl Digest {
        fn header(self) -> String {
            Digests::from(self).to_header()
        }
    }

    #[test]
    fn other_headers_are_refused() {
        let twice = format!("{FOO},{FOO}");
        let long = format!("{FOO},x=:{}:", "A".repeat(HEADER_LIMIT));
        let unknown = "md5=:1B2M2Y8AsgTpgAmY7PhCfg==:";
        for text in
            ["", ",", unknown, &twice, &long, "sha-256=LCa0", "sha-256=::", "sha-256", &FOO[..FOO.len() - 2]]
        {
            assert!(Digests::from_header(text).is_err(), "{text}");
        }
    }

    #[test]
    fn json_is_strict() {
        let digests = Digests::of(b"foo");
        let text = serde_json::to_string(&digests).expect("serializes");
        assert!(text.starts_with(r#"{"sha-224":"#), "{text}");
        assert_eq!(serde_json::from_str::<Digests>(&text).expect("reads"), digests);
        let value = &FOO[9..53];
        for text in [
            "{}".to_owned(),
            r#"{"md5":"AA=="}"#.into(),
            r#"{"sha-256":"AA=="}"#.into(),
            format!(r#"{{"sha-256":"{value}","sha-256":"{value}"}}"#),
        ] {
            assert!(serde_json::from_str::<Digests>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_digest_is_found() {
        let computed = Digests::of(b"foo");
        assert_eq!(Digests::of(b"foo").mismatch(&computed), None);
        let other = Digest::sha256(b"bar");
        assert_eq!(Digests::from(other).mismatch(&computed), Some(&other));
        assert!(computed.mismatch(&Digests::from(other)).is_some());
    }
}
