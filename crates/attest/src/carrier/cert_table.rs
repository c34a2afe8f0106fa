//! The certificate table of an extended report (AMD 56421, GHCB specification, section 4.1.8.1).
//!
//! ```text
//! entries  { guid [u8; 16], offset u32, length u32 } …, closed by an entry of zeros
//! data     certificates, at offsets from the start of the table
//! ```
//!
//! The host writes it. Entries hold DER or, as some hosts have it, PEM; unknown GUIDs name what the host offers to others.

use alloc::vec::Vec;

use crate::cursor::{self, Cursor, Malformed, Problem};
use crate::pem;

/// The largest table: four certificates and a list.
pub const MAX_SIZE: usize = 64 * 1024;

/// The most entries.
const MAX_ENTRIES: usize = 16;

/// A decoded table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertTable {
    /// VCEK, VLEK, ASK and ARK, as DER.
    pub certificates: Vec<Vec<u8>>,
    /// Revocation lists, as DER.
    pub crls: Vec<Vec<u8>>,
}

impl CertTable {
    /// Decodes a table. What follows the last entry's data is the rest of the host's pages, and must be zero.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        cursor::limit("certTable", bytes, MAX_SIZE)?;
        let mut header = Cursor::new(bytes);
        let mut table = Self::default();
        let mut used = 0;
        let mut count = 0;
        loop {
            let at = header;
            let guid: [u8; 16] = header.array("certTable.guid")?;
            let (offset, length) = (header.u32_le("certTable.offset")?, header.u32_le("certTable.length")?);
            if guid == [0; 16] && offset == 0 && length == 0 {
                break;
            }
            if count == MAX_ENTRIES {
                let problem = Problem::TooLong { limit: MAX_ENTRIES, found: MAX_ENTRIES + 1 };
                return Err(at.error("certTable", problem));
            }
            count += 1;
            let (offset, length) = (offset as usize, length as usize);
            let mut data = Cursor::new(bytes);
            data.take("certTable.offset", offset)?;
            let data = data.take("certTable.data", length)?;
            used = used.max(offset + length);
            table.keep(guid, data)?;
        }
        let mut tail = Cursor::new(bytes);
        tail.take("certTable", used.max(header.offset()))?;
        tail.zeros("certTable.tail", tail.rest().len())?;
        Ok(table)
    }

    /// Encodes certificates with the GUIDs they go by.
    pub fn encode(entries: &[(Entry, &[u8])]) -> Vec<u8> {
        let mut offset = ENTRY_SIZE * (entries.len() + 1);
        let mut header = Vec::new();
        for (entry, data) in entries {
            header.extend_from_slice(entry.guid());
            for number in [offset, data.len()] {
                header.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
            }
            offset += data.len();
        }
        header.extend_from_slice(&[0; ENTRY_SIZE]);
        let data: Vec<u8> = entries.iter().flat_map(|(_, data)| data.iter().copied()).collect();
        [header, data].concat()
    }

    fn keep(&mut self, guid: [u8; 16], data: &[u8]) -> Result<(), Malformed> {
        let items = match pem::is_pem(data) {
            true => pem::decode(data)?.into_iter().map(|block| block.bytes).collect(),
            false => alloc::vec![data.to_vec()],
        };
        match Entry::ALL.into_iter().find(|entry| entry.guid() == &guid) {
            // A host that has no such certificate leaves the entry empty.
            Some(_) if data.is_empty() => {}
            Some(Entry::Crl) => self.crls.extend(items),
            Some(_) => self.certificates.extend(items),
            None => {}
        }
        Ok(())
    }
}

/// The entries that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The chip's key.
    Vcek,
    /// The cloud provider's key.
    Vlek,
    /// The intermediate.
    Ask,
    /// The root.
    Ark,
    /// The root's revocation list.
    Crl,
}

impl Entry {
    const ALL: [Self; 5] = [Self::Vcek, Self::Vlek, Self::Ask, Self::Ark, Self::Crl];

    /// The GUID, its bytes in the order that the text has them: unlike Microsoft's, AMD's fields are not swapped.
    fn guid(self) -> &'static [u8; 16] {
        match self {
            Self::Vcek => b"\x63\xda\x75\x8d\xe6\x64\x45\x64\xad\xc5\xf4\xb9\x3b\xe8\xac\xcd",
            Self::Vlek => b"\xa8\x07\x4b\xc2\xa2\x5a\x48\x3e\xaa\xe6\x39\xc0\x45\xa0\xb8\xa1",
            Self::Ask => b"\x4a\xb7\xb3\x79\xbb\xac\x4f\xe4\xa0\x2f\x05\xae\xf3\x27\xc7\x82",
            Self::Ark => b"\xc0\xb4\x06\xa4\xa8\x03\x49\x52\x97\x43\x3f\xb6\x01\x4c\xd0\xae",
            Self::Crl => b"\x92\xf8\x1b\xc3\x58\x11\x4d\x3d\x97\xff\xd1\x9f\x88\xdc\x67\xea",
        }
    }
}

const ENTRY_SIZE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_survive_encoding_and_padding() {
        let pem = pem::encode("CERTIFICATE", &[9; 30]);
        let entries: [(Entry, &[u8]); 4] = [
            (Entry::Vcek, &[1; 10]),
            (Entry::Ask, pem.as_bytes()),
            (Entry::Crl, &[3; 5]),
            (Entry::Vlek, &[]),
        ];
        let encoded = CertTable::encode(&entries);
        let table = CertTable::decode(&encoded).expect("decodes");
        assert_eq!(table.certificates, [std::vec![1; 10], std::vec![9; 30]]);
        assert_eq!(table.crls, [[3; 5]]);
        assert_eq!(CertTable::decode(&[encoded.clone(), std::vec![0; 4096]].concat()), Ok(table));
        for length in 0..encoded.len() {
            assert!(CertTable::decode(&encoded[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn malformed_tables_are_refused() {
        fn check(bytes: &[u8], field: &str) {
            assert_eq!(CertTable::decode(bytes).expect_err("malformed").field, field);
        }
        let encoded = CertTable::encode(&[(Entry::Vcek, &[1; 10])]);
        check(&[encoded.as_slice(), &[1]].concat(), "certTable.tail");
        let mut outside = encoded.clone();
        outside[16..20].copy_from_slice(&[0xFF; 4]);
        check(&outside, "certTable.offset");
        let mut long = encoded;
        long[20..24].copy_from_slice(&[0xFF; 4]);
        check(&long, "certTable.data");
        let many: Vec<(Entry, &[u8])> = std::vec![(Entry::Ark, &[]); MAX_ENTRIES + 1];
        check(&CertTable::encode(&many), "certTable");
        check(&std::vec![0; MAX_SIZE + 1], "certTable");
    }
}
