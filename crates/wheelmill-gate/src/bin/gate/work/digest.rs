//! Tells calls apart by their arguments.

/// Options whose value names what is written, which differs between builds of the same thing.
const OUTPUTS: &[&[u8]] = &[
    b"-o",
    b"-MF",
    b"-MT",
    b"-MQ",
    b"--output",
    b"--output-file",
    b"--dependency-output",
    b"--dependency-target-name",
];

/// FNV-1a with 128 bits. It need not withstand anybody: who makes two calls look alike gets a wrong
/// estimate for them.
pub(super) fn of(arguments: &[Vec<u8>]) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut digest = BASIS;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if OUTPUTS.contains(&argument.as_slice()) {
            rest.next();
            continue;
        }
        for byte in argument.iter().chain(&[0]) {
            digest = (digest ^ u128::from(*byte)).wrapping_mul(PRIME);
        }
    }
    digest
}
