//! Both sides of the boundary against each other, and against what neither would send.

use abi::block::{ALIGN, DATA, HEADER_USED, Header};
use abi::boot::Given;
use abi::call::{Arg, Call, Returns, WORKING_DIRECTORY};
use abi::errno::Errno;
use abi::layout::DESCRIPTORS;
use abi::reply::{Lie, Reply};
use abi::request::{Malformed, Request};
use proptest::prelude::*;

/// Numbers that decide something, and any others.
fn argument() -> impl Strategy<Value = u64> {
    let telling = [0, 1, 2, 3, 4, 8, 100, 4095, 4096, DATA as u64, DATA as u64 + 1, u64::MAX, 0x541B, 0x4000];
    prop_oneof![
        4 => prop::sample::select(telling.to_vec()),
        1 => Just(WORKING_DIRECTORY),
        2 => 0..200_u64,
        1 => any::<u64>(),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop::sample::select(Call::ALL.to_vec())
}

proptest! {
    /// However a call's arguments are chosen, its buffers lie in the data, aligned and apart.
    #[test]
    fn buffers_never_overlap_or_leave_the_data(call in call(), args in prop::array::uniform6(argument())) {
        let Ok(request) = Request::new(call, args) else { return Ok(()) };
        let mut end = 0;
        for (index, span) in request.spans() {
            prop_assert!(span.range().start >= end && span.range().start % ALIGN == 0, "argument {index}");
            end = span.range().end;
            prop_assert_eq!(end - span.range().start, span.len());
        }
        prop_assert!(end <= request.used() && request.used() <= DATA);
    }

    /// A descriptor outside the table, and a pointer where there is none, never pass.
    #[test]
    fn what_passes_has_its_shape(call in call(), args in prop::array::uniform6(argument())) {
        let Ok(request) = Request::new(call, args) else { return Ok(()) };
        for (arg, value) in call.shape().args.iter().zip(args) {
            match arg {
                Arg::Zero => prop_assert_eq!(value, 0),
                Arg::Descriptor => prop_assert!(value < DESCRIPTORS as u64),
                Arg::Directory => prop_assert!(value < DESCRIPTORS as u64 || value == WORKING_DIRECTORY),
                Arg::OneOf(numbers) => prop_assert!(numbers.contains(&value)),
                Arg::Flags(mask) => prop_assert_eq!(value & !mask, 0),
                Arg::In(_) | Arg::Out(_) | Arg::InOut(_) => prop_assert!(value < 2),
                Arg::Path => prop_assert!(value <= 4096),
                Arg::Room => prop_assert!(value <= DATA as u64),
                Arg::Number => {}
            }
        }
        prop_assert_eq!(Request::new(call, *request.args()), Ok(request));
    }

    /// Whatever the host answers, the keep believes no more than it had room for.
    #[test]
    fn no_answer_exceeds_its_room(
        call in call(),
        args in prop::array::uniform6(argument()),
        answer in prop::array::uniform6(any::<u64>()),
        result in prop_oneof![any::<i64>(), -5000_i64..100_000],
    ) {
        let Ok(request) = Request::new(call, args) else { return Ok(()) };
        match Reply::check(&request, &Header { call: call as u64, args: answer, result }) {
            Ok(Ok(reply)) => {
                prop_assert_eq!(reply.value, result.cast_unsigned());
                match call.shape().returns {
                    Returns::Nothing => prop_assert_eq!(reply.value, 0),
                    Returns::Bytes(of) => {
                        let room = request.span(of).map_or(0, |span| span.len());
                        prop_assert!(reply.value <= room as u64);
                    }
                    Returns::Count(of) => prop_assert!(reply.value <= args[of]),
                    Returns::Descriptor => prop_assert!(reply.value < DESCRIPTORS as u64),
                    Returns::Number => {}
                }
            }
            Ok(Err(Errno(code))) => {
                prop_assert!((1..=Errno::MOST).contains(&code));
                prop_assert_eq!(i64::from(code), -result);
            }
            Err(Lie) => {}
        }
    }

    /// A header is read as it was written.
    #[test]
    fn headers_survive(call in any::<u64>(), args in prop::array::uniform6(any::<u64>()), result in any::<i64>()) {
        let header = Header { call, args, result };
        let bytes = header.encode();
        prop_assert_eq!(bytes.len(), HEADER_USED);
        prop_assert_eq!(Header::decode(&bytes), header);
    }

    /// What is believed of the host's word can be calculated with.
    #[test]
    fn given_words_are_sane(words in prop::array::uniform5(argument())) {
        let mut bytes = [0; Given::SIZE];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        if let Some(given) = Given::decode(&bytes) {
            prop_assert_eq!(given.encode(), bytes);
            prop_assert!((1_000_000_u64 << 32) / given.tsc_khz > 0);
            prop_assert!(given.realtime.checked_add(u64::MAX / 4).is_some());
            prop_assert!(given.descriptors <= DESCRIPTORS as u64);
        }
    }
}

#[test]
fn lies_are_told_from_errors() {
    let read = Request::new(Call::Read, [0, 1, 100, 0, 0, 0]).unwrap();
    let write = Request::new(Call::Write, [0, 1, 100, 0, 0, 0]).unwrap();
    let accept = Request::new(Call::Accept4, [3, 0, 0, 0, 0, 0]).unwrap();
    let close = Request::new(Call::Close, [3, 0, 0, 0, 0, 0]).unwrap();
    let cases = [
        (read, 100, Ok(Ok(100))),
        (read, 0, Ok(Ok(0))),
        (read, 101, Err(Lie)),
        (read, -9, Ok(Err(Errno::BADF))),
        (read, -4, Err(Lie)),
        (read, -4096, Err(Lie)),
        (read, i64::MIN, Err(Lie)),
        (write, 1, Ok(Ok(1))),
        (write, 0, Err(Lie)),
        (accept, 7, Ok(Ok(7))),
        (accept, DESCRIPTORS as i64, Err(Lie)),
        (close, 0, Ok(Ok(0))),
        (close, 1, Err(Lie)),
    ];
    for (request, result, expected) in cases {
        let answer = Reply::check(&request, &Header { result, ..Header::default() });
        let answer = answer.map(|answer| answer.map(|reply| reply.value));
        assert_eq!(answer, expected, "{:?} {result}", request.call());
    }
}

#[test]
fn malformed_calls_say_where() {
    let most = DATA as u64;
    let cases = [
        (Call::Read, [4096, 1, 1, 0, 0, 0], Malformed::Argument(0)),
        (Call::Read, [0, 2, 1, 0, 0, 0], Malformed::Argument(1)),
        (Call::Read, [0, 1, most + 1, 0, 0, 0], Malformed::TooLong),
        (Call::Read, [0, 1, u64::MAX, 0, 0, 0], Malformed::TooLong),
        (Call::Read, [0, 1, 1, 1, 0, 0], Malformed::Argument(3)),
        (Call::Sendto, [0, 1, most - 8, 0, 1, 16], Malformed::TooLong),
        (Call::Sendto, [0, 1, 8, 1, 1, 16], Malformed::Argument(3)),
        (Call::Openat, [WORKING_DIRECTORY, 4097, 0, 0, 0, 0], Malformed::Argument(1)),
        (Call::EpollPwait, [0, 1, u64::MAX / 2, 0, 0, 0], Malformed::TooLong),
        (Call::Fcntl, [0, 8, 0, 0, 0, 0], Malformed::Argument(1)),
        (Call::Accept4, [0, 0, most + 1, 0, 0, 0], Malformed::Argument(2)),
    ];
    for (call, args, expected) in cases {
        assert_eq!(Request::new(call, args), Err(expected), "{call:?} {args:x?}");
    }
}

/// Options that take pointers, change other programs' traffic or are unknown do not cross.
#[test]
fn options_are_a_closed_list() {
    for (level, name) in [(1, 26), (1, 50), (1, 31), (6, 19), (0, 64), (17, 1), (6, 31), (u64::MAX, 2)] {
        assert!(!Call::Setsockopt.passes_option(level, name), "{level} {name}");
    }
    for (level, name) in [(1, 2), (6, 1), (41, 26)] {
        assert!(Call::Setsockopt.passes_option(level, name), "{level} {name}");
    }
}
