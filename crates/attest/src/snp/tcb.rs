//! TCB versions and product lines (AMD #56860 section 2.2; #57230 section 3.1, note 4 for Turin).

use core::fmt;

use serde::{Deserialize, Serialize};

/// A line of products that share roots and a TCB layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    /// EPYC 7003.
    Milan,
    /// EPYC 9004 and 8004: Genoa, Bergamo, Siena.
    Genoa,
    /// EPYC 9005.
    Turin,
}

/// A product: what floors are stated for. Microcode levels of one line's products do not compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Product {
    /// EPYC 7003; also the line as a whole.
    Milan,
    /// EPYC 7003 with 3D V-Cache.
    MilanX,
    /// EPYC 9004; also the line as a whole.
    Genoa,
    /// EPYC 9004 with 3D V-Cache.
    GenoaX,
    /// EPYC 97x4 and 8004.
    Bergamo,
    /// EPYC 9005; also the line as a whole.
    Turin,
    /// EPYC 9005 with dense cores.
    TurinDense,
}

/// A TCB version by component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tcb {
    /// Turin's first component; zero on other lines.
    pub fmc: u8,
    /// The PSP boot loader.
    pub bootloader: u8,
    /// The PSP operating system.
    pub tee: u8,
    /// The SNP firmware.
    pub snp: u8,
    /// The lowest microcode patch level of all cores.
    pub microcode: u8,
}

impl Line {
    /// The line of a CPUID family, model and stepping.
    pub fn of_cpuid([family, model, _]: [u8; 3]) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0F) => Some(Self::Milan),
            (0x19, 0x10..=0x1F | 0xA0..=0xAF) => Some(Self::Genoa),
            (0x1A, 0x00..=0x11) => Some(Self::Turin),
            _ => None,
        }
    }

    /// The product that stands for the whole line.
    pub fn product(self) -> Product {
        match self {
            Self::Milan => Product::Milan,
            Self::Genoa => Product::Genoa,
            Self::Turin => Product::Turin,
        }
    }

    /// The line's name, as it stands in certificates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// Every line.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];
}

impl Product {
    /// The product of a CPUID family, model and stepping (AMD-SB-3019 lists them by CPUID); reports of version 2 name
    /// none, and are judged as the line as a whole.
    pub fn of(line: Line, cpuid: Option<[u8; 3]>) -> Self {
        match (line, cpuid) {
            (Line::Milan, Some([_, 0x01, 2])) => Self::MilanX,
            (Line::Genoa, Some([_, 0x11, 2])) => Self::GenoaX,
            (Line::Genoa, Some([_, 0xA0..=0xAF, _])) => Self::Bergamo,
            (Line::Turin, Some([_, 0x10..=0x1F, _])) => Self::TurinDense,
            _ => line.product(),
        }
    }
}

impl Tcb {
    /// Whether the bytes that the layout reserves are zero.
    pub fn is_canonical(raw: u64, line: Line) -> bool {
        let reserved = match line {
            Line::Milan | Line::Genoa => 0x0000_FFFF_FFFF_0000,
            Line::Turin => 0x00FF_FFFF_0000_0000,
        };
        raw & reserved == 0
    }

    /// Reads TCB_VERSION in the layout of a line.
    pub fn decode(raw: u64, line: Line) -> Self {
        let [b0, b1, b2, b3, _, _, b6, b7] = raw.to_le_bytes();
        match line {
            Line::Milan | Line::Genoa => Self { fmc: 0, bootloader: b0, tee: b1, snp: b6, microcode: b7 },
            Line::Turin => Self { fmc: b0, bootloader: b1, tee: b2, snp: b3, microcode: b7 },
        }
    }

    /// Whether every component reaches that of `minimum`.
    pub fn reaches(&self, minimum: &Self) -> bool {
        self.fmc >= minimum.fmc
            && self.bootloader >= minimum.bootloader
            && self.tee >= minimum.tee
            && self.snp >= minimum.snp
            && self.microcode >= minimum.microcode
    }
}

impl fmt::Display for Tcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fmc, bootloader, tee, snp, microcode } = self;
        write!(f, "fmc {fmc}, bootloader {bootloader}, tee {tee}, snp {snp}, microcode {microcode}")
    }
}

impl From<Tcb> for crate::value::Value {
    fn from(tcb: Tcb) -> Self {
        Self::Tcb(tcb)
    }
}
