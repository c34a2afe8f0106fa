//! Our verifier against `sev` on genuine evidence, in one run on one core. `cargo bench --bench snp` in this folder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use attest::endorsements::Endorsements;
use oracles::memory::Everything;
use oracles::snp::{CASES, Case};

/// How often each side runs; the best counts.
const RUNS: u32 = 400;

fn main() {
    let Some(vectors) = oracles::vectors("snp") else { return };
    for case in CASES {
        let case = Case::load(&vectors, case);
        let chain = case.chain().expect("decodes");
        let cold = case.endorsements();
        let warm: Endorsements = cold.clone().remembering(Arc::new(Everything::default()));
        let mut best = [Duration::MAX; 4];
        for _ in 0..RUNS {
            let mut time = |side: usize, run: &dyn Fn() -> bool| {
                let start = Instant::now();
                assert!(run());
                best[side] = best[side].min(start.elapsed());
            };
            time(0, &|| case.ours(&warm, &case.report).is_ok());
            time(1, &|| case.ours(&cold, &case.report).is_ok());
            time(2, &|| Case::sev_warm(&chain, &case.report).is_ok());
            time(3, &|| case.chain().is_ok_and(|chain| Case::sev(&chain, &case.report).is_ok()));
        }
        let [warm, cold, sev_warm, sev_cold] = best.map(|time| time.as_secs_f64() * 1e6);
        println!(
            "{:24} ours warm {warm:6.0} us, cold {cold:6.0} us; sev VEK only {sev_warm:6.0} us ({:.1}x), chain \
             {sev_cold:6.0} us ({:.1}x warm, {:.1}x cold)",
            case.name,
            sev_warm / warm,
            sev_cold / warm,
            sev_cold / cold,
        );
    }
}
