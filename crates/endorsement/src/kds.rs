//! AMD's Key Distribution Service (AMD 57230, "VCEK Certificate and KDS Interface Specification", chapter 4).

use crate::{Kind, Wanted};
use attest::snp::tcb::{Line, Tcb};

/// AMD's own service.
pub const AMD: &str = "https://kdsintf.amd.com";

/// The certificate of a chip at a security version. Turin's chips have ids of eight bytes, and a version for the FMC.
pub fn vcek(base: &str, line: Line, chip: &[u8; 64], tcb: &Tcb) -> Wanted {
    let product = line.name();
    let (chip, fmc) = match line {
        Line::Turin => (hex(&chip[..8]), format!("fmcSPL={:02}&", tcb.fmc)),
        Line::Milan | Line::Genoa => (hex(chip), String::new()),
    };
    let Tcb { fmc: f, bootloader, tee, snp, microcode } = *tcb;
    let query = format!("{fmc}blSPL={bootloader:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={microcode:02}");
    Wanted {
        name: format!("vcek-{product}-{chip}-{f}-{bootloader}-{tee}-{snp}-{microcode}.der").to_lowercase(),
        url: format!("{base}/vcek/v1/{product}/{chip}?{query}"),
        origin: format!("{AMD}/vcek/v1/{product}/{chip}?{query}"),
        kind: Kind::Certificate,
        chain_header: None,
    }
}

/// What belongs to a product line: the chains and the revocation lists of both kinds of keys.
pub fn line(base: &str, line: Line) -> Vec<Wanted> {
    let product = line.name();
    let each = |key: &str| {
        let wanted = |what: &str, extension: &str, kind| Wanted {
            name: format!("{key}-{product}-{what}.{extension}").to_lowercase(),
            url: format!("{base}/{key}/v1/{product}/{what}"),
            origin: format!("{AMD}/{key}/v1/{product}/{what}"),
            kind,
            chain_header: None,
        };
        [wanted("cert_chain", "pem", Kind::Chain), wanted("crl", "crl", Kind::Crl)]
    };
    ["vcek", "vlek"].into_iter().flat_map(each).collect()
}

/// Where AMD has the list that a file of this name holds, whatever its extension: `vlek-genoa-crl.der`.
pub(crate) fn origin(name: &str) -> Option<String> {
    let stem = |name: &str| name.split('.').next().map(str::to_lowercase);
    let wanted = Line::ALL.into_iter().flat_map(|known| line(AMD, known));
    let mut lists = wanted.filter(|wanted| wanted.kind == Kind::Crl);
    lists.find(|wanted| stem(&wanted.name) == stem(name)).map(|wanted| wanted.origin)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_the_specification() {
        let tcb = Tcb { fmc: 1, bootloader: 3, tee: 0, snp: 8, microcode: 115 };
        let milan = vcek(AMD, Line::Milan, &[0xAB; 64], &tcb);
        let chip = "ab".repeat(64);
        let expected =
            format!("https://kdsintf.amd.com/vcek/v1/Milan/{chip}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115");
        assert_eq!(milan.url, expected);
        let turin = vcek(AMD, Line::Turin, &[0xAB; 64], &tcb);
        assert!(turin.url.contains("/Turin/abababababababab?fmcSPL=01&blSPL=03"), "{}", turin.url);
        let names: Vec<String> = line(AMD, Line::Genoa).into_iter().map(|wanted| wanted.name).collect();
        let expected = [
            "vcek-genoa-cert_chain.pem",
            "vcek-genoa-crl.crl",
            "vlek-genoa-cert_chain.pem",
            "vlek-genoa-crl.crl",
        ];
        assert_eq!(names, expected);
        assert_eq!(
            origin("VLEK-Genoa-crl.der").as_deref(),
            Some("https://kdsintf.amd.com/vlek/v1/Genoa/crl")
        );
        assert_eq!(origin("vlek-genoa-cert_chain.pem"), None);
        assert_eq!(origin("crl"), None);
    }
}
