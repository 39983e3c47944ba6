//! The wheelmill program.

fn main() {}
