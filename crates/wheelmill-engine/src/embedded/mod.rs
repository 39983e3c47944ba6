//! The `embedded` engine: containers from system calls alone, with no daemon and no root.
//!
//! The engine runs in a program with many threads, where it is not safe to enter namespaces. So it
//! executes its own program again as a *helper* ([`helper_main`]): one fresh process with one
//! thread, which is told what to do in JSON over a socket and answers there.
//!
//! ```text
//! wheelmill (threads)  ──socket──  helper ──clone──  init (pid 1 of the container) ──  command
//!    reads the streams             watches           builds the root, reaps
//! ```
//!
//! Death runs downwards. When the program ends in whatever way, its end of the socket closes and the
//! helper kills the init; when the helper dies, the kernel kills the init; when the init dies, the
//! kernel kills everything in its process namespace.

mod engine;
mod errand;
mod flat;
mod helper;
mod kept;
mod layers;
mod mode;
mod prepare;
mod probe;
mod process;
mod program;
mod refusal;
mod scratch;
mod settings;
mod spec;
mod system;
mod terminal;
mod translate;
mod way;

pub use engine::EmbeddedEngine;
pub use helper::helper_main;
pub use settings::EmbeddedSettings;
