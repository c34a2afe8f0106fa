//! The named bits of a TD's report.

use crate::policy::bits::flags;

flags! {
    /// TDATTRIBUTES (TDX module 1.5 ABI, TD_ATTRIBUTES): under debug (7 to 0), security (31 to 8), other.
    Attribute {
        /// The host can look inside.
        Debug 0 "debug";
        /// HGS+ sees the TD.
        HgsPlusProfile 4 "hgs-plus-prof";
        /// Performance counters see the TD.
        PerfProfile 5 "perf-prof";
        /// Platform monitoring sees the TD.
        PmtProfile 6 "pmt-prof";
        /// Defence against single-stepping by counted instructions.
        Icssd 16 "icssd";
        /// The report has a hash of the service TDs.
        ServiceTdExtension 17 "servtd-ext";
        /// Linear address space separation.
        Lass 27 "lass";
        /// The host cannot make the TD's own memory raise #VE. Azure's TDs of 2023 and 2024 ran without.
        SeptVeDisable 28 "sept-ve-disable";
        /// A migration TD may move it.
        Migratable 29 "migratable";
        /// Protection keys of the supervisor.
        Pks 30 "pks";
        /// Key locker.
        Kl 31 "kl";
        /// The agent that provisions TDX Connect.
        Tpa 62 "tpa";
        /// Performance monitoring inside the TD.
        Perfmon 63 "perfmon";
    }
}

flags! {
    /// XFAM: extended state (SDM volume 1, section 13.1, state components).
    State {
        /// x87.
        X87 0 "x87";
        /// SSE.
        Sse 1 "sse";
        /// AVX.
        Avx 2 "avx";
        /// AVX-512, opmask registers.
        Opmask 5 "avx512-opmask";
        /// AVX-512, upper halves of ZMM0 to ZMM15.
        ZmmHigh 6 "avx512-zmm-high";
        /// AVX-512, ZMM16 to ZMM31.
        Zmm16 7 "avx512-zmm16";
        /// Processor trace.
        Pt 8 "pt";
        /// Protection keys of users.
        Pkru 9 "pkru";
        /// Control-flow enforcement, user.
        CetUser 11 "cet-user";
        /// Control-flow enforcement, supervisor.
        CetSupervisor 12 "cet-supervisor";
        /// User interrupts.
        Uintr 14 "uintr";
        /// Last branch records.
        Lbr 15 "lbr";
        /// AMX, tile configuration.
        AmxConfiguration 17 "amx-configuration";
        /// AMX, tile data.
        AmxData 18 "amx-data";
    }
}
