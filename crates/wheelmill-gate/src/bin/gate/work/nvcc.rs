//! The arguments of nvcc.

use super::{Work, link, source};
use crate::protocol::Language;

/// Options whose value is the next argument and may look like a source. From `nvcc --help` of
/// CUDA 13.
const WITH_VALUE: &[&[u8]] = &[
    b"-odir",
    b"--output-directory",
    b"-MF",
    b"--dependency-output",
    b"-MT",
    b"--dependency-target-name",
    b"-include",
    b"--pre-include",
    b"-ccbin",
    b"--compiler-bindir",
    b"-Xcompiler",
    b"--compiler-options",
    b"-Xlinker",
    b"--linker-options",
    b"-Xptxas",
    b"--ptxas-options",
    b"-Xarchive",
    b"--archive-options",
    b"-Xnvlink",
    b"--nvlink-options",
    b"-Xcudafe",
    b"--cudafe-options",
    b"-I",
    b"--include-path",
    b"-isystem",
    b"--system-include",
    b"-L",
    b"--library-path",
    b"-l",
    b"--library",
    b"-D",
    b"--define-macro",
    b"-U",
    b"--undefine-macro",
    b"-std",
    b"--std",
    b"-m",
    b"--machine",
    b"-maxrregcount",
    b"--maxrregcount",
    b"-keep-dir",
    b"--keep-dir",
    b"-ldir",
    b"--libdevice-directory",
    b"-cudart",
    b"--cudart",
    b"-err-no",
    b"-diag-suppress",
    b"--diag-suppress",
    b"-diag-error",
    b"--diag-error",
    b"-diag-warn",
    b"--diag-warn",
    b"-O",
    b"--optimize",
    b"-time",
    b"--time",
    b"-target-dir",
    b"--target-directory",
    b"-default-stream",
    b"--default-stream",
];

/// Options with which an object is made and nothing is linked.
const TO_OBJECT: &[&[u8]] = &[b"-c", b"--compile", b"-dc", b"--device-c", b"-dw", b"--device-w"];

/// Options with which intermediate files stay.
const KEEPING: &[&[u8]] = &[b"-keep", b"--keep", b"-save-temps", b"--save-temps"];

/// Options with which nothing is compiled.
const QUESTIONS: &[&[u8]] = &[
    b"-V",
    b"--version",
    b"-h",
    b"--help",
    b"-dryrun",
    b"--dryrun",
    b"-E",
    b"--preprocess",
    b"-M",
    b"--generate-dependencies",
    b"-MM",
    b"--generate-nonsystem-dependencies",
    b"-arch-ls",
    b"--list-gpu-arch",
    b"-code-ls",
    b"--list-gpu-code",
    b"-clean",
    b"--clean-targets",
];

pub(super) fn work(arguments: &[Vec<u8>]) -> Option<Work> {
    let mut forced = None;
    let mut first: Option<(Language, &[u8])> = None;
    let (mut output, mut objects) = (None, Vec::new());
    let (mut threads, mut split) = (1, 1);
    let (mut to_object, mut keeps, mut sources) = (false, false, 0);
    let (mut targets, mut many_targets, mut device_link) = (0_u16, false, false);
    let mut rest = arguments.iter().map(Vec::as_slice);
    while let Some(argument) = rest.next() {
        if QUESTIONS.contains(&argument) {
            return None;
        }
        // `--name value`, `--name=value`, and for some `-nvalue`.
        let (name, mut value) = match argument.iter().position(|&byte| byte == b'=') {
            Some(at) if argument.starts_with(b"-") => (&argument[..at], Some(&argument[at + 1..])),
            _ => (argument, None),
        };
        let mut value = || value.take().or_else(|| rest.next()).unwrap_or_default();
        match name {
            b"-t" | b"--threads" => threads = count(value()),
            b"-split-compile"
            | b"--split-compile"
            | b"-split-compile-extended"
            | b"--split-compile-extended" => split = count(value()),
            b"-gencode" | b"--generate-code" => {
                targets = targets.saturating_add(codes_of_gencode(value()));
            }
            b"-arch" | b"--gpu-architecture" => {
                many_targets |= value().starts_with(b"all");
            }
            b"-code" | b"--gpu-code" => targets = targets.saturating_add(commas(value())),
            b"-x" | b"--x" => forced = source::forced(value()),
            b"-o" | b"--output-file" => output = Some(value()),
            b"-dlink" | b"--device-link" => device_link = true,
            _ if TO_OBJECT.contains(&name) => to_object = true,
            _ if KEEPING.contains(&name) => keeps = true,
            _ if WITH_VALUE.contains(&name) => {
                value();
            }
            [b'-', b't', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
                threads = count(digits);
            }
            b"-" => first = first.or(Some((forced.unwrap_or(Language::Cuda), b"-"))),
            [b'-', ..] => {}
            _ => match forced.or_else(|| source::language(argument)) {
                Some(language) => {
                    first = first.or(Some((language, argument)));
                    sources += 1;
                }
                None => objects.push(argument),
            },
        }
    }
    let Some((language, source)) = first else {
        return link::of_objects(&objects, output.unwrap_or(b"a.out"), device_link);
    };
    // Each target is compiled by itself, one by one or by several threads.
    let busy = if many_targets { threads } else { threads.min(targets.max(1)) };
    let writes_output = matches!(output, Some(b"-" | b"/dev/stdout"));
    Some(Work {
        language,
        source: source.to_vec(),
        threads: busy.max(split),
        repeatable: !writes_output && source != b"-",
        object: to_object && !keeps && sources == 1,
        input_bytes: 0,
    })
}

/// A number of threads, of which zero means all processors.
fn count(text: &[u8]) -> u16 {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse::<u16>().ok()).unwrap_or(1);
    if number > 0 {
        return number;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(processors).unwrap_or(u16::MAX)
}

/// How many codes are made for `arch=compute_90,code=[sm_90,compute_90]`.
fn codes_of_gencode(value: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(value);
    text.split_once("code=").map_or(1, |(_, codes)| commas(codes.as_bytes()))
}

fn commas(list: &[u8]) -> u16 {
    let commas = list.iter().filter(|&&byte| byte == b',').count();
    u16::try_from(commas).unwrap_or(u16::MAX).saturating_add(1)
}
