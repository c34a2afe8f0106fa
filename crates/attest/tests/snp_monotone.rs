//! A stricter policy never accepts more: whatever floor is raised, allowance cleared or list extended, evidence that the
//! stricter policy accepts was accepted before.

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "snp/hierarchy.rs"]
mod hierarchy;

use std::sync::LazyLock;

use attest::appraise::appraise;
use attest::endorsements::Endorsements;
use attest::evidence::Evidence;
use attest::policy::Policy;
use attest::reference::ReferenceValues;
use attest::time::Time;
use hierarchy::{KEYS, NOW, Scene};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;

/// The values of a policy, each small enough that chance finds both sides of it.
#[derive(Clone, Debug)]
struct Knobs {
    tcb: [u8; 4],
    build: u8,
    svn: u32,
    vmpl: u32,
    launch: u8,
    current: u8,
    hashes: u8,
    denied_hashes: u8,
    lines: u8,
    denied_lines: u8,
    policy_bits: [u8; 3],
    platform_bits: [u8; 3],
    number: u64,
    age: u64,
    allow: [bool; 8],
}

/// The evidence: what it says of itself in place of what the good scene says.
#[derive(Clone, Debug)]
struct Host {
    tcb: [u8; 4],
    build: u8,
    svn: u8,
    vmpl: u8,
    mitigations: [u8; 2],
    hash: u8,
    policy: u8,
    platform: u8,
    lists: bool,
}

/// Everything that signs, once.
static WORLD: LazyLock<(Vec<u8>, Endorsements, Endorsements)> = LazyLock::new(|| {
    let mut scene = Scene::good();
    let root = scene.root(&KEYS);
    let fresh = scene.endorsements(&KEYS, &root, None);
    scene.lists.clear();
    let none = scene.endorsements(&KEYS, &root, None);
    (root, fresh, none)
});

impl Knobs {
    fn policy(&self) -> Policy {
        let [bootloader, tee, snp, microcode] = self.tcb;
        let [debug, agent, masked, unknown_policy, unknown_platform, crl, settled, tees] = self.allow;
        let numbers = |mask: u8| (0..8).filter(|bit| mask & 1 << bit != 0).collect::<Vec<u8>>();
        let hashes = |mask: u8| {
            let hashes = numbers(mask).into_iter().map(|hash| format!("{hash:02x}").repeat(48));
            hashes.collect::<Vec<_>>()
        };
        let lines = |mask: u8| {
            let lines = numbers(mask).into_iter().map(|line| ["milan", "genoa", "turin"][usize::from(line)]);
            lines.collect::<Vec<_>>()
        };
        let bits = |demands: [u8; 3], names: [&str; 3]| {
            let words = demands.map(|demand| ["ignore", "set", "clear"][usize::from(demand)]);
            let bits = names.iter().zip(words).map(|(name, word)| format!("{name} = \"{word}\""));
            bits.collect::<Vec<_>>().join(", ")
        };
        let unknown = |noted: bool| if noted { "note" } else { "refuse" };
        let text = format!(
            "accept.debug = {debug}\nfreshness.binding_required = false\n{}\n\
             revocation = {{ required = {}, max_age_seconds = {}, minimum_number = {{ SEV-Genoa = {} }} }}\n[snp]\n\
             hash = {:?}\nhash_blacklist = {:?}\nlines = {:?}\ndenied_lines = {:?}\nsettled_tcb = {}\n\
             minimum_guest_svn = {}\nmaximum_vmpl = {}\nmigration_agent = {agent}\nmasked_chip = {masked}\n\
             guest_policy = {{ unknown = \"{}\", bits = {{ {} }} }}\n\
             platform_info = {{ unknown = \"{}\", bits = {{ {} }} }}\n[snp.products.genoa]\n\
             minimum_tcb = {{ bootloader = {bootloader}, tee = {tee}, snp = {snp}, microcode = {microcode} }}\n\
             minimum_firmware = \"1.55.{}\"\nlaunch_mitigations = {:?}\ncurrent_mitigations = {:?}\n",
            if tees { "" } else { "accept.tees = [\"snp\"]" },
            !crl,
            self.age,
            self.number,
            hashes(self.hashes & !self.denied_hashes),
            hashes(self.denied_hashes),
            lines(self.lines),
            lines(self.denied_lines),
            !settled,
            self.svn,
            self.vmpl,
            unknown(unknown_policy),
            bits(self.policy_bits, ["smt", "debug", "single-socket"]),
            unknown(unknown_platform),
            bits(self.platform_bits, ["smt", "tsme", "ecc"]),
            self.build,
            numbers(self.launch),
            numbers(self.current),
        );
        let root: String =
            attest::crypto::sha256(&WORLD.0).iter().map(|byte| format!("{byte:02x}")).collect();
        Policy::from_toml(&format!("accept.development_roots = [\"{root}\"]\n{text}"))
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    /// The same policy, one step stricter in one place; a step that is not possible there changes nothing.
    fn stricter(&self, place: usize, step: u8) -> Self {
        let mut knobs = self.clone();
        let add = |mask: &mut u8, step: u8| *mask |= 1 << (step % 3);
        // From an allow list something is taken away, but never the last: an empty one accepts any.
        let take = |mask: &mut u8, step: u8| match *mask {
            0 => *mask = 1 << (step % 3),
            some if some.count_ones() > 1 => *mask &= !(1 << (step % 3)),
            _ => {}
        };
        let demand = |bits: &mut [u8; 3], step: u8| {
            let bit = &mut bits[usize::from(step % 3)];
            *bit = if *bit == 0 { 1 + step / 3 % 2 } else { *bit };
        };
        match place {
            0..=3 => knobs.tcb[place] = knobs.tcb[place].saturating_add(step),
            4 => knobs.build = knobs.build.saturating_add(step),
            5 => knobs.svn += u32::from(step),
            6 => knobs.vmpl = knobs.vmpl.saturating_sub(step.into()),
            7 => add(&mut knobs.launch, step),
            8 => add(&mut knobs.current, step),
            9 if knobs.denied_hashes == 0 => take(&mut knobs.hashes, step),
            10 if knobs.hashes == 0 => add(&mut knobs.denied_hashes, step),
            11 => take(&mut knobs.lines, step),
            12 => add(&mut knobs.denied_lines, step),
            13 => demand(&mut knobs.policy_bits, step),
            14 => demand(&mut knobs.platform_bits, step),
            15 => knobs.number += u64::from(step),
            16 => knobs.age = knobs.age.saturating_sub(86_400 * u64::from(step)),
            17..=24 => knobs.allow[place - 17] = false,
            _ => {}
        }
        knobs
    }
}

impl Host {
    fn judge(&self, policy: &Policy) -> bool {
        let mut scene = Scene::good();
        let [bootloader, tee, snp, microcode] = self.tcb;
        // The VEK binds REPORTED_TCB: the floor is met or missed by what was committed.
        scene.write(0x1E0, &[bootloader, tee, 0, 0, 0, 0, snp, microcode]);
        scene.write(0x1EC, &[self.build]);
        scene.write(0x04, &[self.svn]);
        scene.write(0x30, &[self.vmpl]);
        scene.write(0x1F8, &[self.mitigations[0]]);
        scene.write(0x200, &[self.mitigations[1]]);
        scene.write(0x90, &[self.hash; 48]);
        scene.report[0x0A] |= self.policy & 0x1D;
        scene.report[0x0B] |= self.policy & 0x80;
        scene.write(0x40, &[self.platform & 0x7F, self.platform & 0x80]);
        let evidence = Evidence::decode(&scene.evidence(&KEYS)).expect("decodes");
        let endorsements = if self.lists { &WORLD.1 } else { &WORLD.2 };
        let now = Time::from_rfc3339(NOW).expect("valid");
        appraise(&evidence, endorsements, &ReferenceValues::default(), policy, now).is_ok()
    }
}

prop_compose! {
    fn knobs()(
        tcb in [select(&[0, 10]), select(&[0]), select(&[0, 26, 27]), select(&[0, 83, 84])],
        build in 47..50_u8,
        svn in 0..2_u32,
        vmpl in 0..3_u32,
        launch in select(&[0, 1, 3]),
        current in select(&[0, 1, 2]),
        hashes in select(&[0, 0, 3, 7]),
        denied_hashes in select(&[0, 0, 1]),
        lines in select(&[0, 2, 7]),
        denied_lines in select(&[0, 1]),
        policy_bits in [select(&[0, 1]), select(&[0]), select(&[0, 0, 2])],
        platform_bits in [select(&[0, 0, 1]), select(&[0, 0, 2]), select(&[0, 0, 1])],
        number in 0..8_u64,
        age in select(&[2_592_000_u64, 2_764_800, 8_640_000]),
        allow in prop::array::uniform8(prop::bool::weighted(0.8)),
    ) -> Knobs {
        Knobs {
            tcb, build, svn, vmpl, launch, current, hashes, denied_hashes, lines, denied_lines, policy_bits,
            platform_bits, number, age, allow,
        }
    }
}

prop_compose! {
    fn hosts()(
        tcb in [select(&[10]), select(&[0]), select(&[26, 27]), select(&[83, 84])],
        build in 48..50_u8,
        svn in 0..3_u8,
        vmpl in select(&[0, 0, 1]),
        mitigations in prop::array::uniform2(select(&[1, 3, 3, 7])),
        hash in 0..3_u8,
        policy in select(&[1, 1, 1, 0, 0x81, 0x09, 0x05, 0x11]),
        platform in select(&[0x25, 0x25, 0x05, 0x27, 0xA5]),
        lists in prop::bool::weighted(0.9),
    ) -> Host {
        Host { tcb, build, svn, vmpl, mitigations, hash, policy, platform, lists }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_stricter_policy_never_accepts_more(
        knobs in knobs(), host in hosts(), steps in prop::collection::vec((0..25_usize, 1..6_u8), 1..4),
    ) {
        let stricter = steps.iter().fold(knobs.clone(), |knobs, &(place, step)| knobs.stricter(place, step));
        if host.judge(&stricter.policy()) {
            prop_assert!(host.judge(&knobs.policy()), "{stricter:?}");
        }
    }
}

#[test]
fn both_answers_occur() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut answers = [0_u32; 2];
    for _ in 0..400 {
        let case = (knobs(), hosts()).new_tree(&mut runner).expect("generates").current();
        answers[usize::from(case.1.judge(&case.0.policy()))] += 1;
    }
    assert!(answers.iter().all(|&count| count > 20), "refused, accepted: {answers:?}");
}
