//! What our servers do alike, with no word of what each is for.

pub mod audit;
