//! Pages of physical memory: fresh ones in order, which are zero, then those given back, which are made so.

use super::{direct, wipe};
use abi::layout::PAGE;

/// What is left.
pub struct Frames {
    start: u64,
    next: u64,
    end: u64,
    /// The last one given back; in its first word it has the one before, 0 being none.
    returned: u64,
    returned_count: u64,
}

impl Frames {
    /// All from `start` to `end`.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, next: start, end, returned: 0, returned_count: 0 }
    }

    /// Whether the next ones, and as many as tables may need, have never been used.
    pub const fn is_fresh(&self, count: u64) -> bool {
        self.returned == 0 && self.end - self.next > (count + 4) * PAGE
    }

    /// Bytes in use, and all there are.
    pub const fn usage(&self) -> (u64, u64) {
        (self.next - self.start - self.returned_count * PAGE, self.end - self.start)
    }

    /// A frame that is zero.
    pub fn take(&mut self) -> Option<u64> {
        if self.returned == 0 {
            return self.take_run(1);
        }
        let frame = self.returned;
        // SAFETY: a frame that was given back is nobody's; `give` wrote this word.
        self.returned = unsafe { direct(frame).cast::<u64>().read() };
        self.returned_count -= 1;
        wipe(frame);
        Some(frame)
    }

    /// Several fresh ones, one behind the other.
    pub fn take_run(&mut self, count: u64) -> Option<u64> {
        let end = count.checked_mul(PAGE).and_then(|len| self.next.checked_add(len))?;
        let first = self.next;
        (end <= self.end).then(|| {
            self.next = end;
            first
        })
    }

    /// Takes a frame back that no table has any more.
    pub fn give(&mut self, frame: u64) {
        // SAFETY: nobody else has the frame.
        unsafe { direct(frame).cast::<u64>().write(self.returned) };
        self.returned = frame;
        self.returned_count += 1;
    }
}
