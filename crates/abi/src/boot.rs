//! What the launcher tells the shim. The page of [`Boot`] is part of the measurement; [`Given`] is the host's word, in
//! the data of the first block, and is not.

use crate::layout::{DESCRIPTORS, THREADS};

/// Where the launcher has put things; part of the measured launch state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Boot {
    /// [`MAGIC`].
    pub magic: u64,
    /// End of the keep's physical memory.
    pub memory_end: u64,
    /// First physical page that nobody uses yet.
    pub free: u64,
    /// The page directory of the program's window, to be entered at a place of the shim's choice.
    pub window: u64,
    /// Physical address of the program's first page.
    pub program: u64,
    /// Bytes that the program occupies in its window.
    pub program_len: u64,
    /// The program's first instruction, from the window's start.
    pub entry: u64,
    /// The program's own headers, from the window's start, and how many there are.
    pub headers: u64,
    /// How many program headers there are.
    pub header_count: u64,
    /// Bytes of the first thread's stack.
    pub stack: u64,
    /// The parts of the program.
    pub segments: [Segment; SEGMENTS],
}

/// A part of the program with one kind of access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Segment {
    /// Its first page, from the window's start.
    pub start: u64,
    /// Its end; 0 if there is no such segment.
    pub end: u64,
    /// What of it is in the image; from there on it is zero.
    pub filled: u64,
    /// Access: 1 read, 2 write, 4 execute, as in `mmap(2)`.
    pub access: u64,
}

/// Most segments.
pub const SEGMENTS: usize = 8;
/// "enarxkvm"
pub const MAGIC: u64 = u64::from_le_bytes(*b"enarxkvm");

impl Boot {
    /// As the words that the shim finds in memory.
    pub fn words(&self) -> impl Iterator<Item = u64> + '_ {
        let first = [
            self.magic,
            self.memory_end,
            self.free,
            self.window,
            self.program,
            self.program_len,
            self.entry,
            self.headers,
            self.header_count,
            self.stack,
        ];
        let segment = |part: &Segment| [part.start, part.end, part.filled, part.access];
        first.into_iter().chain(self.segments.iter().flat_map(segment))
    }
}

/// The host's word, which the keep cannot check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Nanoseconds since 1970.
    pub realtime: u64,
    /// Nanoseconds of a clock that never goes backwards.
    pub monotonic: u64,
    /// How fast the time stamp counter counts, in kHz.
    pub tsc_khz: u64,
    /// How many descriptors are open, from 0 on.
    pub descriptors: u64,
    /// Processors that the program is told of.
    pub processors: u64,
}

impl Given {
    /// Bytes of its encoding.
    pub const SIZE: usize = 40;
    /// Slowest and fastest counter that is believed.
    const TSC_KHZ: core::ops::RangeInclusive<u64> = 100_000..=100_000_000;
    /// Latest time that is believed: the year 2116.
    const TIME_MOST: u64 = 1 << 62;

    /// As bytes.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let words = [self.realtime, self.monotonic, self.tsc_khz, self.descriptors, self.processors];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// From a private copy, if arithmetic with it can be trusted.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Option<Self> {
        let mut words = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word));
        let (realtime, monotonic) = (words.next()?, words.next()?);
        let (tsc_khz, descriptors, processors) = (words.next()?, words.next()?, words.next()?);
        let given = Self { realtime, monotonic, tsc_khz, descriptors, processors };
        let times = realtime < Self::TIME_MOST && monotonic < Self::TIME_MOST;
        let counts = descriptors <= DESCRIPTORS as u64 && (1..=THREADS as u64).contains(&processors);
        (times && counts && Self::TSC_KHZ.contains(&tsc_khz)).then_some(given)
    }
}
