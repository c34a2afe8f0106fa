//! Cases that take turns, so that neighbours disturb all alike; the best single run of each counts.

use std::time::{Duration, Instant};

/// How many turns each case has, and how often it runs in each.
const TURNS: u32 = 60;
const RUNS: u32 = 40;

/// Something to be timed.
pub struct Case<'a> {
    name: &'static str,
    bare: &'a [(usize, f64)],
    run: Box<dyn FnMut() + 'a>,
    best: Duration,
}

/// A case; `bare` says which earlier cases it cannot do without, and how often.
pub fn case<'a>(name: &'static str, bare: &'a [(usize, f64)], run: impl FnMut() + 'a) -> Case<'a> {
    Case { name, bare, run: Box::new(run), best: Duration::MAX }
}

/// Times every case, and prints each beside what it cannot do without.
#[expect(clippy::print_stdout, reason = "what the program is for")]
pub fn measure(cases: &mut [Case<'_>]) {
    for _ in 0..TURNS {
        for case in &mut *cases {
            for _ in 0..RUNS {
                let start = Instant::now();
                (case.run)();
                case.best = case.best.min(start.elapsed());
            }
        }
    }
    let micros = |case: &Case<'_>| case.best.as_secs_f64() * 1e6;
    for case in &*cases {
        let (name, time) = (case.name, micros(case));
        let bare: f64 = case.bare.iter().map(|&(other, times)| micros(&cases[other]) * times).sum();
        match case.bare {
            [] => println!("{name:30} {time:8.1} us"),
            _ => println!("{name:30} {time:8.1} us, bare {bare:8.1} us, ratio {:.3}", time / bare),
        }
    }
}
