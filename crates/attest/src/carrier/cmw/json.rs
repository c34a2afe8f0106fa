//! The JSON serialisation (RFC 9999 section 3). A label that occurs twice is an error.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use super::{Cmw, Collection, KIND, Label, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, Record, Type};
use crate::base64;
use crate::cursor::{Malformed, Problem};

pub(super) fn read(text: &[u8]) -> Result<Cmw, Malformed> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Node { depth: 0 }.deserialize(&mut reader).and_then(|cmw| reader.end().map(|()| cmw));
    read.map_err(|error| {
        let problem =
            Problem::NotCanonical("not a JSON record [type, value, indicator] or a collection of them");
        Malformed { field: "cmw.json", offset: error.column(), problem }
    })
}

pub(super) fn write(cmw: &Cmw) -> String {
    alloc::format!("{}", value(cmw))
}

fn value(cmw: &Cmw) -> Value {
    match cmw {
        Cmw::Record(Record { kind, value, indicator }) => {
            let kind = match kind {
                Type::Media(name) => json!(name),
                Type::Format(number) => json!(number),
            };
            let mut record = alloc::vec![kind, json!(base64::encode_url(value))];
            record.extend(indicator.map(|indicator| json!(indicator)));
            Value::Array(record)
        }
        Cmw::Collection(collection) => {
            let mut members = Map::new();
            if let Some(kind) = &collection.kind {
                members.insert(KIND.into(), json!(kind));
            }
            for (label, item) in &collection.items {
                let label = match label {
                    Label::Text(text) => text.clone(),
                    Label::Number(number) => alloc::format!("{number}"),
                };
                members.insert(label, value(item));
            }
            Value::Object(members)
        }
    }
}

/// A record or a collection at some depth.
#[derive(Clone, Copy)]
struct Node {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Cmw;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cmw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Cmw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record or a collection")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut record: A) -> Result<Cmw, A::Error> {
        let missing = || de::Error::custom("a record has a type and a value");
        let kind = match record.next_element::<Value>()?.ok_or_else(missing)? {
            Value::String(name) if name.len() <= MAX_TEXT => Type::Media(name),
            Value::Number(number) => {
                let format = number.as_u64().and_then(|number| u16::try_from(number).ok());
                Type::Format(format.ok_or_else(missing)?)
            }
            _ => return Err(missing()),
        };
        let text: String = record.next_element()?.ok_or_else(missing)?;
        let value = base64::decode("cmw.value", text.as_bytes()).map_err(de::Error::custom)?;
        let indicator = record.next_element::<u32>()?;
        match record.next_element::<de::IgnoredAny>()? {
            None => Ok(Cmw::Record(Record { kind, value, indicator })),
            Some(_) => Err(de::Error::custom("a record ends with its indicator")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Cmw, A::Error> {
        let mut collection = Collection::default();
        let mut labels: Vec<String> = Vec::new();
        while let Some(label) = members.next_key::<String>()? {
            let fits = labels.len() < MAX_ITEMS && self.depth < MAX_DEPTH && label.len() <= MAX_TEXT;
            if !fits || labels.contains(&label) {
                return Err(de::Error::custom("over a limit, or a label twice"));
            }
            labels.push(label.clone());
            if label == KIND {
                collection.kind = Some(members.next_value()?);
                continue;
            }
            let item = members.next_value_seed(Node { depth: self.depth + 1 })?;
            collection.items.push((Label::Text(label), item));
        }
        match collection.items.is_empty() {
            true => Err(de::Error::custom("a collection has members")),
            false => Ok(Cmw::Collection(collection)),
        }
    }
}
