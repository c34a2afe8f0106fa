//! The CBOR serialisation (RFC 9999 section 3).

use alloc::vec::Vec;

use super::{Cmw, Collection, KIND, Label, MAX_DEPTH, MAX_ITEMS, MAX_TEXT, Record, Type};
use crate::cbor::{Key, Kind, Reader, Writer};
use crate::cursor::{Malformed, Problem};

pub(super) fn read(bytes: &[u8]) -> Result<Cmw, Malformed> {
    let mut reader = Reader::new(bytes);
    let cmw = node(&mut reader, 0)?;
    reader.finish("cmw")?;
    Ok(cmw)
}

pub(super) fn write(cmw: &Cmw, writer: Writer) -> Writer {
    match cmw {
        Cmw::Record(Record { kind, value, indicator }) => {
            let writer = writer.array(2 + usize::from(indicator.is_some()));
            let writer = match kind {
                Type::Media(name) => writer.text(name),
                Type::Format(number) => writer.unsigned((*number).into()),
            };
            let writer = writer.bytes(value);
            match indicator {
                Some(indicator) => writer.unsigned((*indicator).into()),
                None => writer,
            }
        }
        Cmw::Collection(collection) => {
            let writer = writer.map(collection.items.len() + usize::from(collection.kind.is_some()));
            let writer = match &collection.kind {
                Some(kind) => writer.text(KIND).text(kind),
                None => writer,
            };
            collection.items.iter().fold(writer, |writer, (label, item)| {
                let writer = match label {
                    Label::Text(text) => writer.text(text),
                    Label::Number(number) => writer.integer(*number),
                };
                write(item, writer)
            })
        }
    }
}

fn node(reader: &mut Reader<'_>, depth: usize) -> Result<Cmw, Malformed> {
    match reader.peek() {
        Some(Kind::Array) => record(reader).map(Cmw::Record),
        Some(Kind::Tag) => tagged(reader).map(Cmw::Record),
        Some(Kind::Map) if depth < MAX_DEPTH => collection(reader, depth).map(Cmw::Collection),
        _ => Err(reader.fail("cmw", Problem::NotCanonical("not a record, tag or collection"))),
    }
}

fn record(reader: &mut Reader<'_>) -> Result<Record, Malformed> {
    let start = *reader;
    let (mut kind, mut value, mut indicator) = (None, None, None);
    reader.array("cmw.record", 3, |element| {
        if kind.is_none() {
            kind = Some(record_type(element)?);
        } else if value.is_none() {
            value = Some(element.bytes("cmw.value")?.to_vec());
        } else {
            indicator = Some(number(element, "cmw.indicator")?);
        }
        Ok(())
    })?;
    match (kind, value) {
        (Some(kind), Some(value)) => Ok(Record { kind, value, indicator }),
        _ => Err(start.fail("cmw.record", Problem::Missing)),
    }
}

fn record_type(reader: &mut Reader<'_>) -> Result<Type, Malformed> {
    match reader.peek() {
        Some(Kind::Text) => Ok(Type::Media(text(reader.text("cmw.type")?, reader)?.into())),
        _ => number(reader, "cmw.type").map(Type::Format),
    }
}

/// RFC 9277 section 4.3: TN(ct) = 0x63740101 + (ct / 255) · 256 + ct mod 255.
fn tagged(reader: &mut Reader<'_>) -> Result<Record, Malformed> {
    let start = *reader;
    let tag = reader.tag("cmw.tag")?;
    let format = tag.checked_sub(FIRST_TAG).filter(|number| number & 0xFF < 0xFF);
    let format = format.and_then(|number| u16::try_from((number >> 8) * 255 + (number & 0xFF)).ok());
    let found = Problem::Unexpected { expected: "the tag of a content format", found: tag };
    let kind = Type::Format(format.ok_or_else(|| start.fail("cmw.tag", found))?);
    Ok(Record { kind, value: reader.bytes("cmw.value")?.to_vec(), indicator: None })
}

fn collection(reader: &mut Reader<'_>, depth: usize) -> Result<Collection, Malformed> {
    let start = *reader;
    let mut items: Vec<(Label, Cmw)> = Vec::new();
    let mut kind = None;
    reader.map("cmw.collection", MAX_ITEMS, |key, member| {
        let label = match key {
            Key::Text(KIND) => {
                kind = Some(text(member.text("cmw.collection.type")?, member)?.into());
                return Ok(());
            }
            Key::Text(label) => Label::Text(text(label, member)?.into()),
            Key::Number(number) => Label::Number(number),
        };
        items.push((label, node(member, depth + 1)?));
        Ok(())
    })?;
    match items.is_empty() {
        true => Err(start.fail("cmw.collection", Problem::Missing)),
        false => Ok(Collection { kind, items }),
    }
}

fn text<'a>(text: &'a str, at: &Reader<'_>) -> Result<&'a str, Malformed> {
    match text.len() <= MAX_TEXT {
        true => Ok(text),
        false => Err(at.fail("cmw.text", Problem::TooLong { limit: MAX_TEXT, found: text.len() })),
    }
}

fn number<T: TryFrom<u64>>(reader: &mut Reader<'_>, field: &'static str) -> Result<T, Malformed> {
    let start = *reader;
    let found = reader.unsigned(field)?;
    let problem = Problem::Unexpected { expected: "a smaller number", found };
    T::try_from(found).map_err(|_| start.fail(field, problem))
}

const FIRST_TAG: u64 = 0x6374_0101;
