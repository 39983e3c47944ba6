//! Libraries that are not looked into: those of the system, and the driver's.
//!
//! Which system a wheel meets is not known here, and the one this runs on must not decide. What a
//! system library has to offer is told by versions of symbols, and these are held against the
//! manylinux policies elsewhere. What is left are symbols that were linked without a version.

use crate::platform::{Origin, origin};

/// The libraries that every system of the manylinux policies has, and how their symbols start that
/// may be asked for without a version.
const SYSTEM: &[(&str, &[&str])] = &[
    ("libatomic.so.1", &["__atomic_"]),
    ("libgcc_s.so.1", &["_Unwind_", "__gcc_", "__emutls_"]),
    (
        "libstdc++.so.6",
        &["_ZSt", "_ZNSt", "_ZNKSt", "_ZTISt", "_ZTVSt", "__cxa_", "__gxx_", "_Zn", "_Zd"],
    ),
    ("libm.so.6", &[]),
    ("libmvec.so.1", &["_ZGV"]),
    ("libanl.so.1", &["getaddrinfo_a", "gai_"]),
    ("libdl.so.2", DYNAMIC),
    ("librt.so.1", REAL_TIME),
    ("libnsl.so.1", &["yp_", "xdr_yp", "nis_"]),
    ("libutil.so.1", &["openpty", "forkpty", "login"]),
    ("libpthread.so.0", THREADS),
    ("libX11.so.6", &["X", "_X"]),
    ("libXext.so.6", &["X", "Dmbe", "DPMS", "xdbe_"]),
    ("libXrender.so.1", &["XRender"]),
    ("libICE.so.6", &["Ice", "_Ice"]),
    ("libSM.so.6", &["Sm"]),
    ("libGL.so.1", &["gl"]),
    ("libgobject-2.0.so.0", &["g_"]),
    ("libgthread-2.0.so.0", &["g_"]),
    ("libglib-2.0.so.0", &["g_", "glib_"]),
    ("libresolv.so.2", &["res_", "__res_", "ns_", "__dn_", "dn_"]),
    ("libexpat.so.1", &["XML_"]),
    (
        "libz.so.1",
        &[
            "adler32",
            "compress",
            "crc32",
            "deflate",
            "get_crc_table",
            "gz",
            "inflate",
            "uncompress",
            "zError",
            "zlib",
        ],
    ),
];

const THREADS: &[&str] = &["pthread_", "sem_", "__pthread_"];
const DYNAMIC: &[&str] = &["dlopen", "dlsym", "dlclose", "dlerror", "dladdr", "dlinfo", "dlvsym"];
const REAL_TIME: &[&str] = &["aio_", "clock_", "lio_listio", "mq_", "shm_", "timer_"];

/// The functions of `<math.h>` and `<complex.h>` (ISO C, and what glibc adds), without the `f` or
/// `l` that those for other types end in.
const MATHEMATICS: &[&str] = &[
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cabs",
    "cacos",
    "cacosh",
    "carg",
    "casin",
    "casinh",
    "catan",
    "catanh",
    "cbrt",
    "ccos",
    "ccosh",
    "ceil",
    "cexp",
    "cimag",
    "clog",
    "clog10",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "cpow",
    "cproj",
    "creal",
    "csin",
    "csinh",
    "csqrt",
    "ctan",
    "ctanh",
    "drem",
    "erf",
    "erfc",
    "exp",
    "exp10",
    "exp2",
    "expm1",
    "fabs",
    "fdim",
    "finite",
    "floor",
    "fma",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "gamma",
    "hypot",
    "ilogb",
    "j0",
    "j1",
    "jn",
    "ldexp",
    "lgamma",
    "lgamma_r",
    "llrint",
    "llround",
    "log",
    "log10",
    "log1p",
    "log2",
    "logb",
    "lrint",
    "lround",
    "modf",
    "nan",
    "nearbyint",
    "nextafter",
    "nexttoward",
    "pow",
    "remainder",
    "remquo",
    "rint",
    "round",
    "roundeven",
    "scalb",
    "scalbln",
    "scalbn",
    "significand",
    "sin",
    "sincos",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
    "trunc",
    "y0",
    "y1",
    "yn",
];

fn is_mathematics(symbol: &str) -> bool {
    let stem = symbol.strip_suffix(['f', 'l']).unwrap_or(symbol);
    MATHEMATICS.contains(&symbol) || MATHEMATICS.contains(&stem)
}

/// The parts of the GNU C library that its newer releases have in `libc.so.6` itself: what was
/// linked for these without naming them is found there.
const MERGED: &[&[&str]] = &[THREADS, DYNAMIC, REAL_TIME];

/// How the functions of the driver's libraries start; a capital letter comes next.
const DRIVER: &[(&str, &str)] = &[
    ("libcuda.so", "cu"),
    ("libnvidia-ml.so", "nvml"),
    ("libnvcuvid.so", "cuvid"),
    ("libnvidia-encode.so", "NvEncode"),
    ("libnvoptix.so", "optix"),
];

/// Whether a library belongs to every system.
pub(crate) fn is_system(name: &str) -> bool {
    origin(name) == Some(Origin::System) || is_musl(name)
}

/// Whether a library is musl's C library, which gives no symbol a version.
fn is_musl(name: &str) -> bool {
    name.starts_with("libc.musl-") || name == "libc.so"
}

/// Whether a library comes with the driver.
pub(crate) fn is_driver(name: &str) -> bool {
    origin(name) == Some(Origin::Driver)
}

/// Whether a symbol without a version can be one of a library that is not looked into.
///
/// A file that is linked with a library whose symbols have versions takes these over. So a symbol
/// without one is not that of a library that the file itself names (`direct`), unless that has
/// symbols without versions; it may be that of a library that others brought (`present`).
pub(crate) fn may_provide(
    symbol: &str,
    present: impl Iterator<Item = impl AsRef<str>>,
    direct: &[String],
) -> bool {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| symbol.starts_with(prefix));
    for library in present {
        let library = library.as_ref();
        if is_musl(library) && !symbol.starts_with("_Z") && !symbol.starts_with("Py") {
            return true;
        }
        let of_driver = DRIVER.iter().find(|(known, _)| library.starts_with(known));
        if let Some((_, prefix)) = of_driver
            // `cuInit`, not `cudaFree`.
            && let Some(rest) = symbol.strip_prefix(prefix)
            && rest.starts_with(|next: char| next.is_ascii_uppercase())
        {
            return true;
        }
        if library == "libc.so.6" && MERGED.iter().any(|prefixes| starts(prefixes)) {
            return true;
        }
        let Some((_, prefixes)) = SYSTEM.iter().find(|(known, _)| *known == library) else {
            continue;
        };
        let has_versions = VERSIONED.contains(&library);
        let fits = starts(prefixes) || library == "libm.so.6" && is_mathematics(symbol);
        if fits && !(has_versions && direct.iter().any(|name| name == library)) {
            return true;
        }
    }
    false
}

/// Those that give all of their symbols versions.
const VERSIONED: &[&str] = &[
    "libatomic.so.1",
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libm.so.6",
    "libmvec.so.1",
    "libanl.so.1",
    "libdl.so.2",
    "librt.so.1",
    "libc.so.6",
    "libnsl.so.1",
    "libutil.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
];

/// Symbols that programs are linked with and that no library needs to define: GCC's start files
/// refer to them, and whoever uses them looks whether they are there.
pub(crate) fn is_optional(symbol: &str) -> bool {
    symbol.starts_with("_ITM_") || matches!(symbol, "__gmon_start__" | "__cxa_finalize")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(symbol: &str, present: &[&str], direct: &[&str]) -> bool {
        let direct: Vec<String> = direct.iter().map(|name| (*name).to_owned()).collect();
        may_provide(symbol, present.iter(), &direct)
    }

    #[test]
    fn a_symbol_without_a_version_is_not_one_of_a_library_that_gives_versions() {
        assert!(!found("_ZNSt6vectorIN2at6TensorEE", &["libstdc++.so.6"], &["libstdc++.so.6"]));
        assert!(found("_ZSt4cout", &["libstdc++.so.6"], &["libc.so.6"]));
        assert!(found("pthread_create", &["libc.so.6"], &["libc.so.6"]));
        assert!(found("sqrtf", &["libm.so.6"], &["libc.so.6"]));
        assert!(!found("log_message", &["libm.so.6"], &["libc.so.6"]));
        assert!(!found("cudaFree", &["libcuda.so.1"], &["libcuda.so.1"]));
        assert!(found("inflate", &["libz.so.1"], &["libz.so.1"]));
        assert!(!found("inflate", &["libc.so.6"], &["libc.so.6"]));
        assert!(!found("at_helper", &["libc.so.6", "libz.so.1"], &["libc.so.6"]));
        assert!(found("cuCtxCreate_v2", &["libcuda.so.1"], &["libcuda.so.1"]));
        assert!(!found("cuCtxCreate_v2", &["libc.so.6"], &["libc.so.6"]));
        assert!(found("anything", &["libc.musl-x86_64.so.1"], &["libc.musl-x86_64.so.1"]));
    }
}
