//! Frames: a length in bytes as a little-endian `u32`, then that many bytes of JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{ErrorKind, Read, Write};

/// Bytes of a frame's length.
const HEADER: usize = size_of::<u32>();
/// Largest step in which a frame's memory is taken, so that a peer that promises much and sends little costs little.
const STEP: usize = 64 << 10;

/// A frame that could not be passed.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream failed, or ended within a frame.
    #[error("the channel failed")]
    Channel(#[from] std::io::Error),
    /// The frame is longer than its limit.
    #[error("a frame of {found} bytes, more than the {limit} allowed")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// Most bytes allowed.
        limit: usize,
    },
    /// The frame's bytes are not the message expected.
    #[error("a frame that is not the message expected")]
    Malformed(#[from] serde_json::Error),
}

/// The bytes of one frame.
pub fn encode(message: &impl Serialize, limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEADER];
    serde_json::to_writer(&mut frame, message)?;
    let found = frame.len() - HEADER;
    let header = u32::try_from(found).ok().filter(|_| found <= limit);
    let header = header.ok_or(FrameError::TooLong { found, limit })?;
    frame[..HEADER].copy_from_slice(&header.to_le_bytes());
    Ok(frame)
}

/// Writes one frame.
pub fn write(to: &mut impl Write, message: &impl Serialize, limit: usize) -> Result<(), FrameError> {
    Ok(to.write_all(&encode(message, limit)?)?)
}

/// Reads one frame; none if the stream ends before it.
pub fn read<M: DeserializeOwned>(from: &mut impl Read, limit: usize) -> Result<Option<M>, FrameError> {
    let mut header = [0; HEADER];
    let first = loop {
        match from.read(&mut header) {
            Ok(0) => return Ok(None),
            Ok(count) => break count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    };
    from.read_exact(&mut header[first..])?;
    let found = u32::from_le_bytes(header) as usize;
    if found > limit {
        return Err(FrameError::TooLong { found, limit });
    }
    let mut body = Vec::new();
    while body.len() < found {
        let start = body.len();
        body.resize(found.min(start + STEP), 0);
        from.read_exact(&mut body[start..])?;
    }
    Ok(Some(serde_json::from_slice(&body)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::{Ending, NOTICE_LIMIT, Notice};

    #[test]
    fn there_and_back() {
        let notices = [Notice::CacheStored, Notice::Ended(Ending::Exit(7))];
        let mut wire = Vec::new();
        for notice in &notices {
            write(&mut wire, notice, NOTICE_LIMIT).unwrap();
        }
        let mut wire = wire.as_slice();
        for notice in notices {
            assert_eq!(read::<Notice>(&mut wire, NOTICE_LIMIT).unwrap(), Some(notice));
        }
        assert!(read::<Notice>(&mut wire, NOTICE_LIMIT).unwrap().is_none());
    }

    #[test]
    fn bad_frames_are_refused() {
        let cases: [(&[u8], &str); 6] = [
            (&[1, 0], "the channel failed"),
            (&[9, 0, 0, 0], "a frame of 9 bytes, more than the 8 allowed"),
            (&[255; 4], "a frame of 4294967295 bytes, more than the 8 allowed"),
            (&[4, 0, 0, 0, b'"'], "the channel failed"),
            (&[0, 0, 0, 0], "a frame that is not the message expected"),
            (b"\x04\0\0\0\"x\"y", "a frame that is not the message expected"),
        ];
        for (mut wire, expected) in cases {
            assert_eq!(read::<String>(&mut wire, 8).unwrap_err().to_string(), expected, "{wire:?}");
        }
        let long = "x".repeat(7);
        assert!(matches!(encode(&long, 8), Err(FrameError::TooLong { found: 9, limit: 8 })));
    }
}
