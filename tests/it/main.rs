//! Integration tests: the pure engines against vectors, the layers, and the binary against embedded servers.

mod apiserver;
mod cli;
mod fuzz;
mod layers;
mod vectors;
