//! Integration tests: the pure engines against vectors, the layers, and the binary against embedded servers.

mod fuzz;
mod layers;
mod vectors;
