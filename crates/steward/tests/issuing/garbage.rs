//! Bytes that strangers change at random: decoders answer, and never panic. `fuzz/` goes further.

use attest::roots::Grade as Root;
use proptest::prelude::*;
use steward::request::Request;
use steward::revocation::ocsp::Question;

use crate::keep::Keep;

/// A question for one serial number with a nonce, as `openssl ocsp` asks it.
const QUESTION: &str = "30763074304d304b3049300906052b0e03021a0500041400112233445566778899aabbccddeeff001122330414001122\
    33445566778899aabbccddeeff00112233021047070707070707070707070707070707a2233021301f06092b06010505\
    0730010204120410000102030405060708090a0b0c0d0e0f";

fn changed(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = good.len();
    let edits = prop::collection::vec((0..length, any::<u8>()), 0..6);
    (edits, 0..=length).prop_map(move |(edits, cut)| {
        let mut bytes = good.clone();
        edits.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        bytes.truncate(cut.max(length.saturating_sub(cut % 3)));
        bytes
    })
}

fn question() -> Vec<u8> {
    let digit = |at| u8::from_str_radix(&QUESTION[at..at + 2], 16).expect("hexadecimal");
    (0..QUESTION.len()).step_by(2).map(digit).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn requests(bytes in changed(Keep::snp(Root::Vendor, |_, _| {}).0.request())) {
        let _ = Request::decode(&bytes);
        let bundle = attest::der::element(attest::der::tag::SEQUENCE, &bytes);
        prop_assert_eq!(Request::decode(&bytes).is_ok(), Request::decode_bundle(&bundle).is_ok());
    }

    #[test]
    fn questions(bytes in changed(question())) {
        if let Ok(question) = Question::decode(&bytes) {
            prop_assert!(question.serials().count() <= 16);
        }
        let _ = Question::decode_path(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn the_question_is_one() {
    assert_eq!(Question::decode(&question()).expect("decodes").serials().count(), 1);
}
