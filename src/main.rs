//! The `knarr` program.

fn main() {}
