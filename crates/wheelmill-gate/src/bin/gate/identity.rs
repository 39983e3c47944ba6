//! What a compiler is: a digest of its programs, which objects in a cache are kept by.
//!
//! ccache would read the compiler alone, and at each call. nvcc is no more than a driver: the objects
//! are made by what lies beside it and by the compiler of the host. Reading all of these takes half
//! a second, so what was read is remembered.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::call::Call;
use crate::environment::{Environment, NVCC_APPEND, NVCC_PREPEND};

/// What of a CUDA toolkit makes objects, beside headers, which ccache knows.
const PARTS: [&str; 7] = [
    "bin/cudafe++",
    "bin/fatbinary",
    "bin/nvcc.profile",
    "bin/nvlink",
    "bin/ptxas",
    "nvvm/bin/cicc",
    "nvvm/libdevice/libdevice.10.bc",
];
/// The compilers of the host that nvcc looks for.
const HOST_COMPILERS: [&str; 2] = ["gcc", "g++"];
/// The variable that names another one.
const NVCC_CCBIN: &str = "NVCC_CCBIN";

/// The digest of the compiler that a call is for, and of what its variables tell it. `state` is a
/// folder for what was read. None when the compiler cannot be read.
pub(crate) fn of(call: &Call, environment: &Environment, state: &Path) -> Option<u128> {
    let compiler = fs::canonicalize(OsStr::from_bytes(call.program.to_bytes())).ok()?;
    let mut digest = Digest::new();
    let mut files = BTreeSet::new();
    if call.name.starts_with(b"nvcc") {
        files.extend(parts(&compiler, environment));
        files.extend(hosts(call, environment));
        for name in [NVCC_PREPEND, NVCC_APPEND, NVCC_CCBIN] {
            digest.bytes(environment.get(name).unwrap_or_default());
            digest.bytes(b"\0");
        }
    }
    digest.number(of_file(&compiler, state).ok()?);
    for file in files {
        // What is not there takes no part.
        if let Ok(content) = of_file(&file, state) {
            digest.number(content);
        }
    }
    Some(digest.0)
}

/// The programs beside nvcc, also where nvcc is a script that lies elsewhere.
fn parts(nvcc: &Path, environment: &Environment) -> Vec<PathBuf> {
    let named = environment.get("CUDA_HOME").map(|home| PathBuf::from(OsStr::from_bytes(home)));
    let beside = nvcc.ancestors().nth(2).map(Path::to_owned);
    let roots = [beside, named].into_iter().flatten();
    roots
        .flat_map(|root| PARTS.map(|part| root.join(part)))
        .filter_map(|part| fs::canonicalize(part).ok())
        .collect()
}

/// The compilers of the host that nvcc may call.
fn hosts(call: &Call, environment: &Environment) -> Vec<PathBuf> {
    let mut named: Vec<Vec<u8>> =
        environment.get(NVCC_CCBIN).map(<[u8]>::to_vec).into_iter().collect();
    let mut arguments = call.arguments.iter().map(|argument| argument.to_bytes());
    while let Some(argument) = arguments.next() {
        let value = match argument {
            b"-ccbin" | b"--compiler-bindir" => arguments.next(),
            _ => argument
                .strip_prefix(b"-ccbin=")
                .or_else(|| argument.strip_prefix(b"--compiler-bindir=")),
        };
        named.extend(value.map(<[u8]>::to_vec));
    }
    let usual = HOST_COMPILERS.map(|name| name.as_bytes().to_vec());
    let found = named.into_iter().chain(usual).filter_map(|name| environment.find(&name));
    let programs = found.flat_map(|found| match found.is_dir() {
        true => HOST_COMPILERS.map(|name| found.join(name)).to_vec(),
        false => vec![found],
    });
    programs.filter_map(|program| fs::canonicalize(program).ok()).collect()
}

/// The digest of a file's content, as remembered if the file is the same one.
fn of_file(path: &Path, state: &Path) -> io::Result<u128> {
    let metadata = fs::metadata(path)?;
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    let stamp = format!("{} {} {} {times:?}", metadata.dev(), metadata.ino(), metadata.len());
    let mut name = Digest::new();
    name.bytes(path.as_os_str().as_bytes());
    let memory = state.join(format!("read-{:032x}", name.0));
    if let Ok(remembered) = fs::read_to_string(&memory)
        && let Some((known, digest)) = remembered.split_once('\n')
        && known == stamp
        && let Ok(digest) = u128::from_str_radix(digest, 16)
    {
        return Ok(digest);
    }
    let digest = read(path)?;
    // Renamed into place, since others may read it now. That it is not kept costs time only.
    let new = state.join(format!("new-{}", std::process::id()));
    if fs::write(&new, format!("{stamp}\n{:032x}", digest)).is_ok() {
        drop(fs::rename(&new, &memory));
    }
    Ok(digest)
}

fn read(path: &Path) -> io::Result<u128> {
    let mut file = File::open(path)?;
    let mut digest = Digest::new();
    let mut buffer = vec![0; 1 << 16];
    let mut length = 0;
    loop {
        match file.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if length == buffer.len() {
            digest.bytes(&buffer);
            length = 0;
        }
    }
    digest.bytes(&buffer[..length]);
    Ok(digest.0)
}

/// FNV-1a with 128 bits, in steps of as many. It need not withstand anybody: the cache is the
/// package's own, and whoever could deceive this could write there.
struct Digest(u128);

impl Digest {
    const fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    fn number(&mut self, number: u128) {
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        // Multiplication carries upwards only.
        self.0 = (self.0 ^ number).wrapping_mul(PRIME).rotate_left(43);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (steps, rest) = bytes.as_chunks::<16>();
        for step in steps {
            self.number(u128::from_le_bytes(*step));
        }
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        self.number(u128::from_le_bytes(last));
        self.number(bytes.len() as u128);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A toolkit in a folder of its own, and a folder for what was read.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let place = Self(std::env::temp_dir().join(format!("{name}-{}", std::process::id())));
            for file in
                ["bin/nvcc", "bin/ptxas", "nvvm/bin/cicc", "host/g++", "host/gcc", "state/x"]
            {
                place.write(file, file);
            }
            place
        }

        fn write(&self, file: &str, content: &str) {
            let path = self.0.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                .unwrap();
        }

        fn identity(&self, variables: &[&str]) -> u128 {
            let nvcc = crate::text(self.0.join("bin/nvcc").as_os_str().as_bytes());
            let arguments = ["nvcc", "-c", "a.cu"].map(|word| crate::text(word.as_bytes()));
            let call = Call {
                name: b"nvcc".to_vec(),
                program: nvcc,
                arguments: arguments.to_vec(),
                gates: Vec::new(),
            };
            let path = format!("PATH={}", self.0.join("host").display());
            let all: Vec<&str> = [path.as_str()].iter().chain(variables).copied().collect();
            of(&call, &Environment::of(&all), &self.0.join("state")).unwrap()
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn everything_that_makes_objects_takes_part() {
        let place = Place::new("gate-identity-parts");
        let mut seen = vec![place.identity(&[])];
        assert_eq!(place.identity(&[]), seen[0], "as remembered");
        for file in ["bin/nvcc", "bin/ptxas", "nvvm/bin/cicc", "host/g++"] {
            place.write(file, "another one");
            seen.push(place.identity(&[]));
        }
        for variable in ["NVCC_APPEND_FLAGS=-lineinfo", "NVCC_PREPEND_FLAGS=-lineinfo"] {
            seen.push(place.identity(&[variable]));
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count, "two of them are the same");
    }

    #[test]
    fn equal_toolkits_are_one_wherever_they_lie() {
        let (here, there) = (Place::new("gate-identity-here"), Place::new("gate-identity-there"));
        assert_eq!(here.identity(&[]), there.identity(&[]));
    }
}
