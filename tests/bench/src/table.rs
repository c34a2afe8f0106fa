//! What was measured, against what was promised.

use std::fmt;

/// A limit on a measurement.
#[derive(Clone, Copy)]
pub enum Goal {
    /// It shall be this or less.
    AtMost(f64),
    /// It shall be this or more.
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// Measurements in the order they were taken.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 5]>,
}

impl Table {
    /// Adds a measurement: `ours` and `theirs` in words, the ratio and its goal.
    pub fn ratio(&mut self, what: &str, ours: String, theirs: String, ratio: f64, goal: Goal) {
        let mark = if goal.is_met(ratio) { "pass" } else { "SHORT" };
        let goal = match goal {
            Goal::AtMost(limit) => format!("≤ {limit}"),
            Goal::AtLeast(limit) => format!("≥ {limit}"),
        };
        self.rows.push([what.to_owned(), ours, theirs, format!("{ratio:.3} ({goal})"), mark.to_owned()]);
    }

    /// Says what was not measured, and why.
    pub fn skip(&mut self, what: &str, why: &str) {
        let [empty, dash] = [String::new(), "–".to_owned()];
        self.rows.push([what.to_owned(), empty, why.to_owned(), dash, "skipped".to_owned()]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n| what | enarx | other | ratio (goal) | |\n|---|---|---|---|---|")?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}
