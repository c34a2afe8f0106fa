//! The block: the only memory that keep and host share, one for each thread.
//!
//! ```text
//! 0 call 8 │ 8 six arguments 48 │ 56 result 8 │ … │ 4096 data 68 KiB
//! ```
//! All numbers are little-endian. The host reads the first 56 bytes and the data, and writes arguments, result and data.

/// Arguments of a call.
pub const ARGS: usize = 6;
/// Bytes before the data, of which the first [`HEADER_USED`] mean something.
pub const HEADER: usize = 4096;
/// Bytes of call, arguments and result.
pub const HEADER_USED: usize = 8 + ARGS * 8 + 8;
/// Bytes of data: enough for the largest datagram beside its address.
pub const DATA: usize = 68 << 10;
/// Bytes of a block.
pub const SIZE: usize = HEADER + DATA;
/// Every buffer begins at a multiple of this, so that the kernel finds numbers aligned.
pub const ALIGN: usize = 16;

/// The words at a block's beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The number of the call.
    pub call: u64,
    /// Its arguments.
    pub args: [u64; ARGS],
    /// What it returned, or a negative error number.
    pub result: i64,
}

impl Header {
    /// As bytes.
    pub fn encode(&self) -> [u8; HEADER_USED] {
        let mut bytes = [0; HEADER_USED];
        let words = [self.call].into_iter().chain(self.args).chain([self.result.cast_unsigned()]);
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// From a private copy of the bytes.
    pub fn decode(bytes: &[u8; HEADER_USED]) -> Self {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        let call = next();
        let args = core::array::from_fn(|_| next());
        Self { call, args, result: next().cast_signed() }
    }
}
