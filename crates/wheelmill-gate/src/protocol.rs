//! What the program `gate` and the server say to each other.
//!
//! One connection is one call of a compiler. The program asks; the server answers `Wait` at once and
//! again every two seconds until it answers `Go`; the program reports the end. Silence for longer
//! than [`SILENCE`] means that the other side is lost, and nobody waits for it any more.
//!
//! Both sides compile this file, the program without any crate beside the standard library. Each
//! message is a frame: its length in four bytes, least significant first, then a tag and its fields.
//! The other side may be hostile: lengths have limits, and what cannot be read is an error.

use std::time::Duration;

/// The environment variable that leads the program to its server's socket.
pub const SOCKET_VARIABLE: &str = "WHEELMILL_GATE";
/// The environment variable that tells the program of a compile cache. Its lines are a ccache
/// program, a folder for what the gate keeps of this build, and ccache's settings, as `name=value`.
pub const CACHE_VARIABLE: &str = "WHEELMILL_COMPILE_CACHE";
/// What `gate --behind` ends with, before it starts anything, where the server's socket cannot be
/// reached: whoever started it then knows that nobody would admit the compilers.
pub const UNREACHABLE: i32 = 121;
/// How long the program waits for any word of the server before it goes on without it.
pub const SILENCE: Duration = Duration::from_secs(10);
/// How often the server says `Wait` to a call that waits.
pub const HEARTBEAT: Duration = Duration::from_secs(2);
/// The largest message, without its length.
pub const LARGEST: usize = 16 * 1024;
/// The longest text in a message: the longest path that the kernel takes.
const LONGEST_TEXT: usize = 4096;
/// The first byte of each question. A program of another version is let through.
const VERSION: u8 = 2;

/// What is compiled; compilers of one language need similar amounts of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// C, and what is compiled like it.
    C,
    /// C++ for the host.
    Cxx,
    /// CUDA, by nvcc or clang.
    Cuda,
    /// Fortran.
    Fortran,
    /// Assembly, and PTX.
    Assembly,
    /// No source: objects are linked.
    Link,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::C, Self::Cxx, Self::Cuda, Self::Fortran, Self::Assembly, Self::Link];

    /// The word for it, in histories and traces: `c++`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Cxx => "c++",
            Self::Cuda => "cuda",
            Self::Fortran => "fortran",
            Self::Assembly => "assembly",
            Self::Link => "link",
        }
    }

    fn of_tag(tag: u8) -> Option<Self> {
        Self::ALL.get(usize::from(tag)).copied()
    }
}

/// A call that wants to compile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What it compiles.
    pub language: Language,
    /// How many threads it would use.
    pub threads: u16,
    /// Whether it can be told to use fewer.
    pub fewer_threads: bool,
    /// Whether it can be stopped and run again: it neither reads standard input nor writes its
    /// result to standard output.
    pub repeatable: bool,
    /// The size of what is linked, in bytes.
    pub input_bytes: u64,
    /// A digest of the arguments that decide the result.
    pub flags: u128,
    /// The compiler's name, as it was called.
    pub compiler: String,
    /// The first source file; for a link, the output. Absolute.
    pub source: String,
}

/// What the compile cache did for a compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheUse {
    /// The object came from the cache, and no compiler ran.
    Hit,
    /// The cache did not have it: the compiler ran.
    Miss,
    /// The cache cannot keep what this call makes: the compiler ran.
    NotCacheable,
}

impl CacheUse {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hit, Self::Miss, Self::NotCacheable];

    /// The word for it, in histories: `not-cacheable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::NotCacheable => "not-cacheable",
        }
    }
}

/// How a compiler ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The status as `wait4` gives it.
    pub status: i32,
    /// Processor time of the compiler and all that it waited for, in microseconds.
    pub cpu_microseconds: u64,
    /// The most memory that one of its processes held, in bytes.
    pub largest_process: u64,
    /// What the compile cache did, where it was asked.
    pub cache: Option<CacheUse>,
}

/// What the program says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// May this run?
    Ask(Ask),
    /// The compiler was stopped, as the server wished.
    Stopped(Ending),
    /// The compiler ended by itself.
    Finished(Ending),
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Not yet.
    Wait,
    /// Run the compiler, with no more threads than these.
    Go {
        /// At least one.
        threads: u16,
    },
    /// Stop the compiler, and wait until it may run again.
    Stop,
    /// It is over: end as the compiler ended.
    Done,
    /// It was killed for memory: wait until it may run again.
    Again,
    /// It is over, and this is to be said to the user.
    Fail(String),
}

/// A message that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Request {
    /// The frame of this message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut frame = Frame::new();
        match self {
            Self::Ask(ask) => {
                frame.bytes(&[0, VERSION, ask.language as u8]);
                frame.bytes(&ask.threads.to_le_bytes());
                frame.bytes(&[u8::from(ask.fewer_threads), u8::from(ask.repeatable)]);
                frame.bytes(&ask.input_bytes.to_le_bytes());
                frame.bytes(&ask.flags.to_le_bytes());
                frame.text(&ask.compiler);
                frame.text(&ask.source);
            }
            Self::Stopped(ending) => frame.ending(1, ending),
            Self::Finished(ending) => frame.ending(2, ending),
        }
        frame.finish()
    }

    /// Reads what [`Self::encode`] wrote, without the length.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(body);
        let request = match fields.byte()? {
            0 => {
                if fields.byte()? != VERSION {
                    return Err(Malformed);
                }
                Self::Ask(Ask {
                    language: Language::of_tag(fields.byte()?).ok_or(Malformed)?,
                    threads: u16::from_le_bytes(fields.array()?),
                    fewer_threads: fields.flag()?,
                    repeatable: fields.flag()?,
                    input_bytes: u64::from_le_bytes(fields.array()?),
                    flags: u128::from_le_bytes(fields.array()?),
                    compiler: fields.text()?,
                    source: fields.text()?,
                })
            }
            1 => Self::Stopped(fields.ending()?),
            2 => Self::Finished(fields.ending()?),
            _ => return Err(Malformed),
        };
        fields.end(request)
    }
}

impl Reply {
    /// The frame of this message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut frame = Frame::new();
        match self {
            Self::Wait => frame.bytes(&[0]),
            Self::Go { threads } => {
                frame.bytes(&[1]);
                frame.bytes(&threads.to_le_bytes());
            }
            Self::Stop => frame.bytes(&[2]),
            Self::Done => frame.bytes(&[3]),
            Self::Again => frame.bytes(&[4]),
            Self::Fail(text) => {
                frame.bytes(&[5]);
                frame.text(text);
            }
        }
        frame.finish()
    }

    /// Reads what [`Self::encode`] wrote, without the length.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields(body);
        let reply = match fields.byte()? {
            0 => Self::Wait,
            1 => Self::Go { threads: u16::from_le_bytes(fields.array()?) },
            2 => Self::Stop,
            3 => Self::Done,
            4 => Self::Again,
            5 => Self::Fail(fields.text()?),
            _ => return Err(Malformed),
        };
        fields.end(reply)
    }
}

/// The length of the first frame's body in what was received: none as long as too little was.
///
/// # Errors
///
/// A length that no message has.
pub fn body_length(received: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(length) = received.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || length > LARGEST {
        return Err(Malformed);
    }
    Ok((received.len() >= length + 4).then_some(length))
}

struct Frame(Vec<u8>);

impl Frame {
    fn new() -> Self {
        Self(vec![0; 4])
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A text, cut where it is too long for a message.
    fn text(&mut self, text: &str) {
        let text = &text[..text.floor_char_boundary(LONGEST_TEXT)];
        self.bytes(&(text.len() as u16).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn ending(&mut self, tag: u8, ending: &Ending) {
        self.bytes(&[tag]);
        self.bytes(&ending.status.to_le_bytes());
        self.bytes(&ending.cpu_microseconds.to_le_bytes());
        self.bytes(&ending.largest_process.to_le_bytes());
        self.bytes(&[ending.cache.map_or(0, |used| used as u8 + 1)]);
    }

    fn finish(mut self) -> Vec<u8> {
        let length = (self.0.len() - 4) as u32;
        self.0[..4].copy_from_slice(&length.to_le_bytes());
        self.0
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        let (field, rest) = self.0.split_first_chunk::<LENGTH>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*field)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, Malformed> {
        Ok(self.byte()? != 0)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        if length > LONGEST_TEXT {
            return Err(Malformed);
        }
        let (text, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| Malformed)
    }

    fn ending(&mut self) -> Result<Ending, Malformed> {
        Ok(Ending {
            status: i32::from_le_bytes(self.array()?),
            cpu_microseconds: u64::from_le_bytes(self.array()?),
            largest_process: u64::from_le_bytes(self.array()?),
            cache: self.cache_use()?,
        })
    }

    fn cache_use(&mut self) -> Result<Option<CacheUse>, Malformed> {
        let Some(tag) = self.byte()?.checked_sub(1) else { return Ok(None) };
        CacheUse::ALL.get(usize::from(tag)).copied().map(Some).ok_or(Malformed)
    }

    fn end<T>(self, message: T) -> Result<T, Malformed> {
        if self.0.is_empty() { Ok(message) } else { Err(Malformed) }
    }
}
