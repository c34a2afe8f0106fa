//! The JSON of entries and directories: strict where a lax reader could be shown two things at once.

use super::{Directory, Entry, TreeError, WIDTH_LIMIT, check_media_type};
use crate::name::FileName;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

pub(super) fn entry(text: &[u8]) -> Result<Entry, TreeError> {
    read("the entry", text)
}

pub(super) fn directory(text: &[u8]) -> Result<Directory, TreeError> {
    read::<Unique<Entry>>("the directory", text).and_then(|Unique(members)| {
        let named = members.into_iter().map(|(name, entry)| Ok((name.parse::<FileName>()?, entry)));
        Ok(Directory(named.collect::<Result<_, TreeError>>()?))
    })
}

fn read<'a, T: Deserialize<'a>>(what: &'static str, text: &'a [u8]) -> Result<T, TreeError> {
    serde_json::from_slice(text).map_err(|error| TreeError::Json { what, why: error.to_string() })
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Unique(mut extra) = Unique::<Value>::deserialize(deserializer)?;
        let mut take = |name| extra.remove(name).ok_or_else(|| D::Error::missing_field(name));
        let (digest, length, media_type) = (take("digest")?, take("length")?, take("type")?);
        let Value::String(media_type) = media_type else {
            return Err(D::Error::custom("`type` must be a string"));
        };
        check_media_type(&media_type).map_err(D::Error::custom)?;
        let length = length.as_u64().ok_or_else(|| D::Error::custom("`length` must be a whole number"))?;
        let digest = serde_json::from_value(digest).map_err(D::Error::custom)?;
        Ok(Self { digest, length, media_type, extra })
    }
}

/// An object that names nothing twice.
struct Unique<T>(BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Unique<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members(PhantomData))
    }
}

struct Members<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
    type Value = Unique<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unique<T>, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, T>()? {
            if members.len() == WIDTH_LIMIT {
                return Err(A::Error::custom(format!("more than the {WIDTH_LIMIT} members allowed")));
            }
            if let Some(_first) = members.insert(name, value) {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Unique(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = r#"{"sha-256":"LCa0a2j/xo/5m0U8HTBBNBNCLXBkg7+g+YpeiGJm564="}"#;

    fn written(rest: &str) -> String {
        format!(r#"{{"digest":{DIGEST},{rest}}}"#)
    }

    #[test]
    fn entries_survive() {
        for rest in [
            r#""length":3,"type":"application/wasm""#,
            r#""length":3,"type":"text/plain; charset=utf-8","x":[1,{"y":null}]"#,
        ] {
            let text = written(rest);
            let entry = Entry::decode(text.as_bytes()).expect(&text);
            assert_eq!(String::from_utf8_lossy(&entry.encode()), text);
        }
    }

    #[test]
    fn other_entries_are_refused() {
        for text in [
            String::new(),
            "[]".into(),
            "{}".into(),
            written(r#""length":3"#),
            written(r#""type":"a/b""#),
            written(r#""length":-1,"type":"a/b""#),
            written(r#""length":1.5,"type":"a/b""#),
            written(r#""length":"3","type":"a/b""#),
            written(r#""length":3,"type":7"#),
            written(r#""length":3,"type":"""#),
            written(r#""length":3,"type":"wasm""#),
            written(r#""length":3,"type":"a/b\r\nset-cookie: c""#),
            written(r#""length":3,"length":3,"type":"a/b""#),
            written(r#""length":3,"type":"a/b","x":1,"x":2"#),
            written(r#""length":3,"type":"a/b""#) + " 1",
            r#"{"digest":{},"length":3,"type":"a/b"}"#.into(),
        ] {
            assert!(Entry::decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn directories_are_strict() {
        let entry = written(r#""length":3,"type":"a/b""#);
        let good = format!(r#"{{"a":{entry},"b":{entry}}}"#);
        assert_eq!(Directory::decode(good.as_bytes()).expect("good").encode(), good.as_bytes());
        for bad in [
            format!(r#"{{"a":{entry},"a":{entry}}}"#),
            format!(r#"{{"..":{entry}}}"#),
            format!(r#"{{"a/b":{entry}}}"#),
        ] {
            assert!(Directory::decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn widths_are_limited() {
        let entry = written(r#""length":3,"type":"a/b""#);
        let of = |count: usize| {
            let members: Vec<_> = (0..count).map(|number| format!(r#""{number}":{entry}"#)).collect();
            Directory::decode(format!("{{{}}}", members.join(",")).as_bytes())
        };
        assert!(of(WIDTH_LIMIT).is_ok());
        assert!(of(WIDTH_LIMIT + 1).is_err());
    }
}
