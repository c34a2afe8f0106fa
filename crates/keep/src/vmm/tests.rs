//! The real shim under a host that lies, and the real host under a shim that does.

use super::descriptors::Descriptors;
use super::plan::{Plan, Size};
use super::serve::{Asked, Desk};
use super::{elf, load};
use crate::launch::Image;
use crate::sys::machine::{Exit, Machine, Processor, Start};
use crate::sys::memory::GuestMemory;
use abi::block::{DATA, HEADER, HEADER_USED, Header, SIZE};
use abi::boot::Given;
use abi::call::{Arg, Call};
use abi::layout::selector::TABLE;
use abi::layout::{BOOT, DESCRIPTOR_TABLE, MEMORY, PORT, THREADS, per_cpu};
use abi::request::Request;
use api::manifest::Limits;

/// Numbers of the shim's reasons (crates/shim-kvm/src/bare/stop.rs).
const LIE: u64 = 3;
const BOOT_REASON: u64 = 5;

/// `read(0, below the stack, 32)`, then `exit_group` of what that returned.
const READS: &[u8] = &[
    0x31, 0xFF, 0x48, 0x8D, 0x74, 0x24, 0x80, 0xBA, 32, 0, 0, 0, 0x31, 0xC0, 0x0F, 0x05, // read
    0x89, 0xC7, 0xB8, 231, 0, 0, 0, 0x0F, 0x05, // exit_group
];
/// `socket(2, 1, 0)`, then `exit_group` of what that returned.
const OPENS: &[u8] = &[
    0xBF, 2, 0, 0, 0, 0xBE, 1, 0, 0, 0, 0x31, 0xD2, 0xB8, 41, 0, 0, 0, 0x0F, 0x05, // socket
    0x89, 0xC7, 0xB8, 231, 0, 0, 0, 0x0F, 0x05, // exit_group
];
/// Writes [`CANARY`] to descriptor 1 from below the stack, then `exit_group(0)`.
const WRITES: &[u8] = &[
    0x48, 0xB8, 0x0D, 0xF0, 0xAD, 0xBA, 0xEF, 0xBE, 0xAD, 0xDE, 0x48, 0x89, 0x44, 0x24,
    0x80, // the canary
    0xBF, 1, 0, 0, 0, 0x48, 0x8D, 0x74, 0x24, 0x80, 0xBA, 8, 0, 0, 0, 0xB8, 1, 0, 0, 0, 0x0F,
    0x05, // write
    0x31, 0xFF, 0xB8, 231, 0, 0, 0, 0x0F, 0x05, // exit_group
];
const CANARY: u64 = 0xDEAD_BEEF_BAAD_F00D;
/// `rdmsr`, which is not for ring 3; and `out` to the port of calls, which is neither.
const PRIVILEGED: &[u8] = &[0x0F, 0x32];
const WRITES_PORT: &[u8] = &[0x66, 0xBA, 0x00, 0x04, 0xEF];
/// Reads the first byte of the shim.
const READS_SHIM: &[u8] = &[0xB8, 0, 0, 0, 0x60, 0x8A, 0x00];

/// A virtual machine without confinement, whose calls the test answers.
struct Bench {
    processor: Processor,
    blocks: GuestMemory,
    _machine: Machine,
}

/// Whether this machine has KVM. If not it says so, and fails where `ENARX_REQUIRE` names it.
fn device() -> Option<std::os::fd::OwnedFd> {
    let device = std::fs::File::options().read(true).write(true).open("/dev/kvm");
    #[expect(clippy::disallowed_methods, reason = "what a test may skip is the environment's to say")]
    let required = std::env::var("ENARX_REQUIRE").unwrap_or_default();
    let required = required.split(',').any(|name| name == "kvm");
    assert!(device.is_ok() || !required, "ENARX_REQUIRE names kvm, which this machine lacks");
    if device.is_err() {
        println!("skipped: this machine lacks kvm");
    }
    device.ok().map(Into::into)
}

fn bench(code: &[u8], given: Given) -> Option<Bench> {
    let machine = Machine::new(device()?).unwrap();
    let image = Image::in_memory(&elf::program(code)).unwrap();
    let plan = super::plan(image.file(), Size::of(&Limits::default())).unwrap();
    let memory = load(&plan, image.file()).unwrap();
    let blocks = GuestMemory::new(MEMORY).unwrap();
    machine.add_memory(0, 0, &blocks).unwrap();
    machine.add_memory(1, MEMORY, &memory).unwrap();
    blocks.write(HEADER as u64, &given.encode()).unwrap();
    let start = Start {
        number: 0,
        entry: plan.entry,
        stack: Plan::stack(0),
        root: plan.pages.root(),
        descriptors: (BOOT + DESCRIPTOR_TABLE, (size_of_val(&TABLE) - 1) as u16),
        task: (per_cpu(0), 103),
    };
    let processor = machine.processor(&start).unwrap();
    Some(Bench { processor, blocks, _machine: machine })
}

const GIVEN: Given = Given { realtime: 1, monotonic: 1, tsc_khz: 2_000_000, descriptors: 3, processors: 1 };

impl Bench {
    /// Answers calls until one that ends the keep, and returns that.
    fn run(&mut self, mut answer: impl FnMut(Call) -> i64) -> (Call, [u64; 6]) {
        for _ in 0..100 {
            match self.processor.run() {
                Exit::Port(PORT) => {}
                Exit::Interrupted => continue,
                other => panic!("{other:?} {}", self.processor.place()),
            }
            let mut header = [0; HEADER_USED];
            self.blocks.read(0, &mut header).unwrap();
            let mut header = Header::decode(&header);
            let call = Call::from_number(header.call).unwrap();
            if matches!(call, Call::Exit | Call::Die | Call::Fault) {
                return (call, header.args);
            }
            header.result = answer(call);
            self.blocks.write(0, &header.encode()).unwrap();
        }
        panic!("no end")
    }
}

#[test]
fn answers_that_cannot_be_true_end_the_keep() {
    let read = Call::Read as u64;
    let cases = [
        (32, Call::Exit, 32),
        (0, Call::Exit, 0),
        (-9, Call::Exit, 0xF7),
        (33, Call::Fault, LIE),
        (i64::MAX, Call::Fault, LIE),
        (-4, Call::Fault, LIE),
        (-4096, Call::Fault, LIE),
        (i64::MIN, Call::Fault, LIE),
    ];
    for (result, end, number) in cases {
        let Some(mut bench) = bench(READS, GIVEN) else { return };
        let (call, args) = bench.run(|_| result);
        assert_eq!((call, args[0]), (end, number), "{result}");
        assert!(call != Call::Fault || args[1] == read);
    }
}

#[test]
fn descriptors_that_are_open_already_end_the_keep() {
    let cases =
        [(2, Call::Fault, LIE), (3, Call::Exit, 3), (4095, Call::Exit, 0xFF), (4096, Call::Fault, LIE)];
    for (result, end, number) in cases {
        let Some(mut bench) = bench(OPENS, GIVEN) else { return };
        let (call, args) = bench.run(|_| result);
        assert_eq!((call, args[0]), (end, number), "{result}");
    }
}

#[test]
fn words_that_make_no_sense_end_the_keep() {
    let cases = [
        Given { tsc_khz: 0, ..GIVEN },
        Given { tsc_khz: u64::MAX, ..GIVEN },
        Given { realtime: u64::MAX, ..GIVEN },
        Given { descriptors: u64::MAX, ..GIVEN },
        Given { processors: 0, ..GIVEN },
    ];
    for given in cases {
        let Some(mut bench) = bench(READS, given) else { return };
        let (call, args) = bench.run(|_| 0);
        assert_eq!((call, args[0]), (Call::Fault, BOOT_REASON), "{given:?}");
    }
}

#[test]
fn nothing_that_was_written_stays_in_the_block() {
    let Some(mut bench) = bench(WRITES, GIVEN) else { return };
    let blocks = bench.blocks;
    let holds_canary = || {
        let mut bytes = vec![0; THREADS * SIZE];
        blocks.read(0, &mut bytes).unwrap();
        bytes.windows(8).any(|window| window == CANARY.to_le_bytes())
    };
    let mut seen = false;
    let (call, _) = bench.run(|_| {
        seen = holds_canary();
        8
    });
    assert!(seen, "the call itself carries it");
    assert_eq!(call, Call::Exit);
    assert!(!holds_canary());
}

/// What ring 3 may not do is a signal, and no handler is there: SIGSEGV is 11.
#[test]
fn ring_3_stays_there() {
    for code in [PRIVILEGED, WRITES_PORT, READS_SHIM] {
        let Some(mut bench) = bench(code, GIVEN) else { return };
        let (call, args) = bench.run(|_| 0);
        assert_eq!((call, args[0]), (Call::Die, 11), "{code:x?}");
    }
}

/// A block in which a call stands.
fn desk(call: u64, args: [u64; 6]) -> (Desk, GuestMemory) {
    let blocks = GuestMemory::new(SIZE as u64).unwrap();
    blocks.write(0, &Header { call, args, result: 0 }.encode()).unwrap();
    (Desk::new(blocks, 0), blocks)
}

#[test]
fn calls_with_descriptors_of_others_are_refused() {
    let none = Descriptors::new(0..0);
    let mut tried = 0;
    for call in Call::ALL {
        let shape = call.shape();
        if !matches!(shape.args[0], Arg::Descriptor) && !matches!(shape.args[0], Arg::Directory) {
            continue;
        }
        // The first value that each argument accepts; descriptor 0 is open in this process.
        let args = std::array::from_fn(|index| match shape.args[index] {
            Arg::OneOf(numbers) => numbers[0],
            _ => 0,
        });
        let Ok(request) = Request::new(*call, args) else { panic!("{call:?}") };
        let (mut desk, blocks) = desk(*call as u64, args);
        desk.answer(&request, &none).unwrap();
        let mut header = [0; HEADER_USED];
        blocks.read(0, &mut header).unwrap();
        assert_eq!(Header::decode(&header).result, -9, "{call:?}");
        tried += 1;
    }
    assert!(tried > 40, "{tried}");
}

#[test]
fn nonsense_is_told_and_ends_the_keep() {
    let most = DATA as u64;
    let cases = [
        (Call::ALL.len() as u64, [0; 6]),
        (u64::MAX, [0; 6]),
        (Call::Read as u64, [0, 1, most + 1, 0, 0, 0]),
        (Call::Read as u64, [5000, 1, 1, 0, 0, 0]),
        (Call::Park as u64, [0, 1, 0, 0, 0, 0]),
        // A path of four bytes none of which is its end.
        (Call::Unlinkat as u64, [abi::call::WORKING_DIRECTORY, 4, 0, 0, 0, 0]),
    ];
    for (call, args) in cases {
        let (mut desk, blocks) = desk(call, args);
        blocks.write(HEADER as u64, b"abcd").unwrap();
        assert!(matches!(desk.take().unwrap(), Asked::Nonsense(_)), "{call} {args:x?}");
    }
}
