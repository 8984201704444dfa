//! Controllers: one file each, level-triggered, clients of the API like any other.
